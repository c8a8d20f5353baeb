package definitions

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/openlectern/lectern/fault"
)

// Dir is a folder of definitions.
type Dir struct {
	Distribution, Version string
	Module                string // its name inside the distribution, by which it is known again
	Path                  string // what messages and rows call it
	FS                    fs.FS
}

//go:embed schema/*.yaml
var embedded embed.FS

// Shipped returns the folder of the definitions that a site starts with. It has the names that openedx-authz gives it, so
// that each of the two programs takes what the other loaded for its own.
func Shipped() Dir {
	sub, err := fs.Sub(embedded, "schema")
	if err != nil {
		panic(err) // the name is a constant
	}
	return Dir{Distribution: "openedx-authz", Version: "1.35.0", Module: "openedx_authz.authz.schema", Path: "authz/schema", FS: sub}
}

// Local returns a folder of the file system. It is known again by its path as it was given.
func Local(dir string) Dir {
	name := filepath.ToSlash(filepath.Clean(dir))
	return Dir{Distribution: "local", Module: name, Path: name, FS: os.DirFS(dir)}
}

// Find reads the files of folders: every .yaml or .yml file directly in one, each folder once, ordered by folder and name
// (authz.md §16.1). A folder that cannot be read or has no such file, and a file with problems, stop everything: the error
// is a fault.Invalid that names all problems.
func Find(dirs ...Dir) ([]*File, error) {
	dirs = slices.Clone(dirs)
	slices.SortStableFunc(dirs, func(a, b Dir) int {
		return cmp.Or(cmp.Compare(a.Distribution, b.Distribution), cmp.Compare(a.Module, b.Module))
	})
	dirs = slices.CompactFunc(dirs, func(a, b Dir) bool { return a.Distribution == b.Distribution && a.Module == b.Module })
	var files []*File
	var problems []Problem
	for _, d := range dirs {
		list, wrong, err := d.read()
		if err != nil {
			return nil, fault.Errorf(fault.Invalid, d.Path, "the folder cannot be read: %w", err).WithNext("name a folder with .yaml files of roles and permissions")
		}
		files, problems = append(files, list...), append(problems, wrong...)
	}
	return files, complaint(problems)
}

// read reads the files of the folder, all with one source.
func (d Dir) read() (files []*File, problems []Problem, err error) {
	entries, err := fs.ReadDir(d.FS, ".")
	if err != nil {
		return nil, nil, err
	}
	source := &Source{Distribution: d.Distribution, Module: d.Module, Version: d.Version}
	digest := sha256.New()
	for _, e := range entries { // by name
		if ext := path.Ext(e.Name()); ext != ".yaml" && ext != ".yml" || e.IsDir() {
			continue
		}
		data, err := fs.ReadFile(d.FS, e.Name())
		if err != nil {
			return nil, nil, err
		}
		name := path.Join(d.Path, e.Name())
		if source.Path == "" {
			source.Path = name
		}
		fmt.Fprintf(digest, "%s %d\n", e.Name(), len(data))
		digest.Write(data)
		f, version, wrong := Parse(name, bytes.TrimPrefix(data, []byte("\ufeff")))
		problems = append(problems, wrong...)
		if f != nil {
			f.Source, source.Schema = source, version
			files = append(files, f)
		}
	}
	if source.Path == "" {
		return nil, nil, errors.New("it has no .yaml or .yml file")
	}
	source.Digest = hex.EncodeToString(digest.Sum(nil))
	return files, problems, nil
}

// complaint makes an error of problems, nil of none. Warnings do not count.
func complaint(problems []Problem) error {
	problems = slices.DeleteFunc(slices.Clone(problems), func(p Problem) bool { return p.Warning })
	if len(problems) == 0 {
		return nil
	}
	lines := make([]string, len(problems))
	for i, p := range problems {
		lines[i] = p.String()
	}
	return &fault.Error{Kind: fault.Invalid, Thing: "definitions of roles", Text: strings.Join(lines, "\n"), Next: "nothing was loaded: correct the files", Data: map[string]any{"problems": problems}}
}
