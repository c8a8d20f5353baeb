package backup

import (
	"context"
	"slices"
	"strings"

	"github.com/openlectern/lectern/content/components"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/zipdir"
)

// ReadOptions says how an archive is judged.
type ReadOptions struct {
	// Strict makes errors of what is otherwise dropped or mended with a warning: a branch or child that names something
	// that is not there, a version twice, a key that is no code. And a published entity without a draft, which
	// otherwise gets the published version as its draft, as in Open edX, is restored without one (defect B7).
	Strict bool
}

// Read reads everything that an archive says, and checks it. The error is a [*Problems] with all that is wrong,
// in the order of backup-format.md §6: files out of place, package.toml, components, containers, collections.
// Nothing is written.
func (a *Archive) Read(ctx context.Context, o ReadOptions) (*Plan, error) {
	r := &reader{
		ctx: ctx, a: a, strict: o.Strict, warn: &Problems{Archive: a.path},
		used: map[string]string{}, plan: &Plan{archive: a, strict: o.Strict, byRef: map[string]int{}},
	}
	if err := r.all(); err != nil {
		return nil, err
	}
	r.plan.Warnings = r.warn.List
	bad := &Problems{Archive: a.path}
	for _, p := range []*Problems{&r.inventory, &r.head, &r.leaves, &r.parents, &r.sets} {
		for _, one := range p.List {
			if len(bad.List) < maxProblems {
				bad.List = append(bad.List, one)
			} else {
				bad.More++
			}
		}
		bad.More += p.More
	}
	if bad.Len() > 0 {
		return nil, bad
	}
	return r.plan, nil
}

// reader reads one archive.
type reader struct {
	ctx    context.Context
	a      *Archive
	plan   *Plan
	strict bool
	buffer []byte // of the file that is looked at

	inventory, head, leaves, parents, sets Problems
	warn                                   *Problems
	used                                   map[string]string // codes of collections, with their files
	local                                  map[string]int    // components by namespace, type and the last part of their keys; made when needed
}

// lenient adds what a strict reader takes for an error.
func (r *reader) lenient(problems *Problems, file, section, field, code, format string, args ...any) {
	if !r.strict {
		problems = r.warn
	}
	problems.add(file, section, field, code, format, args...)
}

// decode reads a TOML file of the archive; ok is false when it is none. Only what is not the archive's fault is an error.
func (r *reader) decode(i int, problems *Problems) (t map[string]any, ok bool, err error) {
	if err := r.ctx.Err(); err != nil {
		return nil, false, err
	}
	m := r.a.files[i]
	content, err := r.read(m, r.a.limits.TOML)
	if err != nil {
		return nil, false, collect(problems, m.Name, err)
	}
	t, ok = decode(content, m.Name, problems)
	return t, ok, nil
}

// read returns the content of a file, until the next is read.
func (r *reader) read(m zipdir.Member, limit int64) (content []byte, err error) {
	r.buffer, content, err = r.a.read(m, limit, r.buffer[:0])
	return content, err
}

// collect adds an error about the content of the archive to the problems, and returns any other.
func collect(problems *Problems, file string, err error) error {
	if !fault.Is(err, fault.Invalid) {
		return err
	}
	code, text := CodeInvalid, err.Error()
	if p, ok := problemsIn(err); ok {
		code, text = p.Code, p.Text
	}
	problems.add(file, "", "", code, "%s", text)
	return nil
}

