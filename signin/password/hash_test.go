package password

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/openlectern/lectern/fault"
)

type vector struct{ Name, Password, Encoded string }

// vectors reads the hashes that Django made (testdata/make.py).
func vectors(tb testing.TB) []vector {
	tb.Helper()
	f, err := os.Open("testdata/django.jsonl")
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	var all []vector
	for s := bufio.NewScanner(f); s.Scan(); {
		var v vector
		if err := json.Unmarshal(s.Bytes(), &v); err != nil {
			tb.Fatal(err)
		}
		all = append(all, v)
	}
	if len(all) < 30 {
		tb.Fatalf("%d vectors, want more", len(all))
	}
	return all
}

func TestDjangoHashes(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			h, err := Parse(v.Encoded)
			if err != nil {
				t.Fatalf("Parse(%q): %v", v.Encoded, err)
			}
			if !h.Match(v.Password) {
				t.Errorf("%q is refused by %q", v.Password, v.Encoded)
			}
			if strings.HasSuffix(v.Name, "default") {
				if want := v.Name == "pbkdf2_sha256 default"; h.Current(Rounds) != want {
					t.Errorf("Current = %v, want %v", !want, want)
				}
				return // once is dear enough
			}
			// bcrypt alone reads 72 bytes only, in Django as everywhere.
			if h.Match(v.Password+"x") && v.Name != "bcrypt long" || h.Match("X"+v.Password) {
				t.Errorf("another password than %q is taken by %q", v.Password, v.Encoded)
			}
			if h.Current(Rounds) {
				t.Error("a hash of other cost is not current")
			}
		})
	}
}

func TestMake(t *testing.T) {
	t.Parallel()
	a, err := Make("correct horse", 1000)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Make("correct horse", 1000)
	if err != nil {
		t.Fatal(err)
	}
	if a == b {
		t.Error("two hashes have one salt")
	}
	if !strings.HasPrefix(a, "pbkdf2_sha256$1000$") || len(a) > 128 {
		t.Errorf("%q is not a hash that the column holds", a)
	}
	h, err := Parse(a)
	if err != nil || !h.Match("correct horse") || h.Match("battery staple") {
		t.Errorf("what was made does not match: %v", err)
	}
	if !h.Current(1000) || !h.Current(900) || h.Current(1001) || h.Missing(1500) != 500 || h.Missing(10) != 0 {
		t.Error("the rounds are not told")
	}
}

func TestUnusable(t *testing.T) {
	t.Parallel()
	a, b := MakeUnusable(), MakeUnusable()
	if a == b || len(a) != 41 {
		t.Errorf("unusable: %q, %q", a, b)
	}
	for _, text := range []string{Unusable, a, "!pbkdf2_sha256$1$a$b"} {
		if h, err := Parse(text); !errors.Is(err, ErrUnusable) || h.Match("") {
			t.Errorf("Parse(%q): %v, want ErrUnusable and no match", text, err)
		}
	}
}

// bad are texts that are no hash of a form known here.
var bad = []string{
	"", "plain", "md5$salt$5f4dcc3b5aa765d61d8327deb882cf99", "sha1$a$b", "$", "pbkdf2_sha256", "pbkdf2_sha256$", "pbkdf2_sha256$a$b$c",
	"pbkdf2_sha256$0$salt$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "pbkdf2_sha256$-1$salt$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
	"pbkdf2_sha256$99999999999$salt$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "pbkdf2_sha256$1000$salt$", "pbkdf2_sha256$1000$salt$AAAA",
	"pbkdf2_sha256$1000$salt$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=$x", "pbkdf2_sha256$+9$salt$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
	"scrypt$16384$salt$8$5$AAAA", "scrypt$3$salt$8$1$" + strings.Repeat("A", 86) + "==", "scrypt$1073741824$salt$8$5$" + strings.Repeat("A", 86) + "==",
	"argon2$argon2d$v=19$m=512,t=2,p=2$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA", "argon2$argon2i$m=512,t=2,p=2$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
	"argon2$argon2id$v=16$m=512,t=2,p=2$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA", "argon2$argon2id$v=19$m=99999999,t=2,p=2$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
	"argon2$argon2id$v=19$m=512,t=2,p=2$c2FsdHNhbHQ$", "bcrypt$x", "bcrypt$$2b$31$abcdefghijklmnopqrstuuabcdefghijklmnopqrstuabcdefghijklmn",
}

func TestUnknownForms(t *testing.T) {
	t.Parallel()
	for _, text := range bad {
		if h, err := Parse(text); !errors.Is(err, ErrUnknown) || h.Match("") || h.Match("plain") {
			t.Errorf("Parse(%q): %v, want ErrUnknown and no match", text, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range bad {
		f.Add(text)
	}
	for _, v := range vectors(f) {
		f.Add(v.Encoded)
	}
	f.Fuzz(func(t *testing.T, text string) {
		h, err := Parse(text)
		if (err == nil) != (h.check != nil) {
			t.Errorf("Parse(%q): %v, and a hash that can match: %v", text, err, h.check != nil)
		}
		if strings.HasPrefix(text, Unusable) && err == nil {
			t.Errorf("%q is taken for a password", text)
		}
	})
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for plain, ok := range map[string]bool{
		"correct horse": true, "пароль-длинный": true, "8letters": true, strings.Repeat("ab", 2048): true, "jo lamb 1": true,
		"": false, "short": false, "12345678901": false, "aaaaaaaaaa": false, "Password123": false, "jo@example.org": false, "josephine": false,
		strings.Repeat("ab", 2049): false, "nul\x00 in the middle": false, "not \xff text at all": false,
	} {
		err := Check(plain, "josephine", "jo@example.org", "")
		if (err == nil) != ok || err != nil && !fault.Is(err, fault.Invalid) {
			t.Errorf("Check(%.40q): %v, want ok %v", plain, err, ok)
		}
	}
	if Normal("ﬁne Ａ") != "fine A" {
		t.Errorf("Normal = %q", Normal("ﬁne Ａ"))
	}
}

func BenchmarkMatch(b *testing.B) {
	encoded, err := Make("correct horse", Rounds)
	if err != nil {
		b.Fatal(err)
	}
	h, err := Parse(encoded)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if !h.Match("correct horse") {
			b.Fatal("no match")
		}
	}
}
