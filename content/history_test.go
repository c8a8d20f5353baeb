package content_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/content"
	"github.com/openlectern/lectern/content/collections"
	"github.com/openlectern/lectern/content/components"
	"github.com/openlectern/lectern/content/containers"
	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/schema"
)

// shelf is a package in plain maps: slow and plain to read.
type shelf struct {
	things map[string]*thing
	order  []string // of creation
	sets   map[string]*set
}

// thing is an entity; version n is versions[n-1], 0 stands for none.
type thing struct {
	kind             string
	versions         []edition
	draft, published int
}

type edition struct {
	title    string
	files    map[string]string
	children []row
}

type row struct {
	ref string
	pin int
}

// set is a collection.
type set struct {
	title   string
	enabled bool
	members map[string]bool
}

const leaf, node = "xblock.v1:html", "lectern.x"

// text describes a branch.
func (s *shelf) text(num func(*thing) int) string {
	var out []string
	for ref, t := range s.things {
		if n := num(t); n != 0 {
			v := t.versions[n-1]
			out = append(out, entityText(ref, t.kind, n, v.title, v.files, v.children))
		}
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

func entityText(ref, kind string, num int, title string, files map[string]string, children []row) string {
	var paths []string
	for _, p := range slices.Sorted(maps.Keys(files)) {
		paths = append(paths, p+"="+files[p])
	}
	return fmt.Sprintf("%s %s %d %q %q %v", ref, kind, num, title, paths, append([]row{}, children...))
}

func (s *shelf) setsText() string {
	var out []string
	for code, c := range s.sets {
		out = append(out, setText(code, c.title, c.enabled, slices.Sorted(maps.Keys(c.members))))
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

func setText(code, title string, enabled bool, members []string) string {
	return fmt.Sprintf("%s %q %v %q", code, title, enabled, members)
}

func drafted(t *thing) int   { return t.draft }
func published(t *thing) int { return t.published }

// walk changes a package and the shelf alike.
type walk struct {
	*testing.T
	r     *rand.Rand
	s     *content.Store
	p     publishing.Package
	m     *shelf
	ids   map[string]publishing.EntityID
	refs  map[publishing.EntityID]string
	vers  map[string][]publishing.VersionID
	nums  map[publishing.VersionID]int
	trace []string
}

// kept is what a moment was.
type kept struct {
	draft, published, sets string
	change, publish, entry int64
	at                     time.Time
}

func (w *walk) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatalf("%v, after:\n%s", err, strings.Join(w.trace, "\n"))
	}
}

func (w *walk) do(text string, fn func(tx *db.Tx) error) {
	w.Helper()
	w.trace = append(w.trace, text)
	w.must(w.s.Update(w.Context(), fn))
}

func (w *walk) change(text string, fn func(c *publishing.ChangeSet) error) {
	w.Helper()
	w.do(text, func(tx *db.Tx) error {
		_, err := publishing.Change(w.Context(), tx, w.p.ID, publishing.Meta{}, fn)
		return err
	})
}

func (w *walk) some(most int) (out []string) {
	for range w.r.IntN(most + 1) {
		out = append(out, w.m.order[w.r.IntN(len(w.m.order))])
	}
	return out
}

// children picks rows for a container from what was made before it, so that nothing holds itself.
func (w *walk) children(ref string) (rows []row) {
	for _, x := range w.m.order[:slices.Index(w.m.order, ref)] {
		switch t := w.m.things[x]; {
		case w.r.IntN(4) == 0 && len(t.versions) > 0:
			rows = append(rows, row{x, 1 + w.r.IntN(len(t.versions))})
		case w.r.IntN(2) == 0:
			rows = append(rows, row{ref: x})
		}
	}
	w.r.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	return rows[:min(len(rows), 5)]
}

func (w *walk) rows(list []row) (out []containers.Child) {
	for _, x := range list {
		c := containers.Child{Entity: w.ids[x.ref]}
		if x.pin != 0 {
			c.Pin = w.vers[x.ref][x.pin-1]
		}
		out = append(out, c)
	}
	return out
}

// files keeps texts and bytes, as changes of files; "" drops a path.
func (w *walk) files(tx *db.Tx, change map[string]string) (out []components.File, err error) {
	for _, path := range slices.Sorted(maps.Keys(change)) {
		f := components.File{Path: path}
		if text := change[path]; text != "" {
			n := media.New{Type: "text/plain", Text: &text}
			if strings.HasSuffix(path, ".bin") {
				n = media.New{Type: "application/octet-stream", Bytes: []byte(text)}
			}
			m, err := media.GetOrCreate(w.Context(), tx, w.s.Files, w.p, []media.New{n}, media.Options{})
			if err != nil {
				return nil, err
			}
			f.Media = m[0].ID
		}
		out = append(out, f)
	}
	return out, nil
}

func (w *walk) create() {
	ref := fmt.Sprintf("t%02d", len(w.m.order))
	kind := []string{leaf, node}[w.r.IntN(2)]
	w.m.order = append(w.m.order, ref)
	w.m.things[ref] = &thing{kind: kind}
	w.do("create "+ref, func(tx *db.Tx) (err error) {
		var made []publishing.EntityID
		if kind == leaf {
			made, err = components.Create(w.Context(), tx, w.p.ID, []components.NewComponent{{Type: components.Type{Namespace: "xblock.v1", Name: "html"}, Code: ref, Ref: ref}})
		} else {
			made, err = containers.Create(w.Context(), tx, w.p.ID, []containers.NewContainer{{Type: kind, Code: ref}})
		}
		if err == nil {
			w.ids[ref], w.refs[made[0]] = made[0], ref
		}
		return err
	})
	w.edit(ref)
}

// edit makes a next version: title, files, and of containers the children, which is how things move.
func (w *walk) edit(ref string) {
	t := w.m.things[ref]
	next := edition{title: fmt.Sprintf("%s title %d", ref, w.r.IntN(3)), files: map[string]string{}}
	if n := len(t.versions); n > 0 {
		next.files, next.children = maps.Clone(t.versions[n-1].files), t.versions[n-1].children
	}
	change := map[string]string{"block.xml": fmt.Sprintf("<x n='%d'/>", w.r.IntN(4))}
	if w.r.IntN(2) == 0 {
		change["static/a.bin"] = []string{"", "one", "two"}[w.r.IntN(3)]
	}
	for path, text := range change {
		if next.files[path] = text; text == "" {
			delete(next.files, path)
		}
	}
	action := containers.Keep
	if t.kind == node && (w.r.IntN(2) == 0 || len(t.versions) == 0) {
		action, next.children = containers.Replace, w.children(ref)
	}
	t.versions = append(t.versions, next)
	t.draft = len(t.versions)
	var v publishing.VersionID
	w.change(fmt.Sprintf("edit %s %v %v", ref, change, next.children), func(c *publishing.ChangeSet) error {
		files, err := w.files(c.Tx(), change)
		if err != nil {
			return err
		}
		var ids []publishing.VersionID
		if t.kind == leaf {
			ids, _, err = components.NextVersions(w.Context(), c, []components.NextVersion{{Entity: w.ids[ref], Title: &next.title, Files: files}})
		} else {
			n := containers.NextVersion{Entity: w.ids[ref], Title: &next.title, Files: files, Action: action}
			if action == containers.Replace {
				n.Children = w.rows(next.children)
			}
			ids, _, err = containers.NextVersions(w.Context(), c, []containers.NextVersion{n})
		}
		if err == nil {
			v = ids[0]
		}
		return err
	})
	w.vers[ref] = append(w.vers[ref], v)
	w.nums[v] = len(w.vers[ref])
}

// point moves drafts to any of their versions, or deletes them.
func (w *walk) point(refs []string) {
	var list []publishing.Pointer
	text := "point"
	for _, ref := range refs {
		t := w.m.things[ref]
		n := w.r.IntN(len(t.versions) + 1)
		p := publishing.Pointer{Entity: w.ids[ref]}
		if n > 0 {
			p.Version = w.vers[ref][n-1]
		}
		t.draft = n
		list = append(list, p)
		text += fmt.Sprintf(" %s@%d", ref, n)
	}
	w.change(text, func(c *publishing.ChangeSet) error { return c.SetDrafts(w.Context(), list) })
}

// publish publishes everything, or a few things with all below them.
func (w *walk) publish() {
	if w.r.IntN(2) == 0 {
		for _, t := range w.m.things {
			t.published = t.draft
		}
		w.do("publish all", func(tx *db.Tx) error {
			_, err := publishing.PublishAll(w.Context(), tx, w.p.ID, publishing.PublishMeta{})
			return err
		})
		return
	}
	refs := w.some(2)
	seen := map[string]bool{}
	var take func(ref string)
	take = func(ref string) {
		if seen[ref] {
			return
		}
		seen[ref] = true
		t := w.m.things[ref]
		t.published = t.draft
		if t.draft != 0 {
			for _, c := range t.versions[t.draft-1].children {
				if c.pin == 0 {
					take(c.ref)
				}
			}
		}
	}
	var ids []publishing.EntityID
	for _, ref := range refs {
		take(ref)
		ids = append(ids, w.ids[ref])
	}
	w.do(fmt.Sprintf("publish %v", refs), func(tx *db.Tx) error {
		_, err := publishing.Publish(w.Context(), tx, w.p.ID, ids, true, publishing.PublishMeta{})
		return err
	})
}

func (w *walk) reset() {
	for _, t := range w.m.things {
		t.draft = t.published
	}
	w.do("reset", func(tx *db.Tx) error {
		_, err := publishing.Reset(w.Context(), tx, w.p.ID, publishing.Meta{}, nil)
		return err
	})
}

// collect changes a collection.
func (w *walk) collect() {
	code := []string{"a", "b", "c"}[w.r.IntN(3)]
	ctx, c := w.Context(), w.m.sets[code]
	if c == nil {
		w.m.sets[code] = &set{title: code, enabled: true, members: map[string]bool{}}
		w.do("make collection "+code, func(tx *db.Tx) error {
			_, err := collections.Create(ctx, tx, w.p.ID, []collections.New{{Code: code, Title: code}})
			return err
		})
		return
	}
	refs := w.some(3)
	slices.Sort(refs)
	refs = slices.Compact(refs)
	members := func(tx *db.Tx) ([]collections.Members, error) {
		stored, err := collections.ByCode(ctx, tx, w.p.ID, code)
		m := collections.Members{Collection: stored.ID}
		for _, ref := range refs {
			m.Entities = append(m.Entities, w.ids[ref])
		}
		return []collections.Members{m}, err
	}
	switch n := w.r.IntN(10); {
	case n < 4 && c.enabled:
		for _, ref := range refs {
			c.members[ref] = true
		}
		w.do(fmt.Sprintf("add %v to %s", refs, code), func(tx *db.Tx) error {
			m, err := members(tx)
			if err == nil {
				_, err = collections.Add(ctx, tx, w.p.ID, m, 0)
			}
			return err
		})
	case n < 6:
		for _, ref := range refs {
			delete(c.members, ref)
		}
		w.do(fmt.Sprintf("remove %v from %s", refs, code), func(tx *db.Tx) error {
			m, err := members(tx)
			if err == nil {
				_, err = collections.Remove(ctx, tx, w.p.ID, m)
			}
			return err
		})
	case n < 7:
		c.title = fmt.Sprint("title ", w.r.IntN(100))
		title := c.title
		w.do("rename "+code, func(tx *db.Tx) error {
			_, err := collections.Update(ctx, tx, w.p.ID, code, collections.Edit{Title: &title})
			return err
		})
	case n < 8:
		c.enabled = true
		w.do("restore collection "+code, func(tx *db.Tx) error {
			_, err := collections.Restore(ctx, tx, w.p.ID, code)
			return err
		})
	case n < 9:
		c.enabled = false
		w.do("delete collection "+code, func(tx *db.Tx) error {
			_, err := collections.Delete(ctx, tx, w.p.ID, code)
			return err
		})
	default:
		delete(w.m.sets, code)
		w.do("erase collection "+code, func(tx *db.Tx) error {
			_, err := collections.Erase(ctx, tx, w.p.ID, code)
			return err
		})
	}
}

func (w *walk) step() {
	switch n := w.r.IntN(20); {
	case len(w.m.order) < 4 || n < 2 && len(w.m.order) < 14:
		w.create()
	case n < 8:
		w.edit(w.m.order[w.r.IntN(len(w.m.order))])
	case n < 11:
		refs := w.some(3)
		slices.Sort(refs)
		w.point(slices.Compact(refs))
	case n < 14:
		w.publish()
	case n < 15:
		w.reset()
	default:
		w.collect()
	}
}

// keep notes what is now, by the maps, and by which entries of the logs it can be named.
func (w *walk) keep() (k kept) {
	k = kept{draft: w.m.text(drafted), published: w.m.text(published), sets: w.m.setsText()}
	w.must(w.s.View(w.Context(), func(tx *db.Tx) error {
		k.at = tx.Now()
		for _, publish := range []bool{false, true} {
			logs, err := publishing.Logs(w.Context(), tx, w.p.ID, publishing.LogFilter{OnlyDrafts: !publish, OnlyPublishes: publish, Limit: 1})
			if err != nil {
				return err
			}
			if len(logs) > 0 && publish {
				k.publish = logs[0].ID
			} else if len(logs) > 0 {
				k.change = logs[0].ID
			}
		}
		var err error
		k.entry, err = collections.LastEntry(w.Context(), tx, w.p.ID)
		return err
	}))
	return k
}

// read reads a moment as text: its entities, and its collections.
func (w *walk) read(m content.Moment) (entities, sets string, s *content.Snapshot) {
	w.Helper()
	var texts, codes []string
	w.must(w.s.View(w.Context(), func(tx *db.Tx) (err error) {
		if s, err = content.At(w.Context(), tx, w.p.ID, m, true); err != nil {
			return err
		}
		for _, e := range s.Entities {
			files := map[string]string{}
			for _, f := range e.Files {
				b, err := media.Read(w.Context(), tx, w.s.Files, w.p.UUID, f.Media.ID)
				if err != nil {
					return err
				}
				files[f.Path] = string(b)
			}
			var rows []row
			for _, c := range e.Children {
				rows = append(rows, row{w.refs[c.Entity], w.nums[c.Pin]})
			}
			texts = append(texts, entityText(e.Ref, e.Kind, e.Num, e.Title, files, rows))
		}
		return nil
	}))
	for _, c := range s.Collections {
		var members []string
		for _, e := range c.Members {
			members = append(members, w.refs[e])
		}
		slices.Sort(members)
		codes = append(codes, setText(c.Code, c.Title, c.Enabled, members))
	}
	slices.Sort(texts)
	slices.Sort(codes)
	return strings.Join(texts, "\n"), strings.Join(codes, "\n"), s
}

func (w *walk) same(what, want, got string) {
	w.Helper()
	if want != got {
		w.Errorf("%s (-was +read):\n%s", what, cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")))
	}
}

// TestHistoryHasNoHoles makes random changes of every kind, keeps a copy of the state after each in plain maps, reads
// every one back, compares neighbours, and restores some.
func TestHistoryHasNoHoles(t *testing.T) {
	t.Parallel()
	dbtest.OnEngines(t, func(t *testing.T, e db.Engine) {
		t.Parallel()
		var tick atomic.Int64
		clock := func() time.Time {
			return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(tick.Add(1)) * time.Second)
		}
		d, err := db.Open(t.Context(), dbtest.ReadyURL(t, e, setup), db.Options{Clock: clock})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		})
		runs, steps := 1, 25
		if e == db.SQLite {
			runs, steps = 4, 50
		}
		for seed := range runs {
			t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
				w := &walk{T: t, r: rand.New(rand.NewPCG(uint64(seed), 3)), s: &content.Store{DB: d, Files: media.NewDir(t.TempDir())},
					m: &shelf{things: map[string]*thing{}, sets: map[string]*set{}}, ids: map[string]publishing.EntityID{},
					refs: map[publishing.EntityID]string{}, vers: map[string][]publishing.VersionID{}, nums: map[publishing.VersionID]int{}}
				w.do("package", func(tx *db.Tx) (err error) {
					w.p, err = publishing.CreatePackage(t.Context(), tx, publishing.NewPackage{Ref: t.Name(), Title: "T"})
					return err
				})
				past := []kept{w.keep()}
				for range steps {
					w.step()
					past = append(past, w.keep())
				}
				w.readBack(past)
				w.restoreSome(past)
				findings, err := schema.Verify(t.Context(), d, true)
				if err != nil || len(findings) > 0 {
					t.Errorf("findings %+v, %v", findings, err)
				}
				if t.Failed() {
					t.Logf("operations:\n%s", strings.Join(w.trace, "\n"))
				}
			})
		}
	})
}