func (r *reader) all() error {
	if err := r.readHead(); err != nil {
		return err
	}
	if err := r.readBeside(); err != nil {
		return err
	}
	var sets []int
	var statics [][2]int // ranges of files
	for i := range r.a.files {
		name := r.a.files[i].Name
		switch classify(name) {
		case isContainer:
			if err := r.entity(i, true, &r.parents); err != nil {
				return err
			}
		case isComponent:
			if err := r.entity(i, false, &r.leaves); err != nil {
				return err
			}
		case isStatic:
			if n := len(statics); n > 0 && statics[n-1][1] == i {
				statics[n-1][1] = i + 1
			} else {
				statics = append(statics, [2]int{i, i + 1})
			}
		case isCollection:
			sets = append(sets, i)
		case isOther:
			r.warn.add(name, "", "", CodeIgnored, "the file is not of this format and is ignored")
		}
	}
	for _, s := range statics {
		r.owners(s[0], s[1])
	}
	r.codes()
	r.children()
	if err := r.contents(); err != nil {
		return err
	}
	for _, i := range sets {
		if err := r.collection(i); err != nil {
			return err
		}
	}
	slices.SortStableFunc(r.plan.collections, func(a, b collection) int {
		return inOrder(r.a.files[r.a.find(a.file)], r.a.files[r.a.find(b.file)])
	})
	return nil
}

// class is what a file of an archive is, by its path.
type class uint8

const (
	isOther class = iota
	isPackage
	isContainer
	isComponent
	isStatic
	isCollection
	isBeside
)

// classify says what a file is (backup-format.md §2). Unlike in Python a file in a version folder is one of that version
// whatever its ending (defect B5).
func classify(name string) class {
	switch {
	case name == packageFile:
		return isPackage
	case strings.HasPrefix(name, lecternDir):
		return isBeside
	case strings.HasPrefix(name, collectionsDir) && strings.HasSuffix(name, ending):
		return isCollection
	case !strings.HasPrefix(name, entitiesDir):
		return isOther
	}
	if !strings.HasSuffix(name, ending) || inVersion(name) {
		return isStatic
	}
	if strings.IndexByte(name[len(entitiesDir):], '/') < 0 {
		return isContainer
	}
	return isComponent
}

// inVersion reports whether a path is below the folder of a component's versions.
func inVersion(name string) bool {
	_, folder, _ := owner(name)
	return folder != ""
}

// owner splits the path of a file below entities/ into the path of the component it belongs to, without ending, the
// folder of that component's versions, and the rest. The folder is "" for a file elsewhere.
func owner(name string) (component, folder, rest string) {
	cut := [5]int{} // ends of the first segments
	n := 0
	for i := 0; i < len(name) && n < len(cut); i++ {
		if name[i] == '/' {
			cut[n] = i
			n++
		}
	}
	const versions = len(versionsDir) - 1
	switch {
	case n == 5 && name[cut[3]+1:cut[4]] == versionsDir[:versions]:
		return name[:cut[3]], name[:cut[4]+1], name[cut[4]+1:]
	case n >= 4 && name[cut[2]+1:cut[3]] == versionsDir[:versions]: // of a component whose name is empty
		return name[:cut[2]+1], name[:cut[3]+1], name[cut[3]+1:]
	case n >= 4:
		return name[:cut[3]], "", name
	}
	return name, "", name
}

// owners finds the components of files, and tells of files without one (errors E2, defect B1).
func (r *reader) owners(from, to int) {
	last, ok := "", false
	for _, m := range r.a.files[from:to] {
		component, folder, rest := owner(m.Name)
		if component != last || last == "" {
			last, ok = component, r.owned(component, folder)
		}
		num, _, inside := strings.Cut(rest, "/")
		switch {
		case !ok:
			file := component + ending
			if folder != "" && strings.HasSuffix(component, "/") {
				file = strings.TrimSuffix(folder, "/") + ending
			}
			r.inventory.add(m.Name, "", "", CodeMissing, "Missing component TOML file at %s", file)
		case folder == "" || !inside || versionNum(num) == 0:
			r.warn.add(m.Name, "", "", CodeIgnored, "the file is of no version and is ignored")
		}
	}
}

