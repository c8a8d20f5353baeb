package course

import (
	"testing"

	"github.com/openlectern/lectern/fault"
)

// A key that names a course by another spelling is refused, whatever the engine folds, and says which exists.
func TestOneSpellingOfAKey(t *testing.T) {
	t.Parallel()
	onEveryEngine(t, func(t *testing.T, s *site) {
		for _, c := range []struct{ have, refused string }{
			{"course-v1:Org+C1+R1", "Org/C1/R1"},
			{"course-v1:Org+C1+R2", "course-v1:ORG+C1+r2"},
			{"course-v1:Ört+C1+R1", "course-v1:ört+C1+R1"},
			{"library-v1:Ört+L", "library-v1:ÖRT+L"},
		} {
			s.key = mustKey(t, c.have)
			_, err := s.bring(Import{}, "\n\tcourse/course T\n")
			s.must(err)
			s.key = mustKey(t, c.refused)
			if _, err := s.bring(Import{}, "\n\tcourse/course T\n"); !fault.Is(err, fault.Conflict) {
				t.Errorf("%s beside %s: %v, want a conflict", c.refused, c.have, err)
			}
		}
	})
}
