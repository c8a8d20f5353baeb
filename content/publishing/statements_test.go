package publishing

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
)

// counted opens a prepared database that counts statements and fails at the one told, if any.
func counted(t *testing.T, e db.Engine, fail func(n int) error) (*db.DB, *int) {
	t.Helper()
	n := new(int)
	d, err := db.Open(t.Context(), dbtest.ReadyURL(t, e, setup), db.Options{
		OnStatement: func(string) { *n++ },
		Fault: func(string) error {
			if fail == nil {
				return nil
			}
			return fail(*n)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d, n
}

// The number of statements must depend on batches, never on rows.
func TestStatementsAreBounded(t *testing.T) {
	t.Parallel()
	for _, e := range dbtest.Engines() {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			count := func(leaves int) map[string]int {
				d, n := counted(t, e, nil)
				ctx := t.Context()
				used := map[string]int{}
				tally := func(name string, fn func() error) {
					*n = 0
					if err := fn(); err != nil {
						t.Fatalf("%s: %v", name, err)
					}
					used[name] = *n
				}
				var pkg PackageID
				var ids []EntityID
				tally("create and publish a course", func() (err error) { pkg, ids, err = makeCourse(ctx, d, leaves); return err })
				tally("edit", func() error {
					return d.Update(ctx, func(tx *db.Tx) error { return editTenth(ctx, tx, pkg, ids) })
				})
				tally("publish all", func() error {
					return d.Update(ctx, func(tx *db.Tx) error { _, err := PublishAll(ctx, tx, pkg, PublishMeta{}); return err })
				})
				tally("edit one", func() error {
					return d.Update(ctx, func(tx *db.Tx) error { return editTenth(ctx, tx, pkg, ids[:1]) })
				})
				tally("publish one", func() error {
					return d.Update(ctx, func(tx *db.Tx) error {
						_, err := Publish(ctx, tx, pkg, ids[:1], true, PublishMeta{})
						return err
					})
				})
				tally("reset", func() error {
					return d.Update(ctx, func(tx *db.Tx) error { _, err := Reset(ctx, tx, pkg, Meta{}, nil); return err })
				})
				tally("heads as of a log", func() error { _, err := Heads(ctx, d, pkg, AfterChange(1)); return err })
				tally("pointers", func() error { _, err := AllPointers(ctx, d, pkg); return err })
				tally("unpublished below", func() error { _, err := ContainsUnpublished(ctx, d, ids[:1]); return err }) // law 32
				return used
			}
			// 400 leaves are one batch of everything, but for dependency rows.
			few, many := count(40), count(400)
			for name, n := range many {
				if n > few[name]+8 { // engines send larger batches in other ways
					t.Errorf("%s takes %d statements for 40 leaves and %d for 400", name, few[name], n)
				}
			}
			for name, want := range map[string]int{"heads as of a log": 2, "pointers": 1, "unpublished below": 1} {
				if many[name] != want {
					t.Errorf("%s takes %d statements, want %d", name, many[name], want)
				}
			}
			t.Log(many)
		})
	}
}

// A failure at any statement leaves everything as before, and the same can then be done.
func TestFaultAtEveryStatement(t *testing.T) {
	t.Parallel()
	errFault := errors.New("fault")
	var from, at int // faults are on from the statement number from, 0 meaning never
	d, n := counted(t, db.SQLite, func(n int) error {
		if at > 0 && n >= from+at {
			return errFault
		}
		return nil
	})
	ctx := t.Context()
	pkg, ids, err := makeCourse(ctx, d, 60)
	if err != nil {
		t.Fatal(err)
	}
	work := func(tx *db.Tx) error {
		if err := editTenth(ctx, tx, pkg, ids); err != nil {
			return err
		}
		if _, err := PublishAll(ctx, tx, pkg, PublishMeta{Message: "all"}); err != nil {
			return err
		}
		_, err := Change(ctx, tx, pkg, Meta{Kind: KindDelete}, func(c *ChangeSet) error {
			if err := c.SetDrafts(ctx, []Pointer{{Entity: ids[0]}, {Entity: ids[1]}}); err != nil {
				return err
			}
			if err := c.Flush(ctx); err != nil {
				return err
			}
			return c.Reset(ctx, ids[:1])
		})
		return err
	}
	before := everything(ctx, t, d)
	for step := 1; ; step++ {
		from, at = *n, step
		err := d.Update(ctx, work)
		at = 0
		if err == nil {
			if step < 20 {
				t.Errorf("only %d statements could fail", step-1)
			}
			break
		}
		if !errors.Is(err, errFault) {
			t.Fatalf("fault at statement %d: %v", step, err)
		}
		if diff := cmp.Diff(before, everything(ctx, t, d)); diff != "" {
			t.Fatalf("fault at statement %d left something (-before +after):\n%s", step, diff)
		}
	}
	if cmp.Equal(before, everything(ctx, t, d)) {
		t.Error("nothing changed without a fault")
	}
}

// everything counts the rows of all tables of this package and sums up their pointers.
func everything(ctx context.Context, t *testing.T, d *db.DB) map[string]string {
	t.Helper()
	all := map[string]string{}
	for table, sum := range map[string]string{
		"openedx_content_learningpackage": "0", "openedx_content_publishableentity": "0", "openedx_content_publishableentityversion": "0",
		"openedx_content_publishableentityversiondependency": "0", "openedx_content_draft": "SUM(version_id) + SUM(draft_log_record_id)",
		"openedx_content_published": "SUM(version_id) + SUM(publish_log_record_id)", "openedx_content_draftchangelog": "0",
		"openedx_content_draftchangelogrecord": "SUM(new_version_id)", "openedx_content_publishlog": "0", "openedx_content_publishlogrecord": "SUM(new_version_id)",
		"openedx_content_draftsideeffect": "0", "openedx_content_publishsideeffect": "0", "lectern_package": "SUM(serial)", "lectern_changelog": "0", "lectern_publishlog": "0",
	} {
		err := d.Query(ctx, `SELECT COUNT(*), `+sum+` FROM `+table, nil, func(r *db.Row) error {
			var n int64
			var s *int64
			err := r.Scan(&n, &s)
			if s == nil {
				s = new(int64)
			}
			all[table] = fmt.Sprintf("%d rows, %d", n, *s)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func TestDeletePackage(t *testing.T) {
	t.Parallel()
	eachShop(t, func(s *shop) {
		ctx := s.Context()
		before := everything(ctx, s.T, s.d)
		pkg, ids, err := makeCourse(ctx, s.d, 60)
		if err != nil {
			s.Fatal(err)
		}
		s.do(func(tx *db.Tx) error { // side effects and logs of all kinds
			if err := editTenth(ctx, tx, pkg, ids); err != nil {
				return err
			}
			_, err := PublishAll(ctx, tx, pkg, PublishMeta{})
			return err
		})
		s.do(func(tx *db.Tx) error { return DeletePackage(ctx, tx, pkg) })
		if diff := cmp.Diff(before, everything(ctx, s.T, s.d)); diff != "" {
			s.Errorf("rows are left (-before +after):\n%s", diff)
		}
	})
}
