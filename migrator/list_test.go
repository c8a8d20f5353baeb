package migrator

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/courseware"
)

// laws are those that the list must have.
const laws = `W1 W2 W3 W4 W5 W6 W7 W7a W7b W8 W9 W10 W11 W12 W13 F1 F2 F3 F4 I1 I2 I3 I4 I5 I6 I7 I8 I8a I9 P0 R1 R2 R3 R4 R5 R6 R7 R8 R9 R10
U1 U2 U3 U4 U5 U6 U7 U8 X1 X2 X3 X4 X5 X6 X7 A1 A2 A3 A4 A5 A6 C1 C2 C3 C4 C5 C6 C7 C8 C9 Y1 Y2 Y3 Y4 Y5 Y6 Y7 T1 T2 T3 T4 T5 T6 T7 V1 V2 V3 V4 V5 V6 Z1 Z2 Z3 Z4 Z5 Z6 Z7 M1 M2 M3
S1 S2 S3 S4 S5 S6 S7 S8 S9 S10 S11 S12 S13 S14 S15`

// TestNothingForgotten holds the list of laws and scenarios against the tests: each has one, and the tests that it names are there.
func TestNothingForgotten(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/requirements.txt")
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) == 0 || f[0] == "#" {
			continue
		}
		for _, name := range f[1:] {
			pkg, test, _ := strings.Cut(name, ".")
			files, err := filepath.Glob("../" + pkg + "/*_test.go")
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range files {
				src, err := os.ReadFile(file) //nolint:gosec // of this repository
				if err != nil {
					t.Fatal(err)
				}
				shown[name] = shown[name] || strings.Contains(string(src), "\nfunc "+test+"(t *testing.T)")
			}
			if !shown[name] {
				t.Errorf("%s: there is no test %s", f[0], name)
			}
			shown[f[0]] = true
		}
	}
	for _, law := range strings.Fields(laws) {
		if !shown[law] {
			t.Errorf("no test shows %s", law)
		}
	}
}

// TestPlan: W5, W6, W9, I3 and I7 of the plan alone.
func TestPlan(t *testing.T) {
	t.Parallel()
	src := source(t, "course-v1:Org+C+R", block("vertical/v1 T", block("html/a T"), block("html/ T")), block("vertical/v2 T", block("html/b")))
	lib := NewLibrary()
	lib.entities[7] = &entity{kind: "html", code: "t"} // deleted: its id is taken all the same
	lib.codes.add("html", "t")
	lib.codes.add("", "t")
	codes := func() (out []string) {
		p, err := Make(SourceOf(src, ""), lib, Previous{}, Options{Level: Unit, Repeat: Skip})
		if err != nil {
			t.Fatal(err)
		}
		if p.Unidentified != 1 || p.Live != 4 {
			t.Errorf("%d unidentified and %d live, want 1 and 4", p.Unidentified, p.Live)
		}
		for _, s := range p.Steps {
			out = append(out, s.Block.String()+" "+s.Code+" "+s.Title)
		}
		return out
	}
	wanted := []string{"vertical/v1 t_1 T", "html/a t_1 T", "vertical/v2 t_2 T", "html/b b b"}
	for range 2 {
		if diff := cmp.Diff(wanted, codes()); diff != "" {
			t.Errorf("plan (-want +got):\n%s", diff)
		}
	}
	// A block that holds itself, and one that two hold.
	v := courseware.BlockID{Type: "vertical", Name: "v1"}
	src.Blocks[v].Children = append(src.Blocks[v].Children, v)
	p, err := Make(SourceOf(src, ""), lib, Previous{"block-v1:Org+C+R+type@html+block@a": publishing.EntityID(7)}, Options{Level: Unit, Repeat: Update})
	if err != nil || p.Steps[1].Action != Restore || p.Steps[1].Code != "t" {
		t.Errorf("a deleted one is %+v (%v), want restored", p.Steps[1], err)
	}
}

// TestRebuilt: R7, R8, M1.
func TestRebuilt(t *testing.T) {
	t.Parallel()
	s := onSQLite(t)
	s.migrate(chain(t), Options{Level: Unit}, nil)
	later := source(t, "course-v1:Org+C+R", block("chapter/c One", block("sequential/s One", block("vertical/v One",
		block("problem/p3 Third"), block("problem/p2 Second")))))
	s.migrate(later, Options{Level: Unit}, nil)
	want(t, "skip", s.holds(), []string{"one v1 One", "problem:first v1 First", "problem:second v1 Second", "problem:third v1 Third"})
	s.migrate(later, Options{Level: Unit, Repeat: Update}, nil)
	want(t, "update", s.holds(), []string{"one v2 One", "problem:first v1 First", "problem:second v1 Second", "problem:third v1 Third"})
	other := source(t, "course-v1:ORG+C+R", block("problem/p2 Second")) // differs by case alone
	s.migrate(other, Options{}, nil)
	want(t, "another source", s.rows(), []string{"problem/p2 → problem:second_1"})
}
