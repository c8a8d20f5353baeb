package schema

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
)

// TestVerifyJoins holds that on PostgreSQL the rules about rows are asked as joins of whole tables. New tables have no
// statistics, and by nested loops, which it then prefers, a million rows take hours.
func TestVerifyJoins(t *testing.T) {
	t.Parallel()
	if !slices.Contains(dbtest.Engines(), db.PostgreSQL) {
		return // LECTERN_REQUIRE_ENGINES sees to it that it is not left out where it belongs
	}
	url := dbtest.ReadyURL(t, db.PostgreSQL, setup)
	joins, loops := 0, 0
	d, err := db.Open(t.Context(), url, db.Options{OnPlan: func(p db.Plan) {
		for _, row := range p.Rows {
			line := fmt.Sprint(row)
			if !strings.Contains(p.SQL, "draftchangelogrecord") {
				continue
			}
			joins += strings.Count(line, "Hash Join") + strings.Count(line, "Merge Join")
			loops += strings.Count(line, "Nested Loop")
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	if _, err := Verify(t.Context(), d, false); err != nil {
		t.Fatal(err)
	}
	if joins == 0 || loops > 0 {
		t.Errorf("%d joins of whole tables, %d nested loops", joins, loops)
	}
}
