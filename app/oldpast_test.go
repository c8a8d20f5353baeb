package app

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	driver "go.mongodb.org/mongo-driver/v2/bson"

	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/conversion"
	"github.com/openlectern/lectern/course"
	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/convert"
	"github.com/openlectern/lectern/modulestore/dump"
	"github.com/openlectern/lectern/modulestore/expected"
	"github.com/openlectern/lectern/modulestore/split"
	"github.com/openlectern/lectern/olx"
	"github.com/openlectern/lectern/user"
)

// pastSite is an old site in the making: one course of the versioned store, whose history grows at random.
type pastSite struct {
	tb testing.TB
	*rand.Rand
	run         string
	collections map[string]*bytes.Buffer
	ids         int
	draft, live []pastBlock
	heads       [2]driver.ObjectID // draft, published
	versions    int
	clock       time.Time
}

// pastBlock is an entry of a structure.
type pastBlock struct {
	kind, name string
	definition driver.ObjectID
	fields     driver.D
	children   []string // kind/name
	edited     driver.ObjectID
}

func (b *pastBlock) id() string { return b.kind + "/" + b.name }

// newPastSite makes a course with sections of units of ten leaf blocks.
func newPastSite(tb testing.TB, seed uint64, leaves int) *pastSite {
	tb.Helper()
	s := &pastSite{tb: tb, Rand: rand.New(rand.NewPCG(seed, 1)), run: fmt.Sprint("r", seed), collections: map[string]*bytes.Buffer{},
		clock: time.Date(2019, 1, 2, 3, 4, 5, 0, time.UTC)}
	var units, sections []string
	for i := 0; i < leaves; i += 10 {
		var list []string
		for j := i; j < min(i+10, leaves); j++ {
			list = append(list, s.leaf(&s.draft))
		}
		units = append(units, s.add("vertical", list...))
		if len(units) == 10 || i+10 >= leaves {
			sections = append(sections, s.add("sequential", units...))
			units = nil
		}
	}
	chapter := s.add("chapter", sections...)
	s.draft = append(s.draft, pastBlock{kind: "course", name: "course", children: []string{chapter}, fields: driver.D{{Key: "display_name", Value: "A course"}}})
	return s
}

func (s *pastSite) oid() driver.ObjectID {
	s.ids++
	return driver.ObjectID{5, byte(s.ids >> 16), byte(s.ids >> 8), byte(s.ids)}
}

func (s *pastSite) write(collection string, doc driver.D) {
	if s.collections[collection] == nil {
		s.collections[collection] = &bytes.Buffer{}
	}
	s.collections[collection].Write(expected.Doc(s.tb, doc))
}

func (s *pastSite) define(kind, text string) driver.ObjectID {
	id := s.oid()
	s.write(modulestore.CollectionDefinitions, driver.D{{Key: "_id", Value: id}, {Key: "block_type", Value: kind},
		{Key: "fields", Value: driver.D{{Key: "data", Value: text}}}, {Key: "schema_version", Value: int32(1)}})
	return id
}

// leaf adds a block of text.
func (s *pastSite) leaf(to *[]pastBlock) string {
	kind := []string{"html", "problem", "video", "mystery"}[s.IntN(4)]
	s.ids++
	b := pastBlock{kind: kind, name: fmt.Sprintf("%032x", s.ids), fields: driver.D{{Key: "display_name", Value: fmt.Sprint("Block ", s.ids)}}}
	b.definition = s.define(kind, s.text(kind))
	*to = append(*to, b)
	return b.id()
}

func (s *pastSite) text(kind string) string {
	link := ""
	if s.IntN(4) == 0 { // under another key it is rewritten, and what to depends on the other blocks
		link = []string{`<a href="/jump_to_id/` + fmt.Sprintf("%032x", s.IntN(s.ids+3)) + `">x</a>`, `<a href="block-v1:O+C+` + s.run + `+type@html+block@gone">y</a>`,
			`<img src="/asset-v1:O+C+` + s.run + `+type@asset+block@a.png"/>`}[s.IntN(3)]
	}
	return fmt.Sprintf("<%s>%s<p>%d %s</p></%s>", kind, link, s.IntN(1e6), strings.Repeat("Some text of a course. ", s.IntN(40)), kind)
}

func (s *pastSite) add(kind string, children ...string) string {
	s.ids++
	b := pastBlock{kind: kind, name: fmt.Sprintf("%032x", s.ids), children: children, fields: driver.D{{Key: "display_name", Value: fmt.Sprint("Block ", s.ids)}}}
	s.draft = append(s.draft, b)
	return b.id()
}

