package app

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/migrator"
	"github.com/openlectern/lectern/modulestore/convert"
)

// siteSources reads courses and legacy libraries of an old site as sources of a migration, in the order in which they are named: each
// under the key that it would be converted to, and what is published of it. The sources are good until done is called; it is
// nil with an error.
func siteSources(ctx context.Context, site OldSite, names []string, progress Progress) (list []migrator.Source, done func() error, err error) {
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
		_, _, res, err := store.convert(it, convert.Options{}, "")
		if err != nil {
			return nil, done, err
		}
		if res.State.Published == nil {
			return nil, done, fault.Errorf(fault.Invalid, name, "nothing of it is published").WithNext("publish it first, or convert it with: lectern legacy convert")
		}
		version := ""
		if x := it.index; x != nil {
			if id := cmp.Or(x.Published, x.Library); !id.IsZero() {
				version = id.String()
			}
		}
		list = append(list, migrator.SourceOf(res.State.Published, version))
	}
	return list, done, nil
}
