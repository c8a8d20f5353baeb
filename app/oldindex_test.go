package app

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/dbtest"
)

const indexCSV = `id,objectid,course_id,org,draft_version,published_version,library_version,wiki_slug,base_store,edited_by_id,edited_on,last_update
1,000000000000000000000001,course-v1:A+B+c,A,000000000000000000000002,,,é,mongodb,7,2020-05-20 18:40:00,2020-05-20 18:40:00.5
2,000000000000000000000003,library-v1:A+L,A,,,000000000000000000000004,,mongodb,,2020-05-20 18:40:00.123456,2021-05-20 18:40:00
`

// TestIndexTable reads the index of a site out of its database, and out of a file of the same rows.
func TestIndexTable(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "index.csv")
	if err := os.WriteFile(file, []byte(indexCSV), 0o600); err != nil {
		t.Fatal(err)
	}
	want, err := readIndex(t.Context(), file)
	if err != nil || len(want) != 2 {
		t.Fatal(want, err)
	}
	rows, err := csv.NewReader(strings.NewReader(indexCSV)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	dbtest.OnEngines(t, func(t *testing.T, e db.Engine) {
		url := dbtest.URL(t, e)
		if e == db.SQLite && !strings.HasPrefix(url, "sqlite:") {
			url = "sqlite:" + url
		}
		d, err := db.Open(t.Context(), url, db.Options{Create: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = d.Close() })
		moment := map[db.Engine]string{db.SQLite: "datetime", db.PostgreSQL: "timestamptz"}[e]
		if moment == "" {
			moment = "datetime(6)"
		}
		if e == db.SQLite { // a table makes the file
			if _, err := d.Exec(t.Context(), `CREATE TABLE other (x int)`); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := readIndex(t.Context(), url); !fault.Is(err, fault.NotFound) {
			t.Errorf("without the table: %v", err)
		}
		if _, err := d.Exec(t.Context(), `CREATE TABLE split_modulestore_django_splitmodulestorecourseindex (id int PRIMARY KEY, objectid char(24), course_id varchar(255),
			org varchar(255), draft_version char(24), published_version char(24), library_version char(24), wiki_slug varchar(255), base_store varchar(20),
			edited_by_id int NULL, edited_on `+moment+`, last_update `+moment+`)`); err != nil {
			t.Fatal(err)
		}
		for _, row := range rows[1:] {
			args := make([]any, len(row))
			for i, v := range row {
				if args[i] = any(v); v == "" && rows[0][i] == "edited_by_id" {
					args[i] = nil
				}
			}
			if _, err := d.Exec(t.Context(), `INSERT INTO split_modulestore_django_splitmodulestorecourseindex VALUES (?,?,?,?,?,?,?,?,?,?,?,?)`, args...); err != nil {
				t.Fatal(err)
			}
		}
		got, err := readIndex(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b *int64) bool { return (a == nil) == (b == nil) && (a == nil || *a == *b) })); diff != "" {
			t.Error(diff)
		}
	})
}
