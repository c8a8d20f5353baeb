package containers

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/content/components"
	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

func testCreate(t *testing.T, f *fixture) {
	ids, err := f.tryCreate(
		NewContainer{Type: Unit, Code: "u"},
		NewContainer{Type: Subsection, Code: "U"}, // law 74, on every engine
		NewContainer{Type: Section, Code: "é"},
		NewContainer{Type: "lectern.vertical", Code: "v", Ref: "xblock.v1:vertical:v", Dependent: true},
	)
	if err != nil {
		t.Fatal(err)
	}
	want := []Container{{ids[0], f.pkg.ID, Unit, "u"}, {ids[1], f.pkg.ID, Subsection, "U"}, {ids[2], f.pkg.ID, Section, "é"}, {ids[3], f.pkg.ID, "lectern.vertical", "v"}}
	got, err := Containers(t.Context(), f, f.pkg.ID, true)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("containers: %v (-want +got):\n%s", err, diff)
	}
	if got, err := Containers(t.Context(), f, f.pkg.ID, false); len(got) != 0 || err != nil {
		t.Errorf("live containers %v, %v, want none", got, err)
	}
	for i, c := range want {
		got, err := ByCode(t.Context(), f, f.pkg.ID, c.Code)
		if diff := cmp.Diff(c, got); err != nil || diff != "" {
			t.Errorf("ByCode: %v\n%s", err, diff)
		}
		ref := c.Code
		if i == 3 {
			ref = "xblock.v1:vertical:v"
		}
		if e, err := publishing.EntityByID(t.Context(), f, c.ID); err != nil || e.Ref != ref || e.CanStandAlone != (i != 3) {
			t.Errorf("entity %+v, %v", e, err)
		}
		for _, s := range stock {
			n, _, err := db.One(t.Context(), f, "SELECT count(*) FROM "+s.table+" WHERE container_id = ?", []any{c.ID}, db.Value[int])
			if err != nil || (n == 1) != (s.code == c.Type) {
				t.Errorf("%s has %d rows of a %s, %v", s.table, n, c.Type, err)
			}
		}
	}
	for _, code := range []string{"x", "u ", "É", "e"} {
		if _, err := ByCode(t.Context(), f, f.pkg.ID, code); !fault.Is(err, fault.NotFound) {
			t.Errorf("ByCode(%q): %v, want not found", code, err)
		}
	}
	if _, err := ByCode(t.Context(), f, 1<<30, "u"); !fault.Is(err, fault.NotFound) {
		t.Errorf("in no package: %v", err)
	}
	if Tag(Unit) != "vertical" || Tag(Section) != "chapter" || Tag("lectern.course") != "" {
		t.Error("wrong OLX tags")
	}
}

func testCreateRefuses(t *testing.T, f *fixture) {
	f.container(Unit, "u")
	f.problem("p")
	many := make([]NewContainer, few+1)
	for i := range many {
		many[i] = NewContainer{Type: Unit, Code: fmt.Sprint("u", i)}
	}
	many[few] = NewContainer{Type: Unit, Code: "u", Ref: "other"}
	for name, c := range map[string]struct {
		list []NewContainer
		kind fault.Kind
	}{
		"exists in another type": {[]NewContainer{{Type: Section, Code: "u"}}, fault.Conflict}, // law 73
		"exists, other ref":      {[]NewContainer{{Type: Section, Code: "u", Ref: "other"}}, fault.Conflict},
		"ref of a component":     {[]NewContainer{{Type: Section, Code: "x", Ref: "xblock.v1:problem:p"}}, fault.Conflict},
		"given twice":            {[]NewContainer{{Type: Unit, Code: "x"}, {Type: Unit, Code: "x", Ref: "y"}}, fault.Conflict},
		"exists among many":      {many, fault.Conflict},
		"code":                   {[]NewContainer{{Type: Unit, Code: "a b"}}, fault.Invalid},
		"type unknown":           {[]NewContainer{{Type: "outline_root", Code: "x"}}, fault.Refused},
		"type malformed":         {[]NewContainer{{Type: "lectern.Vertical", Code: "x"}}, fault.Invalid},
		"type too long":          {[]NewContainer{{Type: "lectern." + strings.Repeat("x", 100), Code: "x"}}, fault.Invalid},
	} {
		if _, err := f.tryCreate(c.list...); !fault.Is(err, c.kind) {
			t.Errorf("%s: %v, want %s", name, err, c.kind.Code())
		}
	}
	if got, err := Containers(t.Context(), f, f.pkg.ID, true); len(got) != 1 || err != nil {
		t.Errorf("%d containers, %v, want 1", len(got), err)
	}
}