// save writes a branch as its next version.
func (s *pastSite) save(branch int) {
	list := &s.draft
	if branch == 1 {
		list = &s.live
	}
	id, previous := s.oid(), any(nil)
	if !s.heads[branch].IsZero() {
		previous = s.heads[branch]
	}
	var blocks driver.A
	for i := range *list {
		b := &(*list)[i]
		if b.edited.IsZero() {
			b.edited = id
		}
		children := driver.A{}
		for _, c := range b.children {
			kind, name, _ := strings.Cut(c, "/")
			children = append(children, driver.A{kind, name})
		}
		fields := slices.Clone(b.fields)
		if b.children != nil {
			fields = append(fields, driver.E{Key: "children", Value: children})
		}
		var definition any
		if !b.definition.IsZero() {
			definition = b.definition
		}
		info := driver.D{{Key: "edited_on", Value: driver.DateTime(s.clock.UnixMilli())}, {Key: "edited_by", Value: int64(7)}, {Key: "update_version", Value: b.edited}}
		if branch == 1 {
			info = append(info, driver.E{Key: "source_version", Value: s.heads[0]})
		} else {
			info[0].Value = driver.DateTime(1546300800000) // of each block its own; here one that stays
		}
		blocks = append(blocks, driver.D{{Key: "block_type", Value: b.kind}, {Key: "block_id", Value: b.name}, {Key: "definition", Value: definition},
			{Key: "fields", Value: fields}, {Key: "defaults", Value: driver.D{}}, {Key: "asides", Value: driver.A{}}, {Key: "edit_info", Value: info}})
	}
	s.clock = s.clock.Add(time.Duration(1+s.IntN(5)) * time.Hour)
	s.write(modulestore.CollectionStructures, driver.D{{Key: "_id", Value: id}, {Key: "root", Value: driver.A{"course", "course"}}, {Key: "previous_version", Value: previous},
		{Key: "original_version", Value: id}, {Key: "edited_by", Value: int64(7)}, {Key: "edited_on", Value: driver.DateTime(s.clock.UnixMilli())},
		{Key: "schema_version", Value: int32(1)}, {Key: "blocks", Value: blocks}})
	s.heads[branch] = id
	s.versions++
}

// parents are the places in draft of blocks that list something.
func (s *pastSite) parents() (at []int) {
	for i, b := range s.draft {
		if len(b.children) > 0 && b.kind == "vertical" {
			at = append(at, i)
		}
	}
	return at
}

// edit changes the draft in some way, as it is seen in stores: also wrongly.
func (s *pastSite) edit() {
	s.draft = slices.Clone(s.draft)
	at := s.IntN(len(s.draft))
	touch := func(i int) *pastBlock {
		s.draft[i].edited = driver.ObjectID{}
		s.draft[i].children = slices.Clone(s.draft[i].children)
		return &s.draft[i]
	}
	up := s.parents()
	pick := func() *pastBlock { return touch(up[s.IntN(len(up))]) }
	switch k := s.IntN(12); {
	case k < 3: // other settings
		b := touch(at)
		b.fields = driver.D{{Key: "display_name", Value: fmt.Sprint("Renamed ", s.IntN(1000))}, {Key: "weight", Value: s.Float64()}}
	case k < 6: // another text
		for s.draft[at].definition.IsZero() {
			at = s.IntN(len(s.draft))
		}
		b := touch(at)
		b.definition = s.define(b.kind, s.text(b.kind))
	case len(up) == 0:
	case k == 6: // a new block
		i := up[s.IntN(len(up))]
		id := s.leaf(&s.draft)
		b := touch(i)
		b.children = slices.Insert(b.children, s.IntN(len(b.children)+1), id)
	case k == 7: // a block leaves the list and stays, as an orphan
		b := pick()
		b.children = slices.Delete(b.children, 0, 1)
	case k == 8: // one goes altogether
		b := pick()
		id := b.children[len(b.children)-1]
		b.children = b.children[:len(b.children)-1]
		s.draft = slices.DeleteFunc(s.draft, func(b pastBlock) bool { return b.id() == id })
	case k == 9: // moved
		from, to := pick(), pick()
		if from == to {
			return
		}
		id := from.children[0]
		from.children = from.children[1:]
		to.children = append(to.children, id)
	case k == 10: // another order
		b := pick()
		s.Shuffle(len(b.children), func(i, j int) { b.children[i], b.children[j] = b.children[j], b.children[i] })
	default: // listed by two, or nowhere to be found
		b := pick()
		b.children = append(b.children, s.draft[at].id(), "html/nowhere")
	}
}

