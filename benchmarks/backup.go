package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/openlectern/lectern/content/backup"
	"github.com/openlectern/lectern/content/components"
	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/frugal"
)

// figureSize is the size of the file that each component of benchBackup has beside its OLX.
const figureSize = 8192

// fileBytes is made-up content of a file that does not compress (peers/README.md).
func fileBytes(i, size int) []byte {
	var out []byte
	for k := 0; len(out) < size; k++ {
		sum := sha256.Sum256(fmt.Appendf(nil, "file:%d:%d", i, k))
		out = append(out, sum[:]...)
	}
	return out[:size]
}

// filed returns the path of a database with the published course of n components, each with a file; its media lie in a
// folder of that name with -media.
func (b *bench) filed() (string, error) {
	from, err := b.empty()
	if err != nil {
		return "", err
	}
	name := fmt.Sprintf("files-%d.db", b.n)
	if err := copyFile(from, filepath.Join(b.dir, name)); err != nil {
		return "", err
	}
	folder := filepath.Join(b.cache, name+"-media")
	return b.prepared(name, func(d *db.DB) error {
		files := media.NewDir(folder)
		return d.Update(b.ctx, func(tx *db.Tx) error {
			p, err := newPackage(b.ctx, tx)
			if err != nil {
				return err
			}
			if _, err := publishing.Change(b.ctx, tx, p.ID, publishing.Meta{}, func(cs *publishing.ChangeSet) error {
				ids, err := b.createFiled(cs, files, p)
				if err == nil {
					_, err = createContainers(b.ctx, cs, ids, 0)
				}
				return err
			}); err != nil {
				return err
			}
			_, err = publishing.PublishAll(b.ctx, tx, p.ID, publishing.PublishMeta{Message: "first"})
			return err
		})
	})
}

func (b *bench) createFiled(cs *publishing.ChangeSet, files media.Files, p publishing.Package) ([]publishing.EntityID, error) {
	texts, err := storeTexts(b.ctx, cs, p, blocks(b.n, 1))
	if err != nil {
		return nil, err
	}
	list := make([]media.New, b.n)
	made := make([]components.NewComponent, b.n)
	for i := range list {
		list[i] = media.New{Type: "image/png", Size: figureSize, Open: func() (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(fileBytes(i, figureSize))), nil
		}}
		made[i] = components.NewComponent{Type: problem, Code: code(i)}
	}
	figures, err := media.GetOrCreate(b.ctx, cs.Tx(), files, p, list, media.Options{})
	if err != nil {
		return nil, err
	}
	ids, err := components.Create(b.ctx, cs.Tx(), p.ID, made)
	if err != nil {
		return nil, err
	}
	versions := make([]components.NewVersion, b.n)
	for i := range versions {
		versions[i] = components.NewVersion{Entity: ids[i], Title: title(i), Files: []components.File{
			{Path: "block.xml", Media: texts[i].ID}, {Path: "static/figure.png", Media: figures[i].ID}}}
	}
	_, _, err = components.CreateVersions(b.ctx, cs, versions)
	return ids, err
}

// benchBackup writes the archive of a course with files, and restores it into an empty database and an empty folder
// (job 5).
func benchBackup(b *bench) error {
	path, err := b.filed()
	if err != nil {
		return err
	}
	archive := filepath.Join(b.dir, "backup.zip")
	if err := b.using(path, secondDay, func(d *db.DB) error {
		_, err := b.measure("backup", b.n, func(ctx context.Context) error { return dump(ctx, d, path+"-media", archive) })
		return err
	}); err != nil {
		return err
	}
	empty, err := b.empty()
	if err != nil {
		return err
	}
	at, err := b.fresh(empty)
	if err != nil {
		return err
	}
	var l *Line
	if err := b.using(at, secondDay, func(d *db.DB) error {
		l, err = b.measure("restore", b.n, func(ctx context.Context) error { return load(ctx, d, at+"-media", archive) })
		return err
	}); err != nil {
		return err
	}
	return b.raw(l, empty, at)
}

func dump(ctx context.Context, d *db.DB, folder, archive string) (err error) {
	out, err := os.Create(archive)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	return d.View(ctx, func(tx *db.Tx) error {
		p, err := publishing.PackageByRef(ctx, tx, packageRef)
		if err != nil {
			return err
		}
		_, err = backup.Write(ctx, tx, media.NewDir(folder), p, out, backup.WriteOptions{Now: secondDay})
		return err
	})
}

// load restores an archive as the command does, its bound of memory included.
func load(ctx context.Context, d *db.DB, folder, archive string) (err error) {
	info, err := os.Stat(archive)
	if err != nil {
		return err
	}
	defer frugal.Begin(os.Getenv, info.Size())()
	a, err := backup.Open(ctx, archive, backup.Limits{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	plan, err := a.Read(ctx, backup.ReadOptions{})
	if err != nil {
		return err
	}
	return d.Update(ctx, func(tx *db.Tx) error {
		_, err := plan.Restore(ctx, tx, media.NewDir(folder), backup.RestoreOptions{Ref: packageRef})
		return err
	})
}
