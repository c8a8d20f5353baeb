package containers

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/content/components"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

func testTyped(t *testing.T, f *fixture) {
	var leaf, unit, sub, section publishing.EntityID
	err := f.change(func(cs *publishing.ChangeSet) error {
		made, _, err := components.CreateWithVersions(t.Context(), cs,
			[]components.NewComponent{{Type: components.Type{Namespace: "xblock.v1", Name: "html"}, Code: "leaf"}},
			[]components.NewVersion{{Title: "leaf", Num: 9}})
		if err != nil {
			return err
		}
		leaf = made[0]
		child := leaf
		for _, x := range []struct {
			kind string
			id   *publishing.EntityID
		}{{Unit, &unit}, {Subsection, &sub}, {Section, &section}} {
			made, _, err := CreateWithVersions(t.Context(), cs, []NewContainer{{Type: x.kind, Code: x.kind}},
				[]NewVersion{{Title: x.kind, Children: []Child{{Entity: child}}}})
			if err != nil {
				return err
			}
			*x.id, child = made[0], made[0]
		}
		if _, _, err := CreateWithVersions(t.Context(), cs, []NewContainer{{Type: Unit, Code: "x"}}, nil); !fault.Is(err, fault.Internal) {
			t.Errorf("without a version: %v, want internal", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		kind      string
		id, child publishing.EntityID
	}{{Unit, unit, leaf}, {Subsection, sub, unit}, {Section, section, sub}} {
		c, err := Typed(t.Context(), f, x.kind, x.id)
		if err != nil || c.ID != x.id || c.Type != x.kind {
			t.Errorf("%s: %+v, %v", x.kind, c, err)
		}
		list, err := TypedEntries(t.Context(), f, x.kind, x.id, false)
		if err != nil || len(list) != 1 || list[0].Entity != x.child || list[0].Num != 1 {
			t.Errorf("children of the %s: %+v, %v", x.kind, list, err)
		}
		for _, other := range StockTypes() {
			if _, err := Typed(t.Context(), f, other, x.id); other != x.kind && !fault.Is(err, fault.NotFound) {
				t.Errorf("a %s as a %s: %v, want not found", x.kind, other, err)
			}
		}
		if _, err := TypedEntries(t.Context(), f, x.kind, x.id, true); !fault.Is(err, fault.NotFound) {
			t.Errorf("never published: %v, want not found", err)
		}
	}
	if _, err := Typed(t.Context(), f, Unit, leaf); !fault.Is(err, fault.NotFound) {
		t.Errorf("a component as a unit: %v, want not found", err)
	}

	// As it may be in databases from before the rule: the subsection's list holds the component.
	f.update(func(tx *db.Tx) error {
		_, err := tx.Exec(t.Context(), `UPDATE openedx_content_entitylistrow SET entity_id = ? WHERE entity_id = ?`, leaf, unit)
		return err
	})
	if _, err := TypedEntries(t.Context(), f, Subsection, sub, false); !fault.Is(err, fault.Invalid) {
		t.Errorf("a child of the wrong kind: %v, want invalid", err)
	}
	if list, err := EntitiesIn(t.Context(), f, sub, false); err != nil || len(list) != 1 {
		t.Errorf("the same without a type: %v, %v", list, err)
	}

	if !slices.IsSorted(StockTypes()) || len(StockTypes()) != 3 {
		t.Errorf("stock types %v", StockTypes())
	}
	got := map[string]bool{}
	for _, code := range []string{Unit, Section, "lectern.course", "other.course", ""} {
		got[code] = Implements(code)
	}
	if diff := cmp.Diff(map[string]bool{Unit: true, Section: true, "lectern.course": true, "other.course": false, "": false}, got); diff != "" {
		t.Errorf("implemented (-want +got):\n%s", diff)
	}

	before, _, err := At(t.Context(), f, unit, publishing.AfterChange(0))
	if before != 0 || err != nil {
		t.Errorf("before everything: %d, %v", before, err)
	}
	v, list, err := At(t.Context(), f, unit, publishing.Draft())
	if v != f.head(unit) || len(list) != 1 || err != nil {
		t.Errorf("now: %d, %v, %v", v, list, err)
	}
}
