package keys_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/openlectern/lectern/keys"
)

// alphabet has members and neighbours of every class of keys.md §2.1, and pieces that mean something to some form.
var alphabet = []string{
	"a", "b", "Z", "0", "9", "_", "-", ".", "~", ":", "%", "/", "+", "@", "$", "::", "$::", "$:", "$$", " ", "\n", "\x00",
	"é", "e\u0301", "²", "٣", "Ⅷ", "中", "\u203f", "\ufffd", "\xff", "😀", "branch@", "version@" + specV, "type@", "block@",
	"course-v1:", "library-v1:", "xblock.v1:", "block-type-v1:", "i4x://", "aside-usage-v2:",
}

func randomText(r *rand.Rand, most int) string {
	var b strings.Builder
	for range r.IntN(most + 1) {
		b.WriteString(alphabet[r.IntN(len(alphabet))])
	}
	return b.String()
}

// mutated returns s with a few pieces cut out or put in.
func mutated(r *rand.Rand, s string) string {
	for range 1 + r.IntN(3) {
		at := r.IntN(len(s) + 1)
		end := min(len(s), at+r.IntN(4))
		s = s[:at] + randomText(r, 2) + s[end:]
	}
	return s
}

// built returns a key of a kind made from random parts, or false when the parts were refused.
func built(r *rand.Rand, kind keys.Kind) (keys.Key, bool) {
	// Most parts are legal everywhere, as few keys have only legal parts otherwise.
	part := func() string {
		if r.IntN(4) == 0 {
			return randomText(r, 2)
		}
		return alphabet[r.IntN(8)] + alphabet[r.IntN(8)]
	}
	var course keys.Course
	var err error
	switch r.IntN(3) {
	case 0:
		course, err = keys.NewCourse(part(), part(), part())
	case 1:
		course, err = keys.NewSlashCourse(part(), part(), part())
	default:
		course, err = keys.NewLegacyLibrary(part(), part())
	}
	if err == nil && r.IntN(2) == 0 {
		if at, err := course.WithBranch(part()); err == nil {
			course = at
		}
	}
	if err == nil && r.IntN(2) == 0 {
		var v keys.Version
		v[r.IntN(len(v))] = byte(r.IntN(256))
		if at, err := course.WithVersion(v); err == nil {
			course = at
		}
	}
	lib, libErr := keys.NewLibrary(part(), part())
	try := func(k keys.Key, err error) (keys.Key, bool) { return k, err == nil }
	switch kind {
	case keys.KindCourse:
		return course, err == nil
	case keys.KindContext:
		if r.IntN(2) == 0 {
			return course.Context(), err == nil
		}
		return lib, libErr == nil
	case keys.KindUsage, keys.KindAsideUsage:
		u, err := course.Context().Usage(part(), part())
		if libErr == nil {
			u, err = lib.Usage(part(), part())
		}
		for err == nil && (kind == keys.KindAsideUsage || r.IntN(2) == 0) {
			kind = keys.KindUsage
			u, err = u.Aside(part())
		}
		return u, err == nil
	case keys.KindAsset:
		return try(course.Asset(part(), part()))
	case keys.KindDefinition, keys.KindAsideDefinition:
		d, err := keys.NewDefinition(keys.Version{byte(r.IntN(256))}, part())
		for err == nil && (kind == keys.KindAsideDefinition || r.IntN(2) == 0) {
			kind = keys.KindDefinition
			d, err = d.Aside(part())
		}
		return d, err == nil
	case keys.KindBlockType:
		return try(keys.NewBlockType(part(), part()))
	case keys.KindCollection:
		return try(lib.Collection(part()))
	}
	return try(lib.Container(part(), part()))
}

// sample returns many different keys of a kind: golden ones, neighbours of those that still parse, and built ones.
func sample(tb testing.TB, kind keys.Kind, r *rand.Rand) []keys.Key {
	var all []keys.Key
	for _, row := range rows(tb) {
		if row.Kind != kind.String() {
			continue
		}
		for _, s := range []string{row.Input, mutated(r, row.Input), mutated(r, row.Input)} {
			if k, err := kind.Parse(s); err == nil {
				all = append(all, k)
			}
		}
	}
	for range 10_000 {
		if k, ok := built(r, kind); ok {
			all = append(all, k)
		}
		if len(all) > 1_500 {
			break
		}
	}
	return all
}

func TestProperties(t *testing.T) {
	t.Parallel()
	for _, kind := range allKinds {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(1, uint64(kind)))
			all := sample(t, kind, r)
			if len(all) < 100 {
				t.Fatalf("only %d keys to look at", len(all))
			}
			byText := map[string]keys.Key{}
			for _, k := range all {
				checkKey(t, kind, k)
				if one, ok := byText[k.String()]; ok && one != k {
					t.Errorf("two keys print %q: %#v, %#v", k, one, k)
				}
				byText[k.String()] = k
			}
			checkOrder(t, r, all)
		})
	}
}

