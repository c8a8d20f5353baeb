package convert

import "github.com/openlectern/lectern/courseware"

// Difference is something in which a store says otherwise than the source.
type Difference struct {
	View  string `json:"view"`
	Block string `json:"block"` // by its old id, "" for the course
	What  string `json:"what"`
	Was   string `json:"was"`
	Is    string `json:"is"`
	// Waived is the rule that allows the difference, "" where none does.
	Waived string `json:"waived"`
}

// Compare walks the views of a source and what a store gives back, and returns every difference with the rule that waives
// it (CV-35). It is not changed by anything that Convert does not say in r.
func Compare(src Source, r *Result, got courseware.State) []Difference {
	return nil
}
