package prune_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openlectern/lectern/content/components"
	"github.com/openlectern/lectern/content/containers"
	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/schema"
)

func setup(d *db.DB) error { return schema.Create(context.Background(), d) }

// world is a package with a history that a seed decides: worlds of one seed in databases of their own are the same, ids
// included.
type world struct {
	*testing.T
	d      *db.DB
	files  *media.Dir
	pkg    publishing.Package
	rnd    *rand.Rand
	now    time.Time
	made   int
	leaves []publishing.EntityID
	boxes  []publishing.EntityID // each may hold leaves and the boxes before it
	labels map[string][]string
	latest bool // take the latest version where any would do: others may have been pruned
}

func newWorld(t *testing.T, e db.Engine, seed uint64) *world {
	t.Helper()
	w := &world{T: t, rnd: rand.New(rand.NewPCG(seed, 7)), now: time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC), labels: map[string][]string{}}
	w.open(dbtest.ReadyURL(t, e, setup), db.Options{})
	w.files = media.NewDir(t.TempDir())
	w.do(func(tx *db.Tx) (err error) {
		w.pkg, err = publishing.CreatePackage(t.Context(), tx, publishing.NewPackage{Ref: "lp:world", Title: "World"})
		return err
	})
	return w
}

// open opens a database with the clock of the world.
func (w *world) open(url string, o db.Options) {
	w.Helper()
	o.Clock = func() time.Time { return w.now }
	d, err := db.Open(w.Context(), url, o)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() {
		if err := d.Close(); err != nil {
			w.Error(err)
		}
	})
	w.d = d
}

func (w *world) do(fn func(tx *db.Tx) error) {
	w.Helper()
	if err := w.d.Update(w.Context(), fn); err != nil {
		w.Fatal(err)
	}
}

func (w *world) change(fn func(cs *publishing.ChangeSet) error) {
	w.Helper()
	w.do(func(tx *db.Tx) error {
		_, err := publishing.Change(w.Context(), tx, w.pkg.ID, publishing.Meta{Kind: "edit", Message: "m"}, fn)
		return err
	})
}

// text makes a media, one of few texts or a file.
func (w *world) text(tx *db.Tx, which int) components.File {
	s := fmt.Sprintf("<p>%d</p>", which)
	n := media.New{Type: "text/html", Text: &s}
	if which%3 == 0 {
		n = media.New{Type: "image/png", Bytes: []byte(strings.Repeat(s, 10))}
	}
	list, err := media.GetOrCreate(w.Context(), tx, w.files, w.pkg, []media.New{n}, media.Options{})
	if err != nil {
		w.Fatal(err)
	}
	return components.File{Path: "block.xml", Media: list[0].ID}
}

