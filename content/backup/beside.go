package backup

import (
	"slices"
	"strings"
	"time"

	"github.com/openlectern/lectern/content/components"
	"github.com/openlectern/lectern/content/containers"
	"github.com/openlectern/lectern/content/publishing"
)

// Course is what a package is beside the store: a course run or legacy library. This package knows nothing of courses
// and keeps it as it is.
type Course struct {
	Key      string
	Root     string // ref of the root container
	Title    string // of the catalog run, "" for a library
	Language string // of the catalog course, "" for a library
	Created  time.Time
}

// lecternVersion is the version of what lies in lectern/.
const lecternVersion = 1

// pin is a version that a child is pinned to.
type pin struct {
	entity  publishing.EntityID
	version publishing.VersionID
}

func (w *writer) pinned(children []containers.Child) {
	for _, c := range children {
		if c.Pin != 0 {
			w.pins = append(w.pins, pin{c.Entity, c.Pin})
		}
	}
}

// beside writes the folder lectern/: what the format has no room for (backup-format.md §8).
//
//	lectern/package.toml                         version of this folder; the course that the package is
//	lectern/containers/<C>.toml                  of the container entities/<C>.toml: type, code, pins, further versions
//	lectern/containers/<C>/v<N>/<path>           one settings file of version N
//	lectern/components/<ns>/<type>/<K>.toml      of the component entities/<ns>/<type>/<K>.toml
//	lectern/components/<ns>/<type>/<K>/v<N>/…    one file of a version that only a pin names
func (w *writer) beside() error {
	if w.lectern {
		w.warn.add(lecternFile, "", "", CodeReadable, "Open edX cannot restore this archive: it holds what only Lectern knows")
	}
	w.lectern = true
	if err := w.closePins(); err != nil {
		return err
	}
	e, when := &w.e, w.src.pkg.Updated
	e.reset()
	e.table("[lectern]")
	e.integer("format_version", lecternVersion)
	if p := w.src.pkg; strings.TrimFunc(p.Title, pythonSpace) != p.Title || strings.TrimFunc(p.Description, pythonSpace) != p.Description {
		e.table("[package]")
		e.str("title", p.Title)
		e.str("description", p.Description)
	}
	if c := w.o.Course; c != nil {
		e.table("[course]")
		e.str("key", c.Key)
		e.str("root", c.Root)
		e.str("title", c.Title)
		e.str("language", c.Language)
		e.time("created", c.Created)
	}
	if err := w.z.dir(lecternDir, when); err != nil {
		return err
	}
	w.parents[lecternDir[:len(lecternDir)-1]] = true
	if err := w.z.file(lecternFile, when, e.b); err != nil {
		return err
	}
	return w.batches(w.extras, w.extra)
}

// closePins finds the versions that pins name and no branch does, and those that their pins name.
func (w *writer) closePins() error {
	for len(w.pins) > 0 {
		var ids []publishing.EntityID
		for _, p := range w.pins {
			ids = append(ids, p.entity)
		}
		slices.Sort(ids)
		ids = slices.Compact(ids)
		pointers, err := publishing.PointersOf(w.ctx, w.src.q, ids)
		if err != nil {
			return err
		}
		var fresh []publishing.VersionID
		for _, p := range w.pins {
			at := pointers[p.entity]
			if at.Draft.Version == p.version || at.Published.Version == p.version || slices.Contains(w.extras[p.entity], p.version) {
				continue
			}
			w.extras[p.entity] = append(w.extras[p.entity], p.version)
			fresh = append(fresh, p.version)
		}
		w.pins = w.pins[:0]
		children, err := containers.Children(w.ctx, w.src.q, fresh)
		if err != nil {
			return err
		}
		for _, v := range fresh {
			w.pinned(children[v])
		}
	}
	for _, list := range w.extras {
		slices.Sort(list)
	}
	return nil
}

// extra writes what lectern/ has about an entity, if anything.
func (w *writer) extra(l *loaded) error {
	e := &w.e
	e.reset()
	e.table("[entity]")
	e.str("key", l.Ref)
	bare := len(e.b)
	if !l.stock() {
		if l.isContainer() {
			e.str("type", l.container)
		} else {
			e.str("namespace", l.component.Namespace)
			e.str("name", l.component.Name)
		}
		e.str("code", l.code)
	}
	if l.branches.Draft.Exists && !l.branches.Draft.Live() && l.branches.Published.Live() {
		e.boolean("draft_deleted", true)
	}
	known := len(l.versions) - len(w.extras[l.ID])
	for i := range l.versions {
		if err := w.extraVersion(l, &l.versions[i], i >= known); err != nil {
			return err
		}
	}
	if len(e.b) == bare {
		return nil
	}
	path := l.place.extra()
	when := w.src.pkg.Updated
	if err := w.shared(lecternDir, path+ending, when); err != nil {
		return err
	}
	if err := w.z.file(path+ending, when, e.b); err != nil {
		return err
	}
	w.own = map[string]bool{}
	for i := range l.versions {
		v := &l.versions[i]
		list := v.settings
		if i >= known {
			list = slices.Concat(v.settings, v.files)
		}
		if err := w.contents(path+"/"+versionFolder(v.Num), list); err != nil {
			return err
		}
	}
	return nil
}

// extraVersion writes what there is to say about a version. One that only a pin names is there as a whole.
func (w *writer) extraVersion(l *loaded, v *loadedVersion, whole bool) error {
	e := &w.e
	var odd []components.FileRow
	for _, f := range v.files {
		if whole || !isUsual(l.component, f.Path, f.Media) {
			odd = append(odd, f)
		}
	}
	odd = append(odd, v.settings...)
	pins, padded := pinned(v.children), strings.TrimFunc(v.Title, pythonSpace) != v.Title
	if !whole && len(odd) == 0 && !pins && !padded {
		return nil
	}
	e.table("[[version]]")
	e.integer("version_num", v.Num)
	if padded {
		e.str("exact_title", v.Title)
	}
	if whole {
		e.str("title", v.Title)
		e.time("created", v.Created)
		if l.isContainer() {
			e.inline("children", w.src.refsOf(v.children))
		}
	}
	if pins {
		nums, err := w.pinNums(v.children)
		if err != nil {
			return err
		}
		e.integers("pins", nums)
	}
	for _, f := range odd {
		e.table("[[version.media]]")
		e.str("path", f.Path)
		e.str("type", f.Media.Type.String())
		e.str("keep", kept(f.Media))
	}
	return nil
}

// pinNums returns for each child the number of the version that it is pinned to, 0 for none.
func (w *writer) pinNums(children []containers.Child) ([]int, error) {
	var ids []publishing.VersionID
	for _, c := range children {
		if c.Pin != 0 {
			ids = append(ids, c.Pin)
		}
	}
	rows, err := publishing.Versions(w.ctx, w.src.q, ids)
	if err != nil {
		return nil, err
	}
	num := make(map[publishing.VersionID]int, len(rows))
	for _, v := range rows {
		num[v.ID] = v.Num
	}
	out := make([]int, 0, len(children))
	for _, c := range children {
		if _, ok := w.src.refs[c.Entity]; ok {
			out = append(out, num[c.Pin])
		}
	}
	return out, nil
}
