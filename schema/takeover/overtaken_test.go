package takeover

import (
	"context"
	"strings"
	"testing"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/internal/goldendb"
)

// TestGoldenOvertaken lets a server finish a statement of a run that is gone just before the next run sends the same one.
func TestGoldenOvertaken(t *testing.T) {
	t.Parallel()
	for _, e := range dbtest.Engines() {
		if !e.MySQLFamily() {
			continue // where a statement goes with the run that sent it
		}
		for _, begin := range []string{"RENAME TABLE", "ALTER TABLE `openedx_content_component` RENAME COLUMN", "ALTER TABLE `openedx_content_container` ADD COLUMN `learning"} {
			t.Run(string(e)+"/"+begin, func(t *testing.T) {
				t.Parallel()
				name := goldendb.Some(t, e, "U")[0]
				url := dbtest.URL(t, e)
				gone := open(t, url, db.Options{})
				goldendb.Load(t, gone, name)
				done := 0
				d := open(t, url, db.Options{OnStatement: func(sql string) {
					if done == 0 && strings.HasPrefix(sql, begin) {
						done++
						if _, err := gone.Exec(context.Background(), sql); err != nil {
							t.Error(err)
						}
					}
				}})
				end := goldendb.EndOf(t, e, name)
				if backfilled(t, url) {
					unordered(end)
				}
				if _, err := Migrate(context.Background(), d, Options{}, Run{}); err != nil {
					t.Fatal(err)
				}
				if done == 0 {
					t.Errorf("no statement begins with %s", begin)
				}
				compare(t, d, end)
			})
		}
	}
}
