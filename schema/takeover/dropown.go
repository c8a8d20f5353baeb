package takeover

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/lease"
	"github.com/openlectern/lectern/schema"
	"github.com/openlectern/lectern/schema/ddl"
	"github.com/openlectern/lectern/schema/inspect"
)

const (
	ownPrefix = "lectern_"
	ownLedger = "lectern_schema"
	ownLock   = "lectern_lock"
)

// DropOwn removes Lectern's own tables, whichever version made them: all whose names begin with lectern_. Open edX's are
// not touched, and none of them refers to these. It returns what there was, rows by table. While somebody holds a lease it
// is fault.Refused with the holder. With dry nothing is written.
//
// On SQLite and PostgreSQL it is one transaction, after which only the table of leases is left, which goes last; on the
// MySQL family a statement for each table. Stopped between, it goes on when it is called again.
func DropOwn(ctx context.Context, d *db.DB, r Run, dry bool) (lost map[string]int64, err error) {
	st, err := schema.Recognize(ctx, d)
	if err != nil {
		return nil, err
	}
	if st.Status == schema.Partial {
		return nil, fault.Errorf(fault.Refused, "database", "%s (state %s)", st.Reason, st.Content).WithNext(st.Next)
	}
	order, err := ownTables(ctx, d)
	if err != nil {
		return nil, err
	}
	if lost, err = countRows(ctx, d, order); err != nil || len(order) == 0 {
		return lost, err
	}
	if err := free(ctx, d, order); err != nil || dry {
		return lost, err
	}
	if order[0] != ownLock {
		if err := dropHeld(ctx, d, r, order); err != nil {
			return lost, err
		}
	}
	if err := free(ctx, d, []string{ownLock}); err != nil { // somebody came between
		return lost, err
	}
	return lost, drop(ctx, d, r, []string{ownLock}, nil)
}

// dropHeld drops all tables but that of leases, of which it takes one meanwhile.
func dropHeld(ctx context.Context, d *db.DB, r Run, order []string) (err error) {
	l, err := lease.Take(ctx, d, LeaseName, lease.Options{What: "lectern db drop-own", Wait: r.Wait, Waiting: r.Waiting})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Release(context.WithoutCancel(ctx))) }()
	order = slices.DeleteFunc(slices.Clone(order), func(name string) bool { return name == ownLock })
	return drop(ctx, d, r, order, l.Check)
}

// ownTables returns Lectern's own tables, those that refer to others first, then the ledger, by which a run that was
// stopped is known, and the table of leases.
func ownTables(ctx context.Context, q db.Querier) ([]string, error) {
	live, err := inspect.Read(ctx, q, func(string) bool { return true })
	if err != nil {
		return nil, err
	}
	var order []string
	seen := map[string]bool{ownLedger: true, ownLock: true}
	var visit func(string)
	visit = func(name string) {
		if seen[name] || !strings.HasPrefix(name, ownPrefix) {
			return
		}
		seen[name] = true
		for _, other := range sortedKeys(live) {
			if slices.ContainsFunc(live[other].Foreign, func(f inspect.Foreign) bool { return f.Table == name }) {
				visit(other)
			}
		}
		order = append(order, name)
	}
	for _, name := range sortedKeys(live) {
		visit(name)
		for _, f := range live[name].Foreign {
			if strings.HasPrefix(f.Table, ownPrefix) && !strings.HasPrefix(name, ownPrefix) {
				return nil, fault.Errorf(fault.Refused, name, "refers to Lectern's own table %s", f.Table).WithNext("drop the foreign key of " + f.Column + " first")
			}
		}
	}
	if name, found := unknown(order); found && live[ownLedger] == nil {
		return nil, fault.Errorf(fault.Refused, name, "begins with lectern_, but there is no table lectern_schema that says it is Lectern's").
			WithNext("give the table another name if it is yours")
	}
	for _, name := range []string{ownLedger, ownLock} {
		if live[name] != nil {
			order = append(order, name)
		}
	}
	return order, nil
}

func countRows(ctx context.Context, q db.Querier, tables []string) (map[string]int64, error) {
	rows := map[string]int64{}
	for _, name := range tables {
		n, _, err := db.One(ctx, q, "SELECT COUNT(*) FROM "+q.Engine().Quote(name), nil, db.Value[int64])
		if err != nil {
			return nil, err
		}
		rows[name] = n
	}
	return rows, nil
}

// free returns nil when no lease is held.
func free(ctx context.Context, d *db.DB, tables []string) error {
	if !slices.Contains(tables, ownLock) {
		return nil
	}
	names, err := db.All(ctx, d, "SELECT name FROM lectern_lock ORDER BY name", nil, db.Value[string])
	if err != nil {
		return err
	}
	for _, name := range names {
		h, err := lease.Held(ctx, d, name)
		if err != nil {
			return err
		}
		if h != nil {
			return &fault.Error{Kind: fault.Refused, Thing: "lock " + name, Text: "is held by " + h.String(), Next: "wait until that is done", Data: *h}
		}
	}
	return nil
}

// drop drops tables, as far as the engine can in one transaction.
func drop(ctx context.Context, d *db.DB, r Run, tables []string, held func(context.Context) error) error {
	run := runner{d: d, held: held, patience: ddl.Patience{Lock: r.LockTimeout, Blocked: r.Blocked}}
	var list []Statement
	for _, name := range tables {
		list = append(list, Statement{SQL: "DROP TABLE IF EXISTS " + d.Engine().Quote(name), Table: name})
	}
	err := d.Session(ctx, func(s *db.Session) error {
		if d.Engine().MySQLFamily() {
			return run.oneByOne(ctx, s, list)
		}
		return run.together(ctx, s, list)
	})
	if err != nil {
		return fmt.Errorf("drop Lectern's own tables: %w", err)
	}
	return nil
}
