package app

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"

	"github.com/openlectern/lectern/content"
	"github.com/openlectern/lectern/content/backup"
	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/course"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/migrator"
	"github.com/openlectern/lectern/user"
)

// PackageRestore says how to restore a backup.
type PackageRestore struct {
	Key       string // of the package; "" is the archive's own
	Staged    bool   // under a key made for it, as Open edX does, to be given its own later; needs a user
	Strict    bool   // see [backup.ReadOptions]
	Replace   bool   // in place of the package with that key, if there is one
	KeepAs    string // the key that the replaced package gets; "" is one made of its own and the time
	DeleteOld bool   // the replaced package is removed for good instead
	Limits    backup.Limits
	Progress  Progress // may be nil
}

// RestoredPackage is what a restore did. With Errors nothing was done.
type RestoredPackage struct {
	PackageInfo
	Status     string           `json:"status"` // success or error
	Errors     []backup.Problem `json:"errors"`
	Warnings   []backup.Problem `json:"warnings"`
	Renamed    []backup.Renamed `json:"renamed"`     // keys of old archives that are no codes, and what became of them
	ArchiveKey string           `json:"archive_key"` // what the archive calls the package
	Title      string           `json:"title"`
	backup.Counts
	Meta     *backup.Meta `json:"backup_metadata"`
	Replaced bool         `json:"replaced"`
	KeptAs   *string      `json:"kept_as"` // key of the package that was replaced; null when there is none, or it was removed
}

// The states of a restore.
const (
	restoreDone   = "success"
	restoreFailed = "error"
)

// RestorePackage restores a backup in one transaction. Whatever is wrong with the archive is found before anything is
// written, and listed in the result beside the error; after any error nothing of it is there, files included.
func (a *App) RestorePackage(ctx context.Context, path string, o PackageRestore) (out *RestoredPackage, err error) {
	out = &RestoredPackage{Status: restoreFailed, Errors: []backup.Problem{}, Warnings: []backup.Problem{}, Renamed: []backup.Renamed{}}
	out.Key = o.Key
	plan, done, err := a.readBackup(ctx, path, o.Limits, o.Strict, o.Progress, &out.PackageInfo)
	if err != nil {
		out.Errors = append(out.Errors, problemsOf(err)...)
		return out, err
	}
	defer func() { err = errors.Join(err, done()) }()
	out.Warnings, out.Renamed = append(out.Warnings, plan.Warnings...), append(out.Renamed, plan.Renamed...)
	out.ArchiveKey, out.Title, out.Counts, out.Meta, out.Entities = plan.Key, plan.Title, plan.Counts(), &plan.Meta, plan.Entities()
	if err := o.check(plan); err != nil {
		return out, err
	}
	target, exists, err := a.mayRestore(ctx, "RestorePackage", plan, o)
	if err != nil {
		return out, err
	}
	if !a.dryRun {
		if _, err := a.Sweep(ctx, media.GuardAge); err != nil {
			return out, err
		}
	}
	err = a.make(ctx, func(tx *db.Tx, files media.Files) error {
		if err := a.still(ctx, tx, target, exists); err != nil {
			return err
		}
		r := &packageRestorer{a: a, tx: tx, files: files, plan: plan, o: o, source: sourceName(path)}
		if err := r.run(ctx); err != nil {
			return err
		}
		out.Key, out.Media, out.Replaced, out.KeptAs = r.key, r.restored.Media, r.old != nil, r.kept
		if !exists {
			return a.own(ctx, tx, target)
		}
		return nil
	})
	if err != nil {
		out.Errors = append(out.Errors, problemsOf(err)...)
		return out, err
	}
	out.Status = restoreDone
	return out, nil
}

