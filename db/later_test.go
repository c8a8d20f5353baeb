package db_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
)

// TestLater shows that statements that are put off are done in their order, before the next statement sees anything and
// with COMMIT, also by the bulk calls, and not at all where the unit fails.
func TestLater(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		create(t, d, counter)
		ctx := t.Context()
		put := func(tx *db.Tx, from, n int) error {
			return tx.Later(nil, func() error {
				return tx.Insert(ctx, "counter", []string{"id", "n"}, n, func(i int, v []any) { v[0], v[1] = from+i, i })
			})
		}
		add := func(tx *db.Tx, n int) error {
			return tx.Later(nil, func() error {
				_, err := tx.Exec(ctx, "UPDATE counter SET n = n + ?", n)
				return err
			})
		}
		all := func(q db.Querier) []int {
			t.Helper()
			got, err := db.All(ctx, q, "SELECT n FROM counter ORDER BY id", nil, db.Value[int])
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		failed := errors.New("mine")
		for _, result := range []error{failed, nil} {
			err := d.Update(ctx, func(tx *db.Tx) error {
				if err := errors.Join(put(tx, 0, 1), add(tx, 10), put(tx, 1, 2), add(tx, 100)); err != nil {
					return err
				}
				if diff := cmp.Diff([]int{110, 100, 101}, all(tx)); diff != "" {
					t.Errorf("in the transaction (-want +got):\n%s", diff)
				}
				if n, err := tx.Exec(ctx, "UPDATE counter SET n = n * 2 WHERE id < 2"); n != 2 || err != nil {
					t.Errorf("afterwards: %d rows, %v", n, err)
				}
				err := tx.Later(nil, func() error {
					return tx.Upsert(ctx, "counter", []string{"id"}, []string{"n"}, 3, func(i int, v []any) { v[0], v[1] = 2+i, 5+i })
				})
				return errors.Join(err, add(tx, 1), result)
			})
			if !errors.Is(err, result) {
				t.Fatalf("Update gives %v, want %v", err, result)
			}
			want := []int{221, 201, 6, 7, 8}
			if result != nil {
				want = nil
			}
			if diff := cmp.Diff(want, all(d)); diff != "" {
				t.Errorf("after %v (-want +got):\n%s", result, diff)
			}
		}
		// More than wait at a time, and more than one statement holds.
		err := d.Update(ctx, func(tx *db.Tx) error {
			for i := range 150 {
				if err := put(tx, 100+i, 1); err != nil {
					return err
				}
			}
			if err := errors.Join(put(tx, 300, 700), add(tx, 1)); err != nil {
				return err
			}
			return tx.Later(nil, func() error { // two statements on PostgreSQL, which must not share their rows
				return tx.UpdateRows(ctx, "counter", "id", []string{"n"}, 2300, func(i int, v []any) { v[0], v[1] = i-1300, 3 })
			})
		})
		if err != nil {
			t.Fatal(err)
		}
		if n := one[int](t, d, "SELECT count(*) FROM counter WHERE n = 3"); n != 5+150+700 {
			t.Errorf("%d rows were set, want 855", n)
		}
	})
}

// TestLaterFails shows that what the database finds wrong with a statement that was put off ends the unit, whether it shows
// in another statement or in COMMIT, and as what its caller makes of it.
func TestLaterFails(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		create(t, d, counter)
		ctx := t.Context()
		exec(t, d, "INSERT INTO counter (id, n) VALUES (1, 1)")
		insert := func(ctx context.Context, tx *db.Tx, explain func(error) error) error {
			return tx.Later(explain, func() error {
				_, err := tx.Exec(ctx, "INSERT INTO counter (id, n) VALUES (1, 2)")
				return err
			})
		}
		for name, then := range map[string]func(*db.Tx) error{
			"COMMIT": func(*db.Tx) error { return nil },
			"a query": func(tx *db.Tx) error {
				return tx.Query(ctx, "SELECT n FROM counter", nil, func(*db.Row) error { return nil })
			},
			"a statement": func(tx *db.Tx) error {
				_, err := tx.Exec(ctx, "UPDATE counter SET n = 7")
				return err
			},
			"a bulk call": func(tx *db.Tx) error {
				return tx.Insert(ctx, "counter", []string{"id", "n"}, 600, func(i int, v []any) { v[0], v[1] = i+10, i })
			},
		} {
			err := d.Update(ctx, func(tx *db.Tx) error {
				if err := insert(ctx, tx, nil); err != nil {
					return err
				}
				return then(tx)
			})
			if !errors.Is(err, db.ErrDuplicate) {
				t.Errorf("with %s: %v, want a duplicate", name, err)
			}
			if n := one[int](t, d, "SELECT SUM(n) FROM counter"); n != 1 {
				t.Errorf("with %s: something was saved", name)
			}
			tries := 0
			err = d.Update(ctx, func(tx *db.Tx) error {
				if tries++; tries == 2 { // as the row is found now
					return nil
				}
				if err := insert(ctx, tx, db.Raced); err != nil {
					return err
				}
				return then(tx)
			})
			if err != nil || tries != 2 {
				t.Errorf("a lost race with %s: %v after %d tries", name, err, tries)
			}
		}
	})
}
