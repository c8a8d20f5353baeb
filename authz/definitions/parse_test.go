package definitions_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/authz/definitions"
	"github.com/openlectern/lectern/fault"
)

const head = "schema_version: \"1.0\"\npriority: 100\n"

const category = "permission_categories:\n  - {id: c, display_name: C, description: About c, icon: BookOpen}\n"

func TestParse(t *testing.T) {
	t.Parallel()
	permission := func(more string) string {
		return head + "permissions:\n  - {namespace: x, name: y, display_name: Y, description: About y, category_id: c, scopes: [lib]" + more + "}\n"
	}
	for _, c := range []struct {
		name, text string
		want       []string // each in a problem of its own; none: the file is right
	}{
		{"categories", head + category, nil},
		{"permission", permission(", icon: Sync"), nil},
		{"role", head + "roles:\n  - {id: r, display_name: R, description: About r, scopes: [lib], permissions: [x.y], hidden: true, icon: null}\n", nil},
		{"extension", head + "role_extensions:\n  - {role_id: r, hidden: false}\n", nil},
		{"anchors", head + "permissions:\n  - {namespace: x, name: y, display_name: Y, description: About y, category_id: c, scopes: &s [lib]}\n" +
			"  - {namespace: x, name: z, display_name: Y, description: About y, category_id: c, scopes: *s}\n", nil},
		{"empty", "", []string{"the file is empty"}},
		{"no YAML", "a: [", []string{"f.yaml: "}},
		{"no mapping", "- a\n", []string{"f.yaml:1: the file is no mapping"}},
		{"no list", head, []string{"none of permission_categories"}},
		{"no priority", "schema_version: \"1.0\"\n" + category, []string{"lacks priority"}},
		{"priority of another type", "schema_version: \"1.0\"\npriority: high\n" + category, []string{"f.yaml:2: priority is no integer"}},
		{"priority as text", "schema_version: \"1.0\"\npriority: \"1\"\n" + category, []string{"priority is no integer"}},
		{"version as a number", "schema_version: 1.0\npriority: 1\n" + category, []string{"schema_version of the file is no text"}},
		{"newer version", "schema_version: \"2.0\"\npriority: 1\n" + category, []string{`this program reads "1.0"`}},
		{"unknown key", head + "colour: red\n" + category, []string{`f.yaml:3: the file has an unknown key "colour"`}},
		{"key twice", head + "priority: 7\n" + category, []string{"f.yaml:3: the file has priority twice"}},
		{"empty list", head + "roles: []\n", []string{"roles is no list of at least one"}},
		{"two documents", head + category + "---\na: b\n", []string{"more than one document"}},
		{"empty label", head + "permission_categories:\n  - {id: c, display_name: ' ', description: x}\n", []string{"f.yaml:4: display_name of category c is empty"}},
		{"entry twice", head + category + "  - {id: c, display_name: C, description: About c, icon: BookOpen}\n", []string{"category c is there twice"}},
		{"icon of no name", permission(", icon: book-open"), []string{"should be a name such as BookOpen"}},
		{"icon unknown", permission(", icon: NoSuchIcon"), []string{"which Paragon does not have"}},
		{"engine prefix", head + "roles:\n  - {id: 'role^r', display_name: R, description: About r, scopes: [lib], permissions: ['act^x.y']}\n",
			[]string{"id of role role^r", "permissions of role role^r"}},
		{"odd names", head + "roles:\n  - {id: R, display_name: R, description: About r, scopes: [Lib, 'lib:'], permissions: [xy, x.y.z, X.y]}\n",
			[]string{`id of role R is "R"`, `"Lib"`, `"lib:"`, `"xy"`, `"x.y.z"`, `"X.y"`}},
		{"no scopes", head + "roles:\n  - {id: r, display_name: R, description: About r, scopes: [], permissions: [x.y, x.y]}\n",
			[]string{"scopes of role r is no list", "permissions of role r has x.y twice"}},
		{"empty extension", head + "role_extensions:\n  - {role_id: r}\n", []string{"changes nothing"}},
		{"extension against itself", head + "role_extensions:\n  - {role_id: r, add_permissions: [x.y], remove_permissions: [x.y]}\n", []string{"both adds and removes x.y"}},
		{"hidden of another type", head + "role_extensions:\n  - {role_id: r, hidden: maybe}\n", []string{"neither true nor false"}},
		{"too long", head + "permission_categories:\n  - {id: c, display_name: " + strings.Repeat("x", 256) + ", description: x}\n", []string{"longer than 255"}},
	} {
		f, _, problems := definitions.Parse("f.yaml", []byte(c.text))
		if (f == nil) != (c.want != nil) || len(problems) != len(c.want) {
			t.Errorf("%s: %v, problems %v, want %q", c.name, f, problems, c.want)
			continue
		}
		for i, p := range problems {
			if !strings.Contains(p.String(), c.want[i]) {
				t.Errorf("%s: problem %q, want %q", c.name, p, c.want[i])
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(head + category)
	f.Add("a: &a [*a]")
	f.Add("? [x]\n: {y: z}")
	f.Fuzz(func(t *testing.T, text string) {
		file, _, problems := definitions.Parse("f", []byte(text))
		if (file == nil) != (len(problems) > 0) {
			t.Errorf("%v and problems %v", file, problems)
		}
		if file != nil {
			file.Source = &definitions.Source{}
			if s, err := definitions.Compile([]*definitions.File{file}); err == nil && len(s.Roles) != len(file.Roles) && len(s.Warnings) == 0 {
				t.Errorf("roles were lost of %q", text)
			}
		}
	})
}

func dirOf(name string, files map[string]string) definitions.Dir {
	m := fstest.MapFS{}
	for path, text := range files {
		m[path] = &fstest.MapFile{Data: []byte(text)}
	}
	return definitions.Dir{Distribution: name, Module: "schema", Path: name, FS: m}
}

func TestFind(t *testing.T) {
	t.Parallel()
	files, err := definitions.Find(
		dirOf("b", map[string]string{"two.yml": head + category, "one.yaml": head + category, "notes.txt": "?", "sub/three.yaml": "?"}),
		dirOf("a", map[string]string{"z.yaml": head + category}),
		dirOf("b", map[string]string{"again.yaml": "?"}),
	)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range files {
		got = append(got, f.Path+" of "+f.Source.Path)
	}
	if diff := cmp.Diff([]string{"a/z.yaml of a/z.yaml", "b/one.yaml of b/one.yaml", "b/two.yml of b/one.yaml"}, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if d := files[1].Source.Digest; len(d) != 64 || d != files[2].Source.Digest || d == files[0].Source.Digest {
		t.Errorf("digests %s, %s", d, files[0].Source.Digest)
	}
	if _, err := definitions.Find(dirOf("a", map[string]string{"x.txt": ""})); !fault.Is(err, fault.Invalid) {
		t.Errorf("a folder without files: %v", err)
	}
	if _, err := definitions.Find(definitions.Local(t.TempDir() + "/none")); !fault.Is(err, fault.Invalid) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
	_, err = definitions.Find(dirOf("a", map[string]string{"x.yaml": "?", "y.yaml": head}))
	if err == nil || !strings.Contains(err.Error(), "a/x.yaml") || !strings.Contains(err.Error(), "a/y.yaml") {
		t.Errorf("not all problems are named: %v", err)
	}
}