// publish makes what is published of the drafts, all of it or a part.
func (s *pastSite) publish() {
	if s.live == nil || s.IntN(3) > 0 {
		s.live = slices.Clone(s.draft)
		return
	}
	live := slices.Clone(s.live)
	for i := range live {
		j := slices.IndexFunc(s.draft, func(b pastBlock) bool { return b.id() == live[i].id() })
		if j >= 0 && s.IntN(2) == 0 {
			live[i] = s.draft[j]
		}
	}
	s.live = live
}

// grow adds versions.
func (s *pastSite) grow(n int) {
	for s.versions < n {
		s.save(0)
		if s.IntN(3) == 0 {
			s.publish()
			s.save(1)
		}
		s.edit()
	}
}

// dump writes the site as a dump and returns the folder.
func (s *pastSite) dump() string {
	versions := driver.D{{Key: "draft-branch", Value: s.heads[0]}}
	if !s.heads[1].IsZero() {
		versions = append(versions, driver.E{Key: "published-branch", Value: s.heads[1]})
	}
	s.collections[modulestore.CollectionIndexes] = nil
	s.write(modulestore.CollectionIndexes, driver.D{{Key: "_id", Value: driver.ObjectID{9}}, {Key: "org", Value: "O"}, {Key: "course", Value: "C"}, {Key: "run", Value: s.run},
		{Key: "versions", Value: versions}, {Key: "edited_on", Value: driver.DateTime(0)}})
	dir := filepath.Join(s.tb.TempDir(), "edxapp")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		s.tb.Fatal(err)
	}
	for name, data := range s.collections {
		if err := os.WriteFile(filepath.Join(dir, name+".bson"), data.Bytes(), 0o600); err != nil {
			s.tb.Fatal(err)
		}
	}
	return filepath.Dir(dir)
}

// TestHistoryIsEveryVersion converts random histories, under the key that they have and under another one. What each version made alone
// becomes, which is the slow way, is what the course says at its time; and a second run writes nothing.
func TestHistoryIsEveryVersion(t *testing.T) {
	t.Parallel()
	seeds := uint64(6)
	if os.Getenv("LECTERN_TEST_ALL") == "1" {
		seeds = 120
	}
	a := emptyStore(t, filepath.Join(t.TempDir(), "l.db"))
	for seed := range seeds {
		s := newPastSite(t, seed, 20+int(seed)*7%40)
		s.grow(30)
		site, o := OldSite{Source: s.dump()}, ConvertOptions{History: true, Verify: true}
		if seed%2 == 1 {
			o.Run = s.run + "-again"
		}
		out, err := a.ConvertOldSite(t.Context(), site, o)
		if err != nil || out.Failed() > 0 {
			t.Fatal(seed, err, out)
		}
		compareVersions(t, a, site.Source, o, 1)
		o.Verify = false
		was := logs(t, a)
		if again, err := a.ConvertOldSite(t.Context(), site, o); err != nil || again.Courses[0].Status != CourseUnchanged || logs(t, a) != was {
			t.Errorf("%d: again: %+v, %v", seed, again, err)
		}
	}
}

