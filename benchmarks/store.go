package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/openlectern/lectern/content/components"
	"github.com/openlectern/lectern/content/containers"
	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/schema"
)

// The time of what is made, and that of edits.
var (
	firstDay  = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	secondDay = firstDay.AddDate(0, 0, 1)
)

const (
	packageRef = "lp:bench"
	olxType    = "application/vnd.openedx.xblock.v1.problem+xml"
)

var problem = components.Type{Namespace: "xblock.v1", Name: "problem"}

// open opens an SQLite database whose statements are counted.
func (b *bench) open(path string, at time.Time) (*db.DB, error) {
	return db.Open(b.ctx, path, db.Options{
		Create: true, Clock: func() time.Time { return at }, OnStatement: func(string) { b.statements.Add(1) },
	})
}

// using opens a database, runs fn and closes it, which moves the write-ahead log into the file.
func (b *bench) using(path string, at time.Time, fn func(*db.DB) error) (err error) {
	d, err := b.open(path, at)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	return fn(d)
}

// prepared returns the path of a database that is made once and then only copied.
func (b *bench) prepared(name string, fill func(*db.DB) error) (string, error) {
	path := filepath.Join(b.cache, name)
	if _, err := os.Stat(path); err == nil || !errors.Is(err, os.ErrNotExist) {
		return path, err
	}
	made := filepath.Join(b.dir, name)
	if err := b.using(made, firstDay, fill); err != nil {
		return "", err
	}
	return path, os.Rename(made, path)
}

// empty returns the path of a database with all tables and no content.
func (b *bench) empty() (string, error) {
	return b.prepared("empty.db", func(d *db.DB) error { return schema.Create(b.ctx, d) })
}

// course returns the path of a database with the published course of n components.
func (b *bench) course() (string, error) {
	from, err := b.empty()
	if err != nil {
		return "", err
	}
	name := fmt.Sprintf("course-%d.db", b.n)
	if err := copyFile(from, filepath.Join(b.dir, name)); err != nil {
		return "", err
	}
	return b.prepared(name, func(d *db.DB) error { return b.makeCourse(d) })
}

// fresh copies a prepared database to a new place of this run.
func (b *bench) fresh(from string) (string, error) {
	b.copies++
	to := filepath.Join(b.dir, fmt.Sprintf("%d.db", b.copies))
	return to, copyFile(from, to)
}

func copyFile(from, to string) (err error) {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	dst, err := os.Create(to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dst.Close()) }()
	_, err = io.Copy(dst, src)
	return err
}

func (b *bench) makeCourse(d *db.DB) error {
	olx := blocks(b.n, 1)
	return d.Update(b.ctx, func(tx *db.Tx) error {
		p, err := newPackage(b.ctx, tx)
		if err != nil {
			return err
		}
		if _, err := publishing.Change(b.ctx, tx, p.ID, publishing.Meta{}, func(cs *publishing.ChangeSet) error {
			ids, err := createComponents(b.ctx, cs, p, olx, 0)
			if err != nil {
				return err
			}
			_, err = createContainers(b.ctx, cs, ids, 0)
			return err
		}); err != nil {
			return err
		}
		_, err = publishing.PublishAll(b.ctx, tx, p.ID, publishing.PublishMeta{Message: "first"})
		return err
	})
}

func newPackage(ctx context.Context, tx *db.Tx) (publishing.Package, error) {
	return publishing.CreatePackage(ctx, tx, publishing.NewPackage{Ref: packageRef, Title: "Bench"})
}

// createComponents makes components with a first version and its OLX; from is the number of the first.
func createComponents(ctx context.Context, cs *publishing.ChangeSet, p publishing.Package, olx []string, from int) ([]publishing.EntityID, error) {
	m, err := storeTexts(ctx, cs, p, olx)
	if err != nil {
		return nil, err
	}
	list := make([]components.NewComponent, len(olx))
	for i := range list {
		list[i] = components.NewComponent{Type: problem, Code: code(from + i)}
	}
	ids, err := components.Create(ctx, cs.Tx(), p.ID, list)
	if err != nil {
		return nil, err
	}
	versions := make([]components.NewVersion, len(olx))
	for i := range versions {
		versions[i] = components.NewVersion{Entity: ids[i], Title: title(from + i), Files: []components.File{{Path: "block.xml", Media: m[i].ID}}}
	}
	_, _, err = components.CreateVersions(ctx, cs, versions)
	return ids, err
}

func storeTexts(ctx context.Context, cs *publishing.ChangeSet, p publishing.Package, olx []string) ([]media.Media, error) {
	list := make([]media.New, len(olx))
	for i := range list {
		list[i] = media.New{Type: olxType, Text: &olx[i]}
	}
	return media.GetOrCreate(ctx, cs.Tx(), nil, p, list, media.Options{})
}

// createContainers puts components into units, units into subsections, those into sections, and returns them all; from is
// the number of the first component.
func createContainers(ctx context.Context, cs *publishing.ChangeSet, below []publishing.EntityID, from int) ([]publishing.EntityID, error) {
	var all []publishing.EntityID
	for _, l := range levels {
		from /= l.size
		n := (len(below) + l.size - 1) / l.size
		list := make([]containers.NewContainer, n)
		for i := range list {
			list[i] = containers.NewContainer{Type: l.kind, Code: fmt.Sprintf("%s%04d", l.kind, from+i)}
		}
		ids, err := containers.Create(ctx, cs.Tx(), cs.Package(), list)
		if err != nil {
			return nil, err
		}
		versions := make([]containers.NewVersion, n)
		for i := range versions {
			versions[i] = containers.NewVersion{Entity: ids[i], Title: fmt.Sprintf("%s %d", l.title, from+i)}
			for _, c := range below[i*l.size : min(len(below), (i+1)*l.size)] {
				versions[i].Children = append(versions[i].Children, containers.Child{Entity: c})
			}
		}
		if _, _, err := containers.CreateVersions(ctx, cs, versions); err != nil {
			return nil, err
		}
		all = append(all, ids...)
		below = ids
	}
	return all, nil
}
