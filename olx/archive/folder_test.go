package archive

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// write puts a file into a folder, with the folders it needs, and returns its path.
func write(tb testing.TB, dir, name, body string) string {
	tb.Helper()
	p := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(p, []byte(body), 0o600); err != nil {
		tb.Fatal(err)
	}
	return p
}

func onlyEntry(tb testing.TB, dir string) string {
	tb.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		tb.Fatalf("%s holds %v, %v", dir, entries, err)
	}
	return filepath.Join(dir, entries[0].Name())
}

func TestFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "course/course.xml", "<course/>")
	write(t, dir, "course/static/a b.png", "png")
	if err := os.Mkdir(filepath.Join(dir, "empty"), 0o700); err != nil {
		t.Fatal(err)
	}
	a := open(t, dir, Limits{}, Options{})
	if diff := cmp.Diff([]string{"course/course.xml", "course/static/a b.png"}, a.Names()); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"course", "course/static", "empty"}, a.Dirs()); diff != "" {
		t.Errorf("directories (-want +got):\n%s", diff)
	}
	if got, err := a.ReadFile("course/static/a b.png", 0); err != nil || string(got) != "png" {
		t.Errorf("content %q, %v", got, err)
	}

	// What changes after the check is noticed.
	write(t, dir, "course/course.xml", "<course org='longer'/>")
	if _, err := a.ReadFile("course/course.xml", 0); err == nil || !strings.Contains(err.Error(), "longer than announced") {
		t.Errorf("file that grew: %v", err)
	}
	write(t, dir, "course/course.xml", "<c/>")
	if _, err := a.ReadFile("course/course.xml", 0); err == nil || !strings.Contains(err.Error(), "shorter than announced") {
		t.Errorf("file that shrank: %v", err)
	}
	p := filepath.Join(dir, "course", "course.xml")
	if err := os.Remove(p); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/hostname", p); err != nil {
		t.Fatal(err)
	}
	if _, err := a.ReadFile("course/course.xml", 0); err == nil || !strings.Contains(err.Error(), "no longer a plain file") {
		t.Errorf("file that became a link: %v", err)
	}
}

func TestFolderHostile(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name               string
		make               func(dir string) error
		rule, member, text string
	}{
		{"link to a file", func(d string) error { return os.Symlink("/etc/passwd", d+"/a/l") }, Unsafe, "a/l", "symbolic link"},
		{"link to a folder", func(d string) error { return os.Symlink("..", d+"/a/l") }, Unsafe, "a/l", "symbolic link"},
		{"link that dangles", func(d string) error { return os.Symlink("nowhere", d+"/a/l") }, Unsafe, "a/l", "symbolic link"},
		{"named pipe", func(d string) error { return syscall.Mkfifo(d+"/a/p", 0o600) }, Unsafe, "a/p", "neither a file"},
		{"backslash", func(d string) error { return os.WriteFile(d+`/a/x\y`, nil, 0o600) }, Unsafe, `a/x\y`, "backslash"},
		{"control character", func(d string) error { return os.Mkdir(d+"/a/x\ty", 0o700) }, Unsafe, "a/x\ty", "control"},
		{"not UTF-8", func(d string) error { return os.WriteFile(d+"/a/\xff", nil, 0o600) }, BadEncoding, "a/\xff", "UTF-8"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, dir, "a/course.xml", "<course/>")
			if err := tt.make(dir); err != nil {
				t.Fatal(err)
			}
			refused(t, dir, Limits{}, tt.rule, tt.member, tt.text)
		})
	}
}

func TestFindRootAndSub(t *testing.T) {
	t.Parallel()
	tests := []struct {
		names  []string
		dir    string
		rivals []string
		ok     bool
	}{
		{[]string{"course.xml", "a/course.xml"}, "", []string{}, true},
		{[]string{"a/b/course.xml", "a/x"}, "a/b", []string{}, true},
		{[]string{"b/course.xml", "a/c/course.xml", "ab/course.xml", "Z/course.xml"}, "Z", []string{"ab", "b"}, true},
		{[]string{"a/xcourse.xml", "course.xml/a"}, "", nil, false},
		{nil, "", nil, false},
	}
	for _, tt := range tests {
		dir, rivals, ok := FindRoot(tt.names, "course.xml")
		if dir != tt.dir || ok != tt.ok || !cmp.Equal(rivals, tt.rivals) {
			t.Errorf("FindRoot(%q) = %q, %q, %v", tt.names, dir, rivals, ok)
		}
	}

	a := open(t, put(t, "x.tgz", tgz(t, files("LICENSE", "c/course.xml", "c/static/a", "c/static/A", "c-2/x", "c.txt")...)), Limits{}, Options{})
	s := a.Sub("c")
	if diff := cmp.Diff([]string{"course.xml", "static/A", "static/a"}, s.Names()); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"static"}, s.Dirs()); diff != "" {
		t.Errorf("directories (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"static/A", "static/a"}, s.Under("static")); diff != "" {
		t.Errorf("below static (-want +got):\n%s", diff)
	}
	if got, err := s.ReadFile("course.xml", 0); err != nil || string(got) != "content of c/course.xml" {
		t.Errorf("content %q, %v", got, err)
	}
	if _, ok := s.Stat("../LICENSE"); ok {
		t.Error("a file outside is found")
	}
	if w := s.Warnings(); len(w) != 1 || w[0].Member != "static/a" {
		t.Errorf("warnings %v", w)
	}
	if s.Prefix() != "c/" || a.Sub("") != a {
		t.Error("prefix")
	}
	if deeper := s.Sub("static"); !cmp.Equal(deeper.Names(), []string{"A", "a"}) || deeper.Prefix() != "c/static/" {
		t.Errorf("sub of sub: %q", deeper.Names())
	}
}
