package backup

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/content/components"
	"github.com/openlectern/lectern/content/containers"
	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
)

// The tests of backup-format.md §9: what other programs get wrong.

const (
	introFile    = "entities/xblock.v1/html/intro.toml"
	introV1      = "entities/xblock.v1/html/intro/component_versions/v1/"
	introV2      = "entities/xblock.v1/html/intro/component_versions/v2/"
	problemFile  = "entities/xblock.v1/problem/intro_3edf9c.toml"
	problemV1    = "entities/xblock.v1/problem/intro_3edf9c/component_versions/v1/"
	weekFile     = "entities/week-1-9f3c2a.toml"
	introSetFile = "collections/intro_29c04f.toml"
)

// paths returns the files of a version of a plan.
func paths(p *Plan, ref string, num int) []string {
	e := &p.entities[p.byRef[ref]]
	var out []string
	for _, f := range p.filesOf(e, e.at(num)) {
		out = append(out, f.path)
	}
	return out
}

func mustRead(t *testing.T, files map[string]string) *Plan {
	t.Helper()
	p, err := read(t, files, ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func rename(files map[string]string, from, to string) map[string]string {
	for name, content := range files {
		if rest, ok := strings.CutPrefix(name, from); ok {
			delete(files, name)
			files[to+rest] = content
		}
	}
	return files
}

func TestB01FilesOfAComponentWhoseFolderIsNotItsKey(t *testing.T) {
	t.Parallel()
	if got := paths(mustRead(t, tiny()), "xblock.v1:problem:Intro", 1); !cmp.Equal(got, []string{"block.xml"}) {
		t.Errorf("beside the file: %q", got)
	}
	byKey := rename(tiny(), "entities/xblock.v1/problem/intro_3edf9c/", "entities/xblock.v1/problem/Intro/")
	if got := paths(mustRead(t, byKey), "xblock.v1:problem:Intro", 1); !cmp.Equal(got, []string{"block.xml"}) {
		t.Errorf("in a folder named by the key: %q", got)
	}
	lost := tiny()
	delete(lost, introV1+"block.xml")
	refused(t, lost, ReadOptions{}, introFile, "version", CodeMissing)
	lost[introV1] = "" // but its folder is there
	mustRead(t, lost)
}

func TestB02PathsThatContainAVersionFolder(t *testing.T) {
	t.Parallel()
	files := tiny()
	files[introV1+"static/v1/rev.txt"] = "x"
	files[introV1+"static/rev1/a.png"] = "x"
	if got := paths(mustRead(t, files), "xblock.v1:html:intro", 1); !cmp.Equal(got, []string{"block.xml", "static/rev1/a.png", "static/v1/rev.txt"}) {
		t.Errorf("%q", got)
	}
}

func TestB03BlankAddress(t *testing.T) {
	t.Parallel()
	p := mustRead(t, changed(t, "package.toml", `"ada@acme.example"`, `""`))
	if p.Meta.Email != "" || p.Meta.CreatedBy != "ada" {
		t.Errorf("%+v", p.Meta)
	}
	refused(t, changed(t, "package.toml", `"ada@acme.example"`, `"ada at acme"`), ReadOptions{}, "package.toml", "created_by_email", CodeInvalid)
	s := newStand(t, db.SQLite)
	s.mustRestore(put(t, "x.zip", pack(t, tiny())), "lib:x:y", ReadOptions{})
	content, _ := s.backup("lib:x:y", WriteOptions{By: "bob"})
	_, files := entries(t, content)
	if head := body(t, files["package.toml"]); strings.Contains(head, "email") || !strings.Contains(head, "created_by = \"bob\"\n") || strings.Contains(head, "origin") {
		t.Errorf("written:\n%s", head)
	}
}

func TestB04EmptyTitle(t *testing.T) {
	t.Parallel()
	p := mustRead(t, changed(t, problemFile, `title = "V"`, `title = ""`))
	if v := p.entities[p.byRef["xblock.v1:problem:Intro"]].at(1); v.title != "" {
		t.Errorf("%+v", v)
	}
}

func TestB05AssetThatEndsInToml(t *testing.T) {
	t.Parallel()
	files := tiny()
	files[introV1+"static/settings.toml"] = "not [ toml"
	if got := paths(mustRead(t, files), "xblock.v1:html:intro", 1); !cmp.Equal(got, []string{"block.xml", "static/settings.toml"}) {
		t.Errorf("%q", got)
	}
}

func TestB06OtherTextBecomesAFile(t *testing.T) {
	t.Parallel()
	files := tiny()
	files[introV1+"notes.md"] = "text"
	s := newStand(t, db.SQLite)
	_, r := s.mustRestore(put(t, "x.zip", pack(t, files)), "lib:x:y", ReadOptions{})
	f, err := components.LookUp(t.Context(), s.DB, "lib:x:y", "xblock.v1:html:intro", 1, "notes.md")
	if err != nil {
		t.Fatal(err)
	}
	if f.Media.HasText || !f.Media.HasFile || f.Media.Type.String() != "text/markdown" {
		t.Errorf("%+v", f.Media)
	}
	if r.Media != 5 {
		t.Errorf("%d media", r.Media)
	}
}

func TestB07PendingDelete(t *testing.T) {
	t.Parallel()
	files := changed(t, introFile, "[entity.draft]\nversion_num = 2\n\n", "")
	for strict, want := range map[bool]int{false: 1, true: 0} {
		s := newStand(t, db.SQLite)
		_, r := s.mustRestore(put(t, "x.zip", pack(t, files)), "lib:x:y", ReadOptions{Strict: strict})
		p, err := publishing.PointersOf(t.Context(), s.DB, []publishing.EntityID{r.Entity("xblock.v1:html:intro")})
		if err != nil {
			t.Fatal(err)
		}
		if got := p[r.Entity("xblock.v1:html:intro")]; got.Draft.Num != want || got.Published.Num != 1 || !got.Draft.Exists {
			t.Errorf("strict %v: %+v", strict, got)
		}
		_, sum := s.backup("lib:x:y", WriteOptions{})
		if got := len(sum.Warnings); got != 1-want {
			t.Errorf("strict %v: warnings %v", strict, sum.Warnings)
		}
	}
}

// TestB08Pins shows that a pin is kept beside the format, with the version that it names, and told of.
func TestB08Pins(t *testing.T) {
	t.Parallel()
	s := newStand(t, db.SQLite)
	_, r := s.mustRestore(put(t, "x.zip", pack(t, tiny())), "lib:x:y", ReadOptions{})
	ctx := t.Context()
	intro, unit := r.Entity("xblock.v1:html:intro"), r.Entity("week-1-9f3c2a")
	s.update(func(tx *db.Tx) error {
		first, err := publishing.VersionByNum(ctx, tx, intro, 1)
		if err != nil {
			return err
		}
		_, err = publishing.Change(ctx, tx, r.Package.ID, publishing.Meta{}, func(cs *publishing.ChangeSet) error {
			_, _, err := containers.NextVersions(ctx, cs, []containers.NextVersion{{Entity: unit, Action: containers.Replace,
				Children: []containers.Child{{Entity: intro, Pin: first.ID}, {Entity: intro}}}})
			return err
		})
		if err != nil {
			return err
		}
		_, err = publishing.PublishAll(ctx, tx, r.Package.ID, publishing.PublishMeta{}) // version 1 is neither draft nor published now
		return err
	})
	content, sum := s.backup("lib:x:y", WriteOptions{})
	if !sum.Lectern || len(sum.Warnings) != 1 || sum.Warnings[0].Code != CodePinned {
		t.Errorf("lectern %v, warnings %v", sum.Lectern, sum.Warnings)
	}
	_, files := entries(t, content)
	if unit := body(t, files[weekFile]); !strings.Contains(unit, `children = ["xblock.v1:html:intro", "xblock.v1:html:intro"]`) || strings.Contains(unit, "pins") {
		t.Errorf("written:\n%s", unit)
	}
	path := put(t, "y.zip", content)
	_, again := s.mustRestore(path, "lib:x:z", ReadOptions{})
	if diff := cmp.Diff(structure(s, r.Package), structure(s, again.Package)); diff != "" {
		t.Errorf("restored (-before +after):\n%s", diff)
	}
	second, _ := s.backup("lib:x:z", WriteOptions{})
	sameEntries(t, content, second)
}

// structure is the live part of a package: branches, with children and files of their versions.
func structure(s *stand, pkg publishing.Package) map[string]any {
	out := map[string]any{}
	for _, e := range s.state(pkg).Entities {
		versions := map[any]any{}
		for _, v := range e["versions"].([]map[string]any) {
			if v["num"] == e["draft"] || v["num"] == e["published"] {
				versions[v["num"]] = []any{v["title"], v["rows"], v["media"]}
			}
		}
		out[e["ref"].(string)] = []any{e["kind"], e["code"], e["component_type"], e["can_stand_alone"], e["created"], e["draft"], e["published"], versions}
	}
	return out
}

// sameEntries compares two archives but for what a restore changes.
func sameEntries(t *testing.T, a, b []byte) {
	t.Helper()
	namesA, filesA := entries(t, a)
	namesB, filesB := entries(t, b)
	if diff := cmp.Diff(namesA, namesB); diff != "" {
		t.Errorf("entries (-first +second):\n%s", diff)
	}
	for name, f := range filesA {
		if g := filesB[name]; g != nil {
			if diff := cmp.Diff(named(name, body(t, f)), named(name, body(t, g))); diff != "" {
				t.Errorf("%s (-first +second):\n%s", name, diff)
			}
		}
	}
}

func TestB09NothingIsLeftOfARejectedArchive(t *testing.T) {
	t.Parallel()
	s := newStand(t, db.SQLite)
	before := s.rows()
	files := tiny()
	files["entities/odd/kind/a.toml"] = strings.ReplaceAll(files[problemFile], "xblock.v1:problem:Intro", "odd:kind:a")
	files[weekFile] = strings.Replace(files[weekFile], "can_stand_alone = true\n", "", 1)
	if _, _, err := s.restore(put(t, "x.zip", pack(t, files)), "lib:x:y", ReadOptions{}); err == nil {
		t.Fatal("restored")
	}
	// And one whose fault is only found while it is written: a file that is not what its checksum says.
	files = tiny()
	files[introV2+"static/plan.png"] = strings.Repeat("unpacked", 100)
	content := pack(t, files)
	content = bytes.Replace(content, []byte(strings.Repeat("unpacked", 100)), []byte(strings.Repeat("unpicked", 100)), 1)
	_, packed := entries(t, content)
	if packed[introV2+"static/plan.png"].Method != 0 {
		content = flipData(t, content, introV2+"static/plan.png")
	}
	_, _, err := s.restore(put(t, "x.zip", content), "lib:x:y", ReadOptions{})
	var p *Problems
	if !errors.As(err, &p) || p.List[0].File != introV2+"static/plan.png" || p.List[0].Code != CodeDamaged {
		t.Errorf("error %v", err)
	}
	after := s.rows()
	delete(after, "files") // swept by package app, see there
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("left behind (-before +after):\n%s", diff)
	}
}

// flipData changes a byte of the compressed data of an entry.
func flipData(t *testing.T, content []byte, name string) []byte {
	t.Helper()
	_, files := entries(t, content)
	at, err := files[name].DataOffset()
	if err != nil {
		t.Fatal(err)
	}
	content[at+int64(files[name].CompressedSize64)/2] ^= 0x40
	return content
}

func TestB10DraftAndPublishedNumbersStayApart(t *testing.T) {
	t.Parallel()
	for _, nums := range [][2]string{{"900", "7"}, {"2", "5"}} {
		files := rename(rename(tiny(), introV2, "entities/xblock.v1/html/intro/component_versions/v"+nums[0]+"/"),
			introV1, "entities/xblock.v1/html/intro/component_versions/v"+nums[1]+"/")
		files[introFile] = strings.NewReplacer("version_num = 2", "version_num = "+nums[0], "version_num = 1", "version_num = "+nums[1]).Replace(files[introFile])
		s := newStand(t, db.SQLite)
		_, r := s.mustRestore(put(t, "x.zip", pack(t, files)), "lib:x:y", ReadOptions{Strict: true})
		p, err := publishing.PointersOf(t.Context(), s.DB, []publishing.EntityID{r.Entity("xblock.v1:html:intro")})
		if err != nil {
			t.Fatal(err)
		}
		got := p[r.Entity("xblock.v1:html:intro")]
		if number(got.Draft.Num) != nums[0] || number(got.Published.Num) != nums[1] {
			t.Errorf("draft %d, published %d, want %v", got.Draft.Num, got.Published.Num, nums)
		}
	}
}

func TestB11EmptyText(t *testing.T) {
	t.Parallel()
	files := tiny()
	files[problemV1+"block.xml"] = ""
	s := newStand(t, db.SQLite)
	s.mustRestore(put(t, "x.zip", pack(t, files)), "lib:x:y", ReadOptions{})
	f, err := components.LookUp(t.Context(), s.DB, "lib:x:y", "xblock.v1:problem:Intro", 1, "block.xml")
	if err != nil || !f.Media.HasText || f.Media.Size != 0 {
		t.Fatalf("%+v, %v", f, err)
	}
	content, _ := s.backup("lib:x:y", WriteOptions{})
	if _, packed := entries(t, content); packed[problemV1+"block.xml"] == nil {
		t.Error("the empty text is not in the archive")
	}
}

func TestB12KeysThatAreNoCodes(t *testing.T) {
	t.Parallel()
	files := changed(t, problemFile, "xblock.v1:problem:Intro", "xblock.v1:problem:Old: key")
	files[introSetFile] = strings.NewReplacer("xblock.v1:problem:Intro", "xblock.v1:problem:Old: key", `key = "intro"`, `key = "Einführung"`).Replace(files[introSetFile])
	files[weekFile] = strings.ReplaceAll(files[weekFile], "xblock.v1:problem:Intro", "xblock.v1:problem:Old: key")
	s := newStand(t, db.SQLite)
	path := put(t, "x.zip", pack(t, files))
	p, r := s.mustRestore(path, "lib:x:y", ReadOptions{})
	code, set := "Old__key_"+shortHash("Old: key"), "Einf_hrung_"+shortHash("Einführung")
	want := []Renamed{{problemFile, "xblock.v1:problem:Old: key", "Old: key", code}, {introSetFile, "Einführung", "Einführung", set}}
	if diff := cmp.Diff(want, p.Renamed); diff != "" {
		t.Errorf("renamed (-want +got):\n%s", diff)
	}
	c, err := components.ByCode(t.Context(), s.DB, r.Package.ID, components.Type{Namespace: "xblock.v1", Name: "problem"}, code)
	if err != nil || c.ID != r.Entity("xblock.v1:problem:Old: key") {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := read(t, files, ReadOptions{Strict: true}); err == nil {
		t.Error("a strict reader takes it")
	}
	content, sum := s.backup("lib:x:y", WriteOptions{})
	if !sum.Lectern {
		t.Error("the code that is not the ref's is not told")
	}
	again, _ := s.mustRestore(put(t, "y.zip", content), "lib:x:z", ReadOptions{Strict: true})
	if got := again.entities[again.byRef["xblock.v1:problem:Old: key"]].code; got != code || len(again.Renamed) > 0 {
		t.Errorf("code %q, renamed %v", got, again.Renamed)
	}
	long := strings.Repeat("ü", 300)
	if got, _ := legalCode(long, entityCode); len([]rune(got)) != 255 || got != strings.Repeat("ü", 248)+"_"+shortHash(long) {
		t.Errorf("%q", got)
	}
}

func TestB13UnknownMemberNamesTheCollection(t *testing.T) {
	t.Parallel()
	files := changed(t, introSetFile, "xblock.v1:html:intro", "xblock.v1:html:nobody")
	refused(t, files, ReadOptions{}, introSetFile, "entities", CodeUnknown)
	_, err := read(t, files, ReadOptions{})
	if !strings.Contains(err.Error(), "not found for collection intro") {
		t.Error(err)
	}
}

func TestB14BrokenComponentFilesAreCollected(t *testing.T) {
	t.Parallel()
	files := tiny()
	files[introSetFile] = strings.ReplaceAll(files[introSetFile], "    \"xblock.v1:html:intro\",\n    \"xblock.v1:problem:Intro\",\n", "")
	files[introFile] = "not [ toml"
	files[problemFile] = "[other]\n"
	_, err := read(t, files, ReadOptions{})
	var p *Problems
	if !errors.As(err, &p) || len(p.List) != 2 || p.List[0].File != introFile || p.List[0].Code != CodeTOML ||
		p.List[1].File != problemFile || p.List[1].Code != CodeRequired {
		t.Errorf("%v", err)
	}
}

func TestB15OuterWhiteSpaceOfTitles(t *testing.T) {
	t.Parallel()
	p := mustRead(t, changed(t, problemFile, `title = "V"`, `title = " V\t"`))
	if v := p.entities[p.byRef["xblock.v1:problem:Intro"]].at(1); v.title != "V" {
		t.Errorf("%q", v.title)
	}
	refused(t, changed(t, "package.toml", `title = "Tiny"`, `title = "  "`), ReadOptions{}, "package.toml", "title", CodeBlank)
	s := newStand(t, db.SQLite)
	_, r := s.mustRestore(put(t, "x.zip", pack(t, tiny())), "lib:x:y", ReadOptions{})
	title := " padded "
	s.update(func(tx *db.Tx) error {
		_, err := publishing.UpdatePackage(t.Context(), tx, r.Package.ID, publishing.PackageChange{Title: &title})
		return err
	})
	_, sum := s.backup("lib:x:y", WriteOptions{})
	if len(sum.Warnings) != 1 || sum.Warnings[0].Code != CodePadding {
		t.Errorf("warnings %v", sum.Warnings)
	}
}

// TestDamagedStore shows that a backup does not carry on what a media store lost.
func TestDamagedStore(t *testing.T) {
	t.Parallel()
	s := newStand(t, db.SQLite)
	_, r := s.mustRestore(put(t, "x.zip", pack(t, tiny())), "lib:x:y", ReadOptions{})
	s.Files = lossy{s.Files}
	err := s.View(t.Context(), func(tx *db.Tx) error {
		_, err := Write(t.Context(), tx, s.Files, r.Package, &bytes.Buffer{}, WriteOptions{Now: loadTime})
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "the media store is damaged") {
		t.Errorf("error %v", err)
	}
}

type lossy struct{ media.Files }
