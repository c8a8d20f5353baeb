package db

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestPatterns holds the facts of content-schema.md §2.1 and content-model.md §3: what Python's re.search accepts.
func TestPatterns(t *testing.T) {
	t.Parallel()
	const (
		ascii   = `^[a-zA-Z0-9_.-]+\Z`
		unicode = `^[\w.-]+\Z`
		code    = `^[a-z0-9\-_\.]+$`
		lang    = `^[a-z][a-z](\-[a-z0-9]+)*$`
	)
	both := []string{"a", "Z", "0", "9", "_", ".", "-", "a.b-c_d", "-.", strings.Repeat("x", 300)}
	neither := []string{"", " ", "a b", " a", "a ", "a\n", "\n", "a\nb", "a:b", "a/b", "a\\b", "a\x00", "·", "a\u0301", "\u200d", "a\u203f", "😀", "§", "a+b", "a\xff", "\xff", "\ufffd"}
	letters := []string{"é", "日本", "раздел.1", "²", "½", "①", "Ⅷ", "٣", "ª", "ß", "ǅ", "ʰ", "x²", "あ", "𝔘", "௰"}
	for _, c := range []struct {
		pattern          string
		accepts, refuses []string
	}{
		{ascii, both, append(letters, neither...)},
		{unicode, append(letters, both...), neither},
		{code, []string{"a", "unit", "lectern.course", "-_.", "0", "a\n"}, append([]string{"", "A", "a\n\n", "\n", "a\nb", "é", " a", "a "}, letters...)},
		{lang, []string{"en", "pt-br", "zh-hans-x1", "de\n", "sr-latn\n"}, []string{"", "e", "EN", "en-", "en-BR", "en_br", "eng", "en--x", "en\n\n", "e1", "en-br-", "én", "en -x", "\n"}},
	} {
		for want, texts := range map[bool][]string{true: c.accepts, false: c.refuses} {
			for _, s := range texts {
				if got, err := sqliteRegexp(c.pattern, s); err != nil || got != want {
					t.Errorf("%q REGEXP %s: %v, %v, want %v", s, c.pattern, got, err, want)
				}
			}
		}
		if got, err := sqliteRegexp(c.pattern, nil); got != nil || err != nil {
			t.Errorf("NULL REGEXP %s: %v, %v", c.pattern, got, err)
		}
		if got, err := sqliteRegexp(c.pattern, []byte("a")); got != false || err != nil {
			t.Errorf("a blob REGEXP %s: %v, %v", c.pattern, got, err)
		}
	}
	for _, c := range []struct{ pattern, text any }{{"a", "a"}, {"", ""}, {int64(1), "1"}, {ascii + " ", "a"}, {strings.ReplaceAll(ascii, `\Z`, "$"), "a"}} {
		if got, err := sqliteRegexp(c.pattern, c.text); err == nil {
			t.Errorf("%v REGEXP %v: %v without an error", c.text, c.pattern, got)
		}
	}
	if got, err := sqliteRegexp(nil, "a"); got != nil || err != nil {
		t.Errorf("REGEXP NULL: %v, %v", got, err)
	}
	if got, err := sqliteRegexp(ascii, int64(-5)); got != true || err != nil {
		t.Errorf("-5 REGEXP %s: %v, %v", ascii, got, err)
	}
}

// TestRegexpInSQLite shows that the function is on every connection, in CHECKs and in integrity checks.
func TestRegexpInSQLite(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d, err := Open(ctx, filepath.Join(t.TempDir(), "x.db"), Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	if _, err := d.Exec(ctx, `CREATE TABLE c (code varchar(255) NOT NULL, CONSTRAINT rx CHECK ("code" REGEXP '^[\w.-]+\Z'))`); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Exec(ctx, "INSERT INTO c (code) VALUES (?)", "Größe²"); err != nil {
		t.Error(err)
	}
	if _, err := d.Exec(ctx, "INSERT INTO c (code) VALUES (?)", "a b"); !is(err, ErrCheck) {
		t.Errorf("a code with a space: %v", err)
	}
	for range 20 { // readers too
		s, found, err := One(ctx, d, "PRAGMA integrity_check", nil, Value[string])
		if err != nil || !found || s != "ok" {
			t.Errorf("integrity_check: %q, %v", s, err)
		}
	}
	if _, _, err := One(ctx, d, "SELECT 'a' REGEXP 'b'", nil, Value[bool]); err == nil {
		t.Error("an unknown pattern is no error")
	}
}
