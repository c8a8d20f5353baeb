package content

import (
	"context"
	"testing"

	"github.com/openlectern/lectern/content/conformance"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/schema"
)

func create(d *db.DB) error { return schema.Create(context.Background(), d) }

// TestGoldenConformance runs the suite of the content store on every engine.
func TestGoldenConformance(t *testing.T) {
	t.Parallel()
	dbtest.OnEngines(t, func(t *testing.T, e db.Engine) {
		t.Parallel()
		conformance.Run(t, func(t *testing.T) *db.DB { return dbtest.Ready(t, e, create) })
	})
}
