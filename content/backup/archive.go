package backup

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"io/fs"
	"os"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/zipdir"
)

// Archive is a zip whose directory was read and found sound. It is taken for hostile: names stay inside and come once,
// sizes are held against [Limits] before and while files are read, and nothing is ever unpacked to a path that the
// archive chose. It may be read by several goroutines at once.
type Archive struct {
	path    string
	f       *os.File
	ahead   *ahead // f, for members
	size    int64
	limits  Limits
	zip     zipdir.Limits
	files   []zipdir.Member // by the bytes of their names, which is the order of code points
	folders []uint64        // sorted hashes of the names of folders
	seed    maphash.Seed
	total   int64
}

// Open opens the archive at path and reads its directory. An archive that is refused is a fault.Invalid that names the
// entry; a file that is not there is fault.NotFound.
func Open(ctx context.Context, path string, l Limits) (*Archive, error) {
	f, err := os.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fault.Errorf(fault.NotFound, path, "there is no such file: %w", err)
	case err != nil:
		return nil, fault.Errorf(fault.Unavailable, path, "cannot be read: %w", err)
	}
	l = l.withDefaults()
	a := &Archive{path: path, f: f, ahead: &ahead{f: f, skip: aheadSkip}, limits: l, seed: maphash.MakeSeed(),
		zip: zipdir.Limits{Members: l.Files + l.Folders, Ratio: l.Ratio, RatioWindow: l.RatioWindow}}
	if err := a.index(ctx); err != nil {
		_ = f.Close() // only read
		return nil, a.told(err)
	}
	return a, nil
}

// Close closes the file.
func (a *Archive) Close() error { return a.f.Close() }

// Path returns the path that the archive was opened by.
func (a *Archive) Path() string { return a.path }

// Size returns the bytes of the archive.
func (a *Archive) Size() int64 { return a.size }

func (a *Archive) index(ctx context.Context) error {
	info, err := a.f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return a.refuse("", CodeInvalid, "it is not a file")
	}
	if a.size = info.Size(); a.size > a.limits.Archive {
		return a.refuse("", CodeTooLarge, "the archive is larger than %d bytes", a.limits.Archive)
	}
	var magic [4]byte
	if _, err := a.f.ReadAt(magic[:], 0); err != nil && err != io.EOF {
		return err
	}
	if s := string(magic[:]); s != zipdir.LocalSignature && s != zipdir.EndSignature {
		return a.refuse("", CodeDamaged, "it is not a zip")
	}
	if err := zipdir.Read(ctx, &ahead{f: a.f, skip: indexSkip}, a.size, a.zip, a.member); err != nil {
		return err
	}
	slices.SortFunc(a.files, func(x, y zipdir.Member) int { return strings.Compare(x.Name, y.Name) })
	for i := range a.files[:max(len(a.files)-1, 0)] {
		if a.files[i].Name == a.files[i+1].Name {
			return a.refuse(a.files[i].Name, CodeDuplicate, "the archive has this file twice")
		}
	}
	slices.Sort(a.folders)
	return nil
}

// member takes one member of the directory.
func (a *Archive) member(m zipdir.Member) error {
	if bad := badName(strings.TrimSuffix(m.Name, "/"), a.limits.Path); bad != "" {
		return a.refuse(m.Name, CodePath, "%s", bad)
	}
	if m.Dir {
		if int64(len(a.folders)) >= a.limits.Folders {
			return a.refuse("", CodeTooLarge, "more than %d folders", a.limits.Folders)
		}
		a.folders = append(a.folders, maphash.String(a.seed, m.Name))
		return nil
	}
	if int64(len(a.files)) >= a.limits.Files {
		return a.refuse("", CodeTooLarge, "more than %d files", a.limits.Files)
	}
	if a.total += m.Size; a.total > a.limits.Total {
		return a.refuse("", CodeTooLarge, "all files together hold more than %d bytes", a.limits.Total)
	}
	a.files = append(a.files, m)
	return nil
}

// badName says why a name cannot be in an archive, "" if it can.
func badName(name string, limit int) string {
	switch {
	case name == "":
		return "an empty name"
	case !utf8.ValidString(name):
		return "the name is not UTF-8"
	case len(name) > limit:
		return fmt.Sprintf("a name of more than %d bytes", limit)
	case name[0] == '/':
		return "an absolute path"
	case strings.IndexByte(name, 0) >= 0:
		return "a NUL character in the name"
	}
	for segment := range strings.SplitSeq(name, "/") {
		if segment == ".." || segment == "." {
			return fmt.Sprintf("%q in the path", segment)
		}
	}
	return ""
}

