package backup

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/openlectern/lectern/content/collections"
	"github.com/openlectern/lectern/content/components"
	"github.com/openlectern/lectern/content/containers"
	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// RestoreOptions says how a plan is restored.
type RestoreOptions struct {
	Ref    string            // of the new package
	By     publishing.UserID // who made entities, versions and collections; 0 is nobody
	Source string            // where the content came from, for history
	// Progress is told how many of how many versions are written. It may be nil.
	Progress func(done, total int)
}

// Restored describes a restored package.
type Restored struct {
	Package publishing.Package
	Media   int // distinct contents

	plan *Plan
	ids  []publishing.EntityID
}

// Entity returns the entity of a ref, 0 when there is none.
func (r *Restored) Entity(ref string) publishing.EntityID {
	if i, ok := r.plan.byRef[ref]; ok {
		return r.ids[i]
	}
	return 0
}

// StagedRef returns the ref that a package gets when it is restored without one, to be given its own later
// (backup-format.md §6).
func StagedRef(user, key string, at time.Time) string {
	ms := strconv.FormatInt(at.UnixMilli(), 10)
	parts := strings.Split(key, ":")
	if len(parts) < 3 || parts[1] == "" || parts[2] == "" {
		return "lp-restore:" + user + ":" + key + ":" + ms
	}
	return "lp-restore:" + user + ":" + parts[1] + ":" + parts[2] + ":" + ms
}

// Restore writes the plan as a new package: what was published first, in one change log, and a publish of it, then the
// drafts in a second change log (backup-format.md §6). A ref that a package has already is fault.Conflict; a file whose
// bytes are not what the archive announces is fault.Invalid.
//
// It takes one transaction, which has to be given up after an error; files that were put into the media store by then
// belong to a package that does not exist, so the caller may remove them.
func (p *Plan) Restore(ctx context.Context, tx *db.Tx, files media.Files, o RestoreOptions) (*Restored, error) {
	pkg, err := publishing.CreatePackage(ctx, tx, publishing.NewPackage{Ref: o.Ref, Title: p.Title, Description: p.Description, Created: p.Created})
	if err != nil {
		return nil, err
	}
	w := &restorer{
		ctx: ctx, tx: tx, plan: p, o: o, files: files, pkg: pkg, ids: make([]publishing.EntityID, len(p.entities)),
		media: map[media.ID]struct{}{}, pins: map[target]publishing.VersionID{},
	}
	w.prepare()
	meta := publishing.Meta{Kind: publishing.KindRestore, Source: o.Source}
	if _, err := publishing.Change(ctx, tx, pkg.ID, meta, w.published); err != nil {
		return nil, err
	}
	if _, err := publishing.PublishAll(ctx, tx, pkg.ID, publishing.PublishMeta{Kind: publishing.KindRestore, Source: o.Source}); err != nil {
		return nil, err
	}
	if _, err := publishing.Change(ctx, tx, pkg.ID, meta, w.drafts); err != nil {
		return nil, err
	}
	return &Restored{Package: pkg, Media: len(w.media), plan: p, ids: w.ids}, nil
}

// target names a version of a plan.
type target struct{ entity, num int }

// restorer writes one plan.
type restorer struct {
	ctx   context.Context
	tx    *db.Tx
	plan  *Plan
	o     RestoreOptions
	files media.Files
	pkg   publishing.Package
	ids   []publishing.EntityID
	media map[media.ID]struct{}
	room  []byte // for the files of a batch, one behind the other

	levels      [5][]int                        // entities: components, units, subsections, sections, other containers
	pins        map[target]publishing.VersionID // versions that pins name, with their ids once they are there
	done, total int
}

func level(e *entity) int {
	switch e.container {
	case "":
		return 0
	case containers.Unit:
		return 1
	case containers.Subsection:
		return 2
	case containers.Section:
		return 3
	}
	return 4
}

func (w *restorer) prepare() {
	for i := range w.plan.entities {
		e := &w.plan.entities[i]
		w.levels[level(e)] = append(w.levels[level(e)], i)
		w.total += len(e.versions)
		for j := range e.versions {
			v := &e.versions[j]
			for k, num := range v.pins {
				if num != 0 {
					w.pins[target{w.plan.byRef[v.children[k]], num}] = 0
				}
			}
		}
	}
}

// step is a version to be made.
type step struct{ entity, version int }

// published makes all entities, the published versions and the collections. Versions that pins name are made here too,
// as a published version may pin any other.
func (w *restorer) published(cs *publishing.ChangeSet) error {
	for _, list := range w.levels {
		if err := w.create(list); err != nil {
			return err
		}
	}
	if err := w.early(cs); err != nil {
		return err
	}
	for _, list := range w.levels {
		if err := w.makeWhere(cs, list, func(i int, v *version) bool {
			return v.num == w.plan.entities[i].published && w.pinnedAt(i, v.num) == 0
		}); err != nil {
			return err
		}
	}
	return w.sets()
}