// checkKey holds what must be true of every key on its own.
func checkKey(t testing.TB, kind keys.Kind, k keys.Key) {
	t.Helper()
	if again, err := kind.Parse(k.String()); err != nil || again != k {
		t.Errorf("%v %q: read again %#v, %v, want %#v", kind, k, again, err, k)
	}
	if !valid(kind, k.String()) {
		t.Errorf("%v %q: printed, and not valid", kind, k)
	}
	// A bare block type has no prefix to be told by; all others are found without being told the kind.
	if b, ok := k.(keys.BlockType); !ok || b.Form() == keys.FormBlockType {
		if found, err := keys.Parse(k.String()); err != nil || found.String() != k.String() {
			t.Errorf("%q as any key: %v, %v", k, found, err)
		}
	}
	if d := keys.Describe(k); d.Canonical != k.String() || d.Deprecated != k.Deprecated() {
		t.Errorf("%q described as %+v", k, d)
	}
	store(t, k, map[string]string{})
}

// checkOrder checks that Compare is a total order in which only equal keys tie.
func checkOrder(t *testing.T, r *rand.Rand, all []keys.Key) {
	t.Helper()
	for range 5_000 {
		a, b, c := all[r.IntN(len(all))], all[r.IntN(len(all))], all[r.IntN(len(all))]
		ab, bc, ac := compareKeys(a, b), compareKeys(b, c), compareKeys(a, c)
		if (ab == 0) != (a == b) {
			t.Fatalf("Compare(%q, %q) = %d", a, b, ab)
		}
		if back := compareKeys(b, a); back != -ab {
			t.Fatalf("Compare(%q, %q) = %d, the other way round %d", a, b, ab, back)
		}
		if ab <= 0 && bc <= 0 && ac > 0 {
			t.Fatalf("%q <= %q <= %q, yet the first is after the last", a, b, c)
		}
	}
	sorted := slices.Clone(all)
	slices.SortFunc(sorted, compareKeys)
	for i := 1; i < len(sorted); i++ {
		if compareKeys(sorted[i-1], sorted[i]) > 0 {
			t.Fatalf("sorted, and %q before %q", sorted[i-1], sorted[i])
		}
	}
}

// TestOrder holds the cases of keys.md §3.3 and §7 that are not those of the texts: ascending, kind by kind.
func TestOrder(t *testing.T) {
	t.Parallel()
	for kind, ascending := range map[keys.Kind][]string{
		keys.KindCourse: {
			"", "course-v1:version@" + specV, "a/x/", "a/x/r", "a-b/x/r", "course-v1:o+c+r", "o/c/r",
			"course-v1:o+c+r+version@" + specV, "course-v1:o+c+r+branch@b", "course-v1:o+c+r+branch@b+version@" + specV, "course-v1:o+c+r-",
			"course-v1:o+c+s",
		},
		keys.KindContext: {"", "lib:a:x", "lib:a1:x", "library-v1:b+x", "lib:b:x", "course-v1:b+x+r"},
		keys.KindUsage: {
			"", "block-v1:version@" + specV + "+type@t+block@x", "i4x://o/c/t/x", "lb:o:c:t:x", "i4x://o/c/t/y", "i4x://o/c/t/x@b",
			"block-v1:o+c+r+type@a+block@z", "block-v1:o+c+r+type@a-+block@x", "block-v1:o+c+r+type@t+block@x", "location:o+c+r+t+x",
			"block-v1:o+c+r+branch@b+type@a+block@a", "aside-usage-v1:i4x://o/c/t/x::a", "aside-usage-v2:i4x$://o/c/t/x::a",
			"aside-usage-v1:i4x://o/c/t/x::b", "aside-usage-v2:lb$:o$:c$:t$:x::a",
		},
		keys.KindDefinition: {
			"", "bundle-olx:" + specU + ":9:html:a", "bundle-olx:" + specU + ":10:html:a", "bundle-olx:" + specU + ":-1:html:a",
			"bundle-olx:" + specU + ":draft:html:a", "bundle-olx:" + specU + ":1:html:b", "bundle-olx:" + specU + ":1:problem:a",
			"def-v1:" + specV + "+type@html",
		},
		keys.KindBlockType: {"", "block-type-v1::t", "block-type-v1:a:t", "a", "problem", "block-type-v1:z:a"},
		keys.KindContainer: {"", "lct:o:s:a:b", "lct:o:s:b:a", "lct:o1:a:a:a"},
	} {
		var all []keys.Key
		for _, s := range ascending {
			if s == "" {
				all = append(all, zero(kind))
				continue
			}
			k, err := kind.Parse(s)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, k)
		}
		for i, a := range all {
			for j, b := range all {
				if got := compareKeys(a, b); (got < 0) != (i < j) || (got == 0) != (i == j) {
					t.Errorf("Compare(%q, %q) = %d", a, b, got)
				}
			}
		}
	}
}

func zero(kind keys.Kind) keys.Key {
	switch kind {
	case keys.KindContext:
		return keys.Context{}
	case keys.KindCourse:
		return keys.Course{}
	case keys.KindUsage, keys.KindAsideUsage:
		return keys.Usage{}
	case keys.KindAsset:
		return keys.Asset{}
	case keys.KindDefinition, keys.KindAsideDefinition:
		return keys.Definition{}
	case keys.KindBlockType:
		return keys.BlockType{}
	case keys.KindCollection:
		return keys.Collection{}
	}
	return keys.Container{}
}
