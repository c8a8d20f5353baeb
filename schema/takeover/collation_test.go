package takeover

import (
	"context"
	"testing"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/internal/goldendb"
	"github.com/openlectern/lectern/schema"
)

// TestPlatformOfOtherLetters takes over permissions on a site whose platform tables are in the character set of their days,
// so that a table which refers to a course has to follow them there. The server refuses such a reference otherwise, in the
// middle of a step.
func TestPlatformOfOtherLetters(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	dbtest.OnEngines(t, func(t *testing.T, e db.Engine) {
		if !e.MySQLFamily() {
			return // there a reference asks for no collation
		}
		d := dbtest.Open(t, e)
		goldendb.LoadAuthz(t, d, earliest(t, e)[0])
		const overview = "course_overviews_courseoverview"
		if _, err := d.Exec(ctx, "ALTER TABLE "+overview+" CONVERT TO CHARACTER SET utf8mb3 COLLATE utf8mb3_general_ci"); err != nil {
			t.Fatal(err)
		}
		if _, err := Migrate(ctx, d, Options{}, Run{}); err != nil {
			t.Fatal(err)
		}
		again(t, d)
		s, err := look(ctx, d)
		if err != nil {
			t.Fatal(err)
		}
		link := s.live["openedx_authz_coursescope"]
		if c := link.Column("course_overview_id"); c.Collation != s.live[overview].Column("id").Collation || len(link.Foreign) != 2 {
			t.Errorf("column %+v, references %+v", c, link.Foreign)
		}
		fs, err := schema.Verify(ctx, d, true)
		if err == nil {
			for _, f := range fs {
				if f.Table == link.Name {
					t.Errorf("%+v", f)
				}
			}
		}
	})
}
