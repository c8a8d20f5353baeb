package takeover

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/schema"
	"github.com/openlectern/lectern/schema/ddl"
	"github.com/openlectern/lectern/schema/inspect"
)

// besideLedger are tables of Lectern's own that may be in a database of any age, before the ledger of Lectern's tables is.
var besideLedger = []string{ownLock, schema.LibraryPermissions, jobTable, jobLog}

const (
	jobTable = "lectern_job"
	jobLog   = "lectern_joblog"
)

// ProvideJobs makes the tables of jobs in a database of any age, where they are missing: so a run can be seen from its first
// step on. They are as they will be made for a database of today, and what makes those passes over them. It reports
// whether they are there; they cannot be where there are no users yet. It waits for others more briefly than a step does, as
// nothing depends on it.
func ProvideJobs(ctx context.Context, d *db.DB, r Run) (there bool, err error) {
	names, err := inspect.Names(ctx, d)
	if err != nil || names[jobTable] && names[jobLog] || !names["auth_user"] {
		return names[jobTable] && names[jobLog], err
	}
	lock := time.Second
	if r.LockTimeout > 0 {
		lock = min(lock, r.LockTimeout)
	}
	run := runner{d: d, patience: ddl.Patience{Lock: lock, Tries: 3, Pause: time.Second, Blocked: r.Blocked}}
	var list []Statement
	for _, name := range []string{jobTable, jobLog} {
		if names[name] {
			continue
		}
		for _, sql := range schema.DialectOf(d).Statements(schema.Lookup(name)) {
			list = append(list, Statement{SQL: sql, Table: name})
		}
	}
	err = d.Session(ctx, func(s *db.Session) error {
		if d.Engine().MySQLFamily() {
			return run.oneByOne(ctx, s, list)
		}
		return run.together(ctx, s, list)
	})
	if err != nil {
		return false, fmt.Errorf("make the tables of jobs: %w", err)
	}
	return true, nil
}

// unknown returns the first of some tables that no version of Lectern is known to make where its ledger is missing.
func unknown(tables []string) (name string, found bool) {
	i := slices.IndexFunc(tables, func(name string) bool { return !slices.Contains(besideLedger, name) })
	if i < 0 {
		return "", false
	}
	return tables[i], true
}
