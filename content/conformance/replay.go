package conformance

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/golden"
)

// replay performs every scenario, and those with bulks a second time with pointers written after each inner step. On
// SQLite each has a database for itself, emptied after the one before, so that ids are those of the reference; on servers
// all share one at the same time, and so show that packages are apart.
func replay(t *testing.T, open func(t *testing.T) []*db.DB) {
	sums := digestRows(t)
	databases := make(chan []*db.DB, runtime.GOMAXPROCS(0))
	var users map[string]publishing.UserID
	for i := range cap(databases) {
		d := open(t)
		var err error
		if users, err = makeUsers(t.Context(), d[0]); err != nil {
			t.Fatal(err)
		}
		databases <- d
		if d[0].Engine() != db.SQLite {
			for range cap(databases) - i - 1 {
				databases <- d
			}
			break
		}
	}
	n := 0
	start := func(line []byte, flush bool) scenario {
		s, err := parse(line)
		if err != nil {
			t.Fatalf("publishing.jsonl, line %d: %v", n, err)
		}
		name, tail := s.Name, fmt.Sprintf(" %d %v", n, flush)
		if flush {
			name += ", flushed"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := <-databases
			defer func() { databases <- d }()
			if d[0].Engine() == db.SQLite {
				if err := empty(t.Context(), d[0]); err != nil {
					t.Fatal(err)
				}
			}
			st := newStage(d, media.NewDir(t.TempDir()), users, flush)
			st.tail = tail
			play(t, st, s, sums[s.Name])
		})
		return s
	}
	golden.Lines(t, "publishing.jsonl", func(line []byte) {
		n++
		s := start(line, false)
		if slices.ContainsFunc(s.Steps, func(st step) bool { return st.Op == "bulk" }) {
			start(line, true)
		}
	})
}

// empty removes all content from a SQLite database and lets ids start at 1 again. Users stay.
func empty(ctx context.Context, d *db.DB) error {
	return d.Update(ctx, func(tx *db.Tx) error {
		tables, err := db.All(ctx, tx, `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '%\_containertype' ESCAPE '\' AND name <> 'lectern_schema'
			AND (name LIKE 'openedx\_content\_%' ESCAPE '\' OR name LIKE 'lectern\_%' ESCAPE '\')`, nil, db.Value[string])
		if err != nil {
			return err
		}
		for _, name := range tables {
			if _, err := tx.Exec(ctx, `DELETE FROM `+name); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, `DELETE FROM sqlite_sequence WHERE name = ?`, name); err != nil {
				return err
			}
		}
		return nil
	})
}

// player compares one scenario.
type player struct {
	*testing.T
	*stage
	s      scenario
	logs   map[logKey]int64 // our log for a log of the scenario
	seen   map[logKey]bool  // our logs that were compared
	stored map[logKey]stored
	end    *state            // at the end of the scenario
	sums   map[string]string // our digests by the scenario's
	back   map[string]string
	told   map[publishing.PackageID]int64 // last event seen
	same   bool                           // version ids are the scenario's, so digests must be too
}

type logKey struct {
	publish bool
	id      int64
}

func play(t *testing.T, st *stage, s scenario, sums []digestRow) {
	ctx := t.Context()
	p := &player{T: t, stage: st, s: s, logs: map[logKey]int64{}, seen: map[logKey]bool{}, stored: map[logKey]stored{}, told: map[publishing.PackageID]int64{}, sums: map[string]string{}, back: map[string]string{}, same: true}
	for i, step := range s.Steps {
		want := s.Results[i]
		before := ""
		if want.Error != nil {
			before = p.picture(ctx)
		}
		p.move()
		err := p.perform(ctx, i+1, step)
		p.move()
		at := fmt.Sprintf("step %d (%s %s%s%s)", i+1, step.Op, step.Pkg, step.Entity, step.Code)
		if !refused(err, want.Error) {
			t.Fatalf("%s: error %v, want %s", at, err, want.Error)
		}
		if err != nil {
			p.compareOutbox(ctx, at, nil)
			if diff := cmp.Diff(before, p.picture(ctx)); diff != "" {
				t.Errorf("%s failed and left something behind (-before +after):\n%s", at, diff)
			}
			continue
		}
		p.step(ctx, at, want)
	}
	p.final(ctx)
	p.recompute()
	p.digests(sums)
}

func (f *failure) String() string {
	if f == nil {
		return "none"
	}
	return f.Kind + " " + string(f.Text)
}

// refused reports whether an error is what the scenario wants. The kinds of the reference are its own; ours must be a
// refusal, not an accident.
func refused(err error, want *failure) bool {
	switch {
	case err == nil || want == nil:
		return err == nil && want == nil
	case want.Kind == "raised":
		return errors.Is(err, errRaised)
	case want.Kind == "ValidationError", want.Kind == "IntegrityError":
		return fault.Is(err, fault.Invalid) || fault.Is(err, fault.Conflict)
	}
	return fault.Is(err, fault.Invalid) || fault.Is(err, fault.Conflict) || fault.Is(err, fault.NotFound) || fault.Is(err, fault.Refused)
}

// picture describes everything that can be read, to show that a failed step changed nothing.
func (p *player) picture(ctx context.Context) string {
	parts := map[string]string{} // by ref: a failed step may have given a package a second name
	packages, err := p.packages(ctx, p.d)
	p.must(err)
	for _, pkg := range packages {
		pointers, err := publishing.AllPointers(ctx, p.d, pkg.ID)
		p.must(err)
		logs, err := publishing.Logs(ctx, p.d, pkg.ID, publishing.LogFilter{})
		p.must(err)
		parts[pkg.Ref] = fmt.Sprintf("%+v\n%+v\n%+v\n", pkg, pointers, logs)
		for _, ptr := range pointers {
			versions, err := publishing.VersionsOf(ctx, p.d, ptr.Entity)
			p.must(err)
			parts[pkg.Ref] += fmt.Sprintf("%+v\n", versions)
		}
	}
	return strings.Join(slices.Sorted(maps.Values(parts)), "")
}

func (p *player) must(err error) {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
}

// step compares what a step did.
func (p *player) step(ctx context.Context, at string, want result) {
	drafts, publishes := p.newLogs(ctx)
	p.compareLogs(ctx, at, drafts, want.DraftLogs)
	p.compareLogs(ctx, at, publishes, want.PublishLogs)
	var events []event
	for _, e := range want.Events {
		switch {
		case e.Type == "entities_draft_changed" && len(e.Changes) > 0, e.Type == "entities_published":
			events = append(events, e) // one of a draft log without changes is a defect of the reference
		}
	}
	if len(events) != len(p.changes) {
		p.Fatalf("%s: %d logs were returned, want %d", at, len(p.changes), len(events))
	}
	for i, e := range events {
		p.compareEvent(ctx, fmt.Sprintf("%s, event %d", at, i+1), p.changes[i], e)
	}
	p.compareOutbox(ctx, at, want.Events)
}
