package authz_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/openlectern/lectern/authz"
)

// seen is all that a sight shows.
func seen(s *authz.Sight) map[string][]authz.Grant {
	all := map[string][]authz.Grant{}
	for i := range s.Len() {
		all[s.Name(i)] = s.Grants(i)
		if n := s.Count(i); n != len(all[s.Name(i)]) {
			all[fmt.Sprintf("%s counts %d", s.Name(i), n)] = nil
		}
	}
	return all
}

// TestFollow changes roles at random, also those of the viewers, of roles, and what roles may do: a sight that follows shows
// what one that is made anew does, and the places it names are those that show something else.
func TestFollow(t *testing.T) {
	t.Parallel()
	const people = 30
	roles := []string{"role^staff", "role^admin", "role^nothing", "user^person2"}
	scopes := []string{"course-v1^course-v1:A+B+C", "course-v1^course-v1:A+*", "course-v1^course-v1:D+E+F", "lib^lib:A:B", "lib^lib:A:*", "lib^*", "odd"}
	permission := func(role, act string) []string { return []string{"p", role, "act^" + act, "course-v1^*", "allow"} }
	rows := [][]string{permission("role^staff", "courses.view_course_team"), {"p", "role^admin", "act^content_libraries.view_library_team", "lib^*", "allow"}}
	followed := 0
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		any := func() []string {
			sub := fmt.Sprintf("user^person%d", r.IntN(people))
			if r.IntN(20) == 0 {
				sub = roles[r.IntN(3)]
			}
			return []string{"g", sub, roles[r.IntN(len(roles))], scopes[r.IntN(len(scopes))]}
		}
		first := rows
		for range 60 {
			first = append(first[:len(first):len(first)], any())
		}
		ix := authz.NewIndex(first).With(uuid.New(), nil, nil).Tolerant()
		viewers := []string{"person0", "person1", "person2"}
		filters := []authz.Filter{{}, {Orgs: []string{"A"}}, {Roles: []string{"staff"}}}
		look := func(viewer string, f authz.Filter) *authz.Sight {
			s, err := ix.Visible(viewer, f)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		held := map[string]*authz.Sight{}
		for range 60 {
			var added, removed [][]string
			for range r.IntN(3) {
				added = append(added, any())
			}
			for range r.IntN(2) {
				removed = append(removed, any())
			}
			if r.IntN(15) == 0 {
				added = append(added, permission(roles[r.IntN(3)], "courses.view_course_team"))
			}
			ix = ix.With(uuid.New(), added, removed)
			if r.IntN(4) > 0 { // else two changes at once
				continue
			}
			for _, v := range viewers {
				for i, f := range filters {
					key := fmt.Sprint(v, i)
					now := look(v, f)
					if was := held[key]; was != nil {
						next, changed, ok := was.Follow(ix)
						if ok {
							followed++
							if diff := cmp.Diff(seen(now), seen(next)); diff != "" {
								t.Fatalf("%s %v follows wrongly (-anew +follow):\n%s", v, f, diff)
							}
							is := map[int]bool{}
							for _, at := range changed {
								is[at] = true
							}
							for at := range now.Len() {
								if !is[at] && !cmp.Equal(was.Grants(at), now.Grants(at)) {
									t.Fatalf("%s %v: what %s has changed and is not named", v, f, now.Name(at))
								}
							}
							now = next // which may be followed on from
						}
					}
					held[key] = now
				}
			}
		}
	}
	if followed < 100 {
		t.Errorf("only %d times was followed", followed)
	}
}