func testVersions(t *testing.T, f *fixture) {
	p, q := f.problem("p"), f.problem("q")
	u := f.container(Unit, "u", Child{Entity: p}, Child{Entity: q, Pin: f.head(q)}, Child{Entity: p})
	v := f.head(u)
	want := []Child{{Entity: p}, {Entity: q, Pin: f.head(q)}, {Entity: p}}
	if diff := cmp.Diff(want, f.rows(v)); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	deps, err := publishing.Dependencies(t.Context(), f, []publishing.VersionID{v})
	if diff := cmp.Diff([]publishing.EntityID{p}, deps[v]); err != nil || diff != "" { // law 24, 28
		t.Errorf("dependencies: %v (-want +got):\n%s", err, diff)
	}
	orders, err := db.All(t.Context(), f, "SELECT order_num FROM openedx_content_entitylistrow r JOIN openedx_content_containerversion v"+
		" ON v.entity_list_id = r.entity_list_id WHERE v.publishable_entity_version_id = ? ORDER BY r.id", []any{v}, db.Value[int])
	if diff := cmp.Diff([]int{0, 1, 2}, orders); err != nil || diff != "" { // law 51
		t.Errorf("order: %v (-want +got):\n%s", err, diff)
	}
	refs, err := ChildRefs(t.Context(), f, v)
	if diff := cmp.Diff([]string{"xblock.v1:problem:p", "xblock.v1:problem:q", "xblock.v1:problem:p"}, refs); err != nil || diff != "" {
		t.Errorf("refs: %v (-want +got):\n%s", err, diff)
	}
	n, _, err := db.One(t.Context(), f, "SELECT count(*) FROM openedx_content_unitversion WHERE container_version_id = ?", []any{v}, db.Value[int])
	if n != 1 || err != nil {
		t.Errorf("%d unit version rows, %v", n, err)
	}
	other := f.container(Unit, "other")
	for name, c := range map[string]struct {
		v    NewVersion
		kind fault.Kind
	}{
		"number exists":           {NewVersion{Entity: u, Num: 1, Title: "x"}, fault.Conflict},
		"no container":            {NewVersion{Entity: p, Title: "x"}, fault.Invalid},
		"base of another":         {NewVersion{Entity: other, Title: "x", Base: v}, fault.Invalid},
		"no base":                 {NewVersion{Entity: other, Title: "x", Base: 1 << 40}, fault.NotFound},
		"pin of another":          {NewVersion{Entity: other, Children: []Child{{Entity: p, Pin: f.head(q)}}}, fault.Invalid},
		"no pinned version":       {NewVersion{Entity: other, Children: []Child{{Entity: p, Pin: 1 << 40}}}, fault.NotFound},
		"no pinned child":         {NewVersion{Entity: other, Children: []Child{{Entity: 1 << 40, Pin: f.head(q)}}}, fault.NotFound},
		"no child":                {NewVersion{Entity: other, Children: free(1 << 40)}, fault.NotFound},
		"settings of nobody":      {NewVersion{Entity: other, Files: []components.File{{Path: "x", Media: 1 << 40}}}, fault.NotFound},
		"settings path":           {NewVersion{Entity: other, Files: []components.File{{Path: "a//b", Media: 1}}}, fault.Invalid},
		"both base and children":  {NewVersion{Entity: u, Base: v, Children: free(p)}, fault.Internal},
		"wrong child, stock type": {NewVersion{Entity: other, Children: free(u)}, fault.Invalid},
	} {
		err := f.change(func(cs *publishing.ChangeSet) error {
			_, _, err := CreateVersions(t.Context(), cs, []NewVersion{c.v})
			return err
		})
		if !fault.Is(err, c.kind) {
			t.Errorf("%s: %v, want %s", name, err, c.kind.Code())
		}
	}
	if f.head(u) != v {
		t.Error("a refused version moved the draft")
	}
	own := f.pkg
	f.pkg = f.newPackage(t.Name() + " other")
	foreign := f.problem("foreign")
	pin := f.head(foreign)
	f.pkg = own
	course := f.container("lectern.course", "course")
	for _, e := range []publishing.EntityID{u, course} { // law 54
		for _, c := range []Child{{Entity: foreign}, {Entity: foreign, Pin: pin}} {
			if _, _, err := f.tryNext(NextVersion{Entity: e, Action: Append, Children: []Child{c}}); !fault.Is(err, fault.Invalid) {
				t.Errorf("child of another package: %v, want invalid", err)
			}
		}
	}
}

