package catalog

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/schema"
)

func tables(d *db.DB) error { return schema.Create(context.Background(), d) }

func key(t *testing.T, s string) keys.Course {
	t.Helper()
	k, err := keys.ParseCourse(s)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func ensure(t *testing.T, d *db.DB, s, title, language string) (id RunID, err error) {
	t.Helper()
	k := key(t, s)
	err = d.Update(t.Context(), func(tx *db.Tx) (err error) {
		id, err = EnsureRun(t.Context(), tx, k, title, language)
		return err
	})
	return id, err
}

func count(t *testing.T, d *db.DB, table string) int {
	t.Helper()
	n, _, err := db.One(t.Context(), d, "SELECT COUNT(*) FROM "+table, nil, db.Value[int])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestEnsureRun(t *testing.T) {
	t.Parallel()
	dbtest.EachReady(t, tables, func(t *testing.T, d *db.DB) {
		first, err := ensure(t, d, "course-v1:Org+C+R1", "A Title", "zh_HANS")
		if err != nil {
			t.Fatal(err)
		}
		again, err := ensure(t, d, "course-v1:Org+C+R1", "Another", "en")
		if err != nil || again != first {
			t.Errorf("the run again: %d, %v; want %d as it is", again, err, first)
		}
		second, err := ensure(t, d, "course-v1:Org+C+R2", "", "")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ensure(t, d, "course-v1:org+C+R3", "", ""); err != nil { // the organization ignoring case
			t.Fatal(err)
		}
		runs, err := Runs(t.Context(), d, []RunID{first, second})
		if err != nil {
			t.Fatal(err)
		}
		want := map[RunID]Run{
			first:  {first, key(t, "course-v1:Org+C+R1"), "A Title", "zh-cn"},
			second: {second, key(t, "course-v1:Org+C+R2"), "C", "zh-cn"},
		}
		if diff := cmp.Diff(want, runs); diff != "" {
			t.Errorf("runs (-want +got):\n%s", diff)
		}
		for table, n := range map[string]int{"organizations_organization": 1, "openedx_catalog_catalogcourse": 1, "openedx_catalog_courserun": 3} {
			if got := count(t, d, table); got != n {
				t.Errorf("%s has %d rows, want %d", table, got, n)
			}
		}
	})
}

func TestEnsureRunRefused(t *testing.T) {
	t.Parallel()
	dbtest.EachReady(t, tables, func(t *testing.T, d *db.DB) {
		if _, err := ensure(t, d, "course-v1:Org+C+R", "", ""); err != nil {
			t.Fatal(err)
		}
		for k, kind := range map[string]fault.Kind{
			"course-v1:Org+c+R2":                               fault.Conflict, // a course by case alone
			"course-v1:Org+C+r":                                fault.Conflict, // a run by case alone
			"course-v1:Org+C+" + strings.Repeat("r", 129):      fault.Invalid,
			"course-v1:" + strings.Repeat("o", 250) + "+C+Run": fault.Invalid,
			"Org/C/": fault.Invalid, // no run
		} {
			if _, err := ensure(t, d, k, "", ""); !fault.Is(err, kind) {
				t.Errorf("%.40s: %v, want kind %s", k, err, kind.Code())
			}
		}
		if n := count(t, d, "openedx_catalog_courserun"); n != 1 {
			t.Errorf("%d runs after refusals, want 1", n)
		}
	})
}

func TestOrganizationActivated(t *testing.T) {
	t.Parallel()
	dbtest.EachReady(t, tables, func(t *testing.T, d *db.DB) {
		if _, err := ensure(t, d, "course-v1:Org+C+R", "", ""); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Exec(t.Context(), "UPDATE organizations_organization SET active = ?", false); err != nil {
			t.Fatal(err)
		}
		if _, err := ensure(t, d, "course-v1:Org+C+R2", "", ""); err != nil {
			t.Fatal(err)
		}
		active, _, err := db.One(t.Context(), d, "SELECT active FROM organizations_organization", nil, db.Value[bool])
		if err != nil || !active {
			t.Errorf("active = %v, %v; want the organization activated", active, err)
		}
	})
}

func TestRenameAndDelete(t *testing.T) {
	t.Parallel()
	dbtest.EachReady(t, tables, func(t *testing.T, d *db.DB) {
		var ids []RunID
		for _, k := range []string{"course-v1:Org+C+R1", "course-v1:Org+C+R2"} {
			id, err := ensure(t, d, k, "Old", "")
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, id)
		}
		err := d.Update(t.Context(), func(tx *db.Tx) error {
			if err := Rename(t.Context(), tx, ids[0], ""); err != nil { // nothing
				return err
			}
			if err := Rename(t.Context(), tx, ids[1], "New"); err != nil {
				return err
			}
			return Delete(t.Context(), tx, ids[0])
		})
		if err != nil {
			t.Fatal(err)
		}
		runs, err := Runs(t.Context(), d, ids)
		if err != nil || len(runs) != 1 || runs[ids[1]].Title != "New" {
			t.Errorf("runs = %v, %v; want the second one, renamed", runs, err)
		}
		if n := count(t, d, "openedx_catalog_catalogcourse"); n != 1 {
			t.Errorf("%d catalog courses while a run is left, want 1", n)
		}
		if err := d.Update(t.Context(), func(tx *db.Tx) error { return Delete(t.Context(), tx, ids[1]) }); err != nil {
			t.Fatal(err)
		}
		if n := count(t, d, "openedx_catalog_catalogcourse"); n != 0 {
			t.Errorf("%d catalog courses without runs, want none", n)
		}
	})
}

func TestLanguage(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"": "en", "en": "en", "en-us": "en-us", "zh_HANS": "zh-cn", "zh_HANT": "zh-hk", "pt_BR": "pt-br",
		"klingon": "en", "e": "en", "es 419": "en", "de-" + strings.Repeat("x", 80): "en"} {
		if got := Language(in); got != want {
			t.Errorf("Language(%.20q) = %q, want %q", in, got, want)
		}
	}
}
