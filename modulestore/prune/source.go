package prune

import (
	"context"
	"errors"

	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/bson"
	"github.com/openlectern/lectern/modulestore/split"
)

// FromSource reads a dump, or any other source, for planning. What cannot be read counts as damage, under which nothing is
// taken for loose.
func FromSource(name string, src modulestore.Source) Reader { return &source{name: name, src: src} }

type source struct {
	name   string
	src    modulestore.Source
	damage int
}

func (s *source) Name() string { return s.name }

func (s *source) Damage() int { return s.damage }

// Weigh knows nothing: a dump has no holes.
func (s *source) Weigh(context.Context) (map[string]Weight, error) { return nil, nil }

func (s *source) bad(_ string, err error) error {
	s.damage++
	return nil
}

func (s *source) Indexes(ctx context.Context) (rows []split.Index, err error) {
	err = s.scan(ctx, modulestore.CollectionIndexes, func(d bson.Doc) error {
		x, _ := split.IndexOf(d)
		rows = append(rows, x)
		return nil
	})
	return rows, err
}

func (s *source) scan(ctx context.Context, collection string, each func(bson.Doc) error) error {
	return s.src.Scan(ctx, modulestore.Pass{
		Want: func(c string) bool { return c == collection },
		Doc:  func(_ string, d bson.Doc) error { return each(d) },
		Bad:  s.bad,
	})
}

func (s *source) Structures(ctx context.Context, each func(Header) error) error {
	return s.scan(ctx, modulestore.CollectionStructures, func(d bson.Doc) error { return each(headerOf(d)) })
}

func (s *source) Definitions(ctx context.Context, each func(Header) error) error {
	return s.scan(ctx, modulestore.CollectionDefinitions, func(d bson.Doc) error { return each(headerOf(d)) })
}

func (s *source) Cuts(ctx context.Context, each func(Cut) error) error {
	return s.scan(ctx, modulestore.CollectionCuts, func(d bson.Doc) error { return each(cutOf(d)) })
}

func (s *source) Headers(ctx context.Context, ids map[modulestore.ID]bool, each func(Header) error) error {
	if !s.src.Live() {
		return nil // a dump has been read whole: what was not met is not there
	}
	return s.src.Find(ctx, modulestore.CollectionStructures, ids, func(d bson.Doc) error { return each(headerOf(d)) }, s.again)
}

func (s *source) Documents(ctx context.Context, collection string, ids map[modulestore.ID]bool, each func(bson.Doc) error) error {
	return s.src.Find(ctx, collection, ids, each, s.again)
}

// again is told of what cannot be read a second time: of a dump that has been counted before; a server that has stopped giving
// documents ends the search, so that nothing is taken for missing.
func (s *source) again(err error) error {
	var e *bson.Error
	if s.src.Live() && errors.As(err, &e) && e.Lost {
		return err
	}
	return nil
}

func (s *source) Kept(ctx context.Context, want func(modulestore.ID) (bool, error), _ func(func(modulestore.ID) error) error, each func(bson.Doc) error) error {
	return s.scan(ctx, modulestore.CollectionStructures, func(d bson.Doc) error {
		if ok, err := want(modulestore.IDOf(d.Lookup("_id"))); err != nil || !ok {
			return err
		}
		return each(d)
	})
}
