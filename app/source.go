package app

import (
	"context"
	"errors"
	"os"

	"github.com/openlectern/lectern/content/backup"
	"github.com/openlectern/lectern/course"
	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/olx"
	"github.com/openlectern/lectern/olx/archive"
)

// sourceKind is a kind of file or folder that a course or legacy library can be read from. All of them give the one tree in
// the middle, [courseware.State], from which the one import makes a difference and the one migrator a plan. So a new kind is a
// package that reads it, and a line in sourceKinds; nothing else knows of it (docs/architecture.md, "Adding a source").
type sourceKind struct {
	name string
	// is reports whether a path holds this kind, by a look at what tells it from others. It need not be sound.
	is   func(path string) bool
	read func(ctx context.Context, path string, o readOptions) (*readSource, error)
}

// sourceKinds are the kinds there are, the first that says it is one reads it. The last takes what is left.
var sourceKinds = []sourceKind{
	{"backup", backup.Is, readBackupSource},
	{"olx", func(string) bool { return true }, readOLX},
}

// readOptions say how a source is read.
type readOptions struct {
	Target  keys.Course // key to read it for; zero means its own
	Lenient bool        // keep what cannot be read, as opaque blocks
}

// readSource is what was read of a source. Files and texts are opened on demand, until Close.
type readSource struct {
	State    courseware.State
	Key      keys.Course // its own
	Findings []courseware.Finding
	Ignored  []string // files that were not used
	Close    func() error
}

// readFrom reads a source of any kind. Where it cannot be read what was found is in the result, beside the error; then there
// is nothing to close.
func readFrom(ctx context.Context, path string, o readOptions) (*readSource, error) {
	for _, k := range sourceKinds {
		if k.is(path) {
			return k.read(ctx, path, o)
		}
	}
	return nil, fault.Errorf(fault.Invalid, path, "this is nothing that a course can be read from").WithNext("name an archive or folder of OLX, or a backup")
}

func readOLX(ctx context.Context, path string, o readOptions) (*readSource, error) {
	src, err := archive.Open(ctx, path, archive.Limits{}, archive.Options{})
	if err != nil {
		return nil, err
	}
	read, err := olx.Read(ctx, src, olx.ReadOptions{Lenient: o.Lenient, Target: o.Target})
	if err != nil {
		out := &readSource{}
		if read != nil {
			out.Findings, out.Ignored, out.Key = read.Findings, read.Ignored, read.Source
		}
		return out, errors.Join(err, src.Close())
	}
	return &readSource{State: read.State, Key: read.Source, Findings: read.Findings, Ignored: read.Ignored, Close: src.Close}, nil
}

// readBackupSource reads the backup of a course or legacy library: it is restored into a database of its own, which is thrown
// away, and read from there, so that what a backup means is known in one place. Its history stays behind: an import has one of
// its own.
func readBackupSource(ctx context.Context, path string, o readOptions) (_ *readSource, err error) {
	temp, err := os.MkdirTemp("", "lectern-source-")
	if err != nil {
		return nil, fault.Errorf(fault.Unavailable, "temporary folder", "cannot be made: %w", err)
	}
	end := func() error { return os.RemoveAll(temp) }
	defer func() {
		if err != nil {
			err = errors.Join(err, end())
		}
	}()
	scratch, err := Open(ctx, Config{Data: temp, Write: true})
	if err != nil {
		return nil, err
	}
	end = func() error { return errors.Join(scratch.Close(), os.RemoveAll(temp)) }
	r := PackageRestore{}
	if !o.Target.IsZero() {
		r.Key = o.Target.String()
	}
	done, err := scratch.RestorePackage(ctx, path, r)
	out := &readSource{Close: end}
	for _, p := range done.Errors {
		out.Findings = append(out.Findings, courseware.Finding{File: p.Label(), Rule: p.Code, Severity: courseware.Error, Message: p.Text,
			Remedy: "see all of it with: lectern package verify " + path})
	}
	for _, p := range done.Warnings {
		out.Findings = append(out.Findings, courseware.Finding{File: p.Label(), Rule: p.Code, Severity: courseware.Warning, Message: p.Text})
	}
	if err != nil {
		return out, err
	}
	if out.Key, err = keys.ParseCourse(done.ArchiveKey); err != nil {
		return nil, fault.Errorf(fault.Invalid, path, "this is the backup of %s, which is neither a course nor a legacy library", done.ArchiveKey).
			WithNext("restore it with: lectern package restore " + path)
	}
	key, err := keys.ParseCourse(done.Key)
	if err != nil {
		return nil, err
	}
	err = scratch.View(ctx, func(tx *db.Tx) error {
		c, err := course.Find(ctx, tx, key)
		if err == nil {
			out.State, err = c.LoadState(ctx, tx, scratch.Files)
		}
		return err
	})
	if fault.Is(err, fault.NotFound) {
		err = fault.Errorf(fault.Invalid, path, "the backup has the content of %s, and does not say that it is a course", done.ArchiveKey).
			WithNext("restore it with: lectern package restore " + path)
	}
	return out, err
}
