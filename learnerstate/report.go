package learnerstate

import (
	"cmp"
	"maps"
	"slices"
)

// Counts are numbers of rows by what becomes of them.
type Counts struct {
	Rows         int64 `json:"rows"`
	Maps         int64 `json:"maps"`
	NotConverted int64 `json:"not_converted"`
	NotInMap     int64 `json:"not_in_map"`
	BadKey       int64 `json:"bad_key"`
	TooLong      int64 `json:"too_long"`
	New          int64 `json:"new"`
	// Reasons are those of NotInMap.
	Reasons map[string]int64 `json:"reasons"`
}

func (c *Counts) add(v Verdict) {
	if c.Rows++; c.Reasons == nil {
		c.Reasons = map[string]int64{}
	}
	switch v.Outcome {
	case Maps:
		c.Maps++
	case NotConverted:
		c.NotConverted++
	case NotInMap:
		c.NotInMap++
		c.Reasons[v.Reason]++
	case BadKey:
		c.BadKey++
	case TooLong:
		c.TooLong++
	case New:
		c.New++
	}
}

// CourseCounts are the rows of one course.
type CourseCounts struct {
	Course string `json:"course"`
	Target string `json:"target"` // "" where it was not converted
	Counts
}

// TypeCounts are the rows of one type of module.
type TypeCounts struct {
	Type string `json:"type"`
	Counts
}

// Lost is a row that does not map.
type Lost struct {
	Row
	Outcome Outcome `json:"outcome"`
	Reason  string  `json:"reason"`
}

// Tally counts rows. Its memory grows with courses, types and blocks, never with rows. Not safe for concurrent use.
type Tally struct {
	// Limit is how many of the rows that do not map Lost keeps.
	Limit int
	// Tell is given every row that does not map, where it is not nil.
	Tell func(Lost) error
	// Rewrites makes it look into the state of problems.
	Rewrites bool

	all     Counts
	courses map[string]*CourseCounts
	types   map[string]*TypeCounts
	lost    []Lost
	states  map[[2]string]*Rewrite
}

// Add counts a row. m is the map of its course, nil where that was not converted.
func (t *Tally) Add(m *Map, r Row) error {
	if t.courses == nil {
		t.courses, t.types, t.states = map[string]*CourseCounts{}, map[string]*TypeCounts{}, map[[2]string]*Rewrite{}
	}
	v := m.Judge(r.Course, r.Module)
	c := t.courses[r.Course]
	if c == nil {
		c = &CourseCounts{Course: r.Course}
		if m != nil {
			c.Target = m.target
		}
		t.courses[r.Course] = c
	}
	k := t.types[r.Type]
	if k == nil {
		k = &TypeCounts{Type: r.Type}
		t.types[r.Type] = k
	}
	t.all.add(v)
	c.add(v)
	k.add(v)
	if v.Outcome == Maps {
		if t.Rewrites {
			t.rewrite(r, v)
		}
		return nil
	}
	if v.Outcome == New {
		return nil
	}
	r.State = "" // is not kept
	lost := Lost{r, v.Outcome, v.Reason}
	if len(t.lost) < t.Limit {
		t.lost = append(t.lost, lost)
	}
	if t.Tell != nil {
		return t.Tell(lost)
	}
	return nil
}

// Report is what a Tally came to.
type Report struct {
	All     Counts         `json:"all"`
	Courses []CourseCounts `json:"courses"` // by course
	Types   []TypeCounts   `json:"types"`   // by type
	Lost    []Lost         `json:"lost"`    // the first of those that do not map
	// Rewrites are the blocks whose state names HTML ids, by course and key.
	Rewrites []Rewrite `json:"rewrites"`
}

// Report returns the counts so far.
func (t *Tally) Report() Report {
	r := Report{All: t.all, Courses: []CourseCounts{}, Types: []TypeCounts{}, Lost: append([]Lost{}, t.lost...), Rewrites: []Rewrite{}}
	if r.All.Reasons == nil {
		r.All.Reasons = map[string]int64{}
	}
	for _, key := range slices.Sorted(maps.Keys(t.courses)) {
		r.Courses = append(r.Courses, *t.courses[key])
	}
	for _, key := range slices.Sorted(maps.Keys(t.types)) {
		r.Types = append(r.Types, *t.types[key])
	}
	for _, w := range t.states {
		r.Rewrites = append(r.Rewrites, *w)
	}
	slices.SortFunc(r.Rewrites, func(a, b Rewrite) int { return cmp.Or(cmp.Compare(a.Course, b.Course), cmp.Compare(a.Old, b.Old)) })
	return r
}
