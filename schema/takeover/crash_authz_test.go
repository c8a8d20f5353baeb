package takeover

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/internal/goldendb"
)

// TestGoldenAuthzCrash stops a take-over at every statement. The database is then of an age that is known, and a second run
// comes to the same end. On SQLite every start from before step 0006 has its turn; on MariaDB, where tables are committed one
// by one, the oldest, at every fifteenth statement unless LECTERN_TEST_ALL is set. PostgreSQL undoes all, as SQLite does, and
// MySQL is as MariaDB.
func TestGoldenAuthzCrash(t *testing.T) {
	t.Parallel()
	for _, e := range dbtest.Engines() {
		names, stride := earliest(t, e), 1
		switch {
		case e == db.MariaDB:
			names = names[:1]
			if os.Getenv("LECTERN_TEST_ALL") == "" {
				stride = 15
			}
		case e != db.SQLite:
			continue
		}
		for _, name := range names {
			t.Run(string(e)+"/"+name, func(t *testing.T) {
				t.Parallel()
				fresh, before := loader(t, e, name)
				end := goldendb.AuthzEndOf(t, e, name)
				for at := 0; ; at += stride {
					if done := stopAt(t, fresh(), at, before, end); done {
						if at < 20 {
							t.Errorf("there were %d statements only", at)
						}
						return
					}
				}
			})
		}
	}
}

// earliest returns the starts in which legacy permissions are still to be moved, oldest first.
func earliest(t *testing.T, e db.Engine) []string {
	t.Helper()
	return slices.DeleteFunc(goldendb.AuthzStarts(t, e, "A[1-5]*"), func(name string) bool {
		age, _, _ := strings.Cut(name, "-")
		return len(age) > len("A5")
	})
}

// loader returns what makes URLs of databases with a golden start in them, and what one of them holds.
func loader(t *testing.T, e db.Engine, name string) (fresh func() string, before goldenSite) {
	t.Helper()
	load := func(url string) goldenSite {
		d, err := db.Open(context.Background(), url, db.Options{Create: true})
		if err != nil {
			t.Fatal(err)
		}
		goldendb.LoadAuthz(t, d, name)
		s := before
		if s == nil {
			s = readSite(t, d)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		return s
	}
	first := dbtest.URL(t, e)
	before = load(first)
	if e != db.SQLite {
		return func() string {
			url := dbtest.URL(t, e)
			load(url)
			return url
		}, before
	}
	whole, err := os.ReadFile(strings.TrimPrefix(first, "sqlite:"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "copy.db")
	return func() string {
		for _, tail := range []string{"-wal", "-shm"} {
			if err := os.Remove(path + tail); err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(path, whole, 0o600); err != nil {
			t.Fatal(err)
		}
		return "sqlite:" + path
	}, before
}

// stopAt stops a take-over at a statement and lets another finish it. done says that the first came to its end.
func stopAt(t *testing.T, url string, at int, before goldenSite, end *goldendb.AuthzEnd) (done bool) {
	t.Helper()
	s := &stopper{at: at}
	d, err := db.Open(context.Background(), url, db.Options{Fault: s.fault})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	_, err = Migrate(context.Background(), d, Options{}, Run{})
	if err == nil {
		return true
	}
	if !errors.Is(err, errStopped) {
		t.Fatalf("stopped at statement %d: %v", at, err)
	}
	s.reset(1 << 30)
	if age := ageOf(t, d); strings.HasPrefix(age, "X") || age == "A0" {
		t.Errorf("stopped at statement %d: %s", at, age)
	}
	if _, err := Migrate(context.Background(), d, Options{}, Run{}); err != nil {
		t.Fatalf("after a stop at statement %d: %v", at, err)
	}
	before.compare(t, d, end)
	return false
}
