package convert_test

import (
	"context"
	"strings"
	"testing"

	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/course"
	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/modulestore/convert"
	"github.com/openlectern/lectern/schema"
)

func tables(d *db.DB) error { return schema.Create(context.Background(), d) }

// store imports what was converted.
func store(tb testing.TB, d *db.DB, files media.Files, r *convert.Result) *course.Report {
	tb.Helper()
	im := course.Import{Key: r.Key, State: r.State, DraftsOnly: r.DraftsOnly, Source: r.Report.Source}
	if err := im.Prepare(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	var report *course.Report
	err := d.Update(tb.Context(), func(tx *db.Tx) (err error) {
		report, err = im.Run(tb.Context(), tx, files)
		return err
	})
	if err != nil {
		tb.Fatalf("%s: %v", r.Key, err)
	}
	return report
}

// loadState reads a course back.
func loadState(tb testing.TB, d *db.DB, files media.Files, r *convert.Result) (st courseware.State) {
	tb.Helper()
	err := d.View(tb.Context(), func(tx *db.Tx) error {
		c, err := course.Find(tb.Context(), tx, r.Key)
		if err != nil {
			return err
		}
		st, err = c.LoadState(tb.Context(), tx, files)
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return st
}

// TestGoldenStored brings every course of every set into a store, proves what comes back, and finds nothing to do the second
// time.
func TestGoldenStored(t *testing.T) {
	t.Parallel()
	for _, set := range sets(t) {
		t.Run(set, func(t *testing.T) {
			t.Parallel()
			d := dbtest.Ready(t, db.SQLite, tables)
			files := media.NewDir(t.TempDir())
			done := map[string]bool{}
			for _, src := range sources(t, set) {
				r, err := convert.Convert(src, convert.Options{})
				if err != nil || done[strings.ToLower(r.Key.String())] { // a store refuses twins by case alone
					continue
				}
				done[strings.ToLower(r.Key.String())] = true
				store(t, d, files, r)
				if left := unproven(convert.Compare(src, r, loadState(t, d, files, r))); len(left) > 0 {
					t.Errorf("%s: %d differences, the first %+v", src.Name, len(left), left[0])
				}
				again := store(t, d, files, toConvert(t, src))
				if again.Created+again.Changed+again.Moved+again.Deleted > 0 || again.ChangeLog != nil || again.DraftsLog != nil {
					t.Errorf("%s: converted again: %+v", src.Name, again)
				}
			}
			if len(done) == 0 {
				t.Error("no courses")
			}
		})
	}
}
