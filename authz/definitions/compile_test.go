package definitions_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/authz/definitions"
)

// small is a file with two permissions and a role that has the first.
const small = `permission_categories:
  - {id: c, display_name: C, description: About c}
permissions:
  - {namespace: x, name: one, display_name: One, description: About one, category_id: c, scopes: [lib, course-v1]}
  - {namespace: x, name: two, display_name: Two, description: About two, category_id: c, scopes: [lib]}
roles:
  - {id: r, display_name: R, description: About r, scopes: [lib], permissions: [x.one]}
`

func file(t testing.TB, name string, priority int, text string) *definitions.File {
	t.Helper()
	f, _, problems := definitions.Parse(name, []byte(fmt.Sprintf("schema_version: \"1.0\"\npriority: %d\n%s", priority, text)))
	if f == nil {
		t.Fatalf("%s: %v", name, problems)
	}
	f.Source = &definitions.Source{Distribution: name, Module: "schema", Path: name}
	return f
}

func extension(what string) string { return "role_extensions:\n  - {role_id: r, " + what + "}\n" }

func TestCompile(t *testing.T) {
	t.Parallel()
	type ext struct {
		priority int
		text     string
	}
	for _, c := range []struct {
		name     string
		files    []ext
		want     string // the role: its name, permissions
		warnings int
		problem  string
	}{
		{"alone", nil, "R x.one", 0, ""},
		{"add", []ext{{1, extension("add_permissions: [x.two]")}}, "R x.one x.two", 0, ""},
		{"remove", []ext{{1, extension("remove_permissions: [x.one], add_permissions: [x.two], display_name: New")}}, "New x.two", 0, ""},
		{"add what is there", []ext{{1, extension("add_permissions: [x.one]")}}, "R x.one", 1, ""},
		{"remove what is not", []ext{{1, extension("remove_permissions: [x.two]")}}, "R x.one", 1, ""},
		{"higher wins", []ext{{5, extension("display_name: Five")}, {9, extension("display_name: Nine")}, {1, extension("display_name: One")}}, "Nine x.one", 2, ""},
		{"equal priority, one wish", []ext{{5, extension("display_name: Same")}, {5, extension("display_name: Same")}}, "Same x.one", 0, ""},
		{"equal priority, two names", []ext{{5, extension("display_name: A")}, {5, extension("display_name: B")}}, "", 0, "display_name is wanted in another way"},
		{"equal priority, add against remove", []ext{{5, extension("add_permissions: [x.two]")}, {5, extension("remove_permissions: [x.two]")}}, "", 0, "x.two is wanted in another way"},
		{"lower priority against", []ext{{5, extension("add_permissions: [x.two]")}, {4, extension("remove_permissions: [x.two]")}}, "R x.one x.two", 1, ""},
		{"unknown role", []ext{{5, "role_extensions:\n  - {role_id: q, hidden: true}\n"}}, "", 0, "role q, which no file defines"},
		{"unknown permission", []ext{{5, extension("add_permissions: [x.three]")}}, "", 0, "permission x.three, which no file defines"},
		{"same again", []ext{{5, small}}, "R x.one", 4, ""},
		{"same id, other content", []ext{{900, strings.Replace(small, "About one", "Else", 1)}}, "", 0, "permission x.one is defined in another way in base"},
		{"unknown category", []ext{{5, "permissions:\n  - {namespace: x, name: three, display_name: T, description: t, category_id: d, scopes: [lib]}\n"}}, "", 0, "category d, which no file defines"},
		{"scope that a permission lacks", []ext{{5, "roles:\n  - {id: s, display_name: S, description: s, scopes: [course-v1], permissions: [x.two]}\n"}}, "", 0, "in which its permission x.two means nothing"},
		{"scope that an added permission lacks", []ext{{5, "roles:\n  - {id: s, display_name: S, description: s, scopes: [course-v1], permissions: [x.one]}\nrole_extensions:\n  - {role_id: s, add_permissions: [x.two]}\n"}},
			"", 0, "in which its permission x.two means nothing"},
	} {
		files := []*definitions.File{file(t, "base", 100, small)}
		for i, e := range c.files {
			files = append(files, file(t, fmt.Sprintf("e%d", i), e.priority, e.text))
		}
		s, err := definitions.Compile(files)
		if c.problem != "" {
			if err == nil || !strings.Contains(err.Error(), c.problem) {
				t.Errorf("%s: %v, want %q", c.name, err, c.problem)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		r := s.Roles[0]
		if got := strings.Join(append([]string{r.Name}, r.Permissions...), " "); got != c.want || len(s.Warnings) != c.warnings {
			t.Errorf("%s: role %q with warnings %v, want %q with %d", c.name, got, s.Warnings, c.want, c.warnings)
		}
	}
}

func TestOrigins(t *testing.T) {
	t.Parallel()
	s, err := definitions.Compile([]*definitions.File{file(t, "base", 100, small), file(t, "more", 7, extension("add_permissions: [x.two]")), file(t, "again", 3, small)})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]string{}
	for g, list := range s.GrantOrigins {
		for _, o := range list {
			got[g.String()] = append(got[g.String()], fmt.Sprint(o.Source.Distribution, " ", o.Extension, " ", o.Priority))
		}
		slices.Sort(got[g.String()])
	}
	want := map[string][]string{"r -> x.one @ lib": {"again false 3", "base false 100"}, "r -> x.two @ lib": {"more true 7"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("origins of grants (-want +got):\n%s", diff)
	}
	if n := len(s.RoleOrigins["r"]); n != 2 {
		t.Errorf("role r has %d origins", n)
	}
}
