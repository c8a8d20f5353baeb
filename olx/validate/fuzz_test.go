package validate

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/olx/archive"
)

// FuzzFile puts arbitrary bytes into a file of a sound course. Whatever they are, there is a report whose findings are
// complete and sorted, the same on every run.
func FuzzFile(f *testing.F) {
	names := slices.Sorted(maps.Keys(sound))
	for i, name := range names {
		f.Add(uint8(i), []byte(sound[name]))
	}
	for _, s := range []string{
		`<vertical><problem url_name="p" weight="-1"/>text<html url_name="a:b" filename="../x"/><meta>{}</meta></vertical>`,
		`{"course/r": {"start": 1, "lti_passports": "x"}, "html/p": [], "x": 1}`,
		`{"GRADER": [[], {"type": 1, "weight": "x"}], "GRADE_CUTOFFS": {"A": 1, "C": 2}}`,
		`<td></td></b><svg><x/></svg><a href="/courses/a/b/c/d" src="/static/%zz" img="i4x://a">`,
	} {
		for i := range names {
			f.Add(uint8(i), []byte(s))
		}
	}
	path := f.TempDir() + "/x.zip"
	f.Fuzz(func(t *testing.T, at uint8, data []byte) {
		files := maps.Clone(sound)
		files[names[int(at)%len(names)]] = string(data)
		pack(t, path, files)
		r, err := Path(context.Background(), path, archive.Limits{}, archive.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for i, f := range r.Findings {
			if f.Rule == "" || f.Message == "" || f.Severity > courseware.Error || f.Line < 0 {
				t.Errorf("incomplete finding %+v", f)
			}
			if i > 0 && r.Findings[i-1].File > f.File {
				t.Errorf("%v before %v", r.Findings[i-1], f)
			}
		}
		again, err := Path(context.Background(), path, archive.Limits{}, archive.Options{})
		if err != nil || !slices.Equal(r.Findings, again.Findings) {
			t.Errorf("findings %v, then %v, %v", r.Findings, again.Findings, err)
		}
	})
}

func pack(tb testing.TB, path string, files map[string]string) {
	tb.Helper()
	w, err := archive.Create(context.Background(), path, time.Unix(0, 0))
	if err != nil {
		tb.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := w.AddBytes(name, []byte(files[name])); err != nil {
			tb.Fatal(err)
		}
	}
	if _, err := w.Close(); err != nil {
		tb.Fatal(err)
	}
}

func FuzzHTML(f *testing.F) {
	f.Add([]byte("<p>x</p>"))
	f.Add([]byte("<svg><x/></svg></p><b><i></b>\n<script></scr</script>"))
	f.Fuzz(func(t *testing.T, data []byte) {
		lines := bytes.Count(data, []byte("\n"))
		attr := func(line int, name, _ string) {
			if line < 0 || line > lines || name == "" {
				t.Errorf("attribute %q on line %d of %d", name, line, lines)
			}
		}
		for _, fault := range readHTML(data, attr) {
			if fault.line < 0 || fault.line > lines {
				t.Errorf("%q on line %d of %d", fault.text, fault.line, lines)
			}
		}
	})
}
