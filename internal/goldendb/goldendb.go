// Package goldendb loads the golden databases: real sites of every age, as the reference packages left them.
package goldendb

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/golden"
)

// Folder returns where the dumps for an engine are. Real MySQL has none of its own and reads MariaDB's.
func Folder(e db.Engine) string {
	if e == db.MySQL {
		e = db.MariaDB
	}
	return "db/" + string(e) + "/"
}

// Starts returns the names of the golden databases of an engine. The committed subset has some for SQLite only.
func Starts(tb testing.TB, e db.Engine, pattern string) []string {
	tb.Helper()
	if e != db.SQLite && golden.Dir(tb) == "" {
		return nil
	}
	names := golden.Glob(tb, Folder(e)+pattern+".sql.gz")
	for i, n := range names {
		names[i] = strings.TrimSuffix(filepath.Base(n), ".sql.gz")
	}
	return names
}

// Some returns those of the golden databases of an engine that have the names and an end, or, where the set has others, as
// many of those with an end, spread over all.
func Some(tb testing.TB, e db.Engine, names ...string) []string {
	tb.Helper()
	all := slices.DeleteFunc(Starts(tb, e, "*"), func(n string) bool { return EndOf(tb, e, n) == nil })
	some := slices.DeleteFunc(slices.Clone(all), func(n string) bool { return !slices.Contains(names, n) })
	for i := 0; len(some) == 0 && i < len(names) && i < len(all); i++ {
		some = append(some, all[i*len(all)/len(names)])
	}
	return slices.Compact(some)
}

// End is what a golden database must become.
type End struct {
	Rows     map[string][]map[string]any
	Schema   map[string]map[string]any
	Ledger   [][2]string
	Volatile map[string][]string // columns that hold random values or the time of the run
}

// EndOf returns the end of a golden database, nil where the reference has none.
func EndOf(tb testing.TB, e db.Engine, name string) *End {
	tb.Helper()
	family := e
	if e == db.MySQL {
		family = db.MariaDB
	}
	var manifest struct {
		Starts map[string]struct{ End *string }
		Ends   map[string]struct {
			Rows, Schema, Ledger string
			Volatile             map[string][]string
		}
	}
	decode(tb, golden.Read(tb, "db/manifest-"+string(family)+".json"), &manifest)
	s := manifest.Starts[name]
	if s.End == nil {
		return nil
	}
	files := manifest.Ends[*s.End]
	end := &End{Volatile: files.Volatile}
	decode(tb, golden.ReadGz(tb, "db/"+files.Rows), &end.Rows)
	decode(tb, golden.ReadGz(tb, "db/"+files.Schema), &end.Schema)
	decode(tb, golden.ReadGz(tb, "db/"+files.Ledger), &end.Ledger)
	return end
}

func decode(tb testing.TB, b []byte, v any) {
	tb.Helper()
	if err := json.Unmarshal(b, v); err != nil {
		tb.Fatal(err)
	}
}

var (
	castRegexp = regexp.MustCompile("CHECK \\((`\\w+`) regexp cast\\(('[^']*') as char charset binary\\)\\)")
	uuidColumn = regexp.MustCompile("(`\\w+`) uuid ")
	uuidValue  = regexp.MustCompile(`'([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})'`)
)

// Load loads a golden database, named by its path without ".sql.gz" below the engine's folder.
func Load(tb testing.TB, d *db.DB, name string) {
	tb.Helper()
	LoadDump(tb, d, string(golden.ReadGz(tb, Folder(d.Engine())+name+".sql.gz")))
}

// LoadDump loads the text of a dump.
func LoadDump(tb testing.TB, d *db.DB, dump string) {
	tb.Helper()
	LoadPart(tb, d, dump, func(string) bool { return false })
}

// LoadPart loads the statements of a dump but for those to pass over.
func LoadPart(tb testing.TB, d *db.DB, dump string, pass func(stmt string) bool) {
	tb.Helper()
	if d.Engine() == db.MySQL {
		dump = castRegexp.ReplaceAllString(dump, "CHECK (regexp_like($1, $2, 'c'))")
		if uuidColumn.MatchString(dump) {
			dump = uuidColumn.ReplaceAllString(dump, "$1 char(32) ")
			dump = uuidValue.ReplaceAllString(dump, "'$1$2$3$4$5'")
		}
	}
	if d.Engine() == db.SQLite {
		dump = "PRAGMA foreign_keys=OFF;" + dump // the order of its rows is not that of references
	}
	err := d.Session(context.Background(), func(s *db.Session) error {
		for _, stmt := range Statements(dump, d.Engine().MySQLFamily()) {
			if pass(stmt) {
				continue
			}
			if _, err := s.Exec(context.Background(), stmt); err != nil {
				return errors.Join(err, errors.New(stmt[:min(300, len(stmt))]))
			}
		}
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
}

// Statements cuts a dump at the semicolons outside quotes; escapes says that a backslash in a string takes the next
// character with it.
func Statements(dump string, escapes bool) []string {
	var list []string
	start := 0
	var quote byte
	for i := 0; i < len(dump); i++ {
		switch c := dump[i]; {
		case quote != 0 && c == '\\' && escapes:
			i++
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
		case c == '\'' || c == '"' || c == '`':
			quote = c
		case c == ';':
			list = append(list, strings.TrimSpace(dump[start:i]))
			start = i + 1
		}
	}
	return list
}
