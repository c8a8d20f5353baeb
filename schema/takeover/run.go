package takeover

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/schema"
	"github.com/openlectern/lectern/schema/ddl"
	"github.com/openlectern/lectern/schema/inspect"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// site is what a plan is made from: the catalogue and Django's ledger.
type site struct {
	live inspect.Tables
	rows map[schema.Migration]bool

	// These are read from rows, only where the catalog is asked for.
	unused bool  // the tables of organizations are as a killed run left them: ours and empty
	fill   *fill // what courses the catalog lacks
	// The site was older than Ulmo when its content was taken over, perhaps by a run that was stopped since.
	old bool
}

// look reads the whole catalogue: any table may refer to those that are changed.
func look(ctx context.Context, q db.Querier) (*site, error) {
	s := &site{rows: map[schema.Migration]bool{}}
	var err error
	if s.live, err = inspect.Read(ctx, q, func(string) bool { return true }); err != nil {
		return nil, err
	}
	if s.live["django_migrations"] == nil {
		return s, nil
	}
	s.old = true
	err = q.Query(ctx, "SELECT app, name FROM django_migrations ORDER BY id", nil, func(r *db.Row) error {
		var m schema.Migration
		err := r.Scan(&m.App, &m.Name)
		s.rows[m] = true
		// Ulmo wrote this one. Otherwise it comes after the row by which units were given away, see contentSteps.
		if m == lastOfUlmo && !s.rows[firstAfterUlmo] {
			s.old = false
		}
		return err
	})
	return s, err
}

// steps returns what is to be done, up to and with the last.
func (s *site) steps(d schema.Dialect, c *codes, all []step) []Step {
	p := newPlanner(d, s.live, c)
	maps.Copy(p.rows, s.rows)
	p.fill = s.fill
	var out []Step
	for i := range all {
		if p.rows[schema.Migration{App: all[i].app, Name: all[i].name}] {
			continue
		}
		if st := p.plan(&all[i]); len(st.Statements) > 0 {
			out = append(out, st)
		}
	}
	return out
}

// runner carries out steps.
type runner struct {
	d        *db.DB
	dialect  schema.Dialect
	codes    *codes
	catalog  bool // look for courses that the catalog lacks, too
	patience ddl.Patience
	held     func(context.Context) error // whether the lease is ours yet; nil asks nothing
	done     func(Step)                  // told of each step that is done
}

// run carries out steps until none is left. Each is planned anew from what the catalogue says then.
func (r *runner) run(ctx context.Context, all []step) error {
	var failed error // of the step before
	var was Step
	for {
		steps, err := r.left(ctx, all)
		switch {
		case failed != nil && (err != nil || len(steps) > 0 && alike(&was, &steps[0])):
			return failed
		case err != nil || len(steps) == 0:
			return err
		}
		failed = nil
		for i := range steps {
			if err := r.carryOut(ctx, &steps[i]); err != nil {
				if !r.overtaken(ctx, err) {
					return err
				}
				failed, was = err, steps[i]
				break
			}
			if !steps[i].silent() {
				break // what it changed in the catalogue is looked at before the next
			}
		}
	}
}

// overtaken reports whether a step may have failed over what was done meanwhile: a server saves what a run asked it to save
// that was killed, and one of the MySQL family finishes its statement. Then the ledger or the catalogue shows it, and the step
// is another one than it was.
func (r *runner) overtaken(ctx context.Context, err error) bool {
	return errors.Is(err, errRecorded) || r.d.Engine().MySQLFamily() && ctx.Err() == nil && fault.KindOf(err) == fault.Internal
}

// alike reports whether two steps do the same.
func alike(a, b *Step) bool {
	return a.ID() == b.ID() && slices.EqualFunc(a.Statements, b.Statements, func(x, y Statement) bool { return x.SQL == y.SQL })
}

// left plans the steps that are left.
func (r *runner) left(ctx context.Context, all []step) ([]Step, error) {
	now, err := look(ctx, r.d)
	if err != nil {
		return nil, err
	}
	steps := now.steps(r.dialect, r.codes, all)
	if r.catalog && !slices.ContainsFunc(steps, func(st Step) bool { return !st.silent() }) {
		if err := now.lookCourses(ctx, r.d); err != nil { // with all tables there
			return nil, err
		}
		steps = now.steps(r.dialect, r.codes, all)
	}
	return steps, nil
}

