package keys_test

import (
	"database/sql"
	"database/sql/driver"
	"encoding"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/keys"
)

// Every kind can be text, JSON and a column.
var (
	_ = []interface {
		keys.Key
		driver.Valuer
		encoding.TextMarshaler
		encoding.TextAppender
	}{
		keys.Context{}, keys.Course{}, keys.Usage{}, keys.Asset{}, keys.Definition{}, keys.BlockType{}, keys.Collection{},
		keys.Container{},
	}
	_ = []interface {
		sql.Scanner
		encoding.TextUnmarshaler
	}{
		&keys.Context{}, &keys.Course{}, &keys.Usage{}, &keys.Asset{}, &keys.Definition{}, &keys.BlockType{}, &keys.Collection{},
		&keys.Container{},
	}
)

func TestJSON(t *testing.T) {
	t.Parallel()
	type doc struct {
		Course keys.Course
		None   keys.Usage
		Left   keys.Context `json:",omitzero"`
		Counts map[keys.Usage]int
	}
	const text = `{"Course":"o/c/r","None":"","Counts":{"lb:o:s:t:x":2}}`
	var got doc
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	u, err := keys.ParseUsage("lb:o:s:t:x")
	if err != nil {
		t.Fatal(err)
	}
	c, err := keys.NewSlashCourse("o", "c", "r")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(doc{Course: c, Counts: map[keys.Usage]int{u: 2}}, got); diff != "" {
		t.Errorf("read (-want +got):\n%s", diff)
	}
	if out, err := json.Marshal(got); err != nil || string(out) != text {
		t.Errorf("written %s, %v, want %s", out, err, text)
	}
	for _, bad := range []string{`{"Course":"o/c"}`, `{"Counts":{"lb:o:s:t":1}}`, `{"Course":"lib:o:s"}`, `{"Course":"o/c/r\n"}`} {
		var d doc
		if err := json.Unmarshal([]byte(bad), &d); !errors.Is(err, keys.ErrInvalid) || !d.Course.IsZero() {
			t.Errorf("%s: %+v, %v", bad, d, err)
		}
	}
}

func TestScan(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind keys.Kind
		src  any
		want string
		ok   bool
	}{
		{keys.KindCourse, nil, "", true},
		{keys.KindCourse, "", "", true},
		{keys.KindCourse, []byte(nil), "", true},
		{keys.KindCourse, "\n", "", true},
		{keys.KindCourse, "slashes:o+c+r", "course-v1:o+c+r", true},
		{keys.KindCourse, "o/c/r \t\r\n\n", "o/c/r", true},
		{keys.KindCourse, "o/c/r\u00a0\x1c\u2029\n", "o/c/r", true},
		{keys.KindCourse, "o/c/r ", "", false}, // only a final LF has the rest cut
		{keys.KindCourse, "\no/c/r\n", "", false},
		{keys.KindCourse, int64(5), "", false},
		{keys.KindContext, []byte("lib:o:s\n"), "lib:o:s", true},
		{keys.KindUsage, "lb:o:s:t:u\n", "lb:o:s:t:u", true},
		{keys.KindUsage, "lb:o:s:t\n:u", "", false},
		{keys.KindBlockType, "problem\n", "problem", true},
		{keys.KindCollection, "lib-collection:o:s:c\n", "lib-collection:o:s:c", true},
	} {
		got, err := scanned(t, zero(c.kind), c.src)
		if got.String() != c.want || (err == nil) != c.ok {
			t.Errorf("%v Scan(%q) = %q, %v, want %q", c.kind, c.src, got, err, c.want)
		}
		if err != nil && !errors.Is(err, keys.ErrInvalid) {
			t.Errorf("%v Scan(%q): %v is not ErrInvalid", c.kind, c.src, err)
		}
	}
	// A failed read leaves what was there.
	k, err := keys.ParseCourse("o/c/r")
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Scan("o/c"); err == nil || k.String() != "o/c/r" {
		t.Errorf("after a failed Scan: %v, %v", k, err)
	}
}

func TestValue(t *testing.T) {
	t.Parallel()
	const fits = 255 - len("course-v1:+c+r")
	long := strings.Repeat("é", fits)
	for _, c := range []struct {
		kind     keys.Kind
		in, want string
		ok       bool
	}{
		{keys.KindCourse, "", "", true},
		{keys.KindCourse, "course-v1:o+c+r+branch@b+version@" + specV, "course-v1:o+c+r", true},
		{keys.KindCourse, "course-v1:version@" + specV, "", false},
		{keys.KindCourse, "course-v1:" + long + "+c+r", "course-v1:" + long + "+c+r", true}, // code points, not bytes
		{keys.KindCourse, "course-v1:" + long + "x+c+r", "", false},
		{keys.KindCourse, "course-v1:o+c+r+branch@" + long, "course-v1:o+c+r", true}, // what is stored counts
		{keys.KindUsage, "i4x://o/c/t/n@draft", "i4x://o/c/t/n", true},
		{keys.KindUsage, "i4x://o/c/a\x00b/n", "", false},
		{keys.KindUsage, "aside-usage-v2:i4x$://o/c/t/n@b::a", "aside-usage-v2:i4x$://o/c/t/n@b::a", true},
		{keys.KindUsage, "aside-usage-v2:i4x$://o/c/t/n::a ", "", false},
		{keys.KindUsage, "aside-usage-v2:i4x$://o/c/t/n::a\n", "", false},
		{keys.KindBlockType, "problem ", "", false},
		{keys.KindBlockType, "problem\t", "problem\t", true},
		{keys.KindDefinition, "def-v1:" + specV + "+type@t", "def-v1:" + specV + "+type@t", true},
	} {
		k := zero(c.kind)
		if c.in != "" {
			var err error
			if k, err = c.kind.Parse(c.in); err != nil {
				t.Fatal(err)
			}
		}
		got, err := k.(driver.Valuer).Value()
		if (err == nil) != c.ok || c.ok && got != c.want {
			t.Errorf("%v %q: Value %q, %v, want %q", c.kind, c.in, got, err, c.want)
		}
	}
}