// readBackup opens and reads an archive; done closes it.
func (a *App) readBackup(ctx context.Context, path string, l backup.Limits, strict bool, progress Progress, info *PackageInfo) (_ *backup.Plan, done func() error, err error) {
	progress.begin("reading the archive")
	archive, err := backup.Open(ctx, path, l)
	if err != nil {
		return nil, nil, err
	}
	fail := func(err error) (*backup.Plan, func() error, error) {
		return nil, nil, errors.Join(err, archive.Close())
	}
	digest, err := digestFile(path)
	if err != nil {
		return fail(err)
	}
	info.Bytes, info.SHA256 = archive.Size(), &digest
	plan, err := archive.Read(ctx, backup.ReadOptions{Strict: strict})
	if err != nil {
		return fail(err)
	}
	return plan, archive.Close, nil
}

func digestFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fault.Errorf(fault.Unavailable, path, "cannot be read: %w", err)
	}
	defer func() { _ = f.Close() }() // only read
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", fault.Errorf(fault.Unavailable, path, "cannot be read: %w", err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// problemsOf returns the problems that an error is about, if it is about the archive.
func problemsOf(err error) []backup.Problem {
	var p *backup.Problems
	if errors.As(err, &p) {
		return p.List
	}
	return nil
}

// check refuses options that do not go together, or not with the archive.
func (o PackageRestore) check(plan *backup.Plan) error {
	switch {
	case o.Staged && (o.Key != "" || o.Replace):
		return fault.Errorf(fault.Usage, "--staged", "a staged restore makes its own key").WithNext("leave out --key and --replace")
	case o.Staged && plan.Course != nil:
		return fault.Errorf(fault.Refused, plan.Key, "a course cannot be staged: it is its key").WithNext("restore it with --key, or --replace")
	case !o.Replace && (o.KeepAs != "" || o.DeleteOld):
		return fault.Errorf(fault.Usage, "--keep-as, --delete-old", "they say what becomes of a package that is replaced").WithNext("add --replace")
	case o.KeepAs != "" && o.DeleteOld:
		return fault.Errorf(fault.Usage, "--keep-as, --delete-old", "an old package is either kept or deleted")
	}
	return nil
}

// packageRestorer restores one plan in one transaction.
type packageRestorer struct {
	a      *App
	tx     *db.Tx
	files  media.Files
	plan   *backup.Plan
	o      PackageRestore
	source string

	key       string
	courseKey keys.Course // zero when the package is no course
	old       *publishing.Package
	oldCourse *course.Course
	restored  *backup.Restored
	kept      *string
}

func (r *packageRestorer) run(ctx context.Context) error {
	if err := r.target(ctx); err != nil {
		return err
	}
	ref := r.key
	if r.old != nil {
		// Beside the old one until it is complete, so that who edits that one waits only for the swap.
		ref = r.aside("restoring")
	}
	var err error
	r.restored, err = r.plan.Restore(ctx, r.tx, r.files, backup.RestoreOptions{
		Ref: ref, By: r.a.By, Source: r.source, Progress: r.o.Progress.step("versions"),
	})
	if fault.Is(err, fault.Conflict) && r.old == nil {
		return hint(err, "restore it under another key with --key, or in place of what is there with --replace")
	}
	if err != nil {
		return err
	}
	if r.old != nil {
		return r.swap(ctx)
	}
	return r.adopt(ctx)
}

// target finds the key to restore under, and what is there.
func (r *packageRestorer) target(ctx context.Context) error {
	r.key = cmp.Or(r.o.Key, r.plan.Key)
	if r.o.Staged {
		if r.a.By == 0 {
			return fault.Errorf(fault.Usage, "--staged", "a staged restore names the user in its key").WithNext("add --as USER")
		}
		u, err := user.ByID(ctx, r.tx, user.ID(r.a.By))
		if err != nil {
			return err
		}
		r.key = backup.StagedRef(u.Username, r.plan.Key, r.tx.Now())
	}
	if err := r.courseTarget(); err != nil {
		return err
	}
	pkg, err := publishing.PackageByRef(ctx, r.tx, r.key)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil || !r.o.Replace {
		return err // without --replace it is the conflict of making the package
	}
	r.old = &pkg
	if r.oldCourse, err = course.Of(ctx, r.tx, pkg); err != nil {
		return err
	}
	if (r.oldCourse != nil) != (r.plan.Course != nil) {
		return fault.Errorf(fault.Refused, r.key, "one of the two is a course and the other is none").WithNext("restore it under another key")
	}
	return nil
}