// owned reports whether there is a component beside a folder of files, or one whose key names the folder.
func (r *reader) owned(component, folder string) bool {
	if r.a.find(component+ending) >= 0 {
		return true
	}
	if folder == "" {
		return false
	}
	if r.local == nil {
		r.local = make(map[string]int, len(r.plan.entities))
		for i := range r.plan.entities {
			if e := &r.plan.entities[i]; !e.isContainer() {
				if _, _, code, ok := splitRef(e.ref); ok {
					r.local[e.component.Namespace+"/"+e.component.Name+"/"+code] = i
				}
			}
		}
	}
	i, ok := r.local[strings.TrimPrefix(component, entitiesDir)]
	if ok {
		r.plan.entities[i].folder = folder
	}
	return ok
}

// versionNum returns the number of a version folder such as v3, 0 when it is none.
func versionNum(name string) int {
	if len(name) < 2 || name[0] != 'v' || name[1] == '0' || len(name) > 10 {
		return 0
	}
	n := 0
	for _, c := range []byte(name[1:]) {
		if c < '0' || c > '9' {
			return 0
		}
		n = n*10 + int(c-'0')
	}
	return n
}

// splitRef splits the key of a component at its first two colons.
func splitRef(ref string) (namespace, name, code string, ok bool) {
	namespace, rest, ok := strings.Cut(ref, ":")
	if !ok {
		return "", "", "", false
	}
	name, code, ok = strings.Cut(rest, ":")
	return namespace, name, code, ok
}

// contents checks the files of the versions: sizes, paths, and that OLX is UTF-8.
func (r *reader) contents() error {
	limit := r.a.limits.file(r.plan.Lectern)
	for i := range r.plan.entities {
		e := &r.plan.entities[i]
		some, none, problems := false, false, &r.leaves
		if e.isContainer() {
			problems = &r.parents
		}
		for j := range e.versions {
			v := &e.versions[j]
			list := r.plan.settingsOf(e, v)
			if !e.isContainer() {
				list = r.plan.filesOf(e, v)
				some, none = some || len(list) > 0, none || len(list) == 0
			}
			for _, f := range list {
				if err := r.content(e, f, limit, problems); err != nil {
					return err
				}
			}
			r.promised(e, v, list, problems)
		}
		if some && none {
			r.complete(e)
		}
	}
	return nil
}

// content checks one file of a version.
func (r *reader) content(e *entity, f found, limit int64, problems *Problems) error {
	if err := components.CheckPath(f.path); err != nil {
		problems.add(f.Name, "", "path", CodePath, "%v", err)
		return nil
	}
	if f.Size > limit {
		problems.add(f.Name, "", "size", CodeTooLarge, "Ensure this value is less than or equal to %d.", limit)
		return nil
	}
	if f.path != blockFile || e.isContainer() {
		return nil
	}
	if err := r.ctx.Err(); err != nil {
		return err
	}
	content, err := r.read(f.Member, limit)
	if err != nil {
		return collect(problems, f.Name, err)
	}
	if at := firstInvalid(content); at >= 0 {
		problems.add(f.Name, "", "", CodeEncoding, "not UTF-8 at byte %d", at)
	}
	r.plan.remember(f.Name, content)
	return nil
}

// promised tells of files that lectern/ names and that are not there.
func (r *reader) promised(e *entity, v *version, list []found, problems *Problems) {
next:
	for _, k := range v.media {
		for _, f := range list {
			if f.path == k.path {
				continue next
			}
		}
		problems.add(e.file, "", "media", CodeMissing, "version %d has no file %s", v.num, printable(k.path))
	}
}

// complete tells of versions that lost their files while others of the component have some (defect B1). A version that
// never had any still has its folder.
func (r *reader) complete(e *entity) {
	place, ok := placeOf(e.file)
	for j := range e.versions {
		v := &e.versions[j]
		if v.extra || len(r.plan.filesOf(e, v)) > 0 {
			continue
		}
		folder := place.versions() + versionFolder(v.num)
		if ok && r.a.hasFolder(folder) || e.folder != "" && r.a.hasFolder(e.folder+versionFolder(v.num)) {
			continue
		}
		r.leaves.add(e.file, "", "version", CodeMissing, "the files of version %d are missing: there is no folder %s", v.num, folder)
	}
}
