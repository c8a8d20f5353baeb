package app

import (
	"cmp"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/openlectern/lectern/content/backup"
	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/course"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/user"
)

// PackageInfo is what the commands about learning packages tell of one (cli.md).
type PackageInfo struct {
	Key      string  `json:"key"`
	Entities int     `json:"entities"` // components and containers, deleted ones included
	Media    int     `json:"media"`    // distinct contents
	Bytes    int64   `json:"bytes"`    // of the archive; in a list, of the contents
	SHA256   *string `json:"sha256"`   // of the archive; null in a list
}

// PackageSummary is a line of a list of packages. Its media are those of all versions, not only of those that a backup
// holds.
type PackageSummary struct {
	PackageInfo
	Title   string    `json:"title"`
	Course  bool      `json:"course"` // it is a course or legacy library
	Created time.Time `json:"created"`
	Updated time.Time `json:"updated"`
}

// Packages lists the learning packages of the store by key, those of courses included.
func (a *App) Packages(ctx context.Context) (out []PackageSummary, err error) {
	if out, err = a.packages(ctx); err != nil {
		return nil, err
	}
	return visible(ctx, a, "Packages", out, func(p PackageSummary) thing { return thePackage(p.Key) })
}

func (a *App) packages(ctx context.Context) (out []PackageSummary, err error) {
	err = a.View(ctx, func(tx *db.Tx) error {
		list, err := publishing.Packages(ctx, tx)
		if err != nil {
			return err
		}
		counts, err := publishing.CountEntities(ctx, tx)
		if err != nil {
			return err
		}
		totals, err := media.Totals(ctx, tx)
		if err != nil {
			return err
		}
		courses, err := course.Packages(ctx, tx)
		if err != nil {
			return err
		}
		out = make([]PackageSummary, 0, len(list))
		for _, p := range list {
			t := totals[p.ID]
			out = append(out, PackageSummary{
				PackageInfo: PackageInfo{Key: p.Ref, Entities: counts[p.ID], Media: t.Count, Bytes: t.Bytes},
				Title:       p.Title, Course: courses[p.ID], Created: p.Created, Updated: p.Updated,
			})
		}
		return nil
	})
	sortBy(out, func(p PackageSummary) string { return p.Key })
	return out, err
}

// BackedUp describes a written backup.
type BackedUp struct {
	PackageInfo
	File     string           `json:"file"`
	MadeAt   time.Time        `json:"made_at"`
	Only     bool             `json:"only_lectern"` // Open edX cannot restore all of it
	Warnings []backup.Problem `json:"warnings"`
}

// Backup writes the learning package key, as it is in one moment, to an archive at path, which takes its place when it is
// complete (backup-format.md). Equal content at the same time gives equal bytes. origin is the host name of the server,
// "" for none.
func (a *App) Backup(ctx context.Context, key, path, origin string, progress Progress) (*BackedUp, error) {
	if err := a.may(ctx, "Backup", thePackage(key)); err != nil {
		return nil, err
	}
	return a.backup(ctx, key, path, origin, a.dryRun, progress)
}

