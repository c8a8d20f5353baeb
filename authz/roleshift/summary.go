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

func (s *courseSum) count(o Outcome, n int) {
	switch o {
	case Moved:
		s.Moved += n
	case Merged:
		s.Merged += n
	case Left:
		s.Left += n
	case Error:
		s.Errors += n
	}
}

// entries are what a run's row tells of single rows, as far as there is room. What is left as expected has a key of its own, so
// that errors are errors (M-52).
type entries struct {
	successes    []entry
	failed, left map[string][]entry
	kept, size   int
	truncated    bool
}

func newEntries() *entries {
	return &entries{successes: []entry{}, failed: map[string][]entry{}, left: map[string][]entry{}}
}

// room reports whether there is room for one more, and takes it.
func (s *entries) room(v any) bool {
	text, _ := json.Marshal(v) // of strings: it does not fail
	if s.kept++; s.kept > maxEntries || s.size+len(text) > maxMetadata {
		s.truncated = true
		return false
	}
	s.size += len(text) + 1
	return true
}

func (s *entries) add(r *Record) {
	e := entry{Subject: r.User, Role: r.Role, Scope: r.Scope, Note: r.Note}
	switch {
	case r.Reason == NotEligible:
	case r.Outcome == Moved || r.Outcome == Merged:
		if s.room(e) {
			s.successes = append(s.successes, e)
		}
	case r.Outcome == Left:
		if s.room(e) {
			s.left[r.Reason] = append(s.left[r.Reason], e)
		}
	case r.Outcome == Error:
		if e.Details = r.Text; s.room(e) {
			s.failed[r.Reason] = append(s.failed[r.Reason], e)
		}
	}
}

// document is what the run's row tells, but for courses.
func (s *entries) document(n map[Outcome]int64, notEligible int64) map[string]any {
	out := map[string]any{"total": n[Moved] + n[Merged] + n[Left] + n[Error], "success_count": n[Moved] + n[Merged], "error_count": n[Error],
		"successes": s.successes, "errors": s.failed, "merged": n[Merged], "left_count": n[Left], "left": s.left, "derived": n[Derived], "not_eligible": notEligible}
	if s.truncated {
		out["truncated"] = true
	}
	return out
}

// courses adds what an organization's run did to its courses, of which there are n.
func (s *entries) courses(out map[string]any, list []*courseSum, n int) {
	fit := []*courseSum{}
	for _, c := range list {
		if !s.room(c) {
			break
		}
		fit = append(fit, c)
	}
	out["courses"], out["course_count"] = fit, n
	if s.truncated || len(fit) < n {
		out["truncated"] = true
	}
}

// summary is what a run's row tells of moves.
func summary(ask Ask, m *Moves) map[string]any {
	s := newEntries()
	sums, order, counts := map[string]*courseSum{}, []*courseSum{}, map[Outcome]int64{}
	for i := range m.Records {
		r := &m.Records[i]
		s.add(r)
		if r.Reason == NotEligible {
			continue
		}
		counts[r.Outcome]++
		if c := r.Course(); ask.Org != "" && c != "" {
			if sums[c] == nil {
				sums[c] = &courseSum{Course: c}
				order = append(order, sums[c])
			}
			sums[c].count(r.Outcome, 1)
		}
	}
	out := s.document(counts, int64(m.NotEligible()))
	if ask.Org != "" {
		s.courses(out, order, len(order))
	}
	return out
}
