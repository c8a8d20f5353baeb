package goldendb

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/golden"
)

// AuthzFolder returns where the dumps of permissions for an engine are.
func AuthzFolder(e db.Engine) string {
	if e == db.MySQL {
		e = db.MariaDB
	}
	return "db/authz/" + string(e) + "/"
}

// AuthzStarts is [Starts] for the databases of permissions.
func AuthzStarts(tb testing.TB, e db.Engine, pattern string) []string {
	tb.Helper()
	if e != db.SQLite && golden.Dir(tb) == "" {
		return nil
	}
	names := golden.Glob(tb, AuthzFolder(e)+pattern+".sql.gz")
	for i, n := range names {
		names[i] = strings.TrimSuffix(filepath.Base(n), ".sql.gz")
	}
	return names
}

// AuthzEnd is what a golden database of permissions must become.
type AuthzEnd struct {
	Rows     map[string][]map[string]any
	Ledger   [][2]string         // of the apps of these tables, in order
	Volatile map[string][]string // columns that hold random values or the time of the run
	Differs  []string            // what of the tables is not as on a new site, each beginning with the table's name
}

// AuthzEndOf returns the end of a golden database of permissions.
func AuthzEndOf(tb testing.TB, e db.Engine, name string) *AuthzEnd {
	tb.Helper()
	if e == db.MySQL {
		e = db.MariaDB
	}
	type start struct {
		End     string
		EndOf   string              `json:"end_of"`
		Ledger  [][2]string         `json:"ledger_end"`
		Differs []string            `json:"schema_differs"`
		Vol     map[string][]string `json:"volatile"`
	}
	var manifest struct{ Starts map[string]start }
	decode(tb, golden.Read(tb, "db/authz/manifest-"+string(e)+".json"), &manifest)
	s, ok := manifest.Starts[name]
	if !ok {
		tb.Fatalf("the manifest has no start %s", name)
	}
	whole := s
	if s.EndOf != "" {
		whole = manifest.Starts[s.EndOf]
	}
	end := &AuthzEnd{Ledger: whole.Ledger, Volatile: whole.Vol, Differs: whole.Differs}
	decode(tb, golden.ReadGz(tb, "db/authz/"+s.End), &end.Rows)
	return end
}

// LoadAuthz loads a golden database of permissions.
func LoadAuthz(tb testing.TB, d *db.DB, name string) {
	tb.Helper()
	LoadDump(tb, d, string(golden.ReadGz(tb, AuthzFolder(d.Engine())+name+".sql.gz")))
}
