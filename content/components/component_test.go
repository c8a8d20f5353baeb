package components

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

func testCreate(t *testing.T, f *fixture) {
	problem, html, blank := Type{"xblock.v1", "problem"}, Type{"xblock.v1", "html"}, Type{"blank", ""}
	ids, err := f.tryCreate(
		NewComponent{Type: problem, Code: "a"},
		NewComponent{Type: html, Code: "a"}, // law 73: codes are unique within their type
		NewComponent{Type: problem, Code: "A"},
		NewComponent{Type: problem, Code: "b", Ref: "any text at all"},
		NewComponent{Type: blank, Code: "-", Dependent: true},
	)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Components(t.Context(), f, f.pkg.ID, Filter{})
	if err != nil {
		t.Fatal(err)
	}
	want := []Component{
		{ids[0], f.pkg.ID, problem, "a"}, {ids[1], f.pkg.ID, html, "a"}, {ids[2], f.pkg.ID, problem, "A"},
		{ids[3], f.pkg.ID, problem, "b"}, {ids[4], f.pkg.ID, blank, "-"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("components (-want +got):\n%s", diff)
	}
	refs := []string{"xblock.v1:problem:a", "xblock.v1:html:a", "xblock.v1:problem:A", "any text at all", "blank::-"}
	for i, id := range ids {
		e, err := publishing.EntityByID(t.Context(), f, id)
		if err != nil || e.Ref != refs[i] || e.CanStandAlone != (i != 4) {
			t.Errorf("entity %+v, %v, want ref %q", e, err, refs[i])
		}
		c, err := ByCode(t.Context(), f, f.pkg.ID, want[i].Type, want[i].Code)
		if diff := cmp.Diff(want[i], c); err != nil || diff != "" {
			t.Errorf("ByCode: %v\n%s", err, diff)
		}
		c, err = ByUUID(t.Context(), f, e.UUID)
		if diff := cmp.Diff(want[i], c); err != nil || diff != "" {
			t.Errorf("ByUUID: %v\n%s", err, diff)
		}
	}
	for _, code := range []string{"c", "a ", "á"} {
		if _, err := ByCode(t.Context(), f, f.pkg.ID, problem, code); !fault.Is(err, fault.NotFound) {
			t.Errorf("ByCode(%q): %v, want not found", code, err)
		}
	}
	if _, err := ByUUID(t.Context(), f, uuid.New()); !fault.Is(err, fault.NotFound) {
		t.Errorf("ByUUID of none: %v", err)
	}
}

func testCreateRefuses(t *testing.T, f *fixture) {
	problem := Type{"xblock.v1", "problem"}
	f.problem("a")
	many := make([]NewComponent, few+1)
	for i := range many {
		many[i] = NewComponent{Type: problem, Code: fmt.Sprint("a", i), Ref: fmt.Sprint("own", i)}
	}
	many[few].Code = "a"
	for name, c := range map[string]struct {
		list []NewComponent
		kind fault.Kind
	}{
		"code exists":       {[]NewComponent{{Type: problem, Code: "new"}, {Type: problem, Code: "a", Ref: "other"}}, fault.Conflict},
		"ref exists":        {[]NewComponent{{Type: problem, Code: "new", Ref: "xblock.v1:problem:a"}}, fault.Conflict},
		"given twice":       {[]NewComponent{{Type: problem, Code: "x"}, {Type: problem, Code: "x", Ref: "y"}}, fault.Conflict},
		"exists among many": {many, fault.Conflict},
		"empty code":        {[]NewComponent{{Type: problem}}, fault.Invalid},
		"code":              {[]NewComponent{{Type: problem, Code: "a b"}}, fault.Invalid},
		"type":              {[]NewComponent{{Type: Type{"a:b", "c"}, Code: "x"}}, fault.Invalid},
		"type's end":        {[]NewComponent{{Type: Type{"a", "c "}, Code: "x"}}, fault.Invalid},
	} {
		if _, err := f.tryCreate(c.list...); !fault.Is(err, c.kind) {
			t.Errorf("%s: %v, want %s", name, err, c.kind.Code())
		}
	}
	if got, err := publishing.Entities(t.Context(), f, f.pkg.ID); len(got) != 1 || err != nil {
		t.Errorf("%d entities, %v, want 1", len(got), err)
	}
}

// testCodesOnEngines makes each code alone: those that every engine keeps, those that the grammar has and an engine may
// refuse with a clear error, and those of law 74 that are different things.
func testCodesOnEngines(t *testing.T, f *fixture) {
	for _, code := range []string{"é", "日本", "раздел.1", "-", ".", "a.b-c_d", "E", "e", "É", "٣", "ª", "x.", "Straße", "STRASSE", "strasse"} {
		if _, err := f.tryCreate(NewComponent{Type: Type{"xblock.v1", "html"}, Code: code}); err != nil {
			t.Errorf("%q: %v", code, err)
		}
	}
	for _, code := range []string{"²", "½", "①"} {
		_, err := f.tryCreate(NewComponent{Type: Type{"xblock.v1", "html"}, Code: code})
		if err != nil && (!fault.Is(err, fault.Invalid) || f.Engine() != db.PostgreSQL) {
			t.Errorf("%q: %v", code, err)
		}
	}
}

func testVersions(t *testing.T, f *fixture) {
	m := f.media("one", "two")
	a, b := f.problem("a"), f.problem("b")
	var ids []publishing.VersionID
	var nums []int
	err := f.change(func(cs *publishing.ChangeSet) (err error) {
		ids, nums, err = CreateVersions(t.Context(), cs, []NewVersion{
			{Entity: a, Title: "A", Files: []File{{"block.xml", m[0]}, {"static/x.png", m[1]}}},
			{Entity: b, Num: 7, Title: ""},
			{Entity: a, Title: "A2", Files: []File{{"block.xml", m[1]}}},
		})
		return err
	})
	if err != nil || nums[0] != 1 || nums[1] != 7 || nums[2] != 2 {
		t.Fatalf("numbers %v, %v", nums, err)
	}
	rows, err := Files(t.Context(), f, []publishing.VersionID{ids[2], ids[1], ids[0]}, true)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range rows {
		got = append(got, fmt.Sprint(r.Version-ids[0], r.Path, r.Media.Text))
	}
	if diff := cmp.Diff([]string{fmt.Sprint(ids[2]-ids[0], "block.xml", "two"), "0block.xmlone", "0static/x.pngtwo"}, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	heads, err := publishing.HeadsOf(t.Context(), f, []publishing.EntityID{a, b}, publishing.Draft())
	if err != nil || len(heads) != 2 || heads[0].Version != ids[2] || heads[1].Version != ids[1] {
		t.Errorf("drafts %+v, %v", heads, err)
	}
	now, err := FilesAt(t.Context(), f, f.pkg.ID, publishing.Draft(), true)
	if len(now) != 1 || err != nil || now[0].Version != ids[2] || now[0].Media.Text != "two" {
		t.Errorf("files of the drafts: %+v, %v", now, err)
	}
	row, err := LookUp(t.Context(), f, f.pkg.Ref, "xblock.v1:problem:a", 1, "static/x.png")
	if err != nil || row.Media.ID != m[1] {
		t.Errorf("LookUp: %+v, %v", row, err)
	}
	for _, path := range []string{"static/X.png", "static/x.png ", ""} { // law 61
		if _, err := LookUp(t.Context(), f, f.pkg.Ref, "xblock.v1:problem:a", 1, path); !fault.Is(err, fault.NotFound) {
			t.Errorf("LookUp(%q): %v", path, err)
		}
	}
	var bare []publishing.EntityID
	f.update(func(tx *db.Tx) (err error) {
		bare, err = publishing.CreateEntities(t.Context(), tx, f.pkg.ID, []publishing.NewEntity{{Ref: "bare"}})
		return err
	})
	for name, c := range map[string]struct {
		v    NewVersion
		kind fault.Kind
	}{
		"number exists": {NewVersion{Entity: a, Num: 2}, fault.Conflict}, // law 3
		"no component":  {NewVersion{Entity: bare[0]}, fault.Invalid},
		"no media":      {NewVersion{Entity: a, Files: []File{{"x", 1 << 40}}}, fault.NotFound},
		"path":          {NewVersion{Entity: a, Files: []File{{"/x", m[0]}}}, fault.Invalid},
		"path twice":    {NewVersion{Entity: a, Files: []File{{"x", m[0]}, {"x", m[1]}}}, fault.Invalid},
	} {
		err := f.change(func(cs *publishing.ChangeSet) error {
			_, _, err := CreateVersions(t.Context(), cs, []NewVersion{c.v})
			return err
		})
		if !fault.Is(err, c.kind) {
			t.Errorf("%s: %v, want %s", name, err, c.kind.Code())
		}
	}
	heads, err = publishing.HeadsOf(t.Context(), f, []publishing.EntityID{a}, publishing.Draft())
	if err != nil || heads[0].Version != ids[2] {
		t.Errorf("a refused version moved the draft: %+v, %v", heads, err)
	}
}

// testNextVersions follows laws 6, 7 and 56.
func testNextVersions(t *testing.T, f *fixture) {
	m := f.media("1", "2", "3")
	e := f.problem("a")
	title := func(s string) *string { return &s }
	type files = map[string]string
	for i, c := range []struct {
		n     NextVersion
		num   int
		title string
		files files
	}{
		{NextVersion{Files: []File{{"a", m[0]}, {"b", m[1]}}}, 1, "", files{"a": "1", "b": "2"}},
		{NextVersion{Title: title("T")}, 2, "T", files{"a": "1", "b": "2"}},
		{NextVersion{Files: []File{{"b", m[2]}, {"c", m[0]}, {"unknown", 0}}}, 3, "T", files{"a": "1", "b": "3", "c": "1"}},
		{NextVersion{Files: []File{{"a", 0}}, Title: title("")}, 4, "", files{"b": "3", "c": "1"}},
		{NextVersion{Num: 9, Fresh: true, Files: []File{{"z", m[1]}}}, 9, "", files{"z": "2"}},
		{NextVersion{Num: 5, Title: title("lower")}, 5, "lower", files{"z": "2"}},
		{NextVersion{}, 10, "", files{"z": "2"}}, // from 9, the latest, not from 5, the draft
		{NextVersion{Fresh: true}, 11, "", files{}},
	} {
		c.n.Entity = e
		id, num := f.next(c.n)
		v, err := publishing.Versions(t.Context(), f, []publishing.VersionID{id})
		if err != nil || num != c.num || v[0].Num != c.num || v[0].Title != c.title {
			t.Errorf("step %d: number %d, %+v, %v, want %d, %q", i, num, v, err, c.num, c.title)
		}
		if diff := cmp.Diff(c.files, f.fileMap(id)); diff != "" {
			t.Errorf("step %d: files (-want +got):\n%s", i, diff)
		}
	}
	for name, n := range map[string]NextVersion{
		"path":          {Entity: e, Files: []File{{"../x", m[0]}}},
		"changed twice": {Entity: e, Files: []File{{"x", m[0]}, {"x", 0}}},
	} {
		if _, _, err := f.tryNext(n); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v, want invalid", name, err)
		}
	}
	err := f.change(func(cs *publishing.ChangeSet) error {
		_, _, err := NextVersions(t.Context(), cs, []NextVersion{{Entity: e}, {Entity: e}})
		return err
	})
	if err == nil {
		t.Error("two next versions of one component in a batch were taken")
	}
	// A path that an older program could store blocks the next version until it is dropped.
	id, _ := f.next(NextVersion{Entity: e, Fresh: true, Files: []File{{"ok", m[0]}}})
	f.update(func(tx *db.Tx) error {
		_, err := tx.Exec(t.Context(), "UPDATE openedx_content_componentversionmedia SET path = ? WHERE component_version_id = ?", "/old", id)
		return err
	})
	if _, _, err := f.tryNext(NextVersion{Entity: e}); !fault.Is(err, fault.Invalid) {
		t.Errorf("inherited path: %v, want invalid", err)
	}
	id, _ = f.next(NextVersion{Entity: e, Files: []File{{"/old", 0}, {"new", m[0]}}})
	if diff := cmp.Diff(files{"new": "1"}, f.fileMap(id)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func testForeignMedia(t *testing.T, f *fixture) {
	own := f.pkg
	f.pkg = f.newPackage(t.Name() + " other")
	theirs := f.media("x")[0]
	theirComponent := f.problem("theirs")
	f.pkg = own
	e := f.problem("a")
	if _, _, err := f.tryNext(NextVersion{Entity: e, Files: []File{{"x", theirs}}}); !fault.Is(err, fault.Invalid) {
		t.Errorf("media of another package: %v, want invalid", err)
	}
	if _, _, err := f.tryNext(NextVersion{Entity: theirComponent}); !fault.Is(err, fault.Invalid) {
		t.Errorf("component of another package: %v, want invalid", err)
	}
}

func testFilters(t *testing.T, f *fixture) {
	yes, no := true, false
	str := func(s string) *string { return &s }
	ids, err := f.tryCreate(
		NewComponent{Type: Type{"xblock.v1", "problem"}, Code: "both"},
		NewComponent{Type: Type{"xblock.v1", "html"}, Code: "draft"},
		NewComponent{Type: Type{"xblock.v1", "video"}, Code: "never"},
		NewComponent{Type: Type{"other", "problem"}, Code: "Deleted"},
	)
	if err != nil {
		t.Fatal(err)
	}
	f.next(NextVersion{Entity: ids[0], Title: str("Old Title")})
	f.next(NextVersion{Entity: ids[3], Title: str("Gone")})
	f.update(func(tx *db.Tx) error {
		_, err := publishing.PublishAll(t.Context(), tx, f.pkg.ID, publishing.PublishMeta{})
		return err
	})
	f.next(NextVersion{Entity: ids[0], Title: str("Ändert")})
	f.next(NextVersion{Entity: ids[1], Title: str("Text")})
	if err := f.change(func(cs *publishing.ChangeSet) error {
		return cs.SetDrafts(t.Context(), []publishing.Pointer{{Entity: ids[3]}})
	}); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		f    Filter
		want []int
	}{
		"all":             {Filter{}, []int{0, 1, 2, 3}},
		"draft":           {Filter{Draft: &yes}, []int{0, 1}},
		"no draft":        {Filter{Draft: &no}, []int{2, 3}},
		"published":       {Filter{Published: &yes}, []int{0, 3}},
		"not published":   {Filter{Published: &no}, []int{1, 2}},
		"deleted":         {Filter{Draft: &no, Published: &yes}, []int{3}},
		"namespace":       {Filter{Namespace: "xblock.v1"}, []int{0, 1, 2}},
		"names":           {Filter{Names: []string{"problem", "video"}}, []int{0, 2, 3}},
		"both of type":    {Filter{Namespace: "other", Names: []string{"problem"}}, []int{3}},
		"draft title":     {Filter{DraftTitle: "änder"}, []int{0}},
		"published title": {Filter{PublishedTitle: "OLD"}, []int{0}},
		"code":            {Filter{DraftTitle: "DELETE"}, []int{3}},
		"none":            {Filter{DraftTitle: "Old Title"}, nil},
	} {
		got, err := Components(t.Context(), f, f.pkg.ID, c.f)
		if err != nil {
			t.Fatal(err)
		}
		var at []int
		for _, g := range got {
			for i, id := range ids {
				if id == g.ID {
					at = append(at, i)
				}
			}
		}
		if diff := cmp.Diff(c.want, at); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func testAsset(t *testing.T, f *fixture) {
	e := f.problem("a")
	text := "only a row"
	var m []media.Media
	f.update(func(tx *db.Tx) (err error) {
		m, err = media.GetOrCreate(t.Context(), tx, f.files, f.pkg, []media.New{{Type: "image/svg+xml", Bytes: []byte("<svg/>")}, {Type: "text/plain", Text: &text}}, media.Options{})
		return err
	})
	id, num := f.next(NextVersion{Entity: e, Files: []File{{"static/a.svg", m[0].ID}, {"block.xml", m[1].ID}}})
	vs, err := publishing.Versions(t.Context(), f, []publishing.VersionID{id})
	if err != nil {
		t.Fatal(err)
	}
	ent, err := publishing.EntityByID(t.Context(), f, e)
	if err != nil {
		t.Fatal(err)
	}
	info := []Header{
		{"X-Open-edX-Component-Ref", "xblock.v1:problem:a"},
		{"X-Open-edX-Component-Uuid", ent.UUID.String()},
		{"X-Open-edX-Component-Version-Uuid", vs[0].UUID.String()},
		{"X-Open-edX-Component-Version-Num", fmt.Sprint(num)},
		{"X-Open-edX-Learning-Package-Ref", f.pkg.Ref},
		{"X-Open-edX-Learning-Package-Uuid", f.pkg.UUID.String()},
	}
	ok := append(info[:len(info):len(info)], Header{"Content-Type", "image/svg+xml"}, Header{"Etag", m[0].Digest},
		Header{"Cache-Control", "max-age=86400, private"}, Header{"X-Accel-Redirect", "content/" + f.pkg.UUID.String() + "/" + m[0].Digest})
	public := append([]Header{}, ok...)
	public[8].Value = "max-age=300, must-revalidate"
	missing := append(info[:len(info):len(info)], Header{"X-Open-edX-Error", AssetNotFound})
	for _, c := range []struct {
		version uuid.UUID
		path    string
		public  bool
		want    Asset
	}{
		{vs[0].UUID, "static/a.svg", false, Asset{200, ok}},
		{vs[0].UUID, "static//./a.svg", true, Asset{200, public}},
		{vs[0].UUID, "static/A.svg", false, Asset{404, missing}},
		{vs[0].UUID, "/static/a.svg", false, Asset{404, missing}},
		{vs[0].UUID, "x/../static/a.svg", false, Asset{404, missing}},
		{vs[0].UUID, "block.xml", false, Asset{404, append(info[:len(info):len(info)], Header{"X-Open-edX-Error", AssetNoFile})}},
		{uuid.New(), "static/a.svg", false, Asset{Status: 404}},
	} {
		got, err := FindAsset(t.Context(), f, c.version, c.path, c.public)
		if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", c.path, err, diff)
		}
	}
}

func testStatementsAreBounded(t *testing.T, f *fixture) {
	const n = 500
	texts := make([]string, n)
	for i := range texts {
		texts[i] = fmt.Sprint("text ", i)
	}
	m := f.media(texts...)
	list := make([]NewComponent, n)
	for i := range list {
		list[i] = NewComponent{Type: Type{"xblock.v1", "problem"}, Code: fmt.Sprintf("p%06d", i)}
	}
	var ids []publishing.EntityID
	f.statements.Store(0)
	err := f.change(func(cs *publishing.ChangeSet) (err error) {
		if ids, err = Create(t.Context(), cs.Tx(), f.pkg.ID, list); err != nil {
			return err
		}
		versions := make([]NewVersion, n)
		for i, id := range ids {
			versions[i] = NewVersion{Entity: id, Title: "T", Files: []File{{"block.xml", m[i]}}}
		}
		_, _, err = CreateVersions(t.Context(), cs, versions)
		return err
	})
	if got := f.statements.Load(); err != nil || got > 50 {
		t.Errorf("%d statements for %d components, %v", got, n, err)
	}
	f.statements.Store(0)
	err = f.change(func(cs *publishing.ChangeSet) error {
		next := make([]NextVersion, n)
		for i, id := range ids {
			next[i] = NextVersion{Entity: id, Files: []File{{"block.xml", m[0]}}}
		}
		_, _, err := NextVersions(t.Context(), cs, next)
		return err
	})
	if got := f.statements.Load(); err != nil || got > 60 {
		t.Errorf("%d statements for %d next versions, %v", got, n, err)
	}
}

func testPurge(t *testing.T, f *fixture) {
	e := f.problem("a")
	f.next(NextVersion{Entity: e, Files: []File{{"x", f.media("x")[0]}}})
	f.update(func(tx *db.Tx) error { return Purge(t.Context(), tx, f.pkg.ID) })
	if got, err := Components(t.Context(), f, f.pkg.ID, Filter{}); len(got) != 0 || err != nil {
		t.Errorf("left %v, %v", got, err)
	}
}
