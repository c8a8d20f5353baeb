package app

import (
	"context"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/olx/archive"
	"github.com/openlectern/lectern/olx/validate"
)

// Validate checks an archive or folder without a store. What is wrong with it are findings, not an error.
func Validate(ctx context.Context, path string) (*validate.Report, error) {
	r, err := validate.Path(ctx, path, archive.Limits{}, archive.Options{})
	if err == nil && r.Findings == nil {
		r.Findings = []courseware.Finding{}
	}
	return r, err
}
