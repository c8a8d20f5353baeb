package takeover

import (
	"context"
	"slices"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/schema"
)

// Examination is what is found in a database of an earlier age.
type Examination struct {
	Foreign  []ForeignKey
	Findings []schema.Finding
}

// Examine looks closely at a database that is to be taken over: what differs from what its ledger's rows make, references
// that are missing or lead nowhere, and contents that today's constraints will refuse (content-migrations.md §3.4.2). It
// changes nothing. Findings are bounded as [ForeignKeys] says.
func Examine(ctx context.Context, d *db.DB, all bool) (*Examination, error) {
	survey, err := Look(ctx, d)
	if err != nil {
		return nil, err
	}
	plan, err := NewPlan(ctx, d, Options{})
	if err != nil {
		return nil, err
	}
	x := &Examination{Findings: slices.Concat(plan.State.Notes, survey.Findings)}
	for _, f := range plan.Findings { // what both find is the same
		if !slices.Contains(x.Findings, f) {
			x.Findings = append(x.Findings, f)
		}
	}
	x.Findings = slices.DeleteFunc(x.Findings, func(f schema.Finding) bool { return f.Code == "orphan" }) // found below, on every engine
	var orphans []schema.Finding
	x.Foreign, orphans, err = ForeignKeys(ctx, d, all, false)
	x.Findings = append(x.Findings, orphans...)
	return x, err
}
