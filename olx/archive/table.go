package archive

import (
	"slices"
	"strings"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// entry says where a file lies. What the offset means is up to the backend.
type entry struct {
	size int64
	at   int64
	sum  *[digestLen]byte // where it is known
}

// table collects the members of an archive and refuses what may not be in it.
type table struct {
	limits Limits
	files  map[string]entry
	dirs   map[string]bool // true if the archive lists it, false if only files below it do
	seen   int             // members
	total  int64
	text   int64
}

func newTable(l Limits) *table {
	return &table{limits: l, files: map[string]entry{}, dirs: map[string]bool{}}
}

// count takes note of one more member of any kind.
func (t *table) count() *Error {
	if t.seen++; t.seen > t.limits.Entries {
		return refuse("", TooLarge, "more than %d entries", t.limits.Entries)
	}
	return nil
}

// addDir takes a directory; its name may end in a slash and start with "./".
func (t *table) addDir(raw string) *Error {
	name := strings.TrimSuffix(clean(raw), "/")
	if name == "" || name == "." {
		return nil // the top itself, which tar lists when it packs "."
	}
	if err := t.check(raw, name); err != nil {
		return err
	}
	if _, isFile := t.files[name]; isFile {
		return refuse(raw, DuplicateEntry, "both a file and a directory")
	}
	if t.dirs[name] {
		return refuse(raw, DuplicateEntry, "the directory is there twice")
	}
	t.dirs[name] = true
	return t.checkDirs(raw)
}

// addFile takes a file of which the size is known, though perhaps not true; returned is the name to put the entry under.
func (t *table) addFile(raw string, size int64) (string, *Error) {
	name := clean(raw)
	if strings.HasSuffix(name, "/") {
		return "", refuse(raw, Unsafe, "a file whose name ends in a slash")
	}
	if err := t.check(raw, name); err != nil {
		return "", err
	}
	if _, twice := t.files[name]; twice {
		return "", refuse(raw, DuplicateEntry, "the file is there twice")
	}
	if _, isDir := t.dirs[name]; isDir {
		return "", refuse(raw, DuplicateEntry, "both a file and a directory")
	}
	if size < 0 {
		return "", refuse(raw, Damaged, "a negative size")
	}
	if size > t.limits.File {
		return "", refuse(raw, TooLarge, "larger than %d bytes", t.limits.File)
	}
	if t.total += size; t.total > t.limits.Total {
		return "", refuse(raw, TooLarge, "all files up to this one hold more than %d bytes", t.limits.Total)
	}
	if isText(name) {
		if size > t.limits.Text {
			return "", refuse(raw, TooLarge, "an XML, JSON or HTML file larger than %d bytes", t.limits.Text)
		}
		if t.text += size; t.text > t.limits.TextTotal {
			return "", refuse(raw, TooLarge, "XML, JSON and HTML files up to this one hold more than %d bytes", t.limits.TextTotal)
		}
	}
	t.files[name] = entry{size: size}
	return name, nil
}

// clean takes off the "./" that tar writes when it packs the present folder. Nothing else is tidied up: what else needs
// cleaning is refused.
func clean(raw string) string {
	for strings.HasPrefix(raw, "./") {
		raw = raw[2:]
	}
	return raw
}

// check refuses a bad name, and one of which a part is a file.
func (t *table) check(raw, name string) *Error {
	if err := checkName(name); err != nil {
		err.Member = raw
		return err
	}
	for i := range len(name) {
		if name[i] != '/' {
			continue
		}
		dir := name[:i]
		if _, isFile := t.files[dir]; isFile {
			return refuse(raw, DuplicateEntry, "%s is both a file and a directory", printable(dir))
		}
		if _, known := t.dirs[dir]; !known {
			t.dirs[dir] = false
		}
	}
	return t.checkDirs(raw)
}

// checkDirs bounds the directories too, as a few members can imply many.
func (t *table) checkDirs(raw string) *Error {
	if len(t.dirs) > t.limits.Entries {
		return refuse(raw, TooLarge, "more than %d directories", t.limits.Entries)
	}
	return nil
}

// names returns the files, sorted bytewise.
func (t *table) names() []string {
	names := make([]string, 0, len(t.files))
	for n := range t.files {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// alike warns of names that some file systems take for one: equal after composition and case folding.
func alike(names []string) []Warning {
	var warnings []Warning
	first := make(map[string]string, len(names))
	fold := cases.Fold()
	for _, n := range names {
		key := norm.NFC.String(fold.String(norm.NFC.String(n)))
		if other, ok := first[key]; ok {
			warnings = append(warnings, Warning{n, DuplicateEntry, "differs from " + other +
				" only in case or in how accents are encoded, which some file systems do not keep apart"})
			continue
		}
		first[key] = n
	}
	return warnings
}
