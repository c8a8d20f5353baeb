package authz

import (
	"context"
	"encoding/json"

	"github.com/google/uuid"

	"github.com/openlectern/lectern/db"
)

// Change is one step of the policy: the rows that made version Version of version Previous. An index that stands at
// Previous and applies it is at Version. The zero Change is none: nothing was changed, and the version stayed.
type Change struct {
	Version, Previous uuid.UUID
	Added, Removed    [][]string // rows as ptype, v0, v1 …, without the empty values at their end
}

// IsZero reports whether nothing changed.
func (c Change) IsZero() bool { return c.Version == uuid.Nil }

const (
	policyTable = "openedx_authz_policycachecontrol"
	changeTable = "lectern_authzchange"
	stateTable  = "lectern_authzpolicy"
)

// lock takes the row of the policy's version, which every change of the policy goes through: those that change it follow
// one another, and each finds what the one before it committed (authz.md §6, §7). It returns the version. Python's
// assignments do not take it first, but write it too, so under Galera one of two that meet is certified and the other
// runs again.
func lock(ctx context.Context, tx *db.Tx) (uuid.UUID, error) {
	known := looseOf(tx)
	sql := "SELECT version, (SELECT version FROM " + stateTable + " WHERE id = 1), (SELECT loose FROM " + stateTable + " WHERE id = 1) FROM " + policyTable + " WHERE id = 1"
	if tx.Engine() != db.SQLite { // whose writers follow one another anyway
		sql += " FOR UPDATE"
	}
	version, found, err := db.One(ctx, tx, sql, nil, func(r *db.Row) (version uuid.UUID, err error) {
		err = r.Scan(&version, &known.version, &known.text)
		return version, err
	})
	if err != nil || found {
		return version, err
	}
	version = uuid.New()
	_, err = tx.Exec(ctx, "INSERT INTO "+policyTable+" (id, version) VALUES (1, ?)", version)
	return version, db.Raced(err)
}

// delta is a change as others read it from the table.
type delta struct {
	Added   [][]string `json:"added"`
	Removed [][]string `json:"removed"`
}

// Limits of what is kept of changes. A change past them has no row: who meets its version loads all rules anew, which is
// not much more work then.
const (
	maxDeltaRows  = 10_000
	maxDeltaBytes = 1 << 20
)

// bump ends a change of the policy that began with [lock]: it gives the policy a fresh version and keeps the list of
// changed rows for the other processes. loose are the ids of the rules without an extended row of their key.
func bump(ctx context.Context, tx *db.Tx, previous uuid.UUID, d delta, loose []int64) (Change, error) {
	c := Change{Version: uuid.New(), Previous: previous, Added: d.Added, Removed: d.Removed}
	if c.Version[15]%forgetEvery == 0 {
		if err := forget(ctx, tx); err != nil {
			return Change{}, err
		}
	}
	err := tx.Later(nil, func() error {
		if _, err := tx.Exec(ctx, "UPDATE "+policyTable+" SET version = ? WHERE id = 1", c.Version); err != nil {
			return err
		}
		if err := keepLoose(ctx, tx, c.Version, loose); err != nil {
			return err
		}
		if len(d.Added)+len(d.Removed) > maxDeltaRows {
			return nil
		}
		text, err := encode(d)
		if err != nil || len(text) > maxDeltaBytes {
			return err
		}
		_, err = tx.Exec(ctx, "INSERT INTO "+changeTable+" (version, previous, created, delta) VALUES (?, ?, ?, ?)", c.Version, previous, tx.Now(), text)
		return err
	})
	if err != nil {
		return Change{}, err
	}
	return c, nil
}

// encode writes a list of changed rows, empty lists as [].
func encode(d delta) (string, error) {
	if d.Added == nil {
		d.Added = [][]string{}
	}
	if d.Removed == nil {
		d.Removed = [][]string{}
	}
	text, err := json.Marshal(d)
	return string(text), err
}
