package dbtest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/openlectern/lectern/db"
)

// CopyURL returns the URL of a copy of the database at a URL that [URL] or CopyURL gave, gone when the test ends. Nobody may be
// connected to the one that is copied. On the MySQL family the copy has its tables with their rows, and no views or triggers.
func CopyURL(tb testing.TB, e db.Engine, of string) string {
	tb.Helper()
	if e == db.SQLite {
		path := filepath.Join(tb.TempDir(), "copy.db")
		whole, err := os.ReadFile(strings.TrimPrefix(of, "sqlite:"))
		if err == nil {
			err = os.WriteFile(path, whole, 0o644)
		}
		if err != nil {
			tb.Fatalf("copy a database: %v", err)
		}
		return fileURL(path)
	}
	s := serverOf(tb, e)
	u, err := url.Parse(of)
	if err != nil {
		tb.Fatal(err)
	}
	from, template := strings.TrimPrefix(u.Path, "/"), ""
	if s.postgres() {
		template = from
	}
	name, err := s.create(template)
	if err != nil {
		tb.Fatalf("copy database %s: %v", from, err)
	}
	tb.Cleanup(func() {
		if err := s.drop(name); err != nil {
			tb.Errorf("drop a copy: %v", err)
		}
	})
	if !s.postgres() {
		if err := s.copyTables(name, from); err != nil {
			tb.Fatalf("copy database %s: %v", from, err)
		}
	}
	return s.url(name)
}

// copyTables makes the tables of a database in another one of the MySQL family.
func (s *server) copyTables(to, from string) error {
	ctx := context.Background()
	return run(s.url(to), func(d *db.DB) error {
		return d.Session(ctx, func(c *db.Session) error {
			// Rows are taken as they are, also those that refer to what comes later.
			if _, err := c.Exec(ctx, "SET SESSION foreign_key_checks = 0, unique_checks = 0, sql_mode = 'NO_AUTO_VALUE_ON_ZERO'"); err != nil {
				return err
			}
			tables, err := db.All(ctx, c, "SELECT table_name FROM information_schema.tables WHERE table_schema = ? AND table_type = 'BASE TABLE'",
				[]any{from}, db.Value[string])
			if err != nil {
				return err
			}
			for _, t := range tables {
				t = d.Engine().Quote(t)
				create, _, err := db.One(ctx, c, fmt.Sprintf("SHOW CREATE TABLE %s.%s", from, t), nil, func(r *db.Row) (text string, err error) {
					var name string
					err = r.Scan(&name, &text)
					return text, err
				})
				if err == nil {
					_, err = c.Exec(ctx, create)
				}
				if err == nil {
					_, err = c.Exec(ctx, fmt.Sprintf("INSERT INTO %s SELECT * FROM %s.%s", t, from, t))
				}
				if err != nil {
					return fmt.Errorf("table %s: %w", t, err)
				}
			}
			return nil
		})
	})
}
