package scope

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/golden"
)

func TestGoldenParse(t *testing.T) {
	t.Parallel()
	n := 0
	golden.Lines(t, "authz/decisions.jsonl", func(b []byte) {
		var line struct {
			Kind                 string
			External, Namespaced *string
			Error                string
			Result               *struct {
				Kind, External, Namespaced string
				Org, Ancestors             any
			}
		}
		if !strings.Contains(string(b[:min(len(b), 40)]), `"parse"`) {
			return
		}
		if err := json.Unmarshal(b, &line); err != nil {
			t.Fatal(err)
		}
		n++
		var s Scope
		var err error
		if line.External != nil {
			s, err = Parse(*line.External)
		} else {
			s, err = ParseNamespaced(*line.Namespaced)
		}
		if line.Error != "" {
			if !fault.Is(err, fault.Invalid) {
				t.Errorf("%s: %+v, %v, want an error", b, s, err)
			}
			return
		}
		if err != nil {
			t.Errorf("%s: %v", b, err)
			return
		}
		want := line.Result
		got := []string{s.Kind().String(), s.Key(), s.Namespaced()}
		if diff := cmp.Diff([]string{want.Kind, want.External, want.Namespaced}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", b, diff)
		}
		_, failed := want.Org.(map[string]any)
		org, _ := want.Org.(string)
		if s.Broken() != failed || s.Org() != org {
			t.Errorf("%s: organization %q, broken %t", b, s.Org(), s.Broken())
		}
		ancestors := []string{}
		if list, ok := want.Ancestors.([]any); ok {
			for _, a := range list {
				ancestors = append(ancestors, a.(string))
			}
		}
		if diff := cmp.Diff(ancestors, append([]string{}, slices.Sorted(slices.Values(s.Ancestors()))...)); diff != "" {
			t.Errorf("%s: ancestors (-want +got):\n%s", b, diff)
		}
	})
	if n == 0 {
		t.Fatal("no lines")
	}
}

// TestTables are the rows of authz.md §2.1.
func TestTables(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]Kind{
		"lib:DemoX:*": LibraryOrg, "lib:*": LibraryPlatform, "course-v1:Org.with.dots+*": CourseOrg, "course-v1:My-Org_1+*": CourseOrg,
		"course-v1:*": CoursePlatform, "course-v1:O+C+R": Course, "lib:O:L": Library, "ccx-v1:O+C+R+ccx@7": CCX, "global:x": Generic,
		"lib:Org With Space:*": 0, "lib:Org@X:*": 0, "lib:(Org):*": 0, "course-v1:OpenedX*": 0, "course-v1:c*": 0, "course-v1:OpenedX+C*": 0,
		"course-v1:OpenedX+CS101+*": 0, "lib:DemoX*": 0, "lib:DemoX:slug*": 0, "lib:DemoX:*:*": 0, "lib::*": 0, "course-v1:+*": 0,
		"lib^lib:DemoX:*": 0, "course-v1^course-v1:X+*": 0, "other:OpenedX+*": 0, "unknown:DemoX:*": 0, "*": 0, "not-a-key": 0,
		"ccx-v1:O+C+R": 0, "ccx-v1:O+C+R+ccx@": 0, "ccx-v1:O+C+ccx@1": 0, "course-v1:library-v1:O+L": 0, "lib:\x00:*": 0,
	} {
		s, err := Parse(key)
		if s.Kind() != want || (err != nil) != (want == 0) {
			t.Errorf("Parse(%q) = %v, %v; want %v", key, s.Kind(), err, want)
		}
	}
}

func TestKinds(t *testing.T) {
	t.Parallel()
	for k, want := range map[Kind]string{
		Library: "content_libraries.view_library_team content_libraries.manage_library_team staff", LibraryOrg: "content_libraries.view_library_team content_libraries.manage_library_team staff",
		CoursePlatform: "courses.view_course_team courses.manage_course_team staff", CCX: "courses.view_course_team courses.manage_course_team",
		Generic: "", Namespace: "", BasePlatform: "",
	} {
		got := strings.TrimSpace(k.View() + " " + k.Manage())
		if k.Staff() {
			got += " staff"
		}
		if got != want {
			t.Errorf("%v: %q, want %q", k, got, want)
		}
	}
}

func TestExpand(t *testing.T) {
	t.Parallel()
	got := Expand([]string{"lib:O:L", "nonsense", "lib:O:M", "course-v1:P+*", "lib:*"})
	want := []string{"lib:O:L", "lib:O:*", "lib:*", "nonsense", "lib:O:M", "course-v1:P+*", "course-v1:*"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestParseAllocatesNothing(t *testing.T) {
	for _, key := range []string{"lib:DemoX:CSPROB", "course-v1:DemoX+C+R", "lib:DemoX:*", "course-v1:DemoX+*", "lib:*"} {
		if n := testing.AllocsPerRun(100, func() {
			if _, err := Parse(key); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("Parse(%q) allocates %v times", key, n)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	for b.Loop() {
		if _, err := Parse("lib:DemoX:CSPROB"); err != nil {
			b.Fatal(err)
		}
	}
}

// FuzzParse: what parses externally parses namespaced to the same scope, its ancestors parse and contain it, and nothing
// panics.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"lib:DemoX:L", "course-v1:O+C+R", "lib:DemoX:*", "course-v1:O+*", "lib:*", "ccx-v1:O+C+R+ccx@1", "global:x",
		"lib^lib:O:L", "course-v1^O/C/R", "lib^*", "platform:*", "org:X+*", "*", "^", "lib:O:*:*"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, key string) {
		if s, err := ParseNamespaced(key); err == nil && s.Namespaced() != key {
			t.Errorf("%q became %q", key, s.Namespaced())
		}
		s, err := Parse(key)
		if err != nil {
			return
		}
		if s.Key() != key {
			t.Errorf("%q became %q", key, s.Key())
		}
		if again, err := ParseNamespaced(s.Namespaced()); err != nil || again.Kind() != s.Kind() || again.Org() != s.Org() {
			t.Errorf("%q namespaced is %+v, %v", key, again, err)
		}
		for _, a := range s.Ancestors() {
			p, err := ParseNamespaced(s.NS() + Sep + a)
			if err != nil || !strings.HasPrefix(key, strings.TrimSuffix(p.Key(), "*")) {
				t.Errorf("ancestor %q of %q: %v", a, key, err)
			}
		}
	})
}
