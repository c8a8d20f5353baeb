package archive

import (
	"archive/tar"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// FuzzOpen opens arbitrary bytes. Whatever they are, there is an *Error or an archive whose names are safe, sorted and
// unique and whose files have their size or end in an *Error; and nothing stays in the temporary folder.
func FuzzOpen(f *testing.F) {
	three := []member{{name: "course/", kind: tar.TypeDir}, {name: "course/course.xml", body: "<course/>"}, {name: "course/b", body: strings.Repeat("b", 600)}}
	plain := tarBytes(f, three...)
	f.Add(plain)
	f.Add(append(plain, 1))
	f.Add(tarEnd(rawTar("x", 'x', paxRecord("path", "y")), rawTar("x", '0', "body")))
	f.Add(oldSparse())
	f.Add(gz(plain))
	f.Add(zipBytes(f, member{name: "a/"}, member{name: "a/b", body: "text"}))
	f.Add(zipRaw(f, "a", "body", nil))
	f.Add(overlapping(f))
	f.Add([]byte("PK\x05\x06" + strings.Repeat("\x00", 18)))
	temp, path := f.TempDir(), filepath.Join(f.TempDir(), "x")
	f.Fuzz(func(t *testing.T, data []byte) {
		inputs := [][]byte{data}
		if len(data) >= 512 && !strings.HasPrefix(string(data), "PK") && !strings.HasPrefix(string(data), "\x1f\x8b") {
			inputs = append(inputs, gz(data)) // a checksum is hard to guess
		}
		for i, data := range inputs {
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			limits := Limits{Total: 1 << 20, Entries: 50, RatioWindow: 64 << 10}
			a, err := Open(context.Background(), path, limits, Options{TempDir: temp, Memory: int64(i) - 1})
			if err != nil {
				var e *Error
				if !errors.As(err, &e) || e.Rule == "" || e.Text == "" || e.Archive != path {
					t.Errorf("unfit error %#v", err)
				}
				empty(t, temp)
				continue
			}
			if !slices.IsSorted(a.Names()) || len(slices.Compact(slices.Clone(a.Names()))) != len(a.Names()) || len(a.Names()) > 50 {
				t.Errorf("names %q", a.Names())
			}
			for _, n := range a.Names() {
				if err := CheckName(n); err != nil {
					t.Error(err)
				}
				info, _ := a.Stat(n)
				content, err := a.ReadFile(n, 0)
				if e := new(Error); err != nil && !errors.As(err, &e) || err == nil && int64(len(content)) != info.Size {
					t.Errorf("%q: %d of %d bytes, %v", n, len(content), info.Size, err)
				}
			}
			if err := a.Close(); err != nil {
				t.Error(err)
			}
			empty(t, temp)
		}
	})
}