// readBack reads every moment by its log entries and by its time.
func (w *walk) readBack(past []kept) {
	var before *content.Snapshot
	for i, k := range past {
		at := fmt.Sprintf("step %d, ", i)
		entries := collections.AfterEntry(k.entry)
		text, sets, s := w.read(content.Moment{Entities: publishing.AfterChange(k.change), Collections: entries})
		w.same(at+"drafts", k.draft, text)
		w.same(at+"collections", k.sets, sets)
		text, sets, _ = w.read(content.Moment{Entities: publishing.DraftsAt(k.at), Collections: collections.At(k.at)})
		w.same(at+"drafts at the time", k.draft, text)
		w.same(at+"collections at the time", k.sets, sets)
		text, _, _ = w.read(content.Moment{Entities: publishing.AfterPublish(k.publish), Collections: entries})
		w.same(at+"published", k.published, text)
		text, _, _ = w.read(content.Moment{Entities: publishing.PublishedAt(k.at), Collections: entries})
		w.same(at+"published at the time", k.published, text)
		if before != nil {
			differ := content.Diff(before, s)
			if (len(differ) > 0) != (past[i-1].draft != k.draft) {
				w.Errorf("%sdifferences %+v between\n%s\nand\n%s", at, differ, past[i-1].draft, k.draft)
			}
			for _, x := range differ {
				line := func(text string) bool { return strings.Contains("\n"+text, "\n"+x.Ref+" ") }
				if line(past[i-1].draft) != (x.From != 0) || line(k.draft) != (x.To != 0) {
					w.Errorf("%s%+v between\n%s\nand\n%s", at, x, past[i-1].draft, k.draft)
				}
			}
			if c := content.DiffCollections(before, s); len(c) > 0 && past[i-1].sets == k.sets {
				w.Errorf("%scollections %+v, and nothing changed", at, c)
			}
		}
		before = s
	}
	text, sets, _ := w.read(content.Moment{})
	w.same("now, drafts", w.m.text(drafted), text)
	w.same("now, collections", w.m.setsText(), sets)
}

