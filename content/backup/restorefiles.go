package backup

import (
	"io"
	"slices"

	"github.com/openlectern/lectern/content/components"
	"github.com/openlectern/lectern/content/containers"
	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/internal/zipdir"
)

const (
	batchVersions = 512     // versions made at a time: their rows fill whole statements of package db
	batchBytes    = 8 << 20 // of their content
	inMemory      = 1 << 20 // larger files are read from the archive when they are stored, twice
)

// make makes versions, in batches that are bounded in number and in bytes.
func (w *restorer) make(cs *publishing.ChangeSet, steps []step) error {
	for len(steps) > 0 {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		n, size := 0, int64(0)
		w.room = w.room[:0]
		var content []media.New
		var files [][]components.File
		for n < len(steps) && n < batchVersions && size < batchBytes {
			of, bytes, err := w.content(steps[n], &content)
			if err != nil {
				return w.wrap(err, steps[n])
			}
			files = append(files, of)
			size += bytes
			n++
		}
		if err := w.store(cs, steps[:n], content, files); err != nil {
			return err
		}
		w.told(n)
		steps = steps[n:]
	}
	return nil
}

// content reads the files of a version; of large ones it only notes where they are. The files come without media.
func (w *restorer) content(s step, content *[]media.New) (files []components.File, size int64, err error) {
	e := &w.plan.entities[s.entity]
	v := &e.versions[s.version]
	list := w.plan.settingsOf(e, v)
	if !e.isContainer() {
		list = w.plan.filesOf(e, v)
	}
	slices.SortStableFunc(list, func(a, b found) int { return inOrder(a.Member, b.Member) })
	files = make([]components.File, len(list))
	for i, f := range list {
		files[i].Path = f.path
		kind := e.kind(v, f.path)
		n := media.New{Type: kind.mime}
		if f.Size > inMemory {
			n.Open = func() (io.ReadCloser, error) { return w.plan.archive.open(f.Member), nil }
			*content = append(*content, n)
			continue
		}
		b, have := w.plan.read[f.Name]
		if !have {
			if w.room, b, err = w.plan.archive.read(f.Member, inMemory, w.room); err != nil {
				return nil, 0, err
			}
		}
		if kind.keep == keepFile {
			n.Bytes = b
		} else {
			text := string(b)
			n.Text, n.File = &text, kind.keep == keepBoth
		}
		size += f.Size
		*content = append(*content, n)
	}
	return files, size, nil
}

// store writes a batch: its media, then its versions. All are components, or all are containers.
func (w *restorer) store(cs *publishing.ChangeSet, steps []step, content []media.New, files [][]components.File) error {
	stored, err := media.GetOrCreate(w.ctx, w.tx, w.files, w.pkg, content, media.Options{Limit: w.plan.archive.limits.file(w.plan.Lectern)})
	if err != nil {
		return err
	}
	for i := range files {
		for j := range files[i] {
			files[i][j].Media = stored[0].ID
			w.media[stored[0].ID] = struct{}{}
			stored = stored[1:]
		}
	}
	var ids []publishing.VersionID
	if w.plan.entities[steps[0].entity].isContainer() {
		fresh := make([]containers.NewVersion, len(steps))
		for i, s := range steps {
			v := &w.plan.entities[s.entity].versions[s.version]
			fresh[i] = containers.NewVersion{Entity: w.ids[s.entity], Num: v.num, Title: v.title, Files: files[i], Created: v.created, By: w.o.By,
				Children: w.children(v)}
		}
		ids, _, err = containers.CreateVersions(w.ctx, cs, fresh)
	} else {
		fresh := make([]components.NewVersion, len(steps))
		for i, s := range steps {
			v := &w.plan.entities[s.entity].versions[s.version]
			fresh[i] = components.NewVersion{Entity: w.ids[s.entity], Num: v.num, Title: v.title, Files: files[i], Created: v.created, By: w.o.By}
		}
		ids, _, err = components.CreateVersions(w.ctx, cs, fresh)
	}
	if err != nil {
		return err
	}
	for i, s := range steps {
		at := target{s.entity, w.plan.entities[s.entity].versions[s.version].num}
		if _, named := w.pins[at]; named {
			w.pins[at] = ids[i]
		}
	}
	return nil
}

func (w *restorer) children(v *version) []containers.Child {
	out := make([]containers.Child, len(v.children))
	for k, ref := range v.children {
		at := w.plan.byRef[ref]
		out[k].Entity = w.ids[at]
		if v.pins != nil && v.pins[k] != 0 {
			out[k].Pin = w.pinnedAt(at, v.pins[k])
		}
	}
	return out
}

// inOrder orders files as they lie in the archive. Python takes them by name; but their order is that of the next backup,
// which should be the same again.
func inOrder(a, b zipdir.Member) int {
	switch {
	case a.Before(b):
		return -1
	case b.Before(a):
		return 1
	}
	return 0
}