// TestHistoryLater asks for the history of a course that was converted without, and for more of it: it is made anew as long as nobody has
// edited it or named a moment of it, else that is refused and changes nothing.
func TestHistoryLater(t *testing.T) {
	t.Parallel()
	dbtest.OnEngines(t, func(t *testing.T, e db.Engine) {
		a := emptyStore(t, dbtest.URL(t, e))
		s := newPastSite(t, 5, 30)
		s.grow(20)
		site := OldSite{Source: s.dump()}
		convert := func(o ConvertOptions) *ConvertedCourse {
			t.Helper()
			out, err := a.ConvertOldSite(t.Context(), site, o)
			if err != nil || len(out.Courses) != 1 {
				t.Fatal(out, err)
			}
			return out.Courses[0]
		}
		done := func(o ConvertOptions, status string, moments bool) {
			t.Helper()
			if c := convert(o); c.Status != status || moments != (c.Moments > 0) {
				t.Fatalf("%+v: %s, %d moments, %v", o, c.Status, c.Moments, c.Err)
			}
		}
		done(ConvertOptions{}, CourseConverted, false)
		done(ConvertOptions{History: true, Depth: 3, Verify: true}, CourseConverted, true)
		compareVersions(t, a, site.Source, ConvertOptions{Depth: 3}, 1)
		done(ConvertOptions{History: true, Depth: 3}, CourseUnchanged, false)
		done(ConvertOptions{History: true, Verify: true}, CourseConverted, true)
		compareVersions(t, a, site.Source, ConvertOptions{}, 1)
		done(ConvertOptions{History: true}, CourseUnchanged, false)
		was := logs(t, a)
		done(ConvertOptions{History: true, Depth: 3}, CourseConverted, false) // it has more than that
		done(ConvertOptions{History: true, RemapWiki: true}, CourseConverted, false)
		if list, err := conversion.List(t.Context(), a.DB); err != nil || len(list) != 1 || was == "" {
			t.Errorf("conversions: %+v, %v", list, err)
		}

		key, err := keys.NewCourse("O", "C", s.run)
		if err != nil {
			t.Fatal(err)
		}
		refused := func(o ConvertOptions, why string) {
			t.Helper()
			before := position(t, a, key)
			c := convert(o)
			if !fault.Is(c.Err, fault.Conflict) || !strings.Contains(c.Err.Error(), why) || position(t, a, key) != before {
				t.Errorf("%+v: %s, %v, %s became %s", o, c.Status, c.Err, before, position(t, a, key))
			}
		}
		purge := func() {
			t.Helper()
			if _, err := a.Delete(t.Context(), key, true, ""); err != nil {
				t.Fatal(err)
			}
		}
		purge()
		done(ConvertOptions{}, CourseConverted, false)
		for _, sql := range []string{
			`CREATE TABLE downstream_app (package_id INTEGER NOT NULL, FOREIGN KEY (package_id) REFERENCES openedx_content_learningpackage (id))`,
			`INSERT INTO downstream_app (package_id) SELECT learning_package_id FROM lectern_course`,
		} {
			if _, err := a.DB.Exec(t.Context(), sql); err != nil {
				t.Fatal(err)
			}
		}
		refused(ConvertOptions{History: true}, "not Lectern's")
		if _, err := a.DB.Exec(t.Context(), `DROP TABLE downstream_app`); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Label(t.Context(), key, "exam", "draft"); err != nil {
			t.Fatal(err)
		}
		refused(ConvertOptions{History: true}, "label")
		if _, err := a.Delete(t.Context(), key, false, ""); err != nil {
			t.Fatal(err)
		}
		refused(ConvertOptions{History: true}, "edited")
		refused(ConvertOptions{History: true, Overwrite: true}, "edited")
		done(ConvertOptions{RemapWiki: true, Overwrite: true}, CourseConverted, false)
	})
}

// TestHistoryPassesOver converts a history with versions that cannot be read, made or believed: the others become history, and each of
// those is told of with the reason.
func TestHistoryPassesOver(t *testing.T) {
	t.Parallel()
	a := emptyStore(t, filepath.Join(t.TempDir(), "l.db"))
	s := newPastSite(t, 9, 12)
	s.save(0)
	odd := func(root any, blocks any) modulestore.ID {
		id := s.oid()
		s.clock = s.clock.Add(time.Hour)
		s.write(modulestore.CollectionStructures, driver.D{{Key: "_id", Value: id}, {Key: "root", Value: root}, {Key: "previous_version", Value: s.heads[0]},
			{Key: "edited_on", Value: driver.DateTime(s.clock.UnixMilli())}, {Key: "blocks", Value: blocks}})
		s.heads[0] = id
		return modulestore.ID(id)
	}
	want := []SkippedVersion{
		{odd("course", driver.D{}).String(), split.DraftBranch, "unsupported split schema"},
		{odd(driver.A{"course", "course"}, driver.A{}).String(), split.DraftBranch, "there is no root block"},
	}
	was := s.draft
	s.draft = slices.Clone(s.draft)
	s.draft[0].definition = driver.ObjectID{250}
	s.save(0)
	want = append(want, SkippedVersion{modulestore.ID(s.heads[0]).String(), split.DraftBranch, "lost their definitions, " + s.draft[0].id()})
	s.draft = was
	s.edit()
	s.save(0)
	site := OldSite{Source: s.dump()}
	out, err := a.ConvertOldSite(t.Context(), site, ConvertOptions{History: true})
	if err != nil || out.Failed() > 0 {
		t.Fatal(out.Courses[0].Err, err)
	}
	got := out.Courses[0]
	for i := range want {
		if i < len(got.Skipped) && strings.Contains(got.Skipped[i].Reason, want[i].Reason) {
			want[i].Reason = got.Skipped[i].Reason
		}
	}
	if diff := cmp.Diff(want, got.Skipped); diff != "" || got.Moments != 2 {
		t.Errorf("%d moments, and (-want +got)\n%s", got.Moments, diff)
	}
	lenient, err := a.ConvertOldSite(t.Context(), site, ConvertOptions{History: true, Lenient: true, Run: "lenient"})
	if err != nil || len(lenient.Courses[0].Skipped) != 2 || lenient.Courses[0].Moments != 3 {
		t.Errorf("with what is left: %+v, %v", lenient.Courses[0], err)
	}
}