// restoreSome restores random moments of both branches: the drafts are then what they were, and what is published stays.
func (w *walk) restoreSome(past []kept) {
	for range 8 {
		i := w.r.IntN(len(past))
		k := past[i]
		m, want := content.Moment{Entities: publishing.AfterChange(k.change), Collections: collections.AfterEntry(k.entry)}, k.draft
		if w.r.IntN(3) == 0 {
			m.Entities, want = publishing.AfterPublish(k.publish), k.published
		}
		w.do(fmt.Sprintf("restore step %d", i), func(tx *db.Tx) error {
			_, err := content.Restore(w.Context(), tx, w.p.ID, m, publishing.Meta{})
			return err
		})
		text, sets, _ := w.read(content.Moment{})
		w.same(fmt.Sprintf("drafts restored to step %d", i), want, text)
		// A collection that did not exist then is there, deleted.
		var then []string
		for _, line := range strings.Split(sets, "\n") {
			if code, _, _ := strings.Cut(line, " "); strings.Contains("\n"+k.sets, "\n"+code+" ") {
				then = append(then, line)
			} else if strings.Contains(line, " true ") {
				w.Errorf("restored to step %d: %s did not exist then", i, line)
			}
		}
		w.same(fmt.Sprintf("collections restored to step %d", i), k.sets, strings.Join(then, "\n"))
		text, _, _ = w.read(content.Moment{Entities: publishing.Published()})
		w.same("published", w.m.text(published), text)
	}
}