// refuse makes an error about a member of the archive, or with member "" about the archive.
func (a *Archive) refuse(member, code, format string, args ...any) error {
	p := &Problems{Archive: a.path}
	p.add(member, "", "", code, format, args...)
	text := p.List[0].Text
	thing := a.path
	if member != "" {
		thing += ": " + printable(member)
	}
	return &fault.Error{Kind: fault.Invalid, Thing: thing, Text: text, Err: p}
}

// told gives an error of reading the zip its kind.
func (a *Archive) told(err error) error {
	var z *zipdir.Error
	var f *fault.Error
	switch {
	case errors.As(err, &f):
		return err
	case errors.As(err, &z):
		return a.refuse(z.Member, zipCode(z), "%s", z.Text)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	return fault.Errorf(fault.Unavailable, a.path, "cannot be read: %w", err)
}

// zipCode is the code of what package zipdir found.
func zipCode(z *zipdir.Error) string {
	switch z.Rule {
	case zipdir.TooLarge:
		return CodeTooLarge
	case zipdir.Damaged:
		return CodeDamaged
	case zipdir.BadEncoding:
		return CodeEncoding
	}
	return CodeInvalid
}

// find returns the index of a file, -1 when there is none of that name.
func (a *Archive) find(name string) int {
	i := a.from(name)
	if i < len(a.files) && a.files[i].Name == name {
		return i
	}
	return -1
}

// from returns the index of the first file whose name is not less than name.
func (a *Archive) from(name string) int {
	return sort.Search(len(a.files), func(i int) bool { return a.files[i].Name >= name })
}

// below returns the files whose names begin with prefix, in order.
func (a *Archive) below(prefix string) []zipdir.Member {
	from := a.from(prefix)
	to := from
	for to < len(a.files) && strings.HasPrefix(a.files[to].Name, prefix) {
		to++
	}
	return a.files[from:to]
}

// hasFolder reports whether there is a folder of that name, which ends in a slash, or a file in it.
func (a *Archive) hasFolder(name string) bool {
	_, found := slices.BinarySearch(a.folders, maphash.String(a.seed, name))
	return found || len(a.below(name)) > 0
}

// open returns the content of a file. The reader ends in an error of kind fault.Invalid that names it.
func (a *Archive) open(m zipdir.Member) io.ReadCloser {
	return &member{a, m.Name, m.Open(a.ahead, a.zip)}
}

type member struct {
	a    *Archive
	name string
	io.ReadCloser
}

func (m *member) Read(p []byte) (int, error) {
	n, err := m.ReadCloser.Read(p)
	if err == nil || err == io.EOF {
		return n, err
	}
	var z *zipdir.Error
	if errors.As(err, &z) {
		return n, m.a.refuse(m.name, zipCode(z), "%s", z.Text)
	}
	return n, m.a.refuse(m.name, CodeDamaged, "the compressed data are corrupt: %v", err)
}

// read appends the content of a file of at most limit bytes to into, which it returns with the content alone.
func (a *Archive) read(m zipdir.Member, limit int64, into []byte) (all, content []byte, err error) {
	if m.Size > limit {
		return into, nil, a.refuse(m.Name, CodeTooLarge, "%d bytes, the limit is %d", m.Size, limit)
	}
	r := a.open(m)
	defer func() { _ = r.Close() }() // read to its end or given up: nothing is lost when closing fails
	start := len(into)
	for all = into; ; {
		// What an archive announces may be a lie, so no more room is made at once than a lie may cost. The end is found, and
		// the content checked, by reading one byte more.
		left := m.Size - int64(len(all)-start) + 1
		all = slices.Grow(all, int(min(max(left, 1), 1<<20)))
		n, err := r.Read(all[len(all):cap(all)])
		all = all[:len(all)+n]
		switch {
		case err == io.EOF:
			return all, all[start:len(all):len(all)], nil
		case err != nil:
			return into, nil, err
		}
	}
}

// Is reports whether a path looks like a backup: a zip with the file that tells of the package. It says nothing about
// whether it can be read.
func Is(path string) bool {
	a, err := Open(context.Background(), path, Limits{})
	if err != nil {
		return false
	}
	defer func() { _ = a.Close() }() // only read
	_, found := slices.BinarySearchFunc(a.files, packageFile, func(m zipdir.Member, name string) int { return strings.Compare(m.Name, name) })
	return found
}