// step does one thing.
func (w *world) step() {
	w.Helper()
	ctx := w.Context()
	w.now = w.now.Add(time.Duration(w.rnd.IntN(40)+1) * 20 * time.Minute)
	kind := w.rnd.IntN(16)
	if len(w.leaves) < 3 {
		kind = 0
	}
	switch {
	case kind == 0:
		w.made++
		code := fmt.Sprintf("c%d", w.made)
		which := w.rnd.IntN(1000)
		w.change(func(cs *publishing.ChangeSet) error {
			ids, err := components.Create(ctx, cs.Tx(), w.pkg.ID, []components.NewComponent{{Type: components.Type{Namespace: "xblock.v1", Name: "html"}, Code: code}})
			if err != nil {
				return err
			}
			w.leaves = append(w.leaves, ids[0])
			_, _, err = components.CreateVersions(ctx, cs, []components.NewVersion{{Entity: ids[0], Title: code, Files: []components.File{w.text(cs.Tx(), which)}}})
			return err
		})
	case kind < 6:
		var list []publishing.EntityID
		for range 1 + w.rnd.IntN(3) {
			if e := w.leaves[w.rnd.IntN(len(w.leaves))]; !slices.Contains(list, e) {
				list = append(list, e)
			}
		}
		times := 1 + w.rnd.IntN(2) // twice: a version that no record names
		which := w.rnd.IntN(1000)
		w.change(func(cs *publishing.ChangeSet) error {
			for i := range times {
				vs := make([]components.NextVersion, len(list))
				for k, e := range list {
					vs[k] = components.NextVersion{Entity: e, Files: []components.File{w.text(cs.Tx(), which+10*i+k)}}
				}
				if _, _, err := components.NextVersions(ctx, cs, vs); err != nil {
					return err
				}
			}
			return nil
		})
	case kind == 6 && len(w.boxes) < 6:
		w.made++
		code := fmt.Sprintf("b%d", w.made)
		w.change(func(cs *publishing.ChangeSet) error {
			ids, err := containers.Create(ctx, cs.Tx(), w.pkg.ID, []containers.NewContainer{{Type: "lectern.box", Code: code}})
			if err != nil {
				return err
			}
			w.boxes = append(w.boxes, ids[0])
			_, _, err = containers.CreateVersions(ctx, cs, []containers.NewVersion{{Entity: ids[0], Title: code, Children: w.children(cs.Tx(), len(w.boxes)-1)}})
			return err
		})
	case kind < 10 && len(w.boxes) > 0:
		at := w.rnd.IntN(len(w.boxes))
		children := w.children(w.d, at)
		next := containers.NextVersion{Entity: w.boxes[at], Action: containers.Replace, Children: children}
		if w.rnd.IntN(4) == 0 {
			next.Action, next.Children = containers.Keep, nil
		}
		which := w.rnd.IntN(1000)
		w.change(func(cs *publishing.ChangeSet) error {
			next.Files = []components.File{w.text(cs.Tx(), which)}
			_, _, err := containers.NextVersions(ctx, cs, []containers.NextVersion{next})
			return err
		})
	case kind < 12:
		all := slices.Concat(w.leaves, w.boxes)
		e := all[w.rnd.IntN(len(all))]
		var to publishing.VersionID
		if w.rnd.IntN(3) > 0 {
			to = w.anyVersion(w.d, e)
		}
		w.change(func(cs *publishing.ChangeSet) error {
			return cs.SetDrafts(ctx, []publishing.Pointer{{Entity: e, Version: to}})
		})
	case kind < 14:
		w.do(func(tx *db.Tx) error {
			_, err := publishing.PublishAll(ctx, tx, w.pkg.ID, publishing.PublishMeta{Kind: "publish"})
			return err
		})
	case kind == 14:
		all := slices.Concat(w.leaves, w.boxes)
		e := all[w.rnd.IntN(len(all))]
		w.do(func(tx *db.Tx) error {
			_, err := publishing.Publish(ctx, tx, w.pkg.ID, []publishing.EntityID{e}, true, publishing.PublishMeta{})
			return err
		})
	default:
		w.do(func(tx *db.Tx) error {
			_, err := publishing.Reset(ctx, tx, w.pkg.ID, publishing.Meta{Kind: "discard"}, nil)
			return err
		})
	}
	if w.rnd.IntN(8) == 0 {
		publish := w.rnd.IntN(2) == 0
		if logs := w.logs(publish); len(logs) > 0 {
			name := publishing.LogName(publish, logs[w.rnd.IntN(len(logs))].ID)
			w.labels[name] = append(w.labels[name], fmt.Sprintf("l%d", len(w.labels)))
		}
	}
}

// labelled is the labels of the package for a plan.
func (w *world) labelled(context.Context, db.Querier, publishing.PackageID) (map[string][]string, error) {
	return w.labels, nil
}

func (w *world) children(q db.Querier, box int) []containers.Child {
	may := slices.Concat(w.leaves, w.boxes[:box])
	out := []containers.Child{}
	for range w.rnd.IntN(4) {
		c := containers.Child{Entity: may[w.rnd.IntN(len(may))]}
		if w.rnd.IntN(3) == 0 {
			c.Pin = w.anyVersion(q, c.Entity)
		}
		out = append(out, c)
	}
	return out
}

