package db

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/openlectern/lectern/fault"
)

func is(err, target error) bool { return errors.Is(err, target) }

// TestTimeText compares the hand-made forms with time.Format and time.Parse.
func TestTimeText(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		at := time.Unix(r.Int64N(253402300800), r.Int64N(1e9)).In(time.FixedZone("", r.IntN(80000)-40000))
		if r.IntN(3) == 0 {
			at = at.Truncate(time.Second)
		}
		want := at.UTC().Truncate(time.Microsecond).Format("2006-01-02 15:04:05")
		if us := at.Nanosecond() / 1000; us != 0 {
			want += fmt.Sprintf(".%06d", us)
		}
		b, err := appendTime(nil, at)
		if err != nil || string(b) != want {
			t.Fatalf("appendTime(%v) = %q, %v, want %q", at, b, err, want)
		}
		back, err := parseTime(string(b))
		if err != nil || !back.Equal(at.Truncate(time.Microsecond)) || back.Location() != time.UTC {
			t.Fatalf("parseTime(%q) = %v, %v", b, back, err)
		}
	}
	for s, want := range map[string]string{
		"2025-03-04 05:06:07.1":            "2025-03-04T05:06:07.1Z",
		"2025-03-04 05:06:07.123456789":    "2025-03-04T05:06:07.123456Z",
		"2025-03-04T05:06:07Z":             "2025-03-04T05:06:07Z",
		"2025-03-04 05:06:07+02:00":        "2025-03-04T03:06:07Z",
		"2025-03-04T05:06:07.5-01:00":      "2025-03-04T06:06:07.5Z",
		"2025-03-04":                       "2025-03-04T00:00:00Z",
		"2024-02-29 00:00:00":              "2024-02-29T00:00:00Z",
		"2025-02-29 00:00:00":              "",
		"2025-13-01 00:00:00":              "",
		"2025-01-01 24:00:00":              "",
		"2025-01-01 00:00:0x":              "",
		"2025-01-01 00:00:00.":             "",
		"2025-01-01 00:00:00.12345x":       "",
		"":                                 "",
		"now":                              "",
		"2025-01-01 00:00:00\x00":          "",
		"２025-01-01 00:00:00":              "",
		"2025-01-01 00:00:00.0000001":      "2025-01-01T00:00:00Z",
		"2025/01/01 00:00:00":              "",
		"-025-01-01 00:00:00":              "",
		"2025-01-01 00:00:00 +0000 UTC m=": "",
	} {
		got, err := parseTime(s)
		if (err == nil) != (want != "") || err == nil && got.Format(time.RFC3339Nano) != want {
			t.Errorf("parseTime(%q) = %v, %v, want %s", s, got, err, want)
		}
	}
	for _, y := range []int{-1, 10000} {
		if _, err := appendTime(nil, time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC)); err == nil {
			t.Errorf("year %d has a text", y)
		}
	}
}

