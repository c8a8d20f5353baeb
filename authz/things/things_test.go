package things

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/authz/scope"
	"github.com/openlectern/lectern/catalog"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/schema"
)

func tables(d *db.DB) error { return schema.Create(context.Background(), d) }

// TestCatalogRunsCount: a run of the catalog is a course that is there, also without an overview row (authz.md §17).
func TestCatalogRunsCount(t *testing.T) {
	t.Parallel()
	dbtest.EachReady(t, tables, func(t *testing.T, d *db.DB) {
		ctx := t.Context()
		key, err := keys.ParseCourse("course-v1:DemoX+C+R")
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Update(ctx, func(tx *db.Tx) error {
			if _, err := catalog.EnsureRun(ctx, tx, key, "The run", "en"); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, "INSERT INTO course_overviews_courseoverview (id, org, display_name) VALUES ('course-v1:DemoX+D+R', 'DemoX', NULL)")
			return err
		}); err != nil {
			t.Fatal(err)
		}
		want := map[string]bool{
			"course-v1:DemoX+C+R": true, "course-v1:DemoX+D+R": true, "course-v1:demox+C+R": false, "course-v1:DemoX+E+R": false,
			"course-v1:DemoX+*": true, "lib:DemoX:*": true, "lib:demox:*": false, "lib:Other:*": false, "lib:*": true, "lib:DemoX:L": false,
		}
		var scopes []scope.Scope
		var names []string
		for text := range want {
			s, err := scope.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			scopes, names = append(scopes, s), append(names, text)
		}
		there, err := Exist(ctx, d, scopes)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]bool{}
		for s, is := range there {
			got[s.Key()] = is
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("what is there (-want +got):\n%s", diff)
		}
		called, err := Names(ctx, d, append(names, "nonsense", "global:x"))
		if diff := cmp.Diff(map[string]string{"course-v1:DemoX+C+R": "The run", "course-v1:DemoX+D+R": ""}, called); err != nil || diff != "" {
			t.Errorf("names: %v (-want +got):\n%s", err, diff)
		}
		g, _ := scope.Parse("global:x")
		if _, err := Exist(ctx, d, []scope.Scope{g}); !fault.Is(err, fault.Invalid) {
			t.Errorf("global:x: %v, want invalid", err)
		}
	})
}

// TestStatementsAreBounded: a thousand scopes take a handful of statements.
func TestStatementsAreBounded(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	d, err := db.Open(t.Context(), dbtest.ReadyURL(t, db.SQLite, tables), db.Options{OnStatement: func(string) { n.Add(1) }})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	var scopes []scope.Scope
	for i := range 1000 {
		for _, text := range []string{fmt.Sprintf("lib:O%d:L", i), fmt.Sprintf("course-v1:O%d+C+R", i), fmt.Sprintf("lib:O%d:*", i)} {
			s, err := scope.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			scopes = append(scopes, s)
		}
	}
	n.Store(0)
	if _, err := Exist(t.Context(), d, scopes); err != nil {
		t.Fatal(err)
	}
	if n.Load() > 12 {
		t.Errorf("%d statements", n.Load())
	}
}
