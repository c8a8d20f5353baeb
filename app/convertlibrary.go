package app

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/migrator"
	"github.com/openlectern/lectern/modulestore/convert"
)

// lazySource is a source of a migration that is not of the store: its key, and what reads it when its turn comes.
type lazySource struct {
	key  keys.Course
	read func() (migrator.Source, error) // nil for one that is of the store
}

// siteSources finds courses and legacy libraries of an old site as sources of a migration, in the order in which they are named: each
// under the key that it would be converted to, and what is published of it. Their documents are read at once, into a file, and
// the tree of each when it is asked for, so that one is in memory at a time. The sources are good until done is called; it is
// nil with an error.
func siteSources(ctx context.Context, site OldSite, names []string, progress Progress) (list []lazySource, done func() error, err error) {
	src, err := site.open(ctx)
	if err != nil {
		return nil, nil, err
	}
	r := &oldReader{src: src, o: ConvertOptions{Courses: names, Progress: progress}, bad: map[string]error{}}
	end := []func() error{src.Close, r.close}
	done = func() (err error) {
		for _, e := range slices.Backward(end) {
			err = errors.Join(err, e())
		}
		return err
	}
	defer func() {
		if err != nil {
			err, done = errors.Join(err, done()), nil
		}
	}()
	progress.begin("reading the old site")
	if err := r.list(ctx, site.Index); err != nil {
		return nil, done, err
	}
	store, err := r.read(ctx, r.items)
	if err != nil {
		return nil, done, err
	}
	end = append(end, store.close)
	for _, name := range names {
		it := r.items[slices.IndexFunc(r.items, func(it *oldItem) bool { return it.name == name })] // list has found it
		if it.err != nil {
			return nil, done, it.err
		}
		read := func() (src migrator.Source, err error) {
			_, _, res, err := store.convert(it, convert.Options{}, "")
			if err != nil {
				return src, err
			}
			if res.State.Published == nil {
				return src, fault.Errorf(fault.Invalid, it.name, "nothing of it is published").WithNext("publish it first, or convert it with: lectern legacy convert")
			}
			version := ""
			if x := it.index; x != nil {
				if id := cmp.Or(x.Published, x.Library); !id.IsZero() {
					version = id.String()
				}
			}
			return migrator.SourceOf(res.State.Published, version), nil
		}
		key := it.target
		if key.IsZero() { // only the converter knows
			src, err := read()
			if err != nil {
				return nil, done, err
			}
			key = src.Key
		}
		list = append(list, lazySource{key, read})
	}
	return list, done, nil
}
