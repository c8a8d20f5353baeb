package olx

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/olx/archive"
	"github.com/openlectern/lectern/olx/xmltree"
)

// ReadOptions says how an archive is read.
type ReadOptions struct {
	// Lenient keeps what cannot be read, as opaque blocks in their places, instead of failing (olx.md §1.10).
	Lenient bool
	// Target is the course or library to read for: its key replaces the archive's own (olx.md §2.4), and its kind says
	// which root file is looked for. Zero means the archive's own key, as course-v1 or library-v1.
	Target keys.Course
	// XML bounds what one XML file may hold.
	XML xmltree.Limits
}

// Result is what an archive holds.
type Result struct {
	State courseware.State
	// Source is the archive's own key.
	Source keys.Course
	// Findings are what was noticed, in the order of reading; those of severity error are what strict reading fails on.
	Findings []courseware.Finding
	// Ignored are the files that reading does not use, sorted; a folder of which nothing is used is there by its name and
	// a slash.
	Ignored []string
	// Places says where in the archive each block of the published tree is, and each block of the draft tree that is only
	// there.
	Places map[courseware.BlockID]Place
}

// Place is where in an archive something is.
type Place struct {
	File string // from the course directory
	Line int    // from 1; 0 for a whole file
}

// Error says that an archive cannot be read, with every reason that was found.
type Error struct{ Findings []courseware.Finding }