func TestUUIDText(t *testing.T) {
	t.Parallel()
	u := uuid.MustParse("0A1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9")
	if got := uuidText(u); got != "0a1b2c3d4e5f60718293a4b5c6d7e8f9" {
		t.Errorf("uuidText = %q", got)
	}
	for _, s := range []string{"0a1b2c3d4e5f60718293a4b5c6d7e8f9", "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9", "0A1B2C3D4E5F60718293A4B5C6D7E8F9"} {
		if got, err := parseUUID(s); err != nil || got != u {
			t.Errorf("parseUUID(%q) = %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "x", "{0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9}", "urn:uuid:0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9", "0a1b2c3d4e5f60718293a4b5c6d7e8fg"} {
		if got, err := parseUUID(s); err == nil {
			t.Errorf("parseUUID(%q) = %v", s, got)
		}
	}
}

func TestNumber(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string]string{
		"SELECT 1":                          "SELECT 1",
		"a = ? AND b = ?":                   "a = $1 AND b = $2",
		"a = '?' AND b = ?":                 "a = '?' AND b = $1",
		"a = 'it''s ?' AND b = ?":           "a = 'it''s ?' AND b = $1",
		`"a?" = ? -- why?` + "\n AND c = ?": `"a?" = $1 -- why?` + "\n AND c = $2",
		"/* ? */ ? /* ?":                    "/* ? */ $1 /* ?",
		"a - -? / ?":                        "a - -$1 / $2",
		"? '?":                              "$1 '?",
		"-- ?":                              "-- ?",
		"`?` = ?":                           "`?` = $1",
		strings.Repeat("?", 12):             "$1$2$3$4$5$6$7$8$9$10$11$12",
	} {
		var n numbered
		if got := n.rewrite(sql); got != want || n.rewrite(sql) != want {
			t.Errorf("%s\n got %s\nwant %s", sql, got, want)
		}
	}
}

func TestParseURL(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]target{
		"/a/lectern.db":                      {engine: SQLite, name: "/a/lectern.db", path: "/a/lectern.db"},
		"/a/x?y.db":                          {engine: SQLite, name: "/a/x?y.db", path: "/a/x?y.db"},
		"/a/b:c.db":                          {engine: SQLite, name: "/a/b:c.db", path: "/a/b:c.db"},
		"sqlite:/a/../b.db":                  {engine: SQLite, name: "/a/../b.db", path: "/b.db"},
		"sqlite:///a/b.db":                   {engine: SQLite, name: "///a/b.db", path: "/a/b.db"},
		"sqlite:/a.db?_pragma=cache_size(5)": {engine: SQLite, name: "/a.db", path: "/a.db", params: "_pragma=cache_size(5)"},
		"mysql://u:p@h:1/n":                  {engine: MySQL, name: "h:1/n", user: "u", password: "p", addr: "h:1", database: "n"},
		"MySQL://u:p%40%2F%23@h/n?tls=true":  {engine: MySQL, name: "h:3306/n", user: "u", password: "p@/#", addr: "h:3306", database: "n", params: "tls=true"},
		"mariadb://u@h/n":                    {engine: MySQL, name: "h:3306/n", user: "u", addr: "h:3306", database: "n"},
		"postgres://u:p@[::1]:5/n?a=b&c=d":   {engine: PostgreSQL, name: "[::1]:5/n", user: "u", password: "p", addr: "[::1]:5", database: "n", params: "a=b&c=d"},
		"postgresql://u@h/n":                 {engine: PostgreSQL, name: "h:5432/n", user: "u", addr: "h:5432", database: "n"},
	} {
		got, err := parseURL(s)
		if err != nil || got != want {
			t.Errorf("parseURL(%q)\n got %+v, %v\nwant %+v", s, got, err, want)
		}
	}
	if got, err := parseURL("lectern.db"); err != nil || got.name != "lectern.db" || !strings.HasSuffix(got.path, "/db/lectern.db") {
		t.Errorf("a relative path: %+v, %v", got, err)
	}
	for _, s := range []string{
		"", " ", "sqlite:", "sqlite::memory:", ":memory:", "folder/", "a\x00b",
		"mysql:u:p@h/n", "mysql:/u:topsecret@h/n", "postgres:h", "file:x.db", "mariadb:x",
		"http://h/n", "oracle://u:topsecret@h/n", "mongodb://h", "sqlite3://x",
		"mysql://h/n", "mysql://u:topsecret@h", "mysql://u:topsecret@h/", "mysql://u:topsecret@/n", "mysql://u:topsecret@h/n/m", "mysql://u:topsecret@h:port/n",
		"mysql://u:topsecret#x@h/n", "postgres://u:topsecret@h/n#", "postgres://u:topsecret%zz@h/n", "mysql://u:top secret@h\x7f/n",
	} {
		_, err := parseURL(s)
		var f *fault.Error
		if !errors.As(err, &f) || f.Kind != fault.Usage || f.Next == "" || strings.Contains(err.Error(), "secret") {
			t.Errorf("parseURL(%q): %v, want usage with a next step and no password", s, err)
		}
	}
}

// FuzzParseURL looks for panics, for passwords in messages, and for targets that lack what connecting needs.
func FuzzParseURL(f *testing.F) {
	for _, s := range []string{"x.db", "sqlite:x?a=b", "mysql://u:hunter2@h:1/n?x=y", "postgres://u:hunter2@[::1]/n", "mysql://hunter2", "mysql://u:hunter2@h/%2f", "://", "postgres://a:hunter2@b:c/d"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := parseURL(s)
		if err != nil {
			if !fault.Is(err, fault.Usage) || strings.Contains(err.Error(), "hunter2") && !strings.HasPrefix(s, "hunter2") {
				t.Errorf("parseURL(%q): %v", s, err)
			}
			return
		}
		switch got.engine {
		case SQLite:
			if got.path == "" || got.path[0] != '/' || strings.IndexByte(got.path, 0) >= 0 {
				t.Errorf("parseURL(%q): %+v", s, got)
			}
		case MySQL:
			if got.addr == "" || got.database == "" || got.user == "" {
				t.Errorf("parseURL(%q): %+v", s, got)
			}
			if _, err := mysqlConfig(got); err != nil && !fault.Is(err, fault.Usage) {
				t.Errorf("parseURL(%q): %v", s, err)
			}
		case PostgreSQL:
			if got.addr == "" || got.database == "" || got.user == "" {
				t.Errorf("parseURL(%q): %+v", s, got)
			}
		default:
			t.Errorf("parseURL(%q): engine %q", s, got.engine)
		}
	})
}
