package app

import (
	"cmp"
	"context"
	"errors"
	"path/filepath"

	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/course"
	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/oldcourse"
	"github.com/openlectern/lectern/olx/archive"
)

// Progress is told how far a long operation is: which step, and how many of how many of its items are done.
type Progress func(step string, done, total int)

// ImportOptions says how to import.
type ImportOptions struct {
	Key        keys.Course // target; the zero key means the archive's own
	Library    bool        // the archive must hold a legacy library, else it must hold a course
	Lenient    bool        // keep broken blocks as they are
	DraftsOnly bool        // publish nothing
	KeepAssets bool        // keep static files that the archive lacks
	Message    string
	Progress   Progress // may be nil
}

// ImportResult is what an import did, zeros where it failed, and what it noticed.
type ImportResult struct {
	*course.Report
	Findings []courseware.Finding `json:"findings"`
	Ignored  []string             `json:"ignored"` // files and folders of the archive that the format does not know
}

// CheckImport reads an archive that is to go into a database which does not exist yet, so that none is made for an archive
// that cannot be read. Where there is a database, [App.Import] finds out by itself.
func CheckImport(ctx context.Context, c Config, path string, o ImportOptions) (*ImportResult, error) {
	url, _ := c.paths()
	if file, ok := sqlitePath(url); !ok || !missing(file) {
		return nil, nil
	}
	if o.Key.Deprecated() {
		return nil, sameIdentity(o.Key, oldcourse.None)
	}
	result, src, err := o.read(ctx, path)
	if err == nil {
		err = src.Close()
	}
	return result, err
}

// read reads the source of an import. What it notices is in the result, also where it fails; the source stays open
// where it does not.
func (o ImportOptions) read(ctx context.Context, path string) (result *ImportResult, src *readSource, err error) {
	result = &ImportResult{Report: &course.Report{Course: o.Key.String()}, Findings: []courseware.Finding{}, Ignored: []string{}}
	o.Progress.begin("reading the archive")
	src, err = readFrom(ctx, path, readOptions{Target: o.Key, Lenient: o.Lenient})
	if src != nil {
		result.Findings = append(result.Findings, src.Findings...)
		result.Ignored = append(result.Ignored, src.Ignored...)
		if o.Key.IsZero() {
			result.Course = src.Key.String()
		}
	}
	if err != nil {
		result.refused(err)
		return result, nil, err
	}
	if err = o.expects(path, src.Key); err != nil {
		return result, nil, errors.Join(err, src.Close())
	}
	return result, src, nil
}

// Import reads an archive, a folder or a backup and brings the course it holds to that state, in one transaction. When the archive cannot be
// read nothing is changed, and the findings of the result tell why.
func (a *App) Import(ctx context.Context, path string, o ImportOptions) (_ *ImportResult, err error) {
	if err := a.notOld(ctx, "Import", true, thing{name: o.Key.String(), course: o.Key}); err != nil {
		return &ImportResult{Report: &course.Report{Course: o.Key.String()}, Findings: []courseware.Finding{}, Ignored: []string{}}, err
	}
	result, src, err := o.read(ctx, path)
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	target, err := theCourse(src.State.Published.Key)
	if err != nil {
		return result, err
	}
	exists, err := a.mayMake(ctx, "Import", target)
	if err != nil {
		return result, err
	}
	if err := a.sweep(ctx); err != nil {
		return result, err
	}
	im := course.Import{
		Key: src.State.Published.Key, State: src.State, By: a.By, Message: o.Message, Source: sourceName(path),
		DraftsOnly: o.DraftsOnly, KeepAssets: o.KeepAssets, Progress: o.Progress.step("versions"),
	}
	if err := im.Prepare(ctx); err != nil {
		return result, err
	}
	err = a.make(ctx, func(tx *db.Tx, files media.Files) error {
		if err := a.still(ctx, tx, target, exists); err != nil {
			return err
		}
		report, err := im.Run(ctx, tx, files)
		if err == nil {
			result.Report = a.forgetReport(report)
		}
		if err == nil && !exists {
			err = a.own(ctx, tx, target)
		}
		return err
	})
	return result, err
}

// expects refuses an archive of the other kind than the one meant.
func (o ImportOptions) expects(path string, source keys.Course) error {
	switch {
	case o.Library && source.IsCourse():
		return fault.Errorf(fault.Invalid, path, "this is a course, not a library").WithNext("import it with: lectern course import " + path)
	case !o.Library && !source.IsCourse():
		return fault.Errorf(fault.Invalid, path, "this is a library, not a course").WithNext("import it with: lectern library import " + path)
	}
	return nil
}

// refused makes a finding of an archive that is refused as a whole.
func (r *ImportResult) refused(err error) {
	var bad *archive.Error
	if errors.As(err, &bad) {
		r.Findings = append(r.Findings, courseware.Finding{File: cmp.Or(bad.Member, bad.Archive), Rule: bad.Rule,
			Severity: courseware.Error, Message: bad.Text, Remedy: "pack it again: plain files and folders only, each once"})
	}
}

// begin tells of a step whose length is not known.
func (p Progress) begin(name string) {
	if p != nil {
		p(name, 0, 0)
	}
}

func (p Progress) step(name string) func(done, total int) {
	if p == nil {
		return nil
	}
	return func(done, total int) { p(name, done, total) }
}

// sourceName is what history calls an archive or folder: its name, without the folders of this machine.
func sourceName(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	return filepath.Base(path)
}
