package app

import (
	"context"
	"errors"
	"os"
	"strings"

	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/modulestore/dump"
	"github.com/openlectern/lectern/modulestore/prune"
	"github.com/openlectern/lectern/modulestore/split"
)

// SplitReader opens the Split database of an old site for planning what to prune. It needs no store.
func SplitReader(ctx context.Context, site OldSite) (db prune.Reader, done func() error, err error) {
	if site.live() {
		return SplitDatabase(ctx, site)
	}
	src, err := dump.Open(site.Source, site.Database)
	if err != nil {
		return nil, nil, err
	}
	return prune.FromSource(site.Source, src), src.Close, nil
}

// SplitDatabase opens the Split database of an old site to be written to; only a server's can be.
func SplitDatabase(ctx context.Context, site OldSite) (db *prune.Server, done func() error, err error) {
	if !site.live() {
		return nil, nil, fault.Errorf(fault.Usage, site.Source, "only a database on a server can be pruned").WithNext("name it: mongodb://host/database")
	}
	s, err := prune.Connect(ctx, site.Source, site.Database)
	if err != nil {
		return nil, nil, err
	}
	return s, s.Close, nil
}

func (s OldSite) live() bool {
	return strings.HasPrefix(s.Source, "mongodb://") || strings.HasPrefix(s.Source, "mongodb+srv://")
}

// ReadSplitIndex reads the SQL table of course indexes from its database or a CSV file, or a CSV file of its history table.
func ReadSplitIndex(ctx context.Context, path string) ([]split.Index, error) {
	if path == "" {
		return nil, nil
	}
	rows, err := readIndex(ctx, path)
	if rows == nil && err == nil {
		rows = []split.Index{} // a table without rows is one
	}
	return rows, err
}

// ReadSplitPins reads a CSV file of pinned structures.
func ReadSplitPins(path string) (pins []prune.Pin, err error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fault.Errorf(fault.NotFound, path, "%w", err).WithNext("name a CSV file with the columns course,version,reason,expires")
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return prune.ReadPins(f, path)
}