// TestConvertSaysWhoWrote converts without history: versions say when and by whom blocks were written there, where the number of whoever did
// is one here, and nobody else where it is not.
func TestConvertSaysWhoWrote(t *testing.T) {
	t.Parallel()
	for _, known := range []bool{false, true} {
		a := emptyStore(t, filepath.Join(t.TempDir(), "l.db"))
		for i := 0; known && i < 7; i++ {
			if _, err := a.AddUser(t.Context(), user.New{Username: fmt.Sprint("u", i), Email: fmt.Sprint(i, "@example.org")}); err != nil {
				t.Fatal(err)
			}
		}
		s := newPastSite(t, 4, 10)
		s.save(0)
		s.live = slices.Clone(s.draft)
		edited := &s.live[0]
		edited.definition = s.define(edited.kind, "<p>it was</p>")
		published := s.clock
		s.save(1)
		out, err := a.ConvertOldSite(t.Context(), OldSite{Source: s.dump()}, ConvertOptions{Verify: true})
		if err != nil || out.Failed() > 0 {
			t.Fatal(out, err)
		}
		by := publishing.UserID(0)
		if known {
			by = 7
		}
		began := time.Date(2019, 1, 1, 0, 0, 0, 0, time.UTC) // as the entries of drafts have it
		key, err := keys.ParseCourse(out.Courses[0].Course)
		if err != nil {
			t.Fatal(err)
		}
		err = a.View(t.Context(), func(tx *db.Tx) error {
			c, err := course.Find(t.Context(), tx, key)
			if err != nil {
				return err
			}
			pointers, err := publishing.AllPointers(t.Context(), tx, c.Package.ID)
			if err != nil {
				return err
			}
			for _, p := range pointers {
				versions, err := publishing.VersionsOf(t.Context(), tx, p.Entity)
				if err != nil {
					return err
				}
				want := []time.Time{began} // what is published word for word is what was drafted then
				if strings.HasSuffix(p.Ref, edited.name) {
					want = []time.Time{published, began}
				}
				var got []time.Time
				for _, v := range versions {
					if got = append(got, v.Created); v.By != by {
						t.Errorf("version %d of %s was written by %d, not %d", v.Num, p.Ref, v.By, by)
					}
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s (-want +got)\n%s", p.Ref, diff)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// position tells how far the history of a course is.
func position(t *testing.T, a *App, key keys.Course) string {
	t.Helper()
	list, err := a.History(t.Context(), key, nil, 0, "")
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d logs, the last is %s at %s", len(list), list[0].Moment, list[0].At)
}

// compareVersions compares every so manyth version of all courses of a dump, made alone, with what the courses say at its time.
func compareVersions(t *testing.T, a *App, source string, o ConvertOptions, stride int) {
	t.Helper()
	src, err := dump.Open(source, "")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = src.Close() }()
	histories, err := split.ReadHistories(t.Context(), src, nil)
	if err != nil {
		t.Fatal(err)
	}
	indexes, _, err := split.Indexes(t.Context(), src, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range indexes {
		it := &oldItem{index: &indexes[i]}
		it.remember(histories, o.Depth)
		target := it.index.Key
		if o.Run != "" {
			if target, err = keys.NewCourse(target.Org(), target.Code(), o.Run); err != nil {
				t.Fatal(err)
			}
		}
		var ids []modulestore.ID
		for _, v := range it.past {
			ids = append(ids, v.ID)
		}
		store, err := split.Read(t.Context(), src, ids, nil)
		if err != nil {
			t.Fatal(err)
		}
		compared := 0
		for j, v := range it.past {
			if j%stride != 0 && j < len(it.past)-5 {
				continue
			}
			if j+1 < len(it.past) && it.past[j+1].branch == v.branch && it.past[j+1].On.Equal(v.On) {
				continue // one that was over at once
			}
			compareVersion(t, a, store, it.index.Key, target, v)
			compared++
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
		t.Logf("%s: %d of %d versions", it.index.Name, compared, len(it.past))
	}
}

func compareVersion(t *testing.T, a *App, store *split.Store, from, key keys.Course, v pastVersion) {
	t.Helper()
	loaded, err := store.Load(from, v.ID)
	if fault.Is(err, fault.Invalid) {
		return // not read, and passed over (SP-17)
	}
	if err != nil {
		t.Fatal(err)
	}
	alone, err := convert.Convert(convert.Source{Name: from.String(), Key: from, Draft: loaded.Branch, Published: loaded.Branch}, convert.Options{To: key})
	if err != nil {
		t.Fatal(err)
	}
	want := alone.State.Published
	// Moments of one time are a step apart, and the drafts that a publication needs stand a microsecond beside it.
	moment := v.On.Add(50 * time.Microsecond).Format(time.RFC3339Nano)
	if v.branch == split.PublishedBranch {
		moment = "published@" + moment
	}
	err = a.View(t.Context(), func(tx *db.Tx) error {
		c, err := course.Find(t.Context(), tx, key)
		if err != nil {
			return err
		}
		m, err := c.Resolve(t.Context(), tx, moment)
		if err != nil {
			return err
		}
		got, err := c.Load(t.Context(), tx, a.Files, m)
		if err != nil {
			return err
		}
		if diff := cmp.Diff(asText(t, want), asText(t, got)); diff != "" {
			t.Errorf("%s at %s is not structure %s (-alone +stored)\n%s", key, moment, v.ID, diff)
		}
		return nil
	})
	if err != nil {
		t.Errorf("%s at %s: %v", key, moment, err)
	}
}

// asText is a course as text, block by block, without static files.
func asText(t *testing.T, c *courseware.Course) map[string]string {
	t.Helper()
	out := map[string]string{"": c.Root.String() + string(c.GradingPolicy)}
	for id, b := range c.Blocks {
		files, err := olx.EncodeBlock(b)
		if err != nil {
			t.Fatal(err)
		}
		text := ""
		for _, f := range files {
			text += f.Path + "\n" + string(f.Data) + "\n"
		}
		for _, child := range b.Children {
			if c.Blocks[child] != nil {
				text += child.String() + "\n"
			}
		}
		out[id.String()] = text
	}
	return out
}

// BenchmarkConvertPast tells what a version of history costs in a course of 2,000 blocks.
func BenchmarkConvertPast(b *testing.B) {
	for _, kind := range []string{"edits", "anything"} {
		b.Run(kind, func(b *testing.B) {
			s := newPastSite(b, 3, 2000)
			for s.versions < 60 {
				if s.save(0); s.versions%5 == 0 {
					s.live = s.draft
					s.save(1)
				}
				if kind == "anything" {
					s.edit()
					continue
				}
				s.draft = slices.Clone(s.draft)
				for i := s.IntN(len(s.draft)); ; i = s.IntN(len(s.draft)) {
					if d := &s.draft[i]; !d.definition.IsZero() {
						d.definition, d.edited = s.define(d.kind, s.text(d.kind)), driver.ObjectID{}
						break
					}
				}
			}
			site := OldSite{Source: s.dump()}
			var spent [2]time.Duration
			for b.Loop() {
				for i := range spent {
					a := open(b, Config{DB: fresh(b), Data: b.TempDir(), Write: true})
					before := processor(b)
					out, err := a.ConvertOldSite(b.Context(), site, ConvertOptions{History: i == 1})
					if err != nil || out.Failed() > 0 {
						b.Fatal(out, err)
					}
					spent[i] += processor(b) - before
				}
			}
			b.ReportMetric(float64((spent[1]-spent[0]).Microseconds())/1000/float64(b.N*s.versions), "cpu-ms/version")
		})
	}
}

// fresh makes an empty store in a file.
func fresh(tb testing.TB) string {
	tb.Helper()
	c := Config{DB: filepath.Join(tb.TempDir(), "l.db"), Data: tb.TempDir(), Write: true}
	if _, err := Init(tb.Context(), c); err != nil {
		tb.Fatal(err)
	}
	return c.DB
}

// processor is the processor time that the process has taken.
func processor(tb testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
