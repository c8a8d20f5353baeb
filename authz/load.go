package authz

import (
	"context"
	"strings"

	"github.com/google/uuid"

	"github.com/openlectern/lectern/db"
)

// Load reads the whole policy and the super admins. Columns are read as they are, without the way through text of the
// reference (authz.md §15, D7). q should be one snapshot, so that version and rows belong together: a transaction of
// [db.DB.View]. Memory is about 60 bytes for an assignment and the names and keys once.
func Load(ctx context.Context, q db.Querier) (*Index, error) {
	version, err := Version(ctx, q)
	if err != nil {
		return nil, err
	}
	x, err := loadPolicy(ctx, q, version)
	if err != nil {
		return nil, err
	}
	x.admins, err = loadAdmins(ctx, q)
	return x, err
}

// loadPolicy reads everything but the super admins.
func loadPolicy(ctx context.Context, q db.Querier, version uuid.UUID) (*Index, error) {
	n, _, err := db.One(ctx, q, "SELECT COUNT(*) FROM casbin_rule", nil, db.Value[int])
	if err != nil {
		return nil, err
	}
	b := newBuilder(n)
	if err := readRules(ctx, q, b); err != nil {
		return nil, err
	}
	return b.index(version), nil
}

// Version returns the version of the stored policy, zero where it has none yet (authz.md §7).
func Version(ctx context.Context, q db.Querier) (uuid.UUID, error) {
	v, _, err := db.One(ctx, q, "SELECT version FROM openedx_authz_policycachecontrol ORDER BY id LIMIT 1", nil, db.Value[uuid.UUID])
	return v, err
}

const selectRules = "SELECT ptype, v0, v1, v2, v3, v4, v5 FROM casbin_rule"

func readRules(ctx context.Context, q db.Querier, b *builder) error {
	return q.Query(ctx, selectRules+" ORDER BY id", nil, intoBuilder(b))
}

// intoBuilder returns what takes rows of selectRules.
func intoBuilder(b *builder) func(*db.Row) error {
	row := make([]string, 7)
	return func(r *db.Row) error {
		if err := r.Scan(&row[0], &row[1], &row[2], &row[3], &row[4], &row[5], &row[6]); err != nil {
			return err
		}
		b.row(trimRow(row))
		return nil
	}
}

// LoadFor is Load for questions about these users only, by name: it reads their assignments, those of subjects that are no
// users, and all that roles may do. It is for programs that ask little and end: one look through the table without keeping
// what is others'. The index lists nobody else, and is of no version, so that nothing follows it.
func LoadFor(ctx context.Context, q db.Querier, users ...string) (*Index, error) {
	b := newBuilder(256)
	if err := q.Query(ctx, selectRules+" WHERE ptype <> 'g' OR SUBSTR(v0, 1, 5) <> '"+userPrefix+"' ORDER BY id", nil, intoBuilder(b)); err != nil {
		return nil, err
	}
	asked := map[string]bool{}
	var names []string
	for _, u := range users {
		if k := userPrefix + u; u != "" && !asked[k] {
			asked[k] = true
			names = append(names, k)
		}
	}
	for from := 0; len(names) > 0; {
		if err := db.QueryIn(ctx, q, selectRules+" WHERE ptype = 'g' AND v0 IN (?...) ORDER BY id", names, nil, intoBuilder(b)); err != nil {
			return nil, err
		}
		// A role may be a user: then what this one has counts too.
		names = nil
		for ; from < len(b.roles); from++ {
			role := b.x.names.text(b.roles[from])
			if len(role) > len(userPrefix) && strings.EqualFold(role[:len(userPrefix)], userPrefix) && !asked[role] {
				asked[role] = true
				names = append(names, role)
			}
		}
	}
	x := b.index(uuid.Nil)
	var err error
	x.admins, err = loadAdmins(ctx, q)
	return x, err
}