func (e *Error) Error() string {
	if len(e.Findings) == 1 {
		return e.Findings[0].String()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d errors", len(e.Findings))
	for _, f := range e.Findings {
		b.WriteString("\n" + f.String())
	}
	return b.String()
}

// Unwrap makes the error one of kind fault.Invalid.
func (e *Error) Unwrap() error {
	f := e.Findings[0]
	text := f.Message
	if n := len(e.Findings); n > 1 {
		text = fmt.Sprintf("%s (and %d more errors)", text, n-1)
	}
	return &fault.Error{Kind: fault.Invalid, Thing: place(f.File, f.Line), Text: text, Next: f.Remedy}
}

// Read reads an archive into the tree of a course or a library: what is published, and what is drafted where the archive
// has drafts. Keys and links of the source course are moved to the target. The files of static/ are not read but opened on
// demand, so the archive has to stay open as long as the result is used.
//
// In strict mode an archive with block-level errors gives an *Error that lists all of them; in lenient mode only one
// without a readable root does. The result comes with the error where there is one, for its findings. Several archives
// may be read at once.
func Read(ctx context.Context, a *archive.Archive, o ReadOptions) (*Result, error) {
	l := &loader{ctx: ctx, o: o, used: map[string]bool{}, res: &Result{Places: map[courseware.BlockID]Place{}}}
	for _, w := range a.Warnings() {
		l.note().warn(w.Member, 0, w.Rule, "", "%s", w.Text)
	}
	err := l.load(a)
	if l.full != nil {
		return l.res, fmt.Errorf("read %s: %w", a.Path(), l.full)
	}
	if ctx.Err() != nil {
		return l.res, fmt.Errorf("read %s: %w", a.Path(), ctx.Err())
	}
	var p *problem
	if errors.As(err, &p) {
		l.res.Findings = append(l.res.Findings, p.finding())
		err = &Error{[]courseware.Finding{p.finding()}}
	}
	if err != nil {
		return l.res, err
	}
	l.res.Ignored = l.ignored()
	if !o.Lenient {
		var failed []courseware.Finding
		for _, f := range l.res.Findings {
			if f.Severity == courseware.Error {
				failed = append(failed, f)
			}
		}
		if failed != nil {
			return l.res, &Error{failed}
		}
	}
	return l.res, nil
}

// loader reads one archive.
type loader struct {
	ctx    context.Context //nolint:containedctx // lives as long as one call of Read
	o      ReadOptions
	a      *archive.Archive // the course directory
	used   map[string]bool  // files that were looked at
	res    *Result
	course *courseware.Course
	run    string // names files of the archive
	move   mover
	policy *policy
	spool  courseware.Spool
	full   error // why a body could not be kept
}

// keep puts the body of a block away. Read fails where that cannot be done.
func (l *loader) keep(data []byte) courseware.Body {
	b, err := l.spool.Keep(data)
	if err != nil {
		l.full = err
	}
	return b
}

func (l *loader) note() notes {
	return func(f courseware.Finding) { l.res.Findings = append(l.res.Findings, f) }
}

func (l *loader) fail(p *problem) { l.res.Findings = append(l.res.Findings, p.finding()) }

// load reads everything. An error of type *problem is one of the archive as a whole.
func (l *loader) load(a *archive.Archive) error {
	rootFile, err := l.findRoot(a)
	if err != nil {
		return err
	}
	n, err := l.root(rootFile)
	if err != nil {
		return err
	}
	if err := l.identify(n, a); err != nil {
		return err
	}
	l.course = &courseware.Course{Key: l.move.to, Blocks: map[courseware.BlockID]*courseware.Block{}}
	l.res.State.Published = l.course
	if l.course.Key.IsCourse() {
		l.readPolicies()
		l.readDetached()
	}
	t := l.newTree("")
	if err := t.root(n); err != nil {
		return err
	}
	if l.policy != nil {
		l.policy.unused(l.note())
	}
	l.readAssets()
	if l.course.Key.IsCourse() {
		l.readDrafts()
	}
	return nil
}

// findRoot takes the course directory: the one that holds the root file of the target's kind (olx.md §1.1).
func (l *loader) findRoot(a *archive.Archive) (file string, err error) {
	candidates := []string{"course.xml", "library.xml"}
	switch {
	case l.o.Target.IsCourse():
		candidates = candidates[:1]
	case !l.o.Target.IsZero():
		candidates = candidates[1:]
	}
	for _, file := range candidates {
		dir, rivals, ok := archive.FindRoot(a.Names(), file)
		if !ok {
			continue
		}
		for _, other := range rivals {
			l.note().warn(path.Join(other, file), 0, "SeveralRoots", "leave one course in the archive",
				"another %s at the same depth; the one in %q is read", file, dir)
		}
		l.a = a.Sub(dir)
		return file, nil
	}
	what := strings.Join(candidates, " or ")
	return "", &problem{rule: ruleNoCourse, file: a.Path(), text: "could not find the " + what + " file in the archive",
		remedy: "export a course or library again, or name a target of the archive's kind"}
}

// root reads the root file.
func (l *loader) root(file string) (*xmltree.Node, error) {
	n, _, p := l.xml(file)
	if p != nil {
		return nil, p
	}
	if want := strings.TrimSuffix(file, ".xml"); n.Name.String() != want {
		return nil, &problem{file, n.Line(), ruleTag, fmt.Sprintf("the root element is <%s> instead of <%s>", n.Name, want),
			"make it a <" + want + "> element"}
	}
	return n, nil
}

// identify finds the archive's own key and the target (olx.md §1.3).
func (l *loader) identify(n *xmltree.Node, a *archive.Archive) error {
	kind := n.Name.String()
	file := kind + ".xml"
	org, ok := n.Attr("org")
	if !ok {
		org = "edx"
		l.note().warn(file, n.Line(), ruleSetting, "add an org attribute", "the %s has no org; %q is taken", kind, org)
	}
	code, ok := n.Attr(kind)
	if !ok {
		code = path.Base(strings.TrimSuffix("/"+l.a.Prefix(), "/"))
		if l.a.Prefix() == "" {
			code = folderName(a.Path())
		}
		l.note().warn(file, n.Line(), ruleSetting, "add a "+kind+" attribute with its number",
			"the %s has no number; the name of its folder, %q, is taken", kind, code)
	}
	var source keys.Course
	var err error
	if kind == "library" {
		source, err = keys.NewLegacyLibrary(org, code)
	} else {
		if l.run = l.runName(n); l.run == "" {
			return &problem{file, n.Line(), ruleNoRun, "the course has no url_name, so its run is unknown", "add a url_name attribute"}
		}
		source, err = keys.NewCourse(org, code, l.run)
	}
	if err != nil {
		return &problem{file, n.Line(), ruleNoRun, fmt.Sprintf("the %s has no valid key: %v", kind, err),
			"use letters, digits and _ - . ~ in org, number and run"}
	}
	l.res.Source = source
	l.move = mover{from: source, to: source, links: newLinker(source)}
	if !l.o.Target.IsZero() {
		l.move.to = l.o.Target
	}
	return nil
}

func (l *loader) runName(n *xmltree.Node) string {
	for _, source := range [...]string{"url_name", "slug"} {
		if s, _ := n.Attr(source); s != "" {
			return s
		}
	}
	name, _ := n.Attr("name")
	if name = clean(name); name != "" {
		l.note().warn("course.xml", n.Line(), ruleNoName, "add a url_name attribute", "the run is taken from the obsolete attribute name")
	}
	return name
}

// folderName returns the name that an archive's content would have as a folder.
func folderName(p string) string {
	p = path.Base(strings.ReplaceAll(p, `\`, "/"))
	for _, suffix := range [...]string{".tar.gz", ".tgz", ".zip"} {
		p = strings.TrimSuffix(p, suffix)
	}
	return p
}
