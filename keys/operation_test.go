package keys_test

import (
	"errors"
	"testing"

	"github.com/openlectern/lectern/keys"
)

func mustVersion(t testing.TB) keys.Version {
	t.Helper()
	v, err := keys.ParseVersion("AAAAAAAAAAAAAAAAAAAAAA01")
	if err != nil {
		t.Fatal(err)
	}
	return v
}

const newV = "aaaaaaaaaaaaaaaaaaaaaa01"

// ops are the operations of keys.md §2.5 on one key: what each returns, "" for a refusal.
type ops struct {
	withBranch, withoutBranch, withVersion, withoutVersion, versionOnly, stored string
}

func TestOperations(t *testing.T) {
	t.Parallel()
	v := mustVersion(t)
	for in, want := range map[string]ops{
		"course-v1:o+c+r": {
			"course-v1:o+c+r+branch@n", "course-v1:o+c+r", "course-v1:o+c+r+version@" + newV, "course-v1:o+c+r", "", "course-v1:o+c+r",
		},
		"course-v1:o+c+r+branch@b+version@" + specV: {
			"course-v1:o+c+r+branch@n", "course-v1:o+c+r", "course-v1:o+c+r+branch@b+version@" + newV,
			"course-v1:o+c+r+branch@b", "course-v1:version@" + specV, "course-v1:o+c+r",
		},
		"course-v1:version@" + specV: {"", "", "course-v1:version@" + newV, "", "course-v1:version@" + specV, ""},
		"o/c/r":                      {"", "o/c/r", "", "o/c/r", "", "o/c/r"},
		"library-v1:o+l+branch@b": {
			"library-v1:o+l+branch@n", "library-v1:o+l", "library-v1:o+l+branch@b+version@" + newV, "library-v1:o+l+branch@b", "",
			"library-v1:o+l",
		},
		"library-v1:version@" + specV: {"", "", "library-v1:version@" + newV, "", "library-v1:version@" + specV, ""},
		"lib:o:s":                     {"", "lib:o:s", "", "lib:o:s", "", "lib:o:s"},
		"block-v1:o+c+r+branch@b+version@" + specV + "+type@t+block@x": {
			"block-v1:o+c+r+branch@n+type@t+block@x", "block-v1:o+c+r+type@t+block@x",
			"block-v1:o+c+r+branch@b+version@" + newV + "+type@t+block@x", "block-v1:o+c+r+branch@b+type@t+block@x",
			"block-v1:version@" + specV + "+type@t+block@x", "block-v1:o+c+r+type@t+block@x",
		},
		"block-v1:version@" + specV + "+type@t+block@x": {
			"", "", "block-v1:version@" + newV + "+type@t+block@x", "", "block-v1:version@" + specV + "+type@t+block@x", "",
		},
		"lib-block-v1:o+l+version@" + specV + "+type@t+block@x": {
			"lib-block-v1:o+l+branch@n+type@t+block@x", "lib-block-v1:o+l+type@t+block@x",
			"lib-block-v1:o+l+version@" + newV + "+type@t+block@x", "lib-block-v1:o+l+type@t+block@x",
			"lib-block-v1:version@" + specV + "+type@t+block@x", "lib-block-v1:o+l+type@t+block@x",
		},
		"i4x://o/c/t/x@b":                    {"i4x://o/c/t/x@n", "i4x://o/c/t/x", "", "i4x://o/c/t/x@b", "", "i4x://o/c/t/x"},
		"i4x://o/c/t/x":                      {"i4x://o/c/t/x@n", "i4x://o/c/t/x", "", "i4x://o/c/t/x", "", "i4x://o/c/t/x"},
		"lb:o:s:t:x":                         {"", "lb:o:s:t:x", "", "lb:o:s:t:x", "", "lb:o:s:t:x"},
		"location:o+c+r+t+x":                 {"", "location:o+c+r+t+x", "", "location:o+c+r+t+x", "", "location:o+c+r+t+x"},
		"/c4x/o/c/asset/x@b":                 {"/c4x/o/c/asset/x@n", "/c4x/o/c/asset/x", "", "/c4x/o/c/asset/x@b", "", "/c4x/o/c/asset/x"},
		"aside-usage-v2:i4x$://o/c/t/x@b::a": {"", "", "", "", "", "aside-usage-v2:i4x$://o/c/t/x@b::a"},
		"asset-v1:o+c+r+branch@b+type@asset+block@a%20b": {
			"asset-v1:o+c+r+branch@n+type@asset+block@a%20b", "asset-v1:o+c+r+type@asset+block@a%20b",
			"asset-v1:o+c+r+branch@b+version@" + newV + "+type@asset+block@a%20b",
			"asset-v1:o+c+r+branch@b+type@asset+block@a%20b", "", "asset-v1:o+c+r+type@asset+block@a%20b",
		},
	} {
		k, err := keys.Parse(in)
		if err != nil {
			t.Fatal(err)
		}
		var got ops
		put := func(to *string, k keys.Key, err error) {
			switch {
			case err == nil:
				*to = k.String()
			case !errors.Is(err, keys.ErrInvalid):
				t.Errorf("%s: error %v is not ErrInvalid", in, err)
			case !k.IsZero():
				t.Errorf("%s: an error and the key %v", in, k)
			}
		}
		switch k := k.(type) {
		case keys.Course:
			run(put, k, v, &got)
			o, err := k.VersionOnly()
			put(&got.versionOnly, o, err)
			var viaContext ops
			run(put, k.Context(), v, &viaContext)
			viaContext.versionOnly = got.versionOnly
			if viaContext != got {
				t.Errorf("%s as a context: %+v, as a course %+v", in, viaContext, got)
			}
		case keys.Context:
			run(put, k, v, &got)
		case keys.Usage:
			run(put, k, v, &got)
			o, err := k.VersionOnly()
			put(&got.versionOnly, o, err)
		case keys.Asset:
			run(put, k, v, &got)
			o, err := k.VersionOnly()
			put(&got.versionOnly, o, err)
		}
		if got != want {
			t.Errorf("%s:\n got %+v\nwant %+v", in, got, want)
		}
	}
}