// early makes the versions that pins name, and leaves the drafts of their entities at what is published, if that is among
// them, else nowhere.
func (w *restorer) early(cs *publishing.ChangeSet) error {
	if len(w.pins) == 0 {
		return nil
	}
	for _, list := range w.levels {
		if err := w.makeWhere(cs, list, func(i int, v *version) bool { _, named := w.pins[target{i, v.num}]; return named }); err != nil {
			return err
		}
	}
	var back []publishing.Pointer
	seen := map[int]bool{}
	for at := range w.pins {
		if !seen[at.entity] {
			seen[at.entity] = true
			e := &w.plan.entities[at.entity]
			back = append(back, publishing.Pointer{Entity: w.ids[at.entity], Version: w.pinnedAt(at.entity, e.published)})
		}
	}
	slices.SortFunc(back, func(a, b publishing.Pointer) int { return cmp.Compare(a.Entity, b.Entity) })
	return cs.SetDrafts(w.ctx, back)
}

// pinnedAt returns the id of a version that a pin names and that was made, else 0.
func (w *restorer) pinnedAt(entity, num int) publishing.VersionID { return w.pins[target{entity, num}] }

// drafts makes the draft versions that are not the published ones.
func (w *restorer) drafts(cs *publishing.ChangeSet) error {
	var move []publishing.Pointer
	for i := range w.plan.entities {
		e := &w.plan.entities[i]
		switch id := w.pinnedAt(i, e.draft); {
		case e.deleted && e.published != 0:
			move = append(move, publishing.Pointer{Entity: w.ids[i]})
		case e.draft != 0 && e.draft != e.published && id != 0:
			move = append(move, publishing.Pointer{Entity: w.ids[i], Version: id})
		}
	}
	for _, list := range w.levels {
		if err := w.makeWhere(cs, list, func(i int, v *version) bool {
			e := &w.plan.entities[i]
			return v.num == e.draft && v.num != e.published && w.pinnedAt(i, v.num) == 0
		}); err != nil {
			return err
		}
	}
	return cs.SetDrafts(w.ctx, move)
}

// create makes the entities of a level.
func (w *restorer) create(list []int) error {
	const batch = 1024
	for from := 0; from < len(list); from += batch {
		part := list[from:min(from+batch, len(list))]
		var ids []publishing.EntityID
		var err error
		if w.plan.entities[part[0]].isContainer() {
			fresh := make([]containers.NewContainer, len(part))
			for k, i := range part {
				e := &w.plan.entities[i]
				fresh[k] = containers.NewContainer{Type: e.container, Code: e.code, Ref: e.ref, Created: e.created, By: w.o.By, Dependent: !e.alone}
			}
			ids, err = containers.Create(w.ctx, w.tx, w.pkg.ID, fresh)
		} else {
			fresh := make([]components.NewComponent, len(part))
			for k, i := range part {
				e := &w.plan.entities[i]
				fresh[k] = components.NewComponent{Type: e.component, Code: e.code, Ref: e.ref, Created: e.created, By: w.o.By, Dependent: !e.alone}
			}
			ids, err = components.Create(w.ctx, w.tx, w.pkg.ID, fresh)
		}
		if err != nil {
			return err
		}
		for k, i := range part {
			w.ids[i] = ids[k]
		}
	}
	return nil
}

// makeWhere makes those versions of the entities of a level that are wanted.
func (w *restorer) makeWhere(cs *publishing.ChangeSet, list []int, want func(entity int, v *version) bool) error {
	var steps []step
	for _, i := range list {
		for j := range w.plan.entities[i].versions {
			if want(i, &w.plan.entities[i].versions[j]) {
				steps = append(steps, step{i, j})
			}
		}
	}
	for len(steps) > 0 {
		ready, later := w.ready(steps)
		if len(ready) == 0 {
			return fault.Errorf(fault.Invalid, w.plan.entities[later[0].entity].file, "versions that are pinned to each other in a circle")
		}
		if err := w.make(cs, ready); err != nil {
			return err
		}
		steps = later
	}
	return nil
}

// ready picks the versions whose children's pins are there.
func (w *restorer) ready(steps []step) (ready, later []step) {
	if len(w.pins) == 0 {
		return steps, nil
	}
next:
	for _, s := range steps {
		v := &w.plan.entities[s.entity].versions[s.version]
		for k, num := range v.pins {
			if num != 0 && w.pinnedAt(w.plan.byRef[v.children[k]], num) == 0 {
				later = append(later, s)
				continue next
			}
		}
		ready = append(ready, s)
	}
	return ready, later
}

// sets makes the collections.
func (w *restorer) sets() error {
	const batch = 500
	for from := 0; from < len(w.plan.collections); from += batch {
		part := w.plan.collections[from:min(from+batch, len(w.plan.collections))]
		fresh := make([]collections.New, len(part))
		for k, c := range part {
			fresh[k] = collections.New{Code: c.code, Title: c.title, Description: c.description, By: w.o.By}
		}
		made, err := collections.Create(w.ctx, w.tx, w.pkg.ID, fresh)
		if err != nil {
			return err
		}
		var members []collections.Members
		for k, c := range part {
			m := collections.Members{Collection: made[k].Collection.ID}
			for _, ref := range c.members {
				m.Entities = append(m.Entities, w.ids[w.plan.byRef[ref]])
			}
			if len(m.Entities) > 0 {
				members = append(members, m)
			}
		}
		if _, err := collections.Add(w.ctx, w.tx, w.pkg.ID, members, 0); err != nil {
			return err
		}
	}
	return nil
}

// told notes progress.
func (w *restorer) told(n int) {
	w.done += n
	if w.o.Progress != nil {
		w.o.Progress(w.done, w.total)
	}
}

// wrap names the entity that a batch is about.
func (w *restorer) wrap(err error, s step) error {
	return fmt.Errorf("%s: %w", w.plan.entities[s.entity].file, err)
}
