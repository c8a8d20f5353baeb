package oldcourse

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/schema"
)

// TestDEP01 holds that keys of the old store keep their text, compare and sort, and are told from all others by their form
// alone (DEP-1, DEP-51).
func TestDEP01(t *testing.T) {
	t.Parallel()
	for text, name := range map[string]string{
		"AcmeU/BIO1/2013_Spring":                      "AcmeU/BIO1/2013_Spring",
		"i4x://AcmeU/BIO1/problem/p1":                 "AcmeU/BIO1",
		"i4x://AcmeU/BIO1/problem/p1@draft":           "AcmeU/BIO1",
		"/c4x/AcmeU/BIO1/asset/syllabus_1.pdf":        "AcmeU/BIO1",
		"/c4x/AcmeU/BIO1/thumbnail/a.png.jpg":         "AcmeU/BIO1",
		"course-v1:AcmeU+BIO1+2013":                   "",
		"library-v1:AcmeU+L":                          "",
		"lib:AcmeU:L":                                 "",
		"block-v1:AcmeU+BIO1+2013+type@html+block@h":  "",
		"asset-v1:AcmeU+BIO1+2013+type@asset+block@a": "",
		"":                             "",
		"AcmeU/BIO1":                   "",
		"/etc/passwd":                  "",
		"https://host/AcmeU/BIO1/2013": "",
	} {
		k, old := ParseKey(text)
		if old != (name != "") {
			t.Errorf("%q is old: %v", text, old)
			continue
		}
		if old && (k.Text != text || k.Name() != name) {
			t.Errorf("%q prints %q and is of %q, want %q", text, k.Text, k.Name(), name)
		}
		if p, err := keys.Parse(text); old && (err != nil || p.String() != text) {
			t.Errorf("%q does not print itself: %v, %v", text, p, err)
		}
	}
	a, _ := keys.ParseCourse("AcmeU/BIO1/2013")
	b, _ := keys.ParseCourse("AcmeU/BIO1/2014")
	if a.Compare(b) >= 0 || !a.Equal(a) || a.Equal(b) {
		t.Error("old keys do not sort")
	}
}

// TestDEP23 holds that the run comes back to where the root of a course lies.
func TestDEP23(t *testing.T) {
	t.Parallel()
	k, _ := ParseKey("AcmeU/BIO1/2013")
	for location, want := range map[string]string{
		"i4x://AcmeU/BIO1/course/2013":       "i4x://AcmeU/BIO1/course/2013 in AcmeU/BIO1/2013",
		"i4x://AcmeU/BIO1/course/other_name": "i4x://AcmeU/BIO1/course/other_name in AcmeU/BIO1/2013",
		"i4x://Other/X/course/2013":          "i4x://AcmeU/BIO1/course/2013 in AcmeU/BIO1/2013",
		"":                                   "i4x://AcmeU/BIO1/course/2013 in AcmeU/BIO1/2013",
		"nonsense":                           "i4x://AcmeU/BIO1/course/2013 in AcmeU/BIO1/2013",
	} {
		got, err := k.Root(location)
		if err != nil || got.String() != want {
			t.Errorf("%q: %v, %v; want %s", location, got, err, want)
		}
	}
}

// TestDEP10DEP11 holds that the warning is there at its stage only, can be switched off and worded by the site, and is escaped.
func TestDEP10DEP11(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		s    Setting
		want string
	}{
		{Default(), ""},
		{Setting{Stage: Removed, Warning: true}, ""},
		{Setting{Stage: Warn}, ""},
		{Setting{Stage: Warn, Message: "x"}, ""},
		{Setting{Stage: Warn, Warning: true}, usual},
		{Setting{Stage: Warn, Warning: true, EndsOn: "2027-06-30"}, usual + " It can be used until 2027-06-30."},
		{Setting{Stage: Warn, Warning: true, Message: `<b onclick="x()">Soon & gone</b>`}, `<b onclick="x()">Soon & gone</b>`},
	} {
		if got := c.s.Text(); got != c.want {
			t.Errorf("%+v: %q, want %q", c.s, got, c.want)
		}
		if strings.ContainsAny(c.s.HTML(), `<>"`) {
			t.Errorf("not escaped: %s", c.s.HTML())
		}
	}
	// On authoring pages of old courses, and nowhere else.
	warn := Setting{Stage: Warn, Warning: true}
	for _, name := range Pages() {
		a, err := warn.AccessTo("AcmeU/BIO1/2013", name, "")
		if err != nil || !a.Allowed || (a.Warning != "") != pages[name].author || a.Rerun != pages[name].author {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
		if a, err := warn.AccessTo("course-v1:AcmeU+BIO1+2013", name, ""); err != nil || a != (Access{Allowed: true}) {
			t.Errorf("%s of a new course: %+v, %v", name, a, err)
		}
	}
}