// testChildRules is law 72.
func testChildRules(t *testing.T, f *fixture) {
	p := f.problem("p")
	var bare []publishing.EntityID
	f.update(func(tx *db.Tx) (err error) {
		bare, err = publishing.CreateEntities(t.Context(), tx, f.pkg.ID, []publishing.NewEntity{{Ref: "bare"}})
		return err
	})
	u, s := f.container(Unit, "u"), f.container(Subsection, "s")
	sec, own := f.container(Section, "sec"), f.container("lectern.x", "x")
	ids := map[string]publishing.EntityID{"component": p, Unit: u, Subsection: s, Section: sec, "lectern.y": own, "bare": bare[0]}
	takes := map[string]string{Unit: "component", Subsection: Unit, Section: Subsection}
	for parent, child := range takes {
		c := f.container(parent, "a-"+parent)
		for kind, id := range ids {
			for _, pin := range []publishing.VersionID{0, f.head(id)} {
				if pin == 0 && kind == "bare" {
					continue // never had a version: nothing to be current
				}
				_, _, err := f.tryNext(NextVersion{Entity: c, Action: Replace, Children: []Child{{Entity: id, Pin: pin}}})
				if ok := err == nil; ok != (kind == child) || !ok && !fault.Is(err, fault.Invalid) {
					t.Errorf("%s in %s: %v", kind, parent, err)
				}
			}
		}
	}
	all := f.container("lectern.all", "all")
	f.next(NextVersion{Entity: all, Action: Replace, Children: free(p, u, s, sec, own, bare[0])})
	// An older database may hold a wrong child: the list cannot be taken over as it is.
	wrong := f.container(Unit, "wrong", free(p)...)
	f.update(func(tx *db.Tx) error {
		_, err := tx.Exec(t.Context(), "UPDATE openedx_content_entitylistrow SET entity_id = ? WHERE entity_list_id ="+
			" (SELECT entity_list_id FROM openedx_content_containerversion WHERE publishable_entity_version_id = ?)", u, f.head(wrong))
		return err
	})
	if _, _, err := f.tryNext(NextVersion{Entity: wrong}); !fault.Is(err, fault.Invalid) {
		t.Errorf("inherited child of a wrong kind: %v", err)
	}
	f.next(NextVersion{Entity: wrong, Action: Remove, Children: free(u)})
	// A type that only another program knows can be read, not changed.
	f.update(func(tx *db.Tx) error {
		types, err := tx.InsertIDs(t.Context(), "openedx_content_containertype", []string{"type_code"}, 1, func(_ int, v []any) { v[0] = fmt.Sprint("plugin.", f.pkg.ID) })
		if err != nil {
			return err
		}
		_, err = tx.Exec(t.Context(), "UPDATE openedx_content_container SET container_type_id = ? WHERE publishable_entity_id = ?", types[0], own)
		return err
	})
	if got, err := EntitiesIn(t.Context(), f, own, false); len(got) != 0 || err != nil {
		t.Errorf("read of a foreign type: %v, %v", got, err)
	}
	if _, _, err := f.tryNext(NextVersion{Entity: own}); !fault.Is(err, fault.Refused) {
		t.Errorf("change of a foreign type: %v, want refused", err)
	}
}