// carryOut carries out one step on a connection of its own.
func (r *runner) carryOut(ctx context.Context, st *Step) error {
	err := r.d.Session(ctx, func(s *db.Session) error {
		if err := r.prepare(ctx, s); err != nil {
			return err
		}
		if !r.d.Engine().MySQLFamily() {
			return r.together(ctx, s, st.Statements)
		}
		return r.oneByOne(ctx, s, st.Statements)
	})
	if err != nil {
		return fmt.Errorf("%s: %w", st.ID(), err)
	}
	if r.done != nil {
		r.done(*st)
	}
	return nil
}

// prepare sets the session up.
func (r *runner) prepare(ctx context.Context, s *db.Session) error {
	if r.d.Engine() != db.SQLite {
		return nil
	}
	// Else a table could not be made again while others refer to it.
	_, err := s.Exec(ctx, "PRAGMA foreign_keys = OFF")
	return err
}

// errDangling says that rows of a table which was made again, or of those that refer to it, refer to none.
var errDangling = errors.New("there are rows that refer to none")

// together sends statements in one transaction. Tables that SQLite makes again are looked at before it commits: that rows
// refer to none may be as it was before, which is counted only then, as counting takes longer than all steps.
func (r *runner) together(ctx context.Context, s *db.Session, list []Statement) error {
	err := r.attempt(ctx, s, list, false)
	if errors.Is(err, errDangling) {
		err = r.attempt(ctx, s, list, true)
	}
	return err
}

func (r *runner) attempt(ctx context.Context, s *db.Session, list []Statement, known bool) error {
	sqlite := r.d.Engine() == db.SQLite
	rewrites := sqlite && slices.ContainsFunc(list, func(st Statement) bool { return st.Effort == Rewrite })
	return r.patience.Transaction(ctx, s, func(tx *db.Tx) (err error) {
		if sqlite { // with it on, references to a renamed table would be left behind
			if _, err := tx.Exec(ctx, "PRAGMA legacy_alter_table = OFF"); err != nil {
				return err
			}
		}
		before := 0
		if rewrites && known {
			if before, err = dangling(ctx, tx, list); err != nil {
				return err
			}
		}
		for i := range list {
			if err := r.send(ctx, tx, &list[i]); err != nil {
				return err
			}
		}
		if !rewrites {
			return nil
		}
		after, err := dangling(ctx, tx, list)
		switch {
		case err != nil || after <= before:
			return err
		case !known:
			return errDangling
		}
		return fault.Errorf(fault.Internal, "database", "%d rows would have lost what they refer to", after-before).
			WithNext("report this; the step has changed nothing")
	})
}

// oneByOne sends statements where those that change tables commit by themselves; those that change rows and follow each
// other are one transaction.
func (r *runner) oneByOne(ctx context.Context, s *db.Session, list []Statement) error {
	for i := 0; i < len(list); {
		end := i
		for end < len(list) && list[end].data {
			end++
		}
		var err error
		if end == i {
			end++
			if err = r.check(ctx); err == nil {
				err = r.patience.Statement(ctx, s, list[i].SQL)
			}
		} else {
			err = r.together(ctx, s, list[i:end])
		}
		if err != nil {
			return err
		}
		i = end
	}
	return nil
}

func (r *runner) check(ctx context.Context) error {
	if r.held == nil {
		return nil
	}
	return r.held(ctx)
}

// send sends a statement in a transaction.
func (r *runner) send(ctx context.Context, tx *db.Tx, st *Statement) error {
	if err := r.check(ctx); err != nil {
		return err
	}
	if st.work != nil {
		return st.work(ctx, tx)
	}
	if _, err := tx.Exec(ctx, st.SQL, st.Args...); err != nil {
		return fmt.Errorf("%s: %w", st.SQL, err)
	}
	if st.data && r.d.Engine() == db.PostgreSQL {
		// What waits for the end of the transaction would refuse the next change of the table (content-migrations.md §1.5.2).
		if _, err := tx.Exec(ctx, "SET CONSTRAINTS ALL IMMEDIATE"); err != nil {
			return err
		}
	}
	return nil
}
