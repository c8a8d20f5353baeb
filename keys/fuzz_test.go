package keys_test

import (
	"testing"

	"github.com/openlectern/lectern/keys"
)

func FuzzParseContext(f *testing.F)         { fuzz(f, keys.KindContext) }
func FuzzParseCourse(f *testing.F)          { fuzz(f, keys.KindCourse) }
func FuzzParseUsage(f *testing.F)           { fuzz(f, keys.KindUsage) }
func FuzzParseAsset(f *testing.F)           { fuzz(f, keys.KindAsset) }
func FuzzParseDefinition(f *testing.F)      { fuzz(f, keys.KindDefinition) }
func FuzzParseBlockType(f *testing.F)       { fuzz(f, keys.KindBlockType) }
func FuzzParseCollection(f *testing.F)      { fuzz(f, keys.KindCollection) }
func FuzzParseContainer(f *testing.F)       { fuzz(f, keys.KindContainer) }
func FuzzParseAsideUsage(f *testing.F)      { fuzz(f, keys.KindAsideUsage) }
func FuzzParseAsideDefinition(f *testing.F) { fuzz(f, keys.KindAsideDefinition) }

// fuzz reads any text as a key of one kind: nothing panics, and whatever is accepted is a key like any other. Every
// seventh golden row of the kind is a seed.
func fuzz(f *testing.F, kind keys.Kind) {
	n := 0
	for _, r := range rows(f) {
		if r.Kind == kind.String() {
			if n++; n%7 == 0 {
				f.Add(r.Input)
			}
		}
	}
	f.Fuzz(func(t *testing.T, s string) {
		k, err := kind.Parse(s)
		if (err == nil) != valid(kind, s) {
			t.Errorf("%q: Parse %v, Valid %v", s, err, err != nil)
		}
		if err == nil {
			checkKey(t, kind, k)
		}
	})
}

// FuzzAside wraps blocks with any aside type and takes them apart again.
func FuzzAside(f *testing.F) {
	f.Add("i4x://o/c/t/n", "a:b")
	f.Add("block-v1:o+c+r+type@t+block@x:", "$::$")
	f.Add("aside-usage-v1:i4x://o/c/t/n::", ":::")
	f.Fuzz(func(t *testing.T, usage, asideType string) {
		u, err := keys.ParseUsage(usage)
		if err != nil {
			return
		}
		a, err := u.Aside(asideType)
		if err != nil {
			return
		}
		checkKey(t, keys.KindAsideUsage, a)
		inner, err := a.Inner()
		if got, ok := a.AsideType(); err != nil || inner != u || !ok || got != asideType {
			t.Errorf("%q: %v, %v, %q, want %v, %q", a, inner, err, got, u, asideType)
		}
		if a.Org() != u.Org() || a.ID() != u.ID() {
			t.Errorf("%q: fields of %q and %q", a, a.ID(), u.ID())
		}
	})
}