// versioned is what the kinds with branches and versions share.
type versioned[K any] interface {
	keys.Key
	WithBranch(string) (K, error)
	WithoutBranch() (K, error)
	WithVersion(keys.Version) (K, error)
	WithoutVersion() (K, error)
	Stored() (K, error)
}

func run[K versioned[K]](put func(*string, keys.Key, error), k K, v keys.Version, to *ops) {
	for _, step := range []struct {
		to *string
		do func() (K, error)
	}{
		{&to.withBranch, func() (K, error) { return k.WithBranch("n") }},
		{&to.withoutBranch, k.WithoutBranch},
		{&to.withVersion, func() (K, error) { return k.WithVersion(v) }},
		{&to.withoutVersion, k.WithoutVersion},
		{&to.stored, k.Stored},
	} {
		r, err := step.do()
		put(step.to, r, err)
	}
}

func TestBadBranch(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"course-v1:o+c+r", "library-v1:o+l"} {
		c, err := keys.ParseCourse(in)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range []string{"", "a+b", "a@b", "a%b", "a b", "b+version@" + specV} {
			if got, err := c.WithBranch(b); err == nil {
				t.Errorf("%s at branch %q: %v, want an error", in, b, got)
			}
		}
	}
	u, err := keys.ParseUsage("i4x://o/c/t/x")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := u.WithBranch("a%b"); err != nil || got.String() != "i4x://o/c/t/x@a%b" {
		t.Errorf("revision with %%: %v, %v", got, err)
	}
	for _, b := range []string{"", "a/b", "a@b"} {
		if got, err := u.WithBranch(b); err == nil {
			t.Errorf("revision %q: %v, want an error", b, got)
		}
	}
}

