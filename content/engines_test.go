package content

import (
	"context"
	"testing"

	"github.com/openlectern/lectern/content/conformance"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/schema"
)

func create(d *db.DB) error { return schema.Create(context.Background(), d) }

// TestGoldenConformance runs the suite of the content store on every engine, and then looks for rows that contradict
// each other in what its random and told histories have left.
func TestGoldenConformance(t *testing.T) {
	t.Parallel()
	dbtest.OnEngines(t, func(t *testing.T, e db.Engine) {
		t.Parallel()
		conformance.Run(t, func(t *testing.T) *db.DB {
			d := dbtest.Ready(t, e, create)
			t.Cleanup(func() { verify(t, d) })
			return d
		})
	})
}

// verify wants no finding in a database.
func verify(t *testing.T, d *db.DB) {
	t.Helper()
	ctx := context.Background() // that of the test has ended
	findings, err := schema.Verify(ctx, d, true)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range findings {
		if f.Code != "code_pair" { // which a story makes on purpose
			t.Errorf("%+v", f)
		}
	}
	list, err := publishing.Packages(ctx, d)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range list {
		stale, err := publishing.StaleDigests(ctx, d, p.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range stale {
			t.Errorf("%s: %+v", p.Ref, s)
		}
	}
}
