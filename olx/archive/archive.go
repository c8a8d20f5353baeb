package archive

import (
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"math"
	"path"
	"slices"
	"strings"
)

// Archive is an archive that was opened and passed all checks, or one folder of it. It may be used by several goroutines
// at once. What its readers deliver is exactly the size that Stat tells, or they end in an error.
type Archive struct {
	path     string
	from     backend
	files    map[string]entry
	prefix   string   // of the names of a sub-archive, with a final slash
	names    []string // without prefix
	dirs     []string
	warnings []Warning
}

// backend reads the files of one kind of archive. Its readers need not check the size.
type backend interface {
	open(name string, e entry) (io.ReadCloser, error)
	close() error
}

// Info describes a file of an archive.
type Info struct {
	Name string
	Size int64
	// Digest is the BLAKE2b-160 of the file in hexadecimal where opening the archive has read it anyway, else "".
	Digest string
}

// Path returns the path that the archive was opened by.
func (a *Archive) Path() string { return a.path }

// Prefix returns the folder inside the archive that names are relative to, with a final slash; "" for the whole archive.
func (a *Archive) Prefix() string { return a.prefix }

// Names returns the names of all files, sorted bytewise. The caller must not change it.
func (a *Archive) Names() []string { return a.names }

// Dirs returns the names of all directories, those included that the archive does not list but has files in, sorted
// bytewise and without final slash. The caller must not change it.
func (a *Archive) Dirs() []string { return a.dirs }

// Warnings returns what is odd about the archive without making it unusable.
func (a *Archive) Warnings() []Warning { return a.warnings }

// Stat returns the description of a file, and whether there is one of that name. Only exact names are found: nothing is
// resolved, so "a/../b" never is.
func (a *Archive) Stat(name string) (Info, bool) {
	e, ok := a.files[a.prefix+name]
	info := Info{Name: name, Size: e.size}
	if e.sum != nil {
		info.Digest = hex.EncodeToString(e.sum[:])
	}
	return info, ok
}

// Under returns the names of the files below a folder, sorted bytewise.
func (a *Archive) Under(dir string) []string { return under(a.names, dir) }

func under(names []string, dir string) []string {
	if dir == "" {
		return names
	}
	prefix := dir + "/"
	from, _ := slices.BinarySearch(names, prefix)
	to := from
	for to < len(names) && strings.HasPrefix(names[to], prefix) {
		to++
	}
	return names[from:to:to]
}

// Open opens a file for reading. A missing file is an error that wraps fs.ErrNotExist. The reader ends in an [*Error]
// where the bytes are not those that the archive announced.
func (a *Archive) Open(name string) (io.ReadCloser, error) {
	full := a.prefix + name
	e, ok := a.files[full]
	if !ok {
		return nil, fmt.Errorf("%s: %s: %w", a.path, printable(full), fs.ErrNotExist)
	}
	r, err := a.from.open(full, e)
	if err != nil {
		return nil, a.inFile(full, err)
	}
	return &exact{r: r, left: e.size, a: a, name: full}, nil
}

// ReadFile returns the content of a file, which the caller may change. A file of more than limit bytes is an [*Error];
// a limit of zero or less means none beyond that of the archive.
func (a *Archive) ReadFile(name string, limit int64) (content []byte, err error) {
	if limit <= 0 {
		limit = math.MaxInt64
	}
	if info, ok := a.Stat(name); ok && info.Size > limit {
		return nil, &Error{Archive: a.path, Member: a.prefix + name, Rule: TooLarge, Text: fmt.Sprintf("larger than %d bytes", limit)}
	}
	r, err := a.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() {
		if e := r.Close(); err == nil && e != nil {
			content, err = nil, e
		}
	}()
	content = make([]byte, r.(*exact).left)
	if _, err = io.ReadFull(r, content); err != nil {
		return nil, err
	}
	// Checksums are compared where the reader sees the end.
	if _, err = io.Copy(io.Discard, r); err != nil {
		return nil, err
	}
	return content, nil
}

// Sub returns the archive as seen from one of its folders: names lose the folder's name, and what lies outside is not
// there. The two share everything else; closing either closes both. "" is the archive itself.
func (a *Archive) Sub(dir string) *Archive {
	if dir == "" {
		return a
	}
	s := &Archive{path: a.path, from: a.from, files: a.files, prefix: a.prefix + dir + "/"}
	cut := func(names []string) []string {
		inside := slices.Clone(under(names, dir))
		for i := range inside {
			inside[i] = inside[i][len(dir)+1:]
		}
		return inside
	}
	s.names, s.dirs = cut(a.names), cut(a.dirs)
	for _, w := range a.warnings {
		if m, ok := strings.CutPrefix(w.Member, dir+"/"); ok {
			w.Member = m
			s.warnings = append(s.warnings, w)
		}
	}
	return s
}

// Close frees what the archive holds, temporary files above all. Closing twice is harmless.
func (a *Archive) Close() error { return a.from.close() }

// FindRoot returns the folder that holds a file of that base name: of several the one with the fewest path segments, then
// the bytewise smallest (olx.md §1.1). rivals are the other folders of as few segments. The top is "".
func FindRoot(names []string, base string) (dir string, rivals []string, ok bool) {
	best := math.MaxInt
	var found []string
	for _, n := range names {
		if path.Base(n) != base {
			continue
		}
		depth := strings.Count(n, "/")
		if depth < best {
			best, found = depth, found[:0]
		}
		if depth == best {
			found = append(found, strings.TrimSuffix(strings.TrimSuffix(n, base), "/"))
		}
	}
	if len(found) == 0 {
		return "", nil, false
	}
	slices.Sort(found)
	return found[0], found[1:], true
}

// inFile completes an error that comes out of reading a file.
func (a *Archive) inFile(name string, err error) error {
	e := asError(err)
	if e == nil {
		return fmt.Errorf("%s: %s: %w", a.path, printable(name), err)
	}
	e.Archive, e.Member = a.path, name
	return e
}

// exact delivers exactly so many bytes or ends in an error.
type exact struct {
	r    io.ReadCloser
	left int64
	a    *Archive
	name string
}

func (x *exact) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	// One byte beyond the end is asked for, so that a longer file is noticed and none is ever delivered.
	if x.left < int64(len(p)) {
		p = p[:max(x.left, 1)]
	}
	n, err := x.r.Read(p)
	switch {
	case int64(n) > x.left:
		n, err = int(x.left), refuse("", Damaged, "the file is longer than announced")
	case err == io.EOF && int64(n) < x.left:
		err = refuse("", Damaged, "the file is shorter than announced")
	}
	x.left -= int64(n)
	if err != nil && err != io.EOF {
		err = x.a.inFile(x.name, err)
	}
	return n, err
}

func (x *exact) Close() error { return x.r.Close() }
