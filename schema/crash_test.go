package schema

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/schema/inspect"
)

var errKilled = errors.New("killed here")

// killer opens databases on which the statement number at that changes something, counted from 0, and all such after it
// fail. Saving is one of them.
type killer struct {
	at, seen int
	changed  bool // the transaction has changed something
}

func (k *killer) fault(sql string) error {
	verb, _, _ := strings.Cut(sql, " ")
	switch verb {
	case "BEGIN", "START":
		k.changed = false
		return nil
	case "CREATE", "INSERT", "COPY":
		k.changed = true
	case "COMMIT":
		if !k.changed {
			return nil
		}
	default:
		return nil
	}
	k.seen++
	if k.seen > k.at {
		return errKilled
	}
	return nil
}

func (k *killer) open(t *testing.T, url string) *db.DB {
	t.Helper()
	d, err := db.Open(context.Background(), url, db.Options{Create: true, Fault: k.fault})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// TestCrash stops Create between any two statements. On SQLite and PostgreSQL the database is then as empty as before. On
// the MySQL family it is known as half made, each next run goes on where the last was stopped, and what comes out is what
// an undisturbed run makes.
func TestCrash(t *testing.T) {
	t.Parallel()
	for _, e := range dbtest.Engines() {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			ctx := context.Background()
			url := dbtest.URL(t, e)
			k := &killer{}
			d := k.open(t, url)
			step := 1
			if e == db.PostgreSQL {
				step = 13 // a server needs its time to undo, and every statement of one transaction is undone alike
			}
			for runs := 0; ; runs++ {
				k.seen = 0
				err := Create(ctx, d)
				if err == nil {
					break
				}
				if !errors.Is(err, errKilled) {
					t.Fatalf("killed at statement %d: %v", k.at, err)
				}
				want := Empty
				if e.MySQLFamily() && runs > 0 {
					want = Partial
				}
				// The next run looks too, and goes on from nothing else.
				if e == db.SQLite || runs%6 < 2 {
					if st := state(t, d); st.Status != want {
						t.Fatalf("killed at statement %d: %+v, want %s", k.at, st, want)
					}
				}
				// One table further each time while tables are missing, then one row further.
				if k.at == 0 || !e.MySQLFamily() || complete(t, d) {
					k.at += step
				}
				if runs > 1000 {
					t.Fatal("no end in sight")
				}
			}
			if err := Require(ctx, d); err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff([]string{}, found(t, d)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			var types []string
			for _, r := range rows(t, d, containerType) {
				types = append(types, r["type_code"].(string))
			}
			if diff := cmp.Diff([]string{"section", "subsection", "unit"}, types); diff != "" {
				t.Errorf("container types (-want +got):\n%s", diff)
			}
			if got, want := len(rows(t, d, "django_migrations")), len(Migrations()); got != want {
				t.Errorf("%d rows in the ledger, want %d", got, want)
			}
			k.seen = 0
			if err := Create(ctx, d); err != nil || k.seen != 0 {
				t.Errorf("Create again: %v with %d statements that write, want none", err, k.seen)
			}
		})
	}
}

// complete reports whether all tables are there.
func complete(t *testing.T, d *db.DB) bool {
	t.Helper()
	names, err := inspect.Names(context.Background(), d)
	if err != nil {
		t.Fatal(err)
	}
	return len(names) == len(all)
}

// TestTwoAtOnce lets two processes create in one database at the same time: both succeed, once.
func TestTwoAtOnce(t *testing.T) {
	t.Parallel()
	for _, e := range dbtest.Engines() {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			url := dbtest.URL(t, e)
			errs := make(chan error)
			for range 2 {
				d, err := db.Open(context.Background(), url, db.Options{Create: true})
				if err != nil {
					t.Fatal(err)
				}
				defer func() {
					if err := d.Close(); err != nil {
						t.Error(err)
					}
				}()
				go func() { errs <- Create(context.Background(), d) }()
			}
			for range 2 {
				if err := <-errs; err != nil {
					t.Error(err)
				}
			}
			d, err := db.Open(context.Background(), url, db.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if got, want := len(rows(t, d, "django_migrations")), len(Migrations()); got != want {
				t.Errorf("%d rows in the ledger, want %d", got, want)
			}
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}
