package migrator

import (
	"context"
	"fmt"
	"slices"

	"github.com/openlectern/lectern/content/components"
	"github.com/openlectern/lectern/content/containers"
	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/olx"
)

// Run brings one source into a library, within the transaction it is given.
type Run struct {
	Files     media.Files
	Package   publishing.Package // of the library
	Source    Source
	Options   Options
	By        publishing.UserID
	Migration int64 // its row; 0 in a rehearsal on a database without such rows
	Forward   Forward
	// Collection is the code of the one that everything joins, "" for none; CreateCollection asks for one of its own where
	// there is none (C1 to C4).
	Collection       string
	CreateCollection bool
	// Progress is told how many of the blocks that are written are; it may be nil.
	Progress func(step, done, total int)
}

// Done is what became of a source.
type Done struct {
	Plan       *Plan
	ChangeLog  int64 // the draft log with all changes, 0 when nothing changed (W8)
	PublishLog int64
	Collection string // code of the one that it joined, "" for none
	Forwarded  bool
}

// batch is how many components are turned into rows at a time, and batchText how many bytes of their text at most, beyond
// the last of them: this bounds the memory that takes (Z5).
const (
	batch     = 1000
	batchText = 4 << 20
)

// Run plans and writes. The package is locked first, so that migrations into one library follow one another (Z6). It is
// fault.Refused where the library would hold more than it may (U6).
func (r *Run) Run(ctx context.Context, tx *db.Tx) (*Done, error) {
	if err := publishing.Lock(ctx, tx, r.Package.ID); err != nil {
		return nil, err
	}
	plan, err := Preview(ctx, tx, r.Package, r.Source, r.Options)
	if err != nil {
		return nil, err
	}
	if plan.Over() {
		return nil, fault.Errorf(fault.Refused, r.Source.Key.String(), "%s would hold %d blocks, and its limit is %d", r.Package.Ref, plan.Live, plan.Limit).
			WithNext("migrate less of it, delete something from the library, or migrate into another")
	}
	out := &Done{Plan: plan}
	w := &writing{Run: r, tx: tx, plan: plan}
	for _, s := range plan.Steps {
		if s.writes() {
			w.total++
		}
	}
	records := map[publishing.EntityID]publishing.RecordID{}
	if w.total > 0 {
		log, err := publishing.Change(ctx, tx, r.Package.ID, publishing.Meta{By: r.By, Kind: publishing.KindImport, Source: r.Source.Key.String(),
			Message: "migrated from " + cut(r.Source.Key.String(), 450)}, func(cs *publishing.ChangeSet) error { return w.write(ctx, cs) })
		if err != nil {
			return nil, err
		}
		if log != nil {
			out.ChangeLog = log.ID
			if out.PublishLog, err = w.publish(ctx, log, records); err != nil {
				return nil, err
			}
		}
	}
	if r.Migration == 0 {
		return out, w.collect(ctx, out, 0)
	}
	var rows []newRow
	for _, s := range plan.Steps {
		if s.Action != Leave {
			rows = append(rows, newRow{s, records[s.entity]})
		}
	}
	ids, err := ensureSources(ctx, tx, []string{r.Source.Key.String()})
	if err != nil {
		return nil, err
	}
	source := ids[r.Source.Key.String()]
	if err := writeRows(ctx, tx, source, r.Migration, rows); err != nil {
		return nil, err
	}
	if err := w.collect(ctx, out, source); err != nil {
		return nil, err
	}
	return out, w.note(ctx, out, source)
}

// Preview decides what a migration of a source to a library would do now, by what [Run.Run] does it by (Y4, Y5).
func Preview(ctx context.Context, q db.Querier, pkg publishing.Package, src Source, o Options) (*Plan, error) {
	o.ASCII = o.ASCII || q.Engine() == db.MariaDB // which refuses other codes (content-schema.md §2.1)
	previous := Previous{}
	there, err := tablesThere(ctx, q)
	if err == nil && there && o.Repeat != Fork {
		previous, err = LoadPrevious(ctx, q, src.Key.String(), pkg.ID)
	}
	if err != nil {
		return nil, err
	}
	lib, err := LoadLibrary(ctx, q, pkg.ID, previous, o.Repeat)
	if err != nil {
		return nil, err
	}
	return Make(src, lib, previous, o)
}