func (w *world) anyVersion(q db.Querier, e publishing.EntityID) publishing.VersionID {
	vs, err := publishing.VersionsOf(w.Context(), q, e)
	if err != nil {
		w.Fatal(err)
	}
	at := w.rnd.IntN(1000)
	if w.latest {
		at = len(vs) - 1
	}
	return vs[at%len(vs)].ID
}

func (w *world) logs(publish bool) []publishing.LogHead {
	w.Helper()
	list, err := publishing.LogHeads(w.Context(), w.d, w.pkg.ID, publish, 0)
	if err != nil {
		w.Fatal(err)
	}
	return list
}

// copy is everything that can be read of a moment.
func (w *world) copy(m publishing.Moment) []string {
	w.Helper()
	ctx := w.Context()
	heads, err := publishing.Heads(ctx, w.d, w.pkg.ID, m)
	if err != nil {
		w.Fatal(err)
	}
	ids := make([]publishing.VersionID, len(heads))
	for i, h := range heads {
		ids[i] = h.Version
	}
	text := map[publishing.VersionID]string{}
	for _, files := range []func(context.Context, db.Querier, []publishing.VersionID, bool) ([]components.FileRow, error){components.Files, containers.Files} {
		rows, err := files(ctx, w.d, ids, true)
		if err != nil {
			w.Fatal(err)
		}
		for _, f := range rows {
			b, err := media.Read(ctx, w.d, w.files, w.pkg.UUID, f.Media.ID)
			if err != nil {
				w.Fatal(err)
			}
			text[f.Version] += fmt.Sprintf(" %s=%s:%s", f.Path, f.Media.Digest, b)
		}
	}
	children, err := containers.Children(ctx, w.d, ids)
	if err != nil {
		w.Fatal(err)
	}
	deps, err := publishing.Dependencies(ctx, w.d, ids)
	if err != nil {
		w.Fatal(err)
	}
	out := make([]string, len(heads))
	for i, h := range heads {
		out[i] = fmt.Sprintf("%d %s v%d=%d %q%s %v %v", h.Entity, h.Ref, h.Num, h.Version, h.Title, text[h.Version], children[h.Version], deps[h.Version])
	}
	return out
}

// copies are copies of all moments by name.
func (w *world) copies() map[string][]string {
	w.Helper()
	out := map[string][]string{"draft": w.copy(publishing.Draft()), "published": w.copy(publishing.Published())}
	for _, publish := range []bool{false, true} {
		for _, l := range w.logs(publish) {
			out[publishing.LogName(publish, l.ID)] = w.copy(after(publish, l.ID))
		}
	}
	return out
}

func after(publish bool, log int64) publishing.Moment {
	if publish {
		return publishing.AfterPublish(log)
	}
	return publishing.AfterChange(log)
}

// dump is every row of every table but those that only pruning writes, and the counter of locks.
func (w *world) dump() map[string][]string {
	w.Helper()
	out := map[string][]string{}
	for _, t := range schema.Tables() {
		if slices.Contains([]string{"lectern_package", "lectern_prune", "lectern_trash"}, t.Name) {
			continue
		}
		cols := make([]string, len(t.Columns))
		for i, c := range t.Columns {
			cols[i] = w.d.Engine().Quote(c.Name)
		}
		err := w.d.Query(w.Context(), "SELECT "+strings.Join(cols, ", ")+" FROM "+w.d.Engine().Quote(t.Name), nil, func(r *db.Row) error {
			vals := make([]any, len(cols))
			for i := range vals {
				vals[i] = new(any)
			}
			if err := r.Scan(vals...); err != nil {
				return err
			}
			line := ""
			for _, v := range vals {
				line += fmt.Sprintf("|%v", *v.(*any))
			}
			out[t.Name] = append(out[t.Name], line)
			return nil
		})
		if err != nil {
			w.Fatalf("%s: %v", t.Name, err)
		}
		slices.Sort(out[t.Name])
	}
	return out
}
