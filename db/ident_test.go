package db_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/dbtest"
)

func TestCheckIdentifier(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, s string
		limit   int
		ok      bool
	}{
		{"plain", "course-v1:A+B+C", 500, true},
		{"empty", "", 5, true},
		{"space inside", "a b", 5, true},
		{"leading space", " a", 5, true},
		{"as long as may be", "ééééé", 5, true},
		{"too long", "éééééé", 5, false},
		{"trailing space", "a ", 5, false},
		{"only a space", " ", 5, false},
		{"NUL", "a\x00b", 5, false},
		{"not UTF-8", "a\xff", 5, false},
	} {
		err := db.CheckIdentifier(c.s, c.limit)
		if (err == nil) != c.ok || err != nil && !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: CheckIdentifier(%q, %d) = %v, want accepted: %v", c.name, c.s, c.limit, err, c.ok)
		}
	}
}

// TestIdentifiersAreBytes shows that the collation a key column has on each engine keeps apart what only looks alike,
// and where that ends: with trailing spaces, which CheckIdentifier refuses.
func TestIdentifiersAreBytes(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		column := map[db.Engine]string{
			db.SQLite: "varchar(255) COLLATE BINARY", db.MySQL: "varchar(255) COLLATE utf8mb4_bin",
			db.MariaDB: "varchar(255) COLLATE utf8mb4_bin", db.PostgreSQL: "varchar(255)",
		}[d.Engine()]
		create(t, d, "CREATE TABLE ident (code "+column+" NOT NULL UNIQUE)")
		ctx := t.Context()
		// Case, accents, normal forms, ligatures, width, 4-byte letters, zero-width characters, tab at the end.
		codes := []string{"a", "A", "é", "e", "e\u0301", "É", "ss", "ß", "ﬁ", "fi", "ｘ", "x", "😀", "😁", "i", "ı", "İ", "a\u200d", "x\t", " x", ""}
		err := d.Update(ctx, func(tx *db.Tx) error {
			return tx.Insert(ctx, "ident", []string{"code"}, len(codes), func(i int, v []any) { v[0] = codes[i] })
		})
		if err != nil {
			t.Fatalf("insert codes that differ in bytes: %v", err)
		}
		for _, c := range codes {
			got, err := db.All(ctx, d, "SELECT code FROM ident WHERE code = ?", []any{c}, db.Value[string])
			if diff := cmp.Diff([]string{c}, got); err != nil || diff != "" {
				t.Errorf("rows equal to %q: %v (-want +got)\n%s", c, err, diff)
			}
		}
		if got := one[string](t, d, "SELECT code FROM ident WHERE code = ?", "A"); got != "A" {
			t.Errorf("the row equal to %q is %q", "A", got)
		}
		// The trap: the MySQL family takes "x" and "x " for one key.
		_, err = d.Exec(ctx, "INSERT INTO ident (code) VALUES (?)", "x ")
		if taken := errors.Is(err, db.ErrDuplicate); taken != d.Engine().MySQLFamily() || err != nil && !taken {
			t.Errorf("a second key that differs by a trailing space on %s: %v", d.Engine(), err)
		}
		if db.CheckIdentifier("x ", 255) == nil {
			t.Error("CheckIdentifier accepts a trailing space")
		}
		// Longer than the column: SQLite stores it, so the check must come first.
		long := strings.Repeat("y", 256)
		_, err = d.Exec(ctx, "INSERT INTO ident (code) VALUES (?)", long)
		if tooLong := errors.Is(err, db.ErrTooLong); tooLong != (d.Engine() != db.SQLite) || err != nil && !tooLong {
			t.Errorf("a key of 256 characters on %s: %v", d.Engine(), err)
		}
		if db.CheckIdentifier(long, 255) == nil {
			t.Error("CheckIdentifier accepts 256 characters where 255 may be")
		}
	})
}
