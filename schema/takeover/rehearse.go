package takeover

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/schema"
	"github.com/openlectern/lectern/schema/inspect"
)

// Rehearsal is what came of a rehearsal.
type Rehearsal struct {
	Plan     *Plan
	Took     []time.Duration  // of each of the plan's steps
	Copied   time.Duration    // how long it took to copy the tables
	Sums     []TableSum       // of the content tables, before; Findings tell where they were others afterwards
	Findings []schema.Finding // what was not as it should be afterwards; those of the plan are in it
}

// stage is the place of a rehearsal.
type stage interface {
	// clear removes what a rehearsal left whose process is gone. Another that runs, and what is no rehearsal's, is
	// fault.Refused.
	clear(ctx context.Context) error
	// fill copies the tables. What it has begun remove ends, also after an error.
	fill(ctx context.Context) (*db.DB, error)
	// remove removes everything, with the database that fill has opened.
	remove(ctx context.Context) error
}

// Rehearse carries Migrate out on a copy of the tables concerned, which is removed again whatever happens; a copy that a
// killed rehearsal left is removed first. Nothing of the original is written: not a lease, not the mode of a SQLite file.
// place is the URL of d. On SQLite the copy is a file in the same folder, for which there must be room, on the MySQL
// family a database of the same server, on PostgreSQL a schema of the same database, for which the user needs the right to
// make them: what is missing is fault.Refused. On the MySQL family a rehearsal on a site that works meanwhile sees each
// table at a moment of its own.
func Rehearse(ctx context.Context, d *db.DB, place string, o Options, r Run) (_ *Rehearsal, err error) {
	p, err := NewPlan(ctx, d, o)
	if err != nil {
		return nil, err
	}
	out := &Rehearsal{Plan: p, Findings: p.Findings}
	if p.Refusal != nil || len(p.Steps) == 0 {
		return out, p.Refusal
	}
	st, err := stageFor(ctx, d, place)
	if err != nil {
		return out, err
	}
	if err := st.clear(ctx); err != nil {
		return out, err
	}
	defer func() {
		const longest = time.Minute
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), longest)
		defer cancel()
		if rerr := st.remove(ctx); rerr != nil {
			err = errors.Join(err, fmt.Errorf("remove the copy: %w", rerr))
		}
	}()
	began := time.Now()
	scratch, err := st.fill(ctx)
	if err != nil {
		return out, err
	}
	out.Copied = time.Since(began)
	return out, out.perform(ctx, scratch, o, r)
}

// perform migrates the copy and looks at what it has become.
func (out *Rehearsal) perform(ctx context.Context, d *db.DB, o Options, r Run) error {
	all, err := Checksums(ctx, d)
	if err != nil {
		return err
	}
	if out.Sums, err = ChecksumsLike(ctx, d, out.Plan.unchosen(all)); err != nil {
		return err
	}
	tell, last := r.Done, time.Now()
	r.Done = func(s Step, n, of int) {
		out.Took = append(out.Took, time.Since(last))
		if tell != nil {
			tell(s, n, of)
		}
		last = time.Now()
	}
	p, err := Migrate(ctx, d, o, r)
	if p != nil {
		out.Plan = p
	}
	if err != nil {
		return err
	}
	after, err := ChecksumsLike(ctx, d, out.Sums)
	if err != nil {
		return err
	}
	out.Findings = append(out.Findings, Differences(out.Sums, after)...)
	found, err := afterwards(ctx, d)
	out.Findings = append(out.Findings, found...)
	return err
}

// afterwards returns what is wrong with a database that was migrated as far as was wanted.
func afterwards(ctx context.Context, d *db.DB) ([]schema.Finding, error) {
	st, err := schema.Recognize(ctx, d)
	if err != nil {
		return nil, err
	}
	if st.Status == schema.Current {
		return schema.Verify(ctx, d, false)
	}
	x, err := Examine(ctx, d, false)
	if err != nil {
		return nil, err
	}
	return x.Findings, nil
}

// unchosen returns sums without the columns into which chosen codes will be written.
func (p *Plan) unchosen(sums []TableSum) []TableSum {
	out := slices.Clone(sums)
	for i := range out {
		if s := &out[i]; len(p.codes.of(s.Table)) > 0 {
			s.Columns = slices.DeleteFunc(slices.Clone(s.Columns), func(c string) bool { return strings.HasSuffix(c, "_code") })
		}
	}
	return out
}

// stageFor returns the place for a rehearsal of a database.
func stageFor(ctx context.Context, d *db.DB, place string) (stage, error) {
	if path, ok := db.File(place); ok {
		return &fileStage{place: place, path: path, room: room}, nil
	}
	current := "SELECT DATABASE()"
	if d.Engine() == db.PostgreSQL {
		current = "SELECT current_schema()::text"
	}
	from, _, err := db.One(ctx, d, current, nil, db.Value[string])
	if err != nil {
		return nil, err
	}
	s := serverStage{d: d, place: place, from: from, name: stageName(d.Engine(), from)}
	if d.Engine() == db.PostgreSQL {
		return &schemaStage{serverStage: s}, nil
	}
	return &databaseStage{serverStage: s}, nil
}

// besides are tables that steps read and that neither are ours nor refer to content.
var besides = map[string]bool{"split_modulestore_django_splitmodulestorecourseindex": true, legacyTable: true}

// concerned returns the tables that a take-over reads or changes, those that refer to others first: so a copy that is made
// table by table holds what is referred to, whoever writes meanwhile.
func concerned(live inspect.Tables) []string {
	wanted := map[string]bool{}
	for name, t := range live {
		wanted[name] = contentTable(name) || schema.Lookup(name) != nil || besides[name] ||
			slices.ContainsFunc(t.Foreign, func(f inspect.Foreign) bool {
				return contentTable(f.Table) || strings.HasPrefix(f.Table, "openedx_catalog_")
			})
	}
	wanted["lectern_lock"] = false
	var order []string
	seen := map[string]bool{}
	var visit func(name string)
	visit = func(name string) { // what refers to a table comes before it
		if seen[name] || !wanted[name] {
			return
		}
		seen[name] = true
		for _, other := range slices.Sorted(maps.Keys(live)) {
			if slices.ContainsFunc(live[other].Foreign, func(f inspect.Foreign) bool { return f.Table == name }) {
				visit(other)
			}
		}
		order = append(order, name)
	}
	for _, name := range sortedKeys(live) {
		visit(name)
	}
	return order
}