func (a *App) backup(ctx context.Context, key, path, origin string, dryRun bool, progress Progress) (*BackedUp, error) {
	if !strings.HasSuffix(strings.ToLower(path), ".zip") {
		return nil, fault.Errorf(fault.Usage, path, "the name of a backup ends in .zip")
	}
	out := &BackedUp{File: path, Warnings: []backup.Problem{}}
	err := a.View(ctx, func(tx *db.Tx) error {
		pkg, err := publishing.PackageByRef(ctx, tx, key)
		if err != nil {
			return hint(err, "see what there is with: lectern package list")
		}
		o, err := a.writeOptions(ctx, tx, pkg, origin)
		if err != nil {
			return err
		}
		o.Progress = progress.step("entities")
		out.MadeAt = o.Now
		progress.begin("writing the archive")
		w, err := createWhole(path, dryRun)
		if err != nil {
			return err
		}
		sum, err := backup.Write(ctx, tx, a.Files, pkg, w, o)
		if err != nil {
			return errors.Join(err, w.discard())
		}
		if err := w.commit(); err != nil {
			return err
		}
		digest := w.digest()
		out.PackageInfo = PackageInfo{Key: sum.Key, Entities: sum.Entities, Media: sum.Media, Bytes: w.n, SHA256: &digest}
		out.Only, out.Warnings = sum.Lectern, append(out.Warnings, sum.Warnings...)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// writeOptions says what a backup tells of its making.
func (a *App) writeOptions(ctx context.Context, tx *db.Tx, pkg publishing.Package, origin string) (o backup.WriteOptions, err error) {
	o.Now, o.Origin = tx.Now(), origin
	if a.By != 0 {
		u, err := user.ByID(ctx, tx, user.ID(a.By))
		if err != nil {
			return o, err
		}
		o.By, o.Email = u.Username, u.Email
	}
	c, err := course.Of(ctx, tx, pkg)
	if err != nil || c == nil {
		return o, err
	}
	id, err := c.Identity(ctx, tx)
	if err != nil {
		return o, err
	}
	o.Course = &backup.Course{Key: id.Key.String(), Root: id.Root, Title: id.Title, Language: id.Language, Created: id.Created}
	return o, nil
}

// hint gives an error that is told to people another next step.
func hint(err error, next string) error {
	var f *fault.Error
	if !errors.As(err, &f) {
		return err
	}
	told := *f
	told.Err, told.Next = err, next
	return &told
}

// Manifest is what a folder of backups holds. It is written last: a folder without one is not complete.
type Manifest struct {
	MadeAt   time.Time      `json:"made_at"`
	Packages []BackedUp     `json:"packages"`
	Failed   []FailedBackup `json:"failed"`
	Skipped  []string       `json:"skipped"` // keys of the old store, which are not backed up at the stage that the site is at (DEP-37)
}

// FailedBackup is a package that could not be backed up.
type FailedBackup struct {
	Key   string `json:"key"`
	Error string `json:"error"`
}

// ManifestName is what the manifest is called in its folder.
const ManifestName = "manifest.json"

// BackupAll writes every learning package to an archive of its own in a folder, each as it is in one moment, and then the
// manifest. A package that fails does not keep the others from being written; it is listed in the result, as is one that is passed over.
func (a *App) BackupAll(ctx context.Context, folder, origin string, progress Progress) (*Manifest, error) {
	if err := a.may(ctx, "BackupAll"); err != nil {
		return nil, err
	}
	list, err := a.packages(ctx)
	if err != nil {
		return nil, err
	}
	out := &Manifest{Packages: []BackedUp{}, Failed: []FailedBackup{}, Skipped: []string{}}
	passed, err := a.passedOver(ctx)
	if err != nil {
		return nil, err
	}
	if !a.dryRun {
		if err := os.MkdirAll(folder, 0o777); err != nil {
			return nil, fault.Errorf(fault.Unavailable, folder, "cannot be made: %w", err)
		}
		// An old manifest would speak for files that are being replaced.
		if err := os.Remove(filepath.Join(folder, ManifestName)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, fault.Errorf(fault.Unavailable, folder, "the old manifest cannot be removed: %w", err)
		}
	}
	var keys []string
	for _, p := range list {
		if passed(p.Key) {
			out.Skipped = append(out.Skipped, p.Key)
			continue
		}
		keys = append(keys, p.Key)
	}
	for i, name := range backup.FileNames(keys) {
		one, err := a.backup(ctx, keys[i], filepath.Join(folder, name), origin, a.dryRun, progress)
		switch {
		case ctx.Err() != nil:
			return nil, err
		case err != nil:
			out.Failed = append(out.Failed, FailedBackup{keys[i], err.Error()})
			continue
		}
		one.File = name
		out.Packages = append(out.Packages, *one)
	}
	err = a.View(ctx, func(tx *db.Tx) error { out.MadeAt = tx.Now(); return nil })
	if err != nil {
		return nil, err
	}
	return out, a.writeManifest(filepath.Join(folder, ManifestName), out)
}

// sortBy sorts a list by a text of its items.
func sortBy[T any](list []T, text func(T) string) {
	slices.SortFunc(list, func(a, b T) int { return cmp.Compare(text(a), text(b)) })
}