// TestDEP30DEP36 asks for every kind of page at every stage: what is refused has the code, a status of the client's, and a text
// that names the course; what learners keep is allowed; keys of today are allowed alike.
func TestDEP30DEP36(t *testing.T) {
	t.Parallel()
	kept := []string{"about", "certificate", "dashboard", "data_export", "module_state", "order_history", "profile", "retirement", "stored_grade", "stored_report", "unenroll"}
	for _, stage := range []Stage{None, Warn, Removed} {
		s := Setting{Stage: stage, Warning: true}
		var allowed []string
		for _, name := range Pages() {
			for _, key := range []string{"AcmeU/BIO1/2013", "i4x://AcmeU/BIO1/html/h", "/c4x/AcmeU/BIO1/asset/a.png"} {
				a, err := s.AccessTo(key, name, "Biology")
				switch {
				case err != nil:
					t.Fatal(err)
				case a.Allowed:
					if a.Code != "" || a.Status != 0 || a.Redirect != "" {
						t.Errorf("%s at %s: %+v", name, stage, a)
					}
					if key == "AcmeU/BIO1/2013" {
						allowed = append(allowed, name)
					}
				case a.Code != "old_mongo" || a.Status < 400 || a.Status > 499 || !strings.Contains(a.Text, "AcmeU/BIO1") || !strings.Contains(a.Text, "Biology") || !strings.Contains(a.Next, "legacy convert"):
					t.Errorf("%s at %s: %+v", name, stage, a)
				case strings.HasPrefix(name, "enroll") && a.Status != 409 || name == "file" && a.Status != 410:
					t.Errorf("%s has status %d", name, a.Status)
				}
			}
			if a, err := s.AccessTo("course-v1:A+B+C", name, ""); err != nil || a != (Access{Allowed: true}) {
				t.Errorf("%s of a new course at %s: %+v, %v", name, stage, a, err)
			}
		}
		want := Pages()
		if stage == Removed {
			want = kept
		}
		if diff := cmp.Diff(want, allowed); diff != "" {
			t.Errorf("allowed at %s (-want +got):\n%s", stage, diff)
		}
	}
	if _, err := Default().AccessTo("A/B/C", "nowhere", ""); !fault.Is(err, fault.Usage) {
		t.Error(err)
	}
	a, err := Setting{Stage: Warn, Closed: true}.AccessTo("A/B/C", "enroll_by_code", "")
	if err != nil || a.Allowed || a.Status != 409 {
		t.Errorf("a closed course takes people in: %+v, %v", a, err)
	}
}

func fresh(t *testing.T, e db.Engine) *db.DB {
	t.Helper()
	d := dbtest.Open(t, e)
	if err := schema.Create(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	return d
}

func update(t *testing.T, d *db.DB, fn func(tx *db.Tx) error) {
	t.Helper()
	if err := d.Update(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

func TestStage(t *testing.T) {
	t.Parallel()
	dbtest.OnEngines(t, func(t *testing.T, e db.Engine) {
		ctx, d := t.Context(), dbtest.Ready(t, e, site)
		if s, err := Current(ctx, d); err != nil || s != Default() {
			t.Fatalf("at first: %+v, %v", s, err)
		}
		set := func(s Setting) (out Setting) {
			t.Helper()
			update(t, d, func(tx *db.Tx) (err error) {
				out, err = Set(ctx, tx, s)
				return err
			})
			return out
		}
		set(Setting{Stage: Warn, Warning: true, By: "kim"})
		set(Setting{Stage: Warn, Warning: true, By: "jo"}) // the same
		set(Setting{Stage: Removed, Warning: true, Message: "gone ✓", EndsOn: "2027-06-30", By: "kim"})
		set(Default())
		list, err := History(ctx, d, 10)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range list {
			if s.At.IsZero() {
				t.Errorf("%+v has no time", s)
			}
			got = append(got, string(s.Stage)+" "+s.By+" "+s.Message+" "+s.EndsOn)
		}
		if diff := cmp.Diff([]string{"none   ", "removed kim gone ✓ 2027-06-30", "warn kim  "}, got); diff != "" {
			t.Errorf("history (-want +got):\n%s", diff)
		}
		for name, bad := range map[string]Setting{"stage": {Stage: "soon"}, "day": {Stage: Warn, EndsOn: "30.6.2027"}, "text": {Stage: Warn, Message: "\x00"},
			"length": {Stage: Warn, Message: strings.Repeat("x", maxMessage+1)}} {
			err := d.Update(ctx, func(tx *db.Tx) error { _, err := Set(ctx, tx, bad); return err })
			if !fault.Is(err, fault.Usage) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// TestDEP43 counts refusals and reads them back, also after they were added up, and with more keys than are counted.
func TestDEP43(t *testing.T) {
	t.Parallel()
	dbtest.OnEngines(t, func(t *testing.T, e db.Engine) {
		ctx, d := t.Context(), dbtest.Ready(t, e, site)
		k, _ := ParseKey("AcmeU/BIO1/2013")
		at := time.Date(2026, 3, 1, 23, 59, 59, 0, time.UTC)
		var c Counter
		for i := range 5 {
			c.Add(k, "outline", at.Add(time.Duration(i%2)*time.Second))
			c.Add(k, "file", at)
			hits := c.Take()
			if i == 3 {
				c.Back(hits)
				continue
			}
			update(t, d, func(tx *db.Tx) error { return Write(ctx, tx, hits) })
		}
		want := []Hit{{k.Name(), "file", "2026-03-01", 5}, {k.Name(), "outline", "2026-03-01", 3}, {k.Name(), "outline", "2026-03-02", 2}}
		check := func() {
			t.Helper()
			got, err := Refusals(ctx, d, "", k.Name(), 100)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		}
		check()
		update(t, d, func(tx *db.Tx) error {
			if n, err := Fold(ctx, tx, "2026-03-02"); err != nil || n == 0 {
				t.Errorf("folded %d, %v", n, err)
			}
			n, err := Fold(ctx, tx, "2026-03-02")
			if n != 0 {
				t.Errorf("folded %d again", n)
			}
			return err
		})
		check()
		for i := range maxCounted + 5 {
			x := k
			x.Course, x.code = keys.Course{}, "C"+strings.Repeat("x", i%7)+time.Duration(i).String()
			c.Add(x, "outline", at)
		}
		var others int64
		for _, h := range c.Take() {
			if h.Course == Others {
				others += h.Hits
			}
		}
		if others != 5 {
			t.Errorf("%d are counted together", others)
		}
	})
}
