package app

import (
	"context"
	"errors"
	"strings"

	"github.com/openlectern/lectern/conversion"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/dump"
	"github.com/openlectern/lectern/modulestore/inventory"
	"github.com/openlectern/lectern/modulestore/live"
	"github.com/openlectern/lectern/oldcourse"
)

// OldSite names the MongoDB database of an old site. It is only ever read.
type OldSite struct {
	// Source is a folder or an --archive file that mongodump wrote, or the address of a server, mongodb://….
	Source string
	// Database is the name of the database, "" for the only one of a dump and the usual one of a server.
	Database string
	// Index is a CSV file of the site's SQL table of course indexes, or the address of the database that has it, "" for none
	// (modulestore.md SP-5).
	Index string
}

// String names the site without the password that an address may have.
func (s OldSite) String() string {
	scheme, rest, isAddress := strings.Cut(s.Source, "://")
	if at := strings.LastIndex(rest, "@"); isAddress && at >= 0 {
		return scheme + "://" + rest[at+1:]
	}
	return s.Source
}

// open opens the source.
func (s OldSite) open(ctx context.Context) (modulestore.Source, error) {
	if strings.HasPrefix(s.Source, "mongodb://") || strings.HasPrefix(s.Source, "mongodb+srv://") {
		return live.Open(ctx, s.Source, s.Database)
	}
	return dump.Open(s.Source, s.Database)
}

// ListOldSite says what there is at an old site. It needs no store. A full report also looks into the content of the versioned
// store and the bytes of files. Progress counts mebibytes.
func ListOldSite(ctx context.Context, site OldSite, full bool, progress Progress) (r *inventory.Report, err error) {
	o := inventory.Options{Full: full, Root: oldcourse.Unavailable}
	if progress != nil {
		o.Progress = func(bytes int64) { progress("reading MiB", int(bytes>>20), 0) }
	}
	if site.Index != "" {
		if o.Mirror, err = readIndex(ctx, site.Index); err != nil {
			return nil, err
		}
	}
	src, err := site.open(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	return inventory.Take(ctx, src, o)
}

// Here returns under which keys this store has courses and libraries of an old site, by the keys of the site: what was made of
// them, or what stands under the key that they would get.
func (a *App) Here(ctx context.Context, r *inventory.Report) (map[string]string, error) {
	here := map[string]bool{}
	for _, libraries := range []bool{false, true} {
		list, err := a.List(ctx, libraries, false)
		if err != nil {
			return nil, err
		}
		for _, s := range list {
			here[s.Key] = true
		}
	}
	sources := make([]string, len(r.Courses))
	for i, c := range r.Courses {
		sources[i] = c.Key
	}
	made, err := conversion.Targets(ctx, a.DB, sources)
	if err != nil {
		return nil, err
	}
	found := map[string]string{}
	for _, c := range r.Courses {
		for _, key := range []string{made[c.Key], c.Today.String()} {
			if here[key] {
				found[c.Key] = key
				break
			}
		}
	}
	return found, nil
}
