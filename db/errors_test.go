package db_test

import (
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/dbtest"
)

var conditions = map[string]error{
	"duplicate": db.ErrDuplicate, "foreign key": db.ErrForeignKey, "check": db.ErrCheck, "not null": db.ErrNotNull, "too long": db.ErrTooLong,
	"text": db.ErrText, "retry": db.ErrRetry, "unavailable": db.ErrUnavailable, "read-only": db.ErrReadOnly, "full": db.ErrFull,
}

// TestConditions makes each engine refuse something, and looks at which condition comes out (test-servers.md §7).
func TestConditions(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		pk := "id integer NOT NULL PRIMARY KEY"
		create(t, d, item[d.Engine()], "CREATE TABLE parent ("+pk+")",
			"CREATE TABLE child ("+pk+", parent_id integer NOT NULL, CONSTRAINT fk FOREIGN KEY (parent_id) REFERENCES parent (id))")
		if d.Engine() == db.PostgreSQL {
			exec(t, d, "ALTER TABLE child ALTER CONSTRAINT fk DEFERRABLE INITIALLY DEFERRED") // as Django has it: found at COMMIT
		}
		exec(t, d, "INSERT INTO item (uuid, code, num) VALUES (?, 'taken', 0)", uuid.New())
		exec(t, d, "INSERT INTO parent (id) VALUES (1)")
		exec(t, d, "INSERT INTO child (id, parent_id) VALUES (1, 1)")
		lite := d.Engine() == db.SQLite
		for _, c := range []struct {
			name, sql string
			args      []any
			want      string // "": no error
		}{
			{"unique", "INSERT INTO item (uuid, code, num) VALUES (?, 'taken', 0)", []any{uuid.New()}, "duplicate"},
			{"primary key", "INSERT INTO parent (id) VALUES (1)", nil, "duplicate"},
			{"missing parent", "INSERT INTO child (id, parent_id) VALUES (2, 99)", nil, "foreign key"},
			{"parent in use", "DELETE FROM parent WHERE id = 1", nil, "foreign key"},
			{"negative number", "INSERT INTO item (uuid, code, num) VALUES (?, 'x', -1)", []any{uuid.New()}, "check"},
			{"NULL", "INSERT INTO item (uuid, code, num) VALUES (?, NULL, 0)", []any{uuid.New()}, "not null"},
			{"left out", "INSERT INTO item (uuid, num) VALUES (?, 0)", []any{uuid.New()}, "not null"},
			{"long", "INSERT INTO item (uuid, code, num) VALUES (?, ?, 0)", []any{uuid.New(), strings.Repeat("x", 256)}, map[bool]string{true: "", false: "too long"}[lite]},
			{"number out of range", "INSERT INTO item (uuid, code, num) VALUES (?, 'y', ?)", []any{uuid.New(), int64(1) << 40}, map[bool]string{true: "", false: "check"}[lite]},
			{"no such table", "DELETE FROM nothing", nil, "program"},
			{"not SQL", "SELEKT", nil, "program"},
		} {
			if d.Engine() == db.PostgreSQL && c.name == "number out of range" {
				c.want = "program" // the driver refuses the argument for an integer column before it is sent
			}
			_, err := d.Exec(t.Context(), c.sql, c.args...)
			if c.want == "" {
				if err != nil {
					t.Errorf("%s: %v", c.name, err)
				}
				continue
			}
			if err == nil {
				t.Errorf("%s: no error", c.name)
			}
			for name, cond := range conditions {
				if is := errors.Is(err, cond); is != (name == c.want) {
					t.Errorf("%s: %v is %s: %v", c.name, err, name, is)
				}
			}
		}
		// The same at the end of a transaction.
		err := d.Update(t.Context(), func(tx *db.Tx) error {
			_, err := tx.Exec(t.Context(), "INSERT INTO child (id, parent_id) VALUES (2, 99)")
			return err
		})
		if !errors.Is(err, db.ErrForeignKey) {
			t.Errorf("missing parent in a transaction: %v", err)
		}
		if n := one[int](t, d, "SELECT count(*) FROM child"); n != 1 {
			t.Errorf("%d children", n)
		}
	})
}

// TestCannotConnect covers servers, databases and users that are not there. No message shows the password.
func TestCannotConnect(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	check := func(t *testing.T, url string, kind fault.Kind) {
		t.Helper()
		d, err := db.Open(t.Context(), url, db.Options{})
		if err == nil {
			_ = d.Close()
		}
		var f *fault.Error
		if !errors.As(err, &f) || f.Kind != kind || f.Next == "" || strings.Contains(err.Error(), "topsecret") {
			t.Errorf("%s: %v (kind %s), want %s with a next step", url, err, fault.KindOf(err).Code(), kind.Code())
		}
	}
	check(t, "mysql://u:topsecret@"+closed+"/d", fault.Unavailable)
	check(t, "postgres://u:topsecret@"+closed+"/d?sslmode=disable", fault.Unavailable)
	for _, e := range dbtest.Engines() {
		if e == db.SQLite {
			continue
		}
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			url := dbtest.URL(t, e)
			at := strings.LastIndex(url, "/")
			params := ""
			if i := strings.Index(url, "?"); i > 0 {
				params = url[i:]
			}
			check(t, url[:at]+"/no_such_database"+params, fault.NotFound)
			i, j := strings.Index(url, "://")+3, strings.Index(url, "@")
			check(t, url[:i]+"nobody:topsecret"+url[j:], fault.Unavailable)
		})
	}
}