// courseTarget reads the key of a course, which has to be one of the same kind as the archive's.
func (r *packageRestorer) courseTarget() error {
	k, err := keys.ParseCourse(r.key)
	if r.plan.Course == nil {
		if err == nil && !r.o.Staged {
			return fault.Errorf(fault.Refused, r.key, "this is the key of a course, and the archive holds none").WithNext("restore it under another key with --key")
		}
		return nil
	}
	if err != nil {
		return fault.Errorf(fault.Usage, r.key, "not the key of a course: %w", err).WithNext("write course-v1:ORG+COURSE+RUN, or library-v1:ORG+LIBRARY")
	}
	was, err := keys.ParseCourse(r.plan.Course.Key)
	if err != nil {
		return fault.Errorf(fault.Invalid, r.source, "its course has the key %q: %w", r.plan.Course.Key, err)
	}
	if was.IsCourse() != k.IsCourse() {
		return fault.Errorf(fault.Refused, r.key, "a course cannot become a library, nor the other way round").WithNext("use a key like " + was.String())
	}
	if r.restoredRoot() == "" {
		return fault.Errorf(fault.Invalid, r.source, "its course names a root that is not in it")
	}
	r.courseKey = k
	return nil
}

// restoredRoot returns the ref of the course's root if the archive has it.
func (r *packageRestorer) restoredRoot() string {
	if r.plan.Has(r.plan.Course.Root) {
		return r.plan.Course.Root
	}
	return ""
}

// aside makes a key that nothing else has.
func (r *packageRestorer) aside(what string) string {
	return r.key + "~" + what + "~" + r.tx.Now().UTC().Format("20060102T150405.000000Z")
}

// adopt makes the restored package a course, if it is one.
func (r *packageRestorer) adopt(ctx context.Context) error {
	if r.plan.Course == nil {
		return nil
	}
	c := r.plan.Course
	_, err := course.Adopt(ctx, r.tx, r.restored.Package, r.restored.Entity(c.Root), course.Identity{
		Key: r.courseKey, Root: c.Root, Title: c.Title, Language: c.Language, Created: c.Created,
	})
	return err
}

// swap puts the restored package in the place of the old one.
func (r *packageRestorer) swap(ctx context.Context) error {
	if r.oldCourse != nil {
		if err := r.oldCourse.Replace(ctx, r.tx, r.restored.Package, r.restored.Entity(r.plan.Course.Root)); err != nil {
			return err
		}
	}
	if r.o.DeleteOld {
		if r.oldCourse != nil {
			if err := course.DropLabels(ctx, r.tx, r.old.ID); err != nil {
				return err
			}
		}
		if err := migrator.Forget(ctx, r.tx, r.old.ID); err != nil {
			return err
		}
		err := content.DeletePackage(ctx, r.tx, r.old.ID)
		if errors.Is(err, db.ErrForeignKey) {
			return fault.Errorf(fault.Refused, r.key, "other tables name the package that is there: %w", err).WithNext("keep it, without --delete-old")
		}
		if err != nil {
			return err
		}
	} else {
		kept := cmp.Or(r.o.KeepAs, r.aside("replaced"))
		if err := r.rename(ctx, *r.old, kept); err != nil {
			return err
		}
		r.kept = &kept
	}
	return r.rename(ctx, r.restored.Package, r.key)
}

// rename gives a package another key; that does not count as an update of it.
func (r *packageRestorer) rename(ctx context.Context, p publishing.Package, key string) error {
	_, err := publishing.UpdatePackage(ctx, r.tx, p.ID, publishing.PackageChange{Ref: &key, Updated: p.Updated})
	return err
}
