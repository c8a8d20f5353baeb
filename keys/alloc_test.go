package keys_test

import (
	"strings"
	"testing"

	"github.com/openlectern/lectern/keys"
)

// These tests measure allocations of the whole program, so none of them is parallel.

// TestGoldenParseAllocatesNothing reads every canonical text of the golden file, and prints it, without allocating. An
// aside with escapes in what it wraps has to decode that.
func TestGoldenParseAllocatesNothing(t *testing.T) {
	n := 0
	for _, r := range rows(t) {
		kind, _ := keys.ParseKind(r.Kind)
		if !r.accepted() || strings.HasPrefix(r.Type, "Aside") && strings.Contains(r.Canonical, "$") {
			continue
		}
		n++
		if got := testing.AllocsPerRun(2, func() { parsePrint(kind, r.Canonical) }); got != 0 {
			t.Errorf("%s %q: %v allocations", r.Kind, r.Canonical, got)
		}
	}
	if n == 0 {
		t.Error("no row was tried")
	}
}

func TestAllocations(t *testing.T) {
	u, err := keys.ParseUsage("block-v1:o+c+r+branch@b+version@" + specV + "+type@problem+block@x")
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 0, 256)
	for name, f := range map[string]func(){
		"fields": func() {
			run, _ := u.Run()
			branch, _ := u.Branch()
			v, _ := u.Version()
			sink += len(u.Org()) + len(u.Code()) + len(run) + len(branch) + int(v[0]) + len(u.Type()) + len(u.ID())
		},
		"Compare":           func() { sink += u.Compare(u) },
		"AppendText":        func() { buf, _ = u.AppendText(buf[:0]) },
		"Valid of no key":   func() { keys.ValidUsage("block-v1:o+c+r+type@problem") },
		"WithoutX of plain": func() { _, _ = keys.Course{}.WithoutBranch() },
		"dropped block":     func() { keys.ValidCourse("course-v1:o+c+r+type@t+block@x") },
		"bare from family":  func() { keys.ValidBlockType("block-type-v1:xmodule.v1:problem") },
		"aside v1":          func() { keys.ValidUsage("aside-usage-v1:i4x://o/c/t/n::a:b") },
		"plain aside type":  func() { keys.ValidAsideUsage("aside-usage-v1:lb:o:s:t:u::structured_tags") },
		"golden course":     func() { parsePrint(keys.KindCourse, aCourse) },
		"golden block":      func() { parsePrint(keys.KindUsage, aBlock) },
	} {
		if got := testing.AllocsPerRun(100, f); got != 0 {
			t.Errorf("%s: %v allocations", name, got)
		}
	}
}
