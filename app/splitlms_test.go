package app

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/modulestore/prune"
	"github.com/openlectern/lectern/modulestore/split"
)

// TestSplitLMS reads index, history, outlines and grades of an LMS on each engine, all and since a moment (PR-1).
func TestSplitLMS(t *testing.T) {
	t.Parallel()
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
		exec := func(sql string, args ...any) {
			t.Helper()
			if _, err := d.Exec(t.Context(), sql, args...); err != nil {
				t.Fatal(err)
			}
		}
		exec(`CREATE TABLE other (x int)`)
		if _, err := OpenSplitLMS(t.Context(), url); !fault.Is(err, fault.NotFound) {
			t.Errorf("without any table: %v", err)
		}
		columns := `objectid char(24), course_id varchar(255), draft_version char(24), published_version char(24), library_version char(24),
			wiki_slug varchar(255), edited_by_id int NULL, edited_on ` + moment + `, last_update ` + moment
		exec(`CREATE TABLE ` + split.MirrorTable + ` (id int PRIMARY KEY, ` + columns + `)`)
		exec(`CREATE TABLE ` + splitHistory + ` (history_id int PRIMARY KEY, history_date ` + moment + `, history_type varchar(1), ` + columns + `)`)
		for _, n := range naming {
			exec(`CREATE TABLE ` + n.table + ` (id bigint PRIMARY KEY, ` + n.column + ` varchar(255) NULL, modified ` + moment + `)`)
		}
		day := time.Date(2024, 5, 1, 0, 0, 0, 0, time.UTC)
		v := func(last string) string { return strings.Repeat("0", 24-len(last)) + last }
		exec(`INSERT INTO `+split.MirrorTable+` VALUES (1, ?, 'course-v1:A+B+c', ?, ?, '', '', NULL, ?, ?)`, v("1"), v("d3"), v("e1"), day, day)
		for i := range historyRows + 5 { // more than a page
			kind := "~"
			if i == historyRows+4 {
				kind = "-"
			}
			at := day.Add(time.Duration(i) * time.Minute)
			exec(`INSERT INTO `+splitHistory+` VALUES (?, ?, ?, ?, 'course-v1:A+B+c', ?, '', '', '', NULL, ?, ?)`, i+1, at, kind, v("1"), v("d1"), day, day)
		}
		for i, n := range naming {
			exec(`INSERT INTO `+n.table+` VALUES (5, ?, ?)`, v("a"+string(rune('0'+i))), day)
			exec(`INSERT INTO `+n.table+` VALUES (6, NULL, ?)`, day)
			exec(`INSERT INTO `+n.table+` VALUES (7, 'old', ?)`, day)
			exec(`INSERT INTO `+n.table+` VALUES (?, ?, ?)`, 8+3*namingRows, v("b"+string(rune('0'+i))), day.Add(time.Hour))
		}

		l, err := OpenSplitLMS(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		rows, err := l.Index(t.Context())
		if err != nil || len(rows) != 1 || rows[0].Draft.String() != v("d3") {
			t.Errorf("index %+v, %v", rows, err)
		}
		for since, want := range map[time.Duration]int{0: historyRows + 5, historyRows * time.Minute: 5, 48 * time.Hour: 0} {
			n := 0
			err := l.History(t.Context(), day.Add(since), func(x split.Index, deleted bool) error {
				if deleted != (n == 0) || x.Name != "course-v1:A+B+c" || !x.LastUpdate.Equal(day.Add(time.Duration(historyRows+4-n)*time.Minute)) {
					t.Fatalf("row %d of the history is %+v, deleted %t", n, x, deleted)
				}
				n++
				return nil
			})
			if err != nil || n != want {
				t.Errorf("%d rows of history since %v, %v; want %d", n, since, err, want)
			}
		}
		for _, c := range []struct {
			since time.Time
			want  []string
		}{
			{time.Time{}, []string{"outline a0", "outline b0", "grade a1", "grade b1", "grade a2", "grade b2"}},
			{day.Add(time.Minute), []string{"outline b0", "grade b1", "grade b2"}},
		} {
			var got []string
			err := l.Named(t.Context(), c.since, func(r prune.Reference) error {
				got = append(got, r.By+" "+r.Version.String()[22:])
				return nil
			})
			if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
				t.Errorf("since %v: %v (-want +got)\n%s", c.since, err, diff)
			}
		}

		for _, table := range []string{splitHistory, naming[0].table, naming[1].table, naming[2].table} { // an older release
			exec(`DROP TABLE ` + table)
		}
		old, err := OpenSplitLMS(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = old.Close() })
		err = old.History(t.Context(), time.Time{}, func(split.Index, bool) error { t.Error("history without a table"); return nil })
		if err == nil {
			err = old.Named(t.Context(), time.Time{}, func(prune.Reference) error { t.Error("named without a table"); return nil })
		}
		if err != nil {
			t.Error(err)
		}
	})
}
