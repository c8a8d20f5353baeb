package validate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/olx"
	"github.com/openlectern/lectern/olx/archive"
	"github.com/openlectern/lectern/olx/xmltree"
)

// Report is what is to be said about an archive.
type Report struct {
	// Findings are sorted by file, line and rule. Files are named from the course directory, except in findings about the
	// archive itself.
	Findings []courseware.Finding
	// Blocks counts the blocks that can be reached from the root, those only drafted included; detached ones not.
	Blocks int
	// Files counts the files of the archive.
	Files int
}

// Failed reports whether any finding is an error.
func (r *Report) Failed() bool {
	return slices.ContainsFunc(r.Findings, func(f courseware.Finding) bool { return f.Severity == courseware.Error })
}

// Path validates the archive at a path: a folder, a .tar.gz or a .zip. An archive that is refused as unsafe, too large or
// damaged is a report with that finding. An error is one of this machine: no such file, no space, cancelled.
func Path(ctx context.Context, path string, limits archive.Limits, opts archive.Options) (report *Report, err error) {
	a, err := archive.Open(ctx, path, limits, opts)
	var bad *archive.Error
	switch {
	case errors.As(err, &bad):
		return &Report{Findings: []courseware.Finding{{
			File: cmp.Or(bad.Member, bad.Archive), Rule: bad.Rule, Severity: courseware.Error, Message: bad.Text,
			Remedy: "pack the course again: plain files and folders only, each once, in one .tar.gz or .zip",
		}}}, nil
	case err != nil:
		return nil, err
	}
	defer func() {
		if e := a.Close(); err == nil && e != nil {
			report, err = nil, e
		}
	}()
	return Archive(ctx, a)
}

// Archive validates an archive that is open. It stays open.
func Archive(ctx context.Context, a *archive.Archive) (*Report, error) {
	c := &checker{ctx: ctx, report: &Report{Files: len(a.Names())}}
	res, err := olx.Read(ctx, a, olx.ReadOptions{Lenient: true})
	if ctx.Err() != nil {
		return nil, fmt.Errorf("%s: %w", a.Path(), context.Cause(ctx))
	}
	var broken *olx.Error
	if err != nil && !errors.As(err, &broken) {
		return nil, err
	}
	c.imported(res.Findings)
	if broken != nil {
		c.misnamedRoot(a)
	} else {
		c.all(a, res)
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("%s: %w", a.Path(), context.Cause(ctx))
	}
	c.finish()
	return c.report, nil
}

// all checks everything of an archive that can be read.
func (c *checker) all(a *archive.Archive, res *olx.Result) {
	root := "course.xml"
	if res.Source.IsLibrary() {
		root = "library.xml"
	}
	dir, _, _ := archive.FindRoot(a.Names(), root)
	c.a, c.res, c.course, c.rootFile = a.Sub(dir), res, res.State.Published, root
	c.survey()
	c.structure()
	if res.Source.IsCourse() {
		c.policies()
		c.grading()
	}
	c.blocks()
	c.links()
}

// checker holds one validation.
type checker struct {
	ctx      context.Context //nolint:containedctx // lives as long as one call of Archive
	report   *Report
	a        *archive.Archive // the course directory
	rootFile string
	res      *olx.Result
	course   *courseware.Course

	elements []*element
	at       map[olx.Place]*element
	named    map[courseware.BlockID]*element // definitions by type and name as written
	policy   policyFile
	index    linkIndex
}

func (c *checker) add(s courseware.Severity, file string, line int, rule, remedy, format string, args ...any) {
	c.report.Findings = append(c.report.Findings, courseware.Finding{
		File: file, Line: line, Rule: rule, Severity: s, Message: fmt.Sprintf(format, args...), Remedy: remedy,
	})
}

// imported takes over the findings of the importer. It goes on where it can, and so warns of much that the author has to
// mend all the same; those are errors here. Rules that this package looks into more closely are left out.
func (c *checker) imported(findings []courseware.Finding) {
	for _, f := range findings {
		switch f.Rule {
		case policyRefNotFound, gradingPolicyIssue:
			continue
		case badEntry:
			if strings.HasPrefix(f.File, "policies/assets.") {
				break // about a file, not about a setting
			}
			f.Severity = courseware.Error
		case tagMismatch, unexpectedContent, policyNotFound, duplicateURLName, invalidSetting:
			f.Severity = courseware.Error
		}
		c.report.Findings = append(c.report.Findings, f)
	}
}

// misnamedRoot explains a missing root file by a course under another name.
func (c *checker) misnamedRoot(a *archive.Archive) {
	const few = 1000
	missing := slices.IndexFunc(c.report.Findings, func(f courseware.Finding) bool { return f.Rule == courseXMLDoesNotExist })
	if missing < 0 {
		return
	}
	looked := 0
	for _, name := range a.Names() {
		if !strings.HasSuffix(strings.ToLower(name), ".xml") || strings.Count(name, "/") > 1 {
			continue
		}
		if looked++; looked > few {
			return
		}
		data, err := a.ReadFile(name, 1<<20)
		if err != nil {
			continue
		}
		doc, err := xmltree.Parse(name, data, xmltree.Limits{})
		if err != nil || doc.Root.Name.Local != "course" {
			continue
		}
		_, org := doc.Root.Attr("org")
		_, code := doc.Root.Attr("course")
		if org && code {
			// A mere warning would pass an archive that no import takes, so this is what keeps it from being read.
			c.report.Findings[missing] = courseware.Finding{File: name, Line: doc.Root.Line(), Rule: courseXMLName,
				Severity: courseware.Error, Message: "the root file of the course is not called course.xml", Remedy: "call it course.xml"}
			return
		}
	}
}

// finish sorts the findings and takes out what was found twice.
func (c *checker) finish() {
	list := c.report.Findings
	slices.SortStableFunc(list, func(x, y courseware.Finding) int {
		return cmp.Or(strings.Compare(x.File, y.File), cmp.Compare(x.Line, y.Line), strings.Compare(x.Rule, y.Rule))
	})
	c.report.Findings = slices.Compact(list)
}