// testNextVersions follows laws 6, 7 and 50.
func testNextVersions(t *testing.T, f *fixture) {
	p := f.problem("p")
	ids, err := f.tryCreate(NewContainer{Type: Unit, Code: "u"})
	if err != nil {
		t.Fatal(err)
	}
	u := ids[0]
	title := func(s string) *string { return &s }
	for name, n := range map[string]NextVersion{
		"no title":      {Entity: u},
		"no title, new": {Entity: u, Action: Replace, Children: free(p)},
		"append":        {Entity: u, Title: title("x"), Action: Append, Children: free(p)},
		"remove":        {Entity: u, Title: title("x"), Action: Remove, Children: free(p)},
	} {
		if _, _, err := f.tryNext(n); !fault.Is(err, fault.Invalid) {
			t.Errorf("first version, %s: %v, want invalid", name, err)
		}
	}
	list := func(v publishing.VersionID) int64 {
		l, err := listsOf(t.Context(), f, []publishing.VersionID{v})
		if err != nil {
			t.Fatal(err)
		}
		return l[v].list
	}
	v1, _ := f.next(NextVersion{Entity: u, Title: title("one")})
	v2, _ := f.next(NextVersion{Entity: u, Action: Replace, Children: free(p)})
	v3, _ := f.next(NextVersion{Entity: u, Title: title("")})
	v4, _ := f.next(NextVersion{Entity: u, Action: Replace})
	f.setDraft(u, v2)
	v5, num := f.next(NextVersion{Entity: u, Num: 9}) // from 4, the latest, not from 2, the draft
	if list(v1) == list(v2) || list(v2) != list(v3) || list(v3) == list(v4) || list(v4) != list(v5) || num != 9 {
		t.Errorf("lists %d %d %d %d %d, number %d", list(v1), list(v2), list(v3), list(v4), list(v5), num)
	}
	vs, err := publishing.VersionsOf(t.Context(), f, u)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, v := range vs {
		got = append(got, fmt.Sprint(v.Num, v.Title, len(f.rows(v.ID))))
	}
	if diff := cmp.Diff([]string{"1one0", "2one1", "31", "40", "90"}, got); diff != "" {
		t.Errorf("versions (-want +got):\n%s", diff)
	}
	if _, num := f.next(NextVersion{Entity: u}); num != 10 {
		t.Errorf("number %d, want 10", num)
	}
	deps, err := publishing.Dependencies(t.Context(), f, []publishing.VersionID{v2, v3})
	if len(deps[v3]) != 1 || err != nil {
		t.Errorf("a shared list has no dependencies: %v, %v", deps, err)
	}
	err = f.change(func(cs *publishing.ChangeSet) error {
		_, _, err := NextVersions(t.Context(), cs, []NextVersion{{Entity: u}, {Entity: u}})
		return err
	})
	if err == nil {
		t.Error("two next versions of one container in a batch were taken")
	}
}

// testActions is law 52.
func testActions(t *testing.T, f *fixture) {
	p, q := f.problem("p"), f.problem("q")
	p1, q1 := f.head(p), f.head(q)
	p2 := f.edit(p)
	u := f.container(Unit, "u")
	start := []Child{{p, 0}, {p, p1}, {q, 0}, {p, p2}, {p, 0}, {q, q1}}
	for i, c := range []struct {
		action Action
		given  []Child
		want   []Child
	}{
		{Append, []Child{{q, q1}, {p, 0}}, append(start[:6:6], Child{q, q1}, Child{p, 0})},
		{Append, nil, start},
		{Remove, []Child{{p, 0}}, []Child{{p, p1}, {q, 0}, {p, p2}, {q, q1}}},
		{Remove, []Child{{p, p1}}, []Child{{p, 0}, {q, 0}, {p, p2}, {p, 0}, {q, q1}}},
		{Remove, []Child{{q, q1}, {q, 0}}, []Child{{p, 0}, {p, p1}, {p, p2}, {p, 0}}},
		{Remove, nil, start},
		{Replace, []Child{{q, 0}}, []Child{{q, 0}}},
	} {
		f.next(NextVersion{Entity: u, Action: Replace, Children: start})
		v, _ := f.next(NextVersion{Entity: u, Action: c.action, Children: c.given})
		if diff := cmp.Diff(c.want, f.rows(v)); diff != "" {
			t.Errorf("%d (-want +got):\n%s", i, diff)
		}
	}
}

// testChildrenLeaveVersionsAlone is law 49.
func testChildrenLeaveVersionsAlone(t *testing.T, f *fixture) {
	p := f.problem("p")
	u := f.container(Unit, "u", free(p)...)
	f.edit(p)
	f.publish()
	f.setDraft(p, 0)
	f.publish()
	if vs, err := publishing.VersionsOf(t.Context(), f, u); len(vs) != 1 || err != nil {
		t.Errorf("%d versions, %v, want 1", len(vs), err)
	}
}

func testSettings(t *testing.T, f *fixture) {
	texts := []string{"<a/>", "{}", "<b/>"}
	var m []media.Media
	f.update(func(tx *db.Tx) (err error) {
		list := make([]media.New, len(texts))
		for i := range texts {
			list[i] = media.New{Type: "text/xml", Text: &texts[i]}
		}
		m, err = media.GetOrCreate(t.Context(), tx, nil, f.pkg, list, media.Options{})
		return err
	})
	c := f.container("lectern.course", "course")
	file := func(path string, i int) components.File { return components.File{Path: path, Media: m[i].ID} }
	v1, _ := f.next(NextVersion{Entity: c, Files: []components.File{file("block.xml", 0), file("policy.json", 1)}})
	v2, _ := f.next(NextVersion{Entity: c, Files: []components.File{file("block.xml", 2)}})
	v3, _ := f.next(NextVersion{Entity: c, Files: []components.File{{Path: "policy.json"}}})
	v4, _ := f.next(NextVersion{Entity: c, Fresh: true})
	rows, err := Files(t.Context(), f, []publishing.VersionID{v1, v2, v3, v4}, true)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range rows {
		got = append(got, fmt.Sprint(r.Version-v1, " ", r.Path, " ", r.Media.Text))
	}
	at := func(v publishing.VersionID, s string) string { return fmt.Sprint(v-v1, " ", s) }
	want := []string{at(v1, "block.xml <a/>"), at(v1, "policy.json {}"), at(v2, "block.xml <b/>"), at(v2, "policy.json {}"), at(v3, "block.xml <b/>")}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
}

