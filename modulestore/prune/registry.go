package prune

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/split"
)

// Registry is the database of the LMS beside a Split database: its rows name structures, by the SQL index of the courses (SP-5),
// by the history of that (SP-4), by outlines and by grades (PR-1). It is only read. A table that it does not have names nothing.
// For one goroutine at a time.
type Registry interface {
	// Name says in a plan which database it is, without a password.
	Name() string
	// Index returns the rows of the SQL index, nil where there is no such table.
	Index(ctx context.Context) ([]split.Index, error)
	// History hands over the rows of the index's history that were written since a moment, newest first. LastUpdate is when.
	History(ctx context.Context, since time.Time, each func(x split.Index, deleted bool) error) error
	// Named hands over what outlines and grades name that were changed since a moment, all at the zero time. One structure may
	// come more than once.
	Named(ctx context.Context, since time.Time, each func(Reference) error) error
}

// Reference is a row elsewhere that names a structure.
type Reference struct {
	By      string // outline, grade
	Version modulestore.ID
}

// overlap is by how much each question to a registry goes back behind the one before: transactions become visible later than
// the times in them, and clocks differ.
const overlap = 10 * time.Minute

// Difference says what the sources of the index say of one course, where they do not agree (PR-5).
type Difference struct {
	Course string `json:"course"`
	// Heads are the branches by source; null where a source does not have the course.
	Heads map[string]map[string]string `json:"heads"`
}

// Asked is a source of heads or references that a plan was made with (PR-1).
type Asked struct {
	Source string `json:"source"`
	Rows   int    `json:"rows"`
	Again  bool   `json:"again"` // apply asks it again beside each batch
}

// index is one source of heads.
type index struct {
	source string
	rows   []split.Index
}

// The names of the sources.
const (
	fromMongo    = "MongoDB"
	fromFile     = "index file"
	fromTable    = "SQL table"
	fromHistory  = "SQL history"
	fromPast     = "history file"
	fromOutlines = "outlines and grades"
)

func headsOf(x split.Index) map[string]string {
	heads := map[string]string{}
	for _, h := range x.Heads() {
		heads[h.Branch] = h.ID.String()
	}
	return heads
}

// compare finds the courses on which sources of the index do not agree. A course of which the history ends otherwise than the
// table is one too; last are the last rows of it, nil for a course that was deleted.
func compare(sources []index, last map[string]map[string]string) (differ []Difference) {
	all := map[string]map[string]map[string]string{} // course, source, branch
	for _, s := range sources {
		for _, x := range s.rows {
			if all[x.Name] == nil {
				all[x.Name] = map[string]map[string]string{}
			}
			all[x.Name][s.source] = headsOf(x)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		heads := all[name]
		first, same := heads[sources[0].source], true
		for _, s := range sources {
			here, there := heads[s.source]
			if !there {
				heads[s.source] = nil
			}
			same = same && there && maps.Equal(first, here)
		}
		if ended, known := last[name]; known {
			table := heads[fromTable]
			if (ended == nil) != (table == nil) || !maps.Equal(ended, table) {
				heads[fromHistory], same = ended, false
			}
		}
		if !same {
			differ = append(differ, Difference{name, heads})
		}
	}
	return differ
}

// askRegistry asks for everything that the LMS names. It returns its index, and how its history ends.
func (p *planner) askRegistry(ctx context.Context) (rows []split.Index, last map[string]map[string]string, err error) {
	last = map[string]map[string]string{}
	if rows, err = p.Registry.Index(ctx); err != nil {
		return nil, nil, err
	}
	p.plan.Registry = p.Registry.Name()
	n := 0
	err = p.Registry.History(ctx, p.Now.Add(-p.Grace), func(x split.Index, deleted bool) error {
		n++
		p.Progress.tell("reading the history of the index", n, 0)
		if _, met := last[x.Name]; !met && rows != nil {
			if last[x.Name] = nil; !deleted {
				last[x.Name] = headsOf(x)
			}
		}
		for _, h := range x.Heads() {
			if err := p.name(h.ID, byHistory); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	p.plan.Sources = append(p.plan.Sources, Asked{fromTable, len(rows), true}, Asked{fromHistory, n, true})
	n = 0
	err = p.Registry.Named(ctx, time.Time{}, func(r Reference) error {
		n++
		p.Progress.tell("reading outlines and grades", n, 0)
		return p.name(r.Version, slices.Index(references, r.By))
	})
	p.plan.Sources = append(p.plan.Sources, Asked{fromOutlines, n, true})
	return rows, last, err
}

// references are the kinds of rows that name structures, which are the reasons for which those stay.
var references = []string{whyIndex, whyOutline, whyGrade}

const byHistory = 0 // in references

// name notes a structure that something names, to be kept when the histories have been walked.
func (p *planner) name(id modulestore.ID, by int) error {
	return p.named.add(record{id: id, size: uint32(max(by, 0))})
}

// keepNamed keeps what was named.
func (p *planner) keepNamed() error {
	list, err := p.named.finish()
	if err != nil {
		return err
	}
	defer func() { _ = list.close() }() // only read from here on
	return list.each(func(r *record) error {
		_, _, err := p.keep(r.id, references[r.size])
		return err
	})
}
