package catalog

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/dbtest"
)

func TestCourses(t *testing.T) {
	t.Parallel()
	dbtest.EachReady(t, tables, func(t *testing.T, d *db.DB) {
		ctx := t.Context()
		for _, k := range []string{"course-v1:Org+C+R1", "course-v1:Org+C+R2", "course-v1:Other+D+R"} {
			if _, err := ensure(t, d, k, "Title", "zh_HANS"); err != nil {
				t.Fatal(err)
			}
		}
		c, err := FindCourse(ctx, d, "Org", "C")
		if err != nil {
			t.Fatal(err)
		}
		want := Course{ID: c.ID, Org: "Org", Code: "C", Title: "Title", Language: "zh-cn"}
		if diff := cmp.Diff(want, c, cmpopts.IgnoreFields(Course{}, "Created")); diff != "" {
			t.Errorf("course (-want +got):\n%s", diff)
		}
		if c.Key() != "catalog-course:Org:C" || c.ShortLanguage() != "zh_HANS" {
			t.Errorf("key %s, language %s", c.Key(), c.ShortLanguage())
		}
		for _, same := range []func() (Course, error){
			func() (Course, error) { return CourseByKey(ctx, d, c.Key()) },
			func() (Course, error) { return CourseByID(ctx, d, c.ID) },
		} {
			if got, err := same(); err != nil || got != c {
				t.Errorf("course %+v, %v; want %+v", got, err, c)
			}
		}
		for org, n := range map[string]int{"": 2, "Org": 1, "None": 0} {
			if list, err := Courses(ctx, d, org); err != nil || len(list) != n {
				t.Errorf("courses of %q: %v, %v; want %d", org, list, err, n)
			}
		}
		for _, org := range []string{"org", "None"} {
			if _, err := FindCourse(ctx, d, org, "C"); !fault.Is(err, fault.NotFound) {
				t.Errorf("course of %q: %v, want not found", org, err)
			}
		}
		for _, k := range []string{"Org:C", "catalog-course:Org", "catalog-course::C"} {
			if _, err := CourseByKey(ctx, d, k); !fault.Is(err, fault.Usage) {
				t.Errorf("key %q: %v, want usage", k, err)
			}
		}
		if _, err := CourseByID(ctx, d, c.ID+100); !fault.Is(err, fault.NotFound) {
			t.Errorf("unknown id: %v, want not found", err)
		}

		runs, err := RunsOf(ctx, d, c.ID)
		if err != nil || len(runs) != 2 || runs[0].Key.String() != "course-v1:Org+C+R1" {
			t.Errorf("runs %v, %v", runs, err)
		}
		r, err := FindRun(ctx, d, key(t, "course-v1:Org+C+R2"))
		if err != nil || r != runs[1] {
			t.Errorf("run %+v, %v; want %+v", r, err, runs[1])
		}
		if _, err := FindRun(ctx, d, key(t, "course-v1:Org+C+r2")); !fault.Is(err, fault.NotFound) {
			t.Errorf("run in another spelling: %v, want not found", err)
		}

		err = d.Update(ctx, func(tx *db.Tx) error {
			if c, err = UpdateCourse(ctx, tx, c.ID, "", "pt_BR"); err != nil {
				return err
			}
			c, err = UpdateCourse(ctx, tx, c.ID, "New", "")
			return err
		})
		if err != nil || c.Title != "New" || c.Language != "pt-br" {
			t.Errorf("updated %+v, %v", c, err)
		}
		refuse := func(what string, kind fault.Kind, fn func(tx *db.Tx) error) {
			t.Helper()
			if err := d.Update(ctx, fn); !fault.Is(err, kind) {
				t.Errorf("%s: %v, want %s", what, err, kind.Code())
			}
		}
		refuse("a wrong language", fault.Invalid, func(tx *db.Tx) error {
			_, err := UpdateCourse(ctx, tx, c.ID, "", "!")
			return err
		})
		refuse("a course with runs", fault.Conflict, func(tx *db.Tx) error { return DeleteCourse(ctx, tx, c.ID) })
		refuse("an unknown course", fault.NotFound, func(tx *db.Tx) error { return DeleteCourse(ctx, tx, c.ID+100) })
		if got, err := CourseByID(ctx, d, c.ID); err != nil || got != c {
			t.Errorf("after the refusals %+v, %v; want %+v", got, err, c)
		}
		err = d.Update(ctx, func(tx *db.Tx) error {
			if _, err := tx.Exec(ctx, "DELETE FROM openedx_catalog_courserun WHERE catalog_course_id = ?", c.ID); err != nil {
				return err
			}
			return DeleteCourse(ctx, tx, c.ID)
		})
		if _, gone := CourseByID(ctx, d, c.ID); err != nil || !fault.Is(gone, fault.NotFound) {
			t.Errorf("deleted: %v, then %v", err, gone)
		}
	})
}
