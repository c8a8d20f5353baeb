package learnerstate

import (
	"strings"

	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/olx/pyjson"
)

// Rewrite is what a migration of state would have to change in the rows of one problem: the state names its inputs by HTML ids,
// i4x-Org-Course-problem-name_2_1 under the old key and name_2_1 under the new one. Left as they are, answers are lost while
// scores stay (CV-23).
type Rewrite struct {
	Course  string `json:"course"` // the old one, as is Old
	Old     string `json:"old"`
	New     string `json:"new"`
	OldHTML string `json:"old_html"`
	NewHTML string `json:"new_html"`
	Rows    int64  `json:"rows"`
	// Answers, Correct and Inputs are keys to rewrite in student_answers, correct_map and input_state; Other those that are not of
	// the block's HTML id, and stay.
	Answers int64 `json:"student_answers"`
	Correct int64 `json:"correct_map"`
	Inputs  int64 `json:"input_state"`
	Other   int64 `json:"other"`
	// Unreadable counts states that are not the JSON of a problem.
	Unreadable int64 `json:"unreadable"`
}

// rewrite looks into the state of a row that maps.
func (t *Tally) rewrite(r Row, v Verdict) {
	u, err := keys.ParseUsage(r.Module)
	if err != nil || u.Type() != "problem" {
		return
	}
	id := [2]string{r.Course, r.Module}
	w := t.states[id]
	if w == nil {
		w = &Rewrite{Course: r.Course, Old: r.Module, New: v.Key, OldHTML: u.HTMLID()}
		if to, err := keys.ParseUsage(v.Key); err == nil {
			w.NewHTML = to.HTMLID()
		}
		t.states[id] = w
	}
	w.Rows++
	if r.State == "" {
		return
	}
	state, _, err := pyjson.Parse(r.State)
	if err != nil || state.Kind != pyjson.Object && state.Kind != pyjson.Null {
		w.Unreadable++
		return
	}
	bad := false
	for _, part := range [...]struct {
		name  string
		count *int64
	}{{"student_answers", &w.Answers}, {"correct_map", &w.Correct}, {"input_state", &w.Inputs}} {
		dict, ok := state.Lookup(part.name)
		if !ok || dict.Kind == pyjson.Null {
			continue
		}
		if bad = bad || dict.Kind != pyjson.Object; bad {
			break
		}
		for _, key := range dict.Keys {
			switch rest, ok := strings.CutPrefix(key, w.OldHTML); {
			case !ok || rest != "" && rest[0] != '_':
				w.Other++
			case w.NewHTML != w.OldHTML:
				*part.count++
			}
		}
	}
	if bad {
		w.Unreadable++
	}
}
