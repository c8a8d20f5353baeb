package conformance

import (
	"testing"

	"github.com/openlectern/lectern/db"
)

// Open returns a database with the tables of a new site and nothing in it but the rows that those come with. It closes
// the database when the test ends. It must be safe for concurrent use.
type Open func(t *testing.T) *db.DB

// Run runs the whole suite as subtests of t, in parallel.
func Run(t *testing.T, open Open) {
	t.Run("replay", func(t *testing.T) {
		t.Parallel()
		replay(t, open)
	})
	t.Run("laws", func(t *testing.T) {
		t.Parallel()
		laws(t, open)
	})
	t.Run("stories", func(t *testing.T) {
		t.Parallel()
		stories(t, open)
	})
}
