package roleshift

import "encoding/json"

// Limits of what a run's row holds; all of it is in the details (M-51).
const (
	maxEntries  = 1000
	maxMetadata = 256 << 10 // bytes
)

// entry is a row as Open edX writes it (authz-migration.md §8).
type entry struct {
	Subject string `json:"subject,omitempty"`
	Role    string `json:"role,omitempty"`
	Scope   string `json:"scope,omitempty"`
	Details string `json:"details,omitempty"`
	Note    string `json:"note,omitempty"`
}

// courseSum is what an organization's run did to a course (M-50).
type courseSum struct {
	Course string `json:"course"`
	Moved  int    `json:"moved"`
	Merged int    `json:"merged"`
	Left   int    `json:"left"`
	Errors int    `json:"errors"`
}

// summary is what a run's row tells. What is left as expected has a key of its own, so that errors are errors (M-52).
func summary(ask Ask, m *Moves) map[string]any {
	successes, failed, left := []entry{}, map[string][]entry{}, map[string][]entry{}
	size, kept, truncated := 0, 0, false
	room := func(v any) bool {
		text, _ := json.Marshal(v) // of strings: it does not fail
		if kept++; kept > maxEntries || size+len(text) > maxMetadata {
			truncated = true
			return false
		}
		size += len(text) + 1
		return true
	}
	sums, order := map[string]*courseSum{}, []string{}
	for i := range m.Records {
		r := &m.Records[i]
		if c := r.Course(); ask.Org != "" && c != "" && r.Reason != NotEligible {
			s := sums[c]
			if s == nil {
				s = &courseSum{Course: c}
				sums[c], order = s, append(order, c)
			}
			switch r.Outcome {
			case Moved:
				s.Moved++
			case Merged:
				s.Merged++
			case Left:
				s.Left++
			case Error:
				s.Errors++
			}
		}
		e := entry{Subject: r.User, Role: r.Role, Scope: r.Scope, Note: r.Note}
		switch {
		case r.Reason == NotEligible:
		case r.Outcome == Moved || r.Outcome == Merged:
			if room(e) {
				successes = append(successes, e)
			}
		case r.Outcome == Left:
			if room(e) {
				left[r.Reason] = append(left[r.Reason], e)
			}
		case r.Outcome == Error:
			if e.Details = r.Text; room(e) {
				failed[r.Reason] = append(failed[r.Reason], e)
			}
		}
	}
	moved, merged, stay, errs := m.Count(Moved), m.Count(Merged), m.Count(Left), m.Count(Error)
	out := map[string]any{"total": moved + merged + stay + errs, "success_count": moved + merged, "error_count": errs, "successes": successes, "errors": failed,
		"merged": merged, "left_count": stay, "left": left, "derived": m.Count(Derived), "not_eligible": m.NotEligible()}
	if ask.Org != "" {
		courses := []courseSum{}
		for _, c := range order {
			if !room(sums[c]) {
				break
			}
			courses = append(courses, *sums[c])
		}
		out["courses"], out["course_count"] = courses, len(order)
	}
	if truncated {
		out["truncated"] = true
	}
	return out
}