// writing carries a plan out.
type writing struct {
	*Run
	tx          *db.Tx
	plan        *Plan
	done, total int
}

func (w *writing) write(ctx context.Context, cs *publishing.ChangeSet) error {
	for from := 0; from < len(w.plan.Steps); {
		if err := ctx.Err(); err != nil {
			return err
		}
		var err error
		if from, err = w.components(ctx, cs, from); err != nil {
			return err
		}
	}
	for _, kind := range []string{containers.Unit, containers.Subsection, containers.Section} { // children before parents
		if err := w.containers(ctx, cs, kind); err != nil {
			return err
		}
	}
	return nil
}

// components writes the components of some steps from one on, and returns where it stopped.
func (w *writing) components(ctx context.Context, cs *publishing.ChangeSet, from int) (next int, err error) {
	var steps []*Step
	var content []media.New
	var files [][]components.File
	size := 0
	for next = from; next < len(w.plan.Steps) && len(steps) < batch && size < batchText; next++ {
		s := w.plan.Steps[next]
		if s.Kind != "" || !s.writes() {
			continue
		}
		text, attached, _, err := w.plan.content(w.plan.Source.Tree.Blocks[s.Block])
		if err != nil {
			return 0, fmt.Errorf("encode %s: %w", s.Key, err)
		}
		size += len(text)
		body := string(text)
		content = append(content, media.New{Type: "application/vnd.openedx.xblock.v1." + s.Block.Type + "+xml", Text: &body})
		list := []components.File{{Path: olx.BlockFile}}
		for _, f := range attached {
			n := media.New{Type: media.TypeByExtension(f.path), Open: f.asset.Open}
			if f.asset.Digest != "" {
				n.Digest, n.Size = f.asset.Digest, f.asset.Size
			}
			content = append(content, n)
			list = append(list, components.File{Path: f.path})
		}
		steps, files = append(steps, s), append(files, list)
	}
	if len(steps) == 0 {
		return next, nil
	}
	stored, err := media.GetOrCreate(ctx, w.tx, w.Files, w.Package, content, media.Options{Limit: -1})
	if err != nil {
		return 0, err
	}
	var fresh []components.NewComponent
	var first, versions []components.NewVersion
	var created []*Step
	at := 0
	for i, s := range steps {
		for j := range files[i] {
			files[i][j].Media = stored[at].ID
			at++
		}
		v := components.NewVersion{Entity: s.entity, Title: s.Title, Files: files[i]}
		if s.Action != Create {
			versions = append(versions, v)
			continue
		}
		fresh = append(fresh, components.NewComponent{Type: components.Type{Namespace: namespace, Name: s.Block.Type}, Code: s.Code, Created: w.tx.Now(), By: w.By})
		first, created = append(first, v), append(created, s)
	}
	if len(fresh) > 0 {
		ids, _, err := components.CreateWithVersions(ctx, cs, fresh, first)
		if err != nil {
			return 0, err
		}
		for i, s := range created {
			s.entity = ids[i]
		}
	}
	if len(versions) > 0 {
		if _, _, err := components.CreateVersions(ctx, cs, versions); err != nil {
			return 0, err
		}
	}
	w.tell(len(steps))
	return next, nil
}

// containers writes the containers of one type. A new one has its children in its first version (W10).
func (w *writing) containers(ctx context.Context, cs *publishing.ChangeSet, kind string) error {
	var fresh []containers.NewContainer
	var first, versions []containers.NewVersion
	var created []*Step
	for _, s := range w.plan.Steps {
		if s.Kind != kind || !s.writes() {
			continue
		}
		v := containers.NewVersion{Entity: s.entity, Title: s.Title}
		for _, c := range s.children {
			v.Children = append(v.Children, containers.Child{Entity: c.entity})
		}
		if s.Action != Create {
			versions = append(versions, v)
			continue
		}
		fresh = append(fresh, containers.NewContainer{Type: kind, Code: s.Code, Created: w.tx.Now(), By: w.By})
		first, created = append(first, v), append(created, s)
	}
	if len(fresh) > 0 {
		ids, _, err := containers.CreateWithVersions(ctx, cs, fresh, first)
		if err != nil {
			return err
		}
		for i, s := range created {
			s.entity = ids[i]
		}
	}
	if len(versions) > 0 {
		if _, _, err := containers.CreateVersions(ctx, cs, versions); err != nil {
			return err
		}
	}
	w.tell(len(fresh) + len(versions))
	return nil
}

