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
)

// RevertPlan says how to give the tables their names of before the merge again (content-migrations.md §3.6): the way back
// from 0003. Later steps are not reversible; beyond 0003 it is fault.Refused. It writes nothing.
func RevertPlan(ctx context.Context, d *db.DB) (*Plan, error) {
	p := &Plan{Findings: []schema.Finding{}}
	var err error
	if p.State, err = schema.Recognize(ctx, d); err != nil {
		return nil, err
	}
	switch {
	case slices.Contains([]string{"C3", "M3", "C2", "M"}, p.State.Content):
	case p.State.Content == "C1" || p.State.Content == "T" || p.State.Content == "U":
		return p, nil // nothing to do
	default:
		p.Refusal = fault.Errorf(fault.Refused, "database", "only 0002 and 0003 of openedx_content can be taken back, and the database is in state %s", p.State.Content).
			WithNext("restore the backup that was made before lectern db migrate")
		return p, nil
	}
	err = d.View(ctx, func(tx *db.Tx) error {
		s, err := look(ctx, tx)
		if err == nil {
			p.Steps = s.revert(schema.DialectOf(d))
		}
		return err
	})
	return p, err
}

// revert plans the way back. A row goes before what it stands for, so that a run that is stopped leaves a database that is
// known as half migrated, which both ways lead on from.
func (s *site) revert(d schema.Dialect) []Step {
	p := newPlanner(d, s.live, nil)
	var back [][2]string
	for _, n := range renames() {
		back = append(back, [2]string{n[1], n[0]})
	}
	var out []Step
	for _, b := range []struct {
		row    string
		wishes []wish
	}{
		{"0003_rename_content_to_media", []wish{
			renameModel("media", "content"),
			renameModel("componentversionmedia", "componentversioncontent"),
			renameIndex([]string{link}, "oel_cvmedia_c_cv", "oel_cvcontent_c_cv"),
			renameIndex([]string{link}, "oel_cvmedia_cv_d", "oel_cvcontent_cv_d"),
			renameColumn(link, "media_id", "content_id"),
			renameTables([][2]string{{link, midLink}, {nowMedia, midContent}}),
		}},
		{"0002_rename_tables_to_openedx_content", []wish{
			renameTables(back),
			renameIndex([]string{oldCollect}, "openedx_content_coll_lp_title", "oel_collect_learnin_dfaf89_idx"),
		}},
	} {
		out = append(out, p.back(b.row, b.wishes, s.unswitch(b.row)))
	}
	return slices.DeleteFunc(out, func(st Step) bool { return len(st.Statements) == 0 })
}

// unswitch returns the rows to delete with one of openedx_content.
func (s *site) unswitch(row string) []schema.Migration {
	var rows []schema.Migration
	if m := (schema.Migration{App: "openedx_content", Name: row}); s.rows[m] {
		rows = append(rows, m)
	}
	if !strings.HasPrefix(row, "0003") {
		return rows
	}
	for _, a := range platform {
		m := schema.Migration{App: a.app, Name: a.row}
		squashed := schema.Migration{App: a.app, Name: a.squash}
		if s.rows[m] {
			rows = append(rows, m)
		}
		// Alone it stands for rows that were never written: without it Python would make the app's tables again.
		if s.rows[squashed] && s.rows[schema.Migration{App: a.app, Name: a.before}] {
			rows = append(rows, squashed)
		}
	}
	return rows
}

// back plans one step of the way back.
func (p *planner) back(name string, wishes []wish, rows []schema.Migration) Step {
	out := Step{App: "openedx_content", Name: name}
	p.step, p.had = &out, map[string]bool{}
	for _, m := range rows {
		p.change("django_migrations", fmt.Sprintf("DELETE FROM django_migrations WHERE app = '%s' AND name = '%s'", m.App, m.Name))
	}
	for _, w := range wishes {
		w(p)
	}
	p.step = nil
	return out
}

// RevertNames carries RevertPlan out. Like Migrate it goes on where it was stopped.
func RevertNames(ctx context.Context, d *db.DB, r Run) (p *Plan, err error) {
	if p, err = RevertPlan(ctx, d); err != nil || p.Refusal != nil || len(p.Steps) == 0 {
		if err == nil {
			err = p.Refusal
		}
		return p, err
	}
	l, err := lease.Take(ctx, d, LeaseName, lease.Options{What: "lectern db revert-names", Wait: r.Wait, Waiting: r.Waiting})
	if err != nil {
		return p, err
	}
	defer func() { err = errors.Join(err, l.Release(context.WithoutCancel(ctx))) }()
	if p, err = RevertPlan(ctx, d); err != nil || p.Refusal != nil {
		return p, errors.Join(err, p.Refusal)
	}
	if len(p.Steps) == 0 {
		return p, nil // another run was first
	}
	run := runner{d: d, dialect: schema.DialectOf(d), held: l.Check, patience: ddl.Patience{Lock: r.LockTimeout, Blocked: r.Blocked}}
	err = r.around(ctx, len(p.Steps), func(ctx context.Context) error {
		for i := range p.Steps {
			if err := run.carryOut(ctx, &p.Steps[i]); err != nil {
				return err
			}
			if r.Done != nil {
				r.Done(p.Steps[i], i+1, len(p.Steps))
			}
		}
		return nil
	})
	return p, err
}
