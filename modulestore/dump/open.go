package dump

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/gzip"

	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/modulestore"
)

// Open opens a folder that mongodump made, one database's folder in it, or a file of mongodump --archive. The name of a
// database chooses among several; with "" there may be only one that has content.
func Open(path, database string) (modulestore.Source, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fault.Errorf(fault.NotFound, path, "no such file or folder").WithNext("name a folder or an archive that mongodump wrote, or mongodb://…")
	case err != nil:
		return nil, fault.Errorf(fault.Unavailable, path, "%w", err)
	case info.IsDir():
		return openFolder(path, database)
	}
	return openArchive(path, database)
}

// open opens a file, unpacked where it is packed.
func open(path string) (io.ReadCloser, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	r := bufio.NewReaderSize(f, 256<<10)
	if magic, _ := r.Peek(2); string(magic) != "\x1f\x8b" {
		return file{r, f}, nil
	}
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return file{z, f}, nil
}

// file is a file together with what reads it.
type file struct {
	io.Reader
	io.Closer
}

// known are the collections by which the database of a site is recognised.
var known = map[string]bool{
	modulestore.CollectionBlocks: true, modulestore.CollectionIndexes: true, modulestore.CollectionStructures: true,
	modulestore.CollectionFiles: true, modulestore.CollectionChunks: true,
}

// choose says which database is meant, given the collections of each.
func choose(path, database string, has map[string][]string) error {
	if database != "" {
		if has[database] == nil {
			return fault.Errorf(fault.NotFound, path, "there is no database %s in it", database).WithNext("name one of: " + strings.Join(names(has), ", "))
		}
		return nil
	}
	in := map[string]string{}
	for _, db := range names(has) {
		for _, c := range has[db] {
			if other, twice := in[c]; twice && known[c] {
				return fault.Errorf(fault.Usage, path, "the databases %s and %s both have %s", other, db, c).WithNext("choose one with --database")
			}
			in[c] = db
		}
	}
	return nil
}

// folder is a dump with a file for each collection.
type folder struct {
	path  string
	files map[string]string // paths by collection
	order []string
}

func openFolder(path, database string) (modulestore.Source, error) {
	paths, err := filepath.Glob(filepath.Join(escape(path), "*.bson*"))
	if err != nil {
		return nil, fault.Errorf(fault.Usage, path, "%w", err)
	}
	below, err := filepath.Glob(filepath.Join(escape(path), "*", "*.bson*"))
	if err != nil {
		return nil, fault.Errorf(fault.Usage, path, "%w", err)
	}
	has, byName := map[string][]string{}, map[string]map[string]string{}
	for _, p := range append(paths, below...) {
		c, ok := collectionOf(p)
		db := filepath.Base(filepath.Dir(p))
		if !ok || db == "admin" || db == "config" || db == "local" {
			continue
		}
		if byName[db] == nil {
			byName[db] = map[string]string{}
		}
		if byName[db][c] != "" {
			return nil, fault.Errorf(fault.Invalid, p, "the collection %s is there twice, packed and not", c).WithNext("take one of the files away")
		}
		byName[db][c] = p
		has[db] = append(has[db], c)
	}
	if len(has) == 0 {
		return nil, fault.Errorf(fault.Invalid, path, "no dump: there are no .bson files").WithNext("name the folder that mongodump wrote")
	}
	if err := choose(path, database, has); err != nil {
		return nil, err
	}
	f := &folder{path: path, files: map[string]string{}}
	for _, db := range names(has) {
		if database != "" && db != database {
			continue
		}
		for c, p := range byName[db] {
			f.files[c] = p
		}
	}
	f.order = ordered(f.files)
	return f, nil
}

// collectionOf returns the collection that a file of a dump is of.
func collectionOf(path string) (string, bool) {
	name := strings.TrimSuffix(filepath.Base(path), ".gz")
	name, ok := strings.CutSuffix(name, ".bson")
	if !ok || strings.HasPrefix(name, "system.") {
		return "", false
	}
	if plain, err := url.PathUnescape(name); err == nil { // mongodump writes what file names cannot hold as %XX
		name = plain
	}
	return name, true
}

func isArchive(r io.Reader) (bool, error) {
	var word [4]byte
	if _, err := io.ReadFull(r, word[:]); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return false, nil
		}
		return false, err
	}
	return binary.LittleEndian.Uint32(word[:]) == magic, nil
}