func (w *writing) tell(n int) {
	w.done += n
	if w.Progress != nil && n > 0 {
		w.Progress(3, w.done, w.total)
	}
}

// publish publishes what the change set touched (W7), and those children of what it touched that nobody has published yet,
// which a published container cannot do without. It notes the record of each entity.
func (w *writing) publish(ctx context.Context, log *publishing.ChangeLog, records map[publishing.EntityID]publishing.RecordID) (int64, error) {
	var list []publishing.EntityID
	for _, r := range log.Records {
		if r.Direct {
			list = append(list, r.Entity)
			records[r.Entity] = r.ID
		}
	}
	var below []publishing.EntityID
	for _, s := range w.plan.Steps {
		if s.Kind == "" || !s.writes() {
			continue
		}
		for _, c := range s.children {
			if c.Action == Leave || c.Action == Same {
				below = append(below, c.entity)
			}
		}
	}
	slices.Sort(below)
	pointers, err := publishing.PointersOf(ctx, w.tx, slices.Compact(below))
	if err != nil {
		return 0, err
	}
	for id, p := range pointers {
		if !p.Published.Exists && records[id] == 0 {
			list = append(list, id)
		}
	}
	slices.Sort(list)
	along, err := publishing.Closure(ctx, w.tx, w.Package.ID, list)
	if err != nil {
		return 0, err
	}
	meta := publishing.PublishMeta{By: w.By, Source: w.Source.Key.String()}
	if len(along) == 0 {
		published, err := publishing.Publish(ctx, w.tx, w.Package.ID, list, true, meta)
		if err != nil {
			return 0, err
		}
		return published.ID, nil
	}
	return w.publishLayers(ctx, list, meta)
}

// publishLayers publishes entities without what else has changed below them, which somebody has not finished: what stands
// lowest first, because nothing is published before what it is made of.
func (w *writing) publishLayers(ctx context.Context, list []publishing.EntityID, meta publishing.PublishMeta) (last int64, err error) {
	kind := map[publishing.EntityID]string{}
	for _, s := range w.plan.Steps {
		if s.entity != 0 {
			kind[s.entity] = s.Kind
		}
	}
	for _, k := range []string{"", containers.Unit, containers.Subsection, containers.Section} {
		var layer []publishing.EntityID
		for _, id := range list {
			if kind[id] == k {
				layer = append(layer, id)
			}
		}
		if len(layer) == 0 {
			continue
		}
		published, err := publishing.Publish(ctx, w.tx, w.Package.ID, layer, false, meta)
		if err != nil {
			return 0, err
		}
		last = published.ID
	}
	return last, nil
}

// note completes the row of the migration, and forwards the source if that is asked for.
func (w *writing) note(ctx context.Context, out *Done, source int64) error {
	var log any
	if out.ChangeLog != 0 {
		log = out.ChangeLog
	}
	if _, err := w.tx.Exec(ctx, `UPDATE `+migrations+` SET change_log_id = ?, source_version = ? WHERE id = ?`, log, versionOrNull(w.Source.Version), w.Migration); err != nil {
		return err
	}
	now, err := forwarded(ctx, w.tx, source)
	if err != nil {
		return err
	}
	if w.Forward == Yes || w.Forward == Auto && now == 0 {
		out.Forwarded = true
		return forward(ctx, w.tx, source, w.Migration, w.Package.ID)
	}
	return nil
}

func versionOrNull(s string) any {
	if s == "" {
		return nil
	}
	return cut(s, 255)
}
