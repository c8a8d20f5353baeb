package trash

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/schema"
)

func setup(d *db.DB) error { return schema.Create(context.Background(), d) }

var (
	packages = Rows("openedx_content_learningpackage", "id int, uuid uuid, package_ref text, title text, description text, created time, updated time")
	entities = Rows("openedx_content_publishableentity", `id int, uuid uuid, entity_ref text, created time, created_by_id int,
		learning_package_id int, can_stand_alone bool`)
)

// rows reads all rows of a table.
func rows(t *testing.T, q db.Querier, of Table) []string {
	t.Helper()
	var keys []int64
	if err := q.Query(t.Context(), "SELECT id FROM "+of.Name, nil, func(r *db.Row) error {
		var id int64
		err := r.Scan(&id)
		keys = append(keys, id)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	list, err := present(t.Context(), q, of, of.columns, keys)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]string, len(list))
	for i, r := range list {
		out[i] = fmt.Sprint(r...)
	}
	return out
}

// What a journal did comes back from its text: rows deleted, with every kind of value, rows changed but for those that
// somebody has changed since, and rows inserted.
func TestUndo(t *testing.T) {
	t.Parallel()
	dbtest.EachReady(t, setup, func(t *testing.T, d *db.DB) {
		t.Parallel()
		ctx := t.Context()
		do := func(fn func(tx *db.Tx) error) {
			t.Helper()
			if err := d.Update(ctx, fn); err != nil {
				t.Fatal(err)
			}
		}
		at := time.Date(2026, 2, 3, 4, 5, 6, 789_000, time.UTC)
		do(func(tx *db.Tx) error {
			ids, err := tx.InsertIDs(ctx, packages.Name, packages.names()[1:], 1, func(_ int, v []any) {
				v[0], v[1], v[2], v[3], v[4], v[5] = uuid.New(), "ref", "Ünï \"x\"\n<&>", "", at, at
			})
			if err != nil {
				return err
			}
			return tx.Insert(ctx, entities.Name, entities.names()[1:], 4, func(i int, v []any) {
				v[0], v[1], v[2], v[3], v[4], v[5] = uuid.New(), fmt.Sprint("e", i), at, nil, ids[0], i%2 == 0
			})
		})
		before := rows(t, d, entities)
		var ids []int64
		do(func(tx *db.Tx) (err error) {
			ids, err = db.All(ctx, tx, "SELECT id FROM "+entities.Name+" ORDER BY id", nil, db.Value[int64])
			return err
		})
		var text string
		do(func(tx *db.Tx) error {
			j := &Journal{}
			if n, err := Delete(ctx, tx, j, entities, "id", []int64{ids[0], ids[1], ids[0]}); n != 2 || err != nil {
				t.Errorf("deleted %d, %v", n, err)
			}
			if err := j.Change(ctx, tx, entities, []string{"entity_ref", "can_stand_alone"}, 2, func(i int, v []any) {
				v[0], v[1], v[2] = ids[3-i], fmt.Sprint("new", i), true
			}); err != nil {
				return err
			}
			if err := j.Insert(ctx, tx, entities, entities.names()[1:], 1, func(_ int, v []any) {
				v[0], v[1], v[2], v[3], v[5] = uuid.New(), "more", at, nil, true
				v[4] = int64(1)
			}); err != nil {
				return err
			}
			if diff := cmp.Diff(map[string]int{entities.Name: 2}, j.Rows()); diff != "" {
				t.Error(diff)
			}
			var err error
			text, err = j.Text()
			return err
		})
		if n := len(rows(t, d, entities)); n != 3 {
			t.Fatalf("%d rows after the journal", n)
		}
		take := func(tx *db.Tx) (*Undo, error) {
			j, err := Read(text, []Table{packages, entities})
			if err != nil {
				return nil, err
			}
			u := &Undo{}
			return u, u.Take(ctx, tx, j)
		}
		errBack := errors.New("back")
		err := d.Update(ctx, func(tx *db.Tx) error {
			if u, err := take(tx); err != nil || u.Rows != 2 || u.Kept != 0 {
				t.Errorf("%+v, %v", u, err)
			}
			if diff := cmp.Diff(before, rows(t, tx, entities)); diff != "" {
				t.Errorf("(-before +after):\n%s", diff)
			}
			return errBack
		})
		if !errors.Is(err, errBack) {
			t.Fatal(err)
		}
		do(func(tx *db.Tx) error { // somebody changes one row, and takes the place of another
			_, err := tx.Exec(ctx, "UPDATE "+entities.Name+" SET entity_ref = ? WHERE id = ?", "theirs", ids[2])
			return err
		})
		do(func(tx *db.Tx) error {
			u, err := take(tx)
			if err == nil && u.Kept != 1 {
				t.Errorf("%+v", u)
			}
			return err
		})
		after := rows(t, d, entities)
		if len(after) != 4 || !slices.Contains(after, before[3]) || slices.Contains(after, before[2]) {
			t.Errorf("before\n%q\nafter\n%q", before, after)
		}
		err = d.Update(ctx, func(tx *db.Tx) error { _, err := take(tx); return err })
		if !errors.Is(err, db.ErrDuplicate) {
			t.Errorf("taken back twice: %v", err)
		}
	})
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	j := &Journal{steps: []step{{table: packages, op: deleted, cols: packages.columns[:1], rows: [][]any{{int64(1)}}}}}
	text, err := j.Text()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Read(text, []Table{packages}); err != nil {
		t.Error(err)
	}
	for name, c := range map[string]struct {
		text   string
		tables []Table
	}{
		"another table": {text, []Table{entities}}, "half": {text[:len(text)/2], []Table{packages}}, "nothing": {"", nil}, "letters": {"%%%", nil},
	} {
		if _, err := Read(c.text, c.tables); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