// TestIn holds map_into_course of keys.md §2.5 with the refusals of §6.3.
func TestIn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ usage, course, want string }{
		{"i4x://o/c/t/x@draft", "course-v1:O+C+R", "block-v1:O+C+R+type@t+block@x"},
		{"i4x://o/c/t/x", "course-v1:O+C+R+branch@b+version@" + specV, "block-v1:O+C+R+branch@b+version@" + specV + "+type@t+block@x"},
		{"i4x://o/c/a b/x", "course-v1:O+C+R", ""}, // the type is no block type
		{"i4x://o/c/t/x%20", "course-v1:O+C+R", ""},
		{"i4x://o/c/t/x%20", "O/C/R", "i4x://O/C/t/x%20"},
		{"block-v1:o+c+r+branch@b+type@t+block@x", "course-v1:O+C+R", "block-v1:O+C+R+type@t+block@x"},
		{"block-v1:o+c+r+type@t+block@x", "course-v1:version@" + specV, "block-v1:version@" + specV + "+type@t+block@x"},
		{"block-v1:o+c+r+type@t+block@x", "O/C/R", "i4x://O/C/t/x"},
		{"block-v1:o+c+r+type@t+block@x~", "O/C/R", "i4x://O/C/t/x~"},
		{"block-v1:o+c+r+type@t+block@x", "library-v1:O+L", ""},
		{"lib-block-v1:o+l+type@t+block@x", "library-v1:O+L", "lib-block-v1:O+L+type@t+block@x"},
		{"lib-block-v1:o+l+type@t+block@x", "course-v1:O+C+R", ""},
		{"lib-block-v1:o+l+type@t+block@x", "O/C/R", ""},
		{"lb:o:s:t:x", "course-v1:O+C+R", ""},
		{"location:o+c+r+t+x", "course-v1:o+c+r", "location:o+c+r+t+x"},
		{"location:o+c+r+t+x", "course-v1:o+c+s", ""},
		{"aside-usage-v2:i4x$://o/c/t/x::a$:b", "course-v1:O+C+R", "aside-usage-v2:block-v1$:O+C+R+type@t+block@x::a$:b"},
		{"aside-usage-v1:i4x://o/c/t/x::a", "course-v1:O+C+R", "aside-usage-v1:block-v1:O+C+R+type@t+block@x::a"},
		{"aside-usage-v1:i4x://o/c/t/x::a", "course-v1:O::+C+R", ""}, // version 1 cannot wrap it
		{"aside-usage-v2:lb$:o$:s$:t$:x::a", "course-v1:O+C+R", ""},
		{"i4x://o/c/t/x", "", ""},
	} {
		u, err := keys.ParseUsage(c.usage)
		if err != nil {
			t.Fatal(err)
		}
		var course keys.Course
		if err := course.UnmarshalText([]byte(c.course)); err != nil {
			t.Fatal(err)
		}
		got, err := u.In(course)
		if got.String() != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s in %s: %q, %v, want %q", u, course, got, err, c.want)
		}
	}
	a, err := keys.ParseAsset("/c4x/o/c/asset/a%20b.png")
	if err != nil {
		t.Fatal(err)
	}
	c, err := keys.NewCourse("O", "C", "R")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := a.In(c); err != nil || got.String() != "asset-v1:O+C+R+type@asset+block@a%20b.png" {
		t.Errorf("%s in %s: %v, %v", a, c, got, err)
	}
	if got, err := (keys.Asset{}).In(c); err == nil {
		t.Errorf("no asset in %s: %v", c, got)
	}
	if got, err := (keys.Usage{}).In(c); err == nil {
		t.Errorf("no block in %s: %v", c, got)
	}
}

func TestWithin(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		usage, course string
		ok            bool
	}{
		{"i4x://o/c/t/x", "o/c/r1", true},
		{"i4x://o/c/t/x", "o/c/r2", true},
		{"i4x://o/c/t/x", "course-v1:o+c+r", true},
		{"i4x://o/c/t/x", "o/d/r", false},
		{"i4x://o/c/t/x", "library-v1:o+c", false},
		{"aside-usage-v2:i4x$://o/c/t/x::a", "o/c/r", true},
		{"block-v1:o+c+r+branch@b+type@t+block@x", "course-v1:o+c+r", true},
		{"block-v1:o+c+r+type@t+block@x", "course-v1:o+c+s", false},
		{"block-v1:version@" + specV + "+type@t+block@x", "course-v1:version@" + specV, true},
		{"block-v1:version@" + specV + "+type@t+block@x", "course-v1:o+c+r", false},
		{"lib-block-v1:o+l+type@t+block@x", "library-v1:o+l", true},
		{"lb:o:s:t:x", "course-v1:o+c+r", false},
	} {
		u, err := keys.ParseUsage(c.usage)
		if err != nil {
			t.Fatal(err)
		}
		course, err := keys.ParseCourse(c.course)
		if err != nil {
			t.Fatal(err)
		}
		got, err := u.Within(course)
		if (err == nil) != c.ok || c.ok && got != (keys.InCourse{Course: course, Usage: u}) || !c.ok && !got.IsZero() {
			t.Errorf("%s within %s: %v, %v", u, course, got, err)
		}
	}
	// The run trap (keys.md §6.2): one i4x text, two blocks.
	u, err := keys.ParseUsage("i4x://o/c/t/x")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[keys.InCourse]bool{}
	for _, run := range []string{"r1", "r2"} {
		c, err := keys.NewSlashCourse("o", "c", run)
		if err != nil {
			t.Fatal(err)
		}
		in, err := u.Within(c)
		if err != nil {
			t.Fatal(err)
		}
		seen[in] = true
	}
	if len(seen) != 2 {
		t.Errorf("blocks of two runs: %v", seen)
	}
}
