package components

import (
	"strings"
	"testing"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/dbtest"
)

func TestCheckCode(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"a", "a.b-c_d", "-", ".", "é", "日本", "раздел.1", "²", "Ⅷ", "٣", "ª", "½", "①", "1", strings.Repeat("é", 255)} {
		if err := CheckCode("code", code); err != nil {
			t.Errorf("CheckCode(%q) = %v", code, err)
		}
	}
	for _, code := range []string{"", " ", "a b", "a:b", "a/b", "·", "😀", "e\u0301", "a\u200d", "a\n", "\n", "a\x00", "a ", "\xff", "a\xff",
		strings.Repeat("é", 256), strings.Repeat("a", 256), "\u203f", "a\\"} {
		if err := CheckCode("code", code); !fault.Is(err, fault.Invalid) {
			t.Errorf("CheckCode(%q) = %v, want invalid", code, err)
		}
	}
}

// FuzzCheckCode holds the grammar against the CHECK that SQLite evaluates: whatever Go accepts, it accepts.
func FuzzCheckCode(f *testing.F) {
	for _, s := range []string{"", "a", "é", "e\u0301", "²", "a\n", "\xff", "日本"} {
		f.Add(s)
	}
	d := dbtest.Open(f, db.SQLite)
	f.Fuzz(func(t *testing.T, code string) {
		if CheckCode("code", code) != nil {
			return
		}
		ok, _, err := db.One(t.Context(), d, `SELECT ? REGEXP '^[\w.-]+\Z'`, []any{code}, db.Value[bool])
		if !ok || err != nil {
			t.Errorf("CheckCode takes %q, the CHECK does not: %v", code, err)
		}
	})
}

func TestCheckPath(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"block.xml", "static/x.png", "static/a b.png", "a", ".hidden", "a..b", "...", "ü/日本", strings.Repeat("é", 500)} {
		if err := CheckPath(path); err != nil {
			t.Errorf("CheckPath(%q) = %v", path, err)
		}
	}
	for _, path := range []string{"", ".", "..", "../x", "a/../b", "a//b", "a/./b", "/a", "a/", "a ", " a", "a\n", "\ta", "a\u00a0", "\x1ca", "a\\b",
		"a\x00b", "\xff", strings.Repeat("a", 501)} {
		if err := CheckPath(path); !fault.Is(err, fault.Invalid) {
			t.Errorf("CheckPath(%q) = %v, want invalid", path, err)
		}
	}
}

func TestRefusedCodeNamesOne(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		codes []string
		want  string
	}{
		{[]string{"a", "é", "b²"}, "b²"},
		{[]string{"a", "é", "b"}, "é"},
	} {
		err := RefusedCode(db.ErrCheck, db.MariaDB, "component code", c.codes)
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "mariadb") {
			t.Errorf("%v: %v", c.codes, err)
		}
	}
	if err := RefusedCode(db.ErrCheck, db.SQLite, "x", []string{"a"}); err != db.ErrCheck {
		t.Errorf("unexplained: %v", err)
	}
}