func testCircles(t *testing.T, f *fixture) {
	a := f.container("lectern.a", "a")
	b := f.container("lectern.b", "b", free(a)...)
	b1 := f.head(b)
	c := f.container("lectern.c", "c", Child{Entity: b, Pin: b1})
	for name, n := range map[string]NextVersion{
		"itself":                         {Entity: a, Action: Replace, Children: free(a)},
		"its parent":                     {Entity: a, Action: Replace, Children: free(b)},
		"its parent, pinned":             {Entity: a, Action: Replace, Children: []Child{{Entity: b, Pin: b1}}},
		"one that holds it through pins": {Entity: a, Action: Append, Children: free(c)},
	} {
		if _, _, err := f.tryNext(n); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v, want invalid", name, err)
		}
	}
	// An earlier version of itself, and a version of its parent from before it was there, end somewhere.
	f.next(NextVersion{Entity: a, Action: Replace, Children: []Child{{Entity: a, Pin: f.head(a)}}})
	d := f.container("lectern.d", "d")
	d1 := f.head(d)
	f.next(NextVersion{Entity: d, Action: Replace, Children: free(a)})
	f.next(NextVersion{Entity: a, Action: Append, Children: []Child{{Entity: d, Pin: d1}}})
	if _, err := Outline(t.Context(), f, f.pkg.ID, publishing.Draft()); err != nil {
		t.Error(err)
	}
}

func testStatementsAreBounded(t *testing.T, f *fixture) {
	const n = 300
	list := make([]NewContainer, n)
	for i := range list {
		list[i] = NewContainer{Type: "lectern.vertical", Code: fmt.Sprintf("v%05d", i)}
	}
	p := f.problem("p")
	var ids []publishing.EntityID
	f.statements.Store(0)
	err := f.change(func(cs *publishing.ChangeSet) (err error) {
		if ids, err = Create(t.Context(), cs.Tx(), f.pkg.ID, list); err != nil {
			return err
		}
		versions := make([]NewVersion, n)
		for i, id := range ids {
			versions[i] = NewVersion{Entity: id, Title: "T", Children: free(p, p)}
			if i > 0 {
				versions[i].Children = free(p, ids[0])
			}
		}
		_, _, err = CreateVersions(t.Context(), cs, versions)
		return err
	})
	if got := f.statements.Load(); err != nil || got > 60 {
		t.Errorf("%d statements for %d containers, %v", got, n, err)
	}
	for name, a := range map[string]Action{"keep": Keep, "append": Append} {
		f.statements.Store(0)
		err = f.change(func(cs *publishing.ChangeSet) error {
			next := make([]NextVersion, n)
			for i, id := range ids {
				next[i] = NextVersion{Entity: id, Action: a}
			}
			_, _, err := NextVersions(t.Context(), cs, next)
			return err
		})
		if got := f.statements.Load(); err != nil || got > 70 {
			t.Errorf("%s: %d statements for %d next versions, %v", name, got, n, err)
		}
	}
}

func testPurge(t *testing.T, f *fixture) {
	lists := func() int {
		n, _, err := db.One(t.Context(), f, "SELECT count(*) FROM openedx_content_entitylist", nil, db.Value[int])
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := lists()
	p := f.problem("p")
	u := f.container(Unit, "u", free(p)...)
	f.next(NextVersion{Entity: u})
	f.container("lectern.x", "x", free(u)...)
	if lists() != before+2 {
		t.Errorf("%d lists, want %d", lists(), before+2)
	}
	f.update(func(tx *db.Tx) error { return Purge(t.Context(), tx, f.pkg.ID) })
	if got, err := Containers(t.Context(), f, f.pkg.ID, true); len(got) != 0 || err != nil || lists() != before {
		t.Errorf("left %v and %d lists, %v", got, lists()-before, err)
	}
}
