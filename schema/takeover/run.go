package takeover

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/schema"
	"github.com/openlectern/lectern/schema/inspect"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// site is what a plan is made from: the catalogue and Django's ledger.
type site struct {
	live inspect.Tables
	rows map[schema.Migration]bool
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
	err = q.Query(ctx, "SELECT app, name FROM django_migrations", nil, func(r *db.Row) error {
		var m schema.Migration
		err := r.Scan(&m.App, &m.Name)
		s.rows[m] = true
		return err
	})
	return s, err
}

// steps returns what is to be done, up to and with the last.
func (s *site) steps(d schema.Dialect, c *codes, all []step) []Step {
	p := newPlanner(d, s.live, c)
	var out []Step
	for i := range all {
		if !s.rows[schema.Migration{App: all[i].app, Name: all[i].name}] {
			out = append(out, p.plan(&all[i]))
		}
	}
	return out
}

// runner carries out steps.
type runner struct {
	d       *db.DB
	dialect schema.Dialect
	codes   *codes
	done    func(Step) // told of each step that is done
}

// run carries out steps until none is left. Each is planned anew from what the catalogue says then.
func (r *runner) run(ctx context.Context, all []step) error {
	return r.d.Session(ctx, func(s *db.Session) error {
		if err := r.prepare(ctx, s); err != nil {
			return err
		}
		for {
			now, err := look(ctx, s)
			if err != nil {
				return err
			}
			steps := now.steps(r.dialect, r.codes, all)
			if len(steps) == 0 {
				return nil
			}
			for i := range steps {
				if err := r.step(ctx, s, &steps[i]); err != nil {
					return fmt.Errorf("%s: %w", steps[i].ID(), err)
				}
				if r.done != nil {
					r.done(steps[i])
				}
				if !steps[i].silent() {
					break
				}
			}
		}
	})
}

// prepare sets the session up.
func (r *runner) prepare(ctx context.Context, s *db.Session) error {
	var settings []string
	if r.d.Engine() == db.SQLite {
		// Without the first a table could not be made again while others refer to it. With the second on, references to a
		// renamed table would be left behind.
		settings = []string{"PRAGMA foreign_keys = OFF", "PRAGMA legacy_alter_table = OFF"}
	}
	for _, sql := range settings {
		if _, err := s.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

// step carries out one step.
func (r *runner) step(ctx context.Context, s *db.Session, st *Step) error {
	if !r.d.Engine().MySQLFamily() {
		return s.Update(ctx, func(tx *db.Tx) error {
			for i := range st.Statements {
				if err := r.send(ctx, tx, &st.Statements[i]); err != nil {
					return err
				}
			}
			return nil
		})
	}
	for i := 0; i < len(st.Statements); {
		if !st.Statements[i].data {
			if _, err := s.Exec(ctx, st.Statements[i].SQL); err != nil {
				return fmt.Errorf("%s: %w", st.Statements[i].SQL, err)
			}
			i++
			continue
		}
		end := i
		for end < len(st.Statements) && st.Statements[end].data {
			end++
		}
		err := s.Update(ctx, func(tx *db.Tx) error {
			for n := i; n < end; n++ {
				if err := r.send(ctx, tx, &st.Statements[n]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		i = end
	}
	return nil
}

// send sends a statement in a transaction.
func (r *runner) send(ctx context.Context, tx *db.Tx, st *Statement) error {
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
