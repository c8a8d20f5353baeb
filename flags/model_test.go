package flags

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
)

// modelRow is a row of an override as the slow, obvious model keeps it.
type modelRow struct {
	id      int
	date    time.Time
	enabled bool
	choice  string
}

// model is all rows by key, in the order of their ids.
type model map[string][]modelRow

// forced is what the platform's look-up makes of a key: first row by descending change_date.
func (m model) forced(key string) (on, ok bool) {
	rows := slices.Clone(m[key])
	slices.SortFunc(rows, func(a, b modelRow) int {
		if c := b.date.Compare(a.date); c != 0 {
			return c
		}
		return b.id - a.id
	})
	if len(rows) == 0 || !rows[0].enabled {
		return false, false
	}
	return rows[0].choice == "on", rows[0].choice == "on" || rows[0].choice == "off"
}

func (m model) split() Split {
	s := Split{On: []string{}, Off: []string{}}
	keys := slices.Collect(maps.Keys(m))
	slices.SortFunc(keys, func(a, b string) int { return m[a][len(m[a])-1].id - m[b][len(m[b])-1].id })
	for _, k := range keys {
		switch r := m[k][len(m[k])-1]; {
		case r.enabled && r.choice == "on":
			s.On = append(s.On, k)
		case r.enabled && r.choice == "off":
			s.Off = append(s.Off, k)
		}
	}
	return s
}

func TestStateAgreesWithModel(t *testing.T) {
	t.Parallel()
	dbtest.EachReady(t, tables, func(t *testing.T, d *db.DB) {
		seed := uint64(time.Now().UnixNano())
		r := rand.New(rand.NewPCG(seed, 1))
		courses, orgs := model{}, model{}
		base := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
		for id := range 120 {
			row := modelRow{id, base.Add(time.Duration(r.IntN(40)) * time.Second), r.IntN(4) > 0, []string{"on", "off", "off", "on", "x"}[r.IntN(5)]}
			o := fmt.Sprintf("Org%d", r.IntN(4))
			s, m := org(t, o), orgs
			if r.IntN(2) == 0 {
				s, m = course(t, fmt.Sprintf("course-v1:%s+C%d+R", o, r.IntN(5))), courses
			}
			raw(t, d, s, row.date, row.enabled, row.choice)
			m[s.String()] = append(m[s.String()], row)
			if id%30 != 29 {
				continue
			}
			state := load(t, d)
			if diff := cmp.Diff(States{Orgs: orgs.split(), Courses: courses.split()}, state.States()); diff != "" {
				t.Fatalf("seed %d: states (-want +got):\n%s", seed, diff)
			}
			for o := range 5 {
				org := fmt.Sprintf("Org%d", o)
				for c := range 6 {
					for _, global := range []bool{false, true} {
						key, want := fmt.Sprintf("course-v1:%s+C%d+R", org, c), global
						if on, ok := orgs.forced(org); ok {
							want = on
						}
						if got := state.Org(org, global); got != want {
							t.Fatalf("seed %d: %s (global %v) = %v, want %v", seed, org, global, got, want)
						}
						if on, ok := courses.forced(key); ok {
							want = on
						}
						if got := state.Course(key, org, global); got != want {
							t.Fatalf("seed %d: %s (global %v) = %v, want %v", seed, key, global, got, want)
						}
					}
				}
			}
		}
	})
}

func TestAnswersDoNotAllocate(t *testing.T) {
	d := dbtest.Ready(t, db.SQLite, tables)
	long := "course-v1:" + strings.Repeat("Long", 30) + "+" + strings.Repeat("x", 110) + "+2025"
	set(t, d, course(t, long), Change{On: true})
	set(t, d, org(t, "Acme"), Change{On: true})
	s := load(t, d)
	person := &Person{ID: 7, Groups: []int64{3}}
	s.flag = &Flag{Name: Authoring, Percent: 10, Languages: "en, fr", Users: []int64{1}, Groups: []int64{2}}
	if n := testing.AllocsPerRun(100, func() {
		if !s.Course(long, "x", false) || !s.Course(c1, "Acme", s.Active(Request{Person: person, Language: "de"})) {
			t.Error("off")
		}
	}); n > 0 {
		t.Errorf("an answer allocates %v times", n)
	}
}

func BenchmarkCourse(b *testing.B) {
	s := &State{courses: overrides{fold: true, on: map[string]bool{}}}
	for i := range 5000 {
		s.courses.on[fmt.Sprintf("course-v1:acme+c%d+2025", i)] = true
	}
	b.ReportAllocs()
	for b.Loop() {
		s.Course("course-v1:Acme+C4000+2025", "Acme", false)
	}
}
