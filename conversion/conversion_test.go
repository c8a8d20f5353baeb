package conversion_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/openlectern/lectern/content"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/conversion"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/schema"
)

func tables(d *db.DB) error { return schema.Create(context.Background(), d) }

func update(t *testing.T, d *db.DB, fn func(tx *db.Tx) error) {
	t.Helper()
	if err := d.Update(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

// converted saves a conversion into a package, which it makes when there is none.
func converted(t *testing.T, d *db.DB, c conversion.Conversion, keys ...conversion.Key) (out conversion.Conversion) {
	t.Helper()
	update(t, d, func(tx *db.Tx) error {
		pkg, err := publishing.PackageByRef(t.Context(), tx, c.Target)
		if fault.Is(err, fault.NotFound) {
			pkg, err = publishing.CreatePackage(t.Context(), tx, publishing.NewPackage{Ref: c.Target, Title: "T"})
		}
		if err != nil {
			return err
		}
		c.Package = pkg.ID
		out, err = conversion.Save(t.Context(), tx, c, slices.Values(keys))
		return err
	})
	return out
}

func keysOf(t *testing.T, d *db.DB, id int64) (list []conversion.Key) {
	t.Helper()
	if err := conversion.Keys(t.Context(), d, id, func(k conversion.Key) error { list = append(list, k); return nil }); err != nil {
		t.Fatal(err)
	}
	return list
}

func sample(source, target string) conversion.Conversion {
	return conversion.Conversion{Source: source, Store: "oldmongo", Target: target, Digest: strings.Repeat("a", 64), Options: strings.Repeat("b", 64),
		Report: json.RawMessage(`{"blocks":2}`)}
}

func TestSave(t *testing.T) {
	t.Parallel()
	dbtest.EachReady(t, tables, func(t *testing.T, d *db.DB) {
		first := converted(t, d, sample("A/B/c", "course-v1:A+B+c"), conversion.Key{Old: "i4x://A/B/html/é", New: "block-v1:A+B+c+type@html+block@é", View: "both"},
			conversion.Key{Old: "i4x://A/B/html/%", New: "block-v1:A+B+c+type@html+block@_", View: "draft", Reason: "CV-4"})
		other := converted(t, d, sample("A/B/c", "course-v1:A+B+C2"))
		converted(t, d, sample("a/b/c", "course-v1:a+b+c"))

		got, ok, err := conversion.Find(t.Context(), d, "course-v1:A+B+c")
		if err != nil || !ok {
			t.Fatalf("not found: %v", err)
		}
		if diff := cmp.Diff(first, got, cmpopts.EquateApproxTime(0)); diff != "" {
			t.Error(diff)
		}
		if got := keysOf(t, d, first.ID); len(got) != 2 || got[0].Old != "i4x://A/B/html/é" || got[1].Reason != "CV-4" || got[1].View != "draft" {
			t.Errorf("the keys are %+v", got)
		}
		if _, ok, err := conversion.Find(t.Context(), d, "course-v1:A+B+d"); ok || err != nil {
			t.Errorf("found what is not there, %v", err)
		}
		if made, err := conversion.Targets(t.Context(), d, []string{"A/B/c", "A/B/none"}); err != nil || len(made) != 1 || made["A/B/c"] == "" {
			t.Errorf("targets are %v, %v", made, err)
		}
		of, err := conversion.Of(t.Context(), d, "A/B/c")
		if err != nil || len(of) != 2 || of[0].Target != other.Target || of[1].Target != first.Target {
			t.Errorf("made of it: %+v, %v", of, err)
		}
		all, err := conversion.List(t.Context(), d)
		if err != nil || len(all) != 3 || all[2].Source != "a/b/c" {
			t.Errorf("all: %+v, %v", all, err)
		}

		// Saved again it takes the place of what was there.
		again := sample("A/B/c", "course-v1:A+B+c")
		again.Digest = strings.Repeat("c", 64)
		again = converted(t, d, again, conversion.Key{Old: "o", New: "n", View: "published"})
		if got := keysOf(t, d, again.ID); len(got) != 1 || got[0] != (conversion.Key{Old: "o", New: "n", View: "published"}) {
			t.Errorf("the keys are %+v", got)
		}
		if got := keysOf(t, d, first.ID); len(got) > 0 && first.ID != again.ID {
			t.Errorf("keys of before are left: %+v", got)
		}
	})
}

func TestGoesWithThePackage(t *testing.T) {
	t.Parallel()
	dbtest.EachReady(t, tables, func(t *testing.T, d *db.DB) {
		c := converted(t, d, sample("A/B/c", "course-v1:A+B+c"), conversion.Key{Old: "o", New: "n", View: "both"})
		update(t, d, func(tx *db.Tx) error { return content.DeletePackage(t.Context(), tx, c.Package) })
		if list, err := conversion.List(t.Context(), d); err != nil || len(list) > 0 || len(keysOf(t, d, c.ID)) > 0 {
			t.Errorf("left: %+v, %v", list, err)
		}
	})
}

func TestEdited(t *testing.T) {
	t.Parallel()
	dbtest.EachReady(t, tables, func(t *testing.T, d *db.DB) {
		c := converted(t, d, sample("A/B/c", "course-v1:A+B+c"))
		edited := func() bool {
			t.Helper()
			is, err := c.Edited(t.Context(), d)
			if err != nil {
				t.Fatal(err)
			}
			return is
		}
		if edited() {
			t.Error("nothing was edited")
		}
		update(t, d, func(tx *db.Tx) error {
			ids, err := publishing.CreateEntities(t.Context(), tx, c.Package, []publishing.NewEntity{{Ref: "e"}})
			if err != nil {
				return err
			}
			_, err = publishing.Change(t.Context(), tx, c.Package, publishing.Meta{}, func(cs *publishing.ChangeSet) error {
				_, _, err := cs.CreateVersions(t.Context(), []publishing.NewVersion{{Entity: ids[0], Title: "t"}})
				return err
			})
			return err
		})
		if !edited() {
			t.Error("it was edited")
		}
		if c = converted(t, d, sample("A/B/c", "course-v1:A+B+c")); edited() {
			t.Error("it was converted after that")
		}
	})
}

func TestManyKeys(t *testing.T) {
	t.Parallel()
	dbtest.EachReady(t, tables, func(t *testing.T, d *db.DB) {
		list := make([]conversion.Key, 4500)
		for i := range list {
			list[i] = conversion.Key{Old: fmt.Sprintf("i4x://A/B/html/%d", i), New: fmt.Sprintf("block-v1:A+B+c+type@html+block@%d", i), View: "both"}
		}
		c := converted(t, d, sample("A/B/c", "course-v1:A+B+c"), list...)
		if diff := cmp.Diff(list, keysOf(t, d, c.ID)); diff != "" {
			t.Error(diff)
		}
		stop := errors.New("stop")
		n := 0
		if err := conversion.Keys(t.Context(), d, c.ID, func(conversion.Key) error { n++; return stop }); !errors.Is(err, stop) || n != 1 {
			t.Errorf("after %d: %v", n, err)
		}
	})
}

func TestLongKeys(t *testing.T) {
	t.Parallel()
	dbtest.EachReady(t, tables, func(t *testing.T, d *db.DB) {
		for _, k := range []conversion.Key{{Old: strings.Repeat("é", 501), New: "n"}, {Old: "o", New: strings.Repeat("é", 256)}} {
			err := d.Update(t.Context(), func(tx *db.Tx) error {
				pkg, err := publishing.CreatePackage(t.Context(), tx, publishing.NewPackage{Ref: "r", Title: "T"})
				if err != nil {
					return err
				}
				c := sample("A/B/c", "r")
				c.Package = pkg.ID
				_, err = conversion.Save(t.Context(), tx, c, slices.Values([]conversion.Key{k}))
				return err
			})
			if !fault.Is(err, fault.Invalid) {
				t.Errorf("got %v", err)
			}
		}
	})
}
