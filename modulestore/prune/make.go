package prune

import (
	"context"
	"crypto/ed25519"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/split"
)

// The ages that count where an option is zero.
const (
	DefaultGuard = 24 * time.Hour      // nothing younger goes (PR-3)
	DefaultGrace = 90 * 24 * time.Hour // deleted courses stay restorable for so long (L-80)
)

// Options say how to plan.
type Options struct {
	Policy Policy
	Guard  time.Duration // 0 means DefaultGuard; less than that is only for tests of other ages
	Grace  time.Duration // 0 means DefaultGrace
	Now    time.Time     // zero means the clock's
	// Mirror are the rows of the SQL mirror, nil where the site has none; History those of its history table (SP-4).
	Mirror, History []split.Index
	// Registry, if not nil, is the database of the LMS: Apply wants it too.
	Registry Registry
	Pins     []Pin
	// Courses and Orgs choose what is pruned, Ignore courses and structures that are left alone. None of the first two means all.
	Courses, Orgs, Ignore []string
	// WithoutContent leaves the content of structures unread: nothing of libraries goes then, and no definitions.
	WithoutContent bool
	// Signer, if not nil, signs the plan (PR-4).
	Signer ed25519.PrivateKey
	// Headless plans for a database without a single head, which would lose everything.
	Headless bool
	Progress Progress
}

// planner is one run of Make.
type planner struct {
	Options
	db      Reader
	plan    *Plan
	names   map[string]int // numbers of courses
	ignored map[modulestore.ID]bool
	table   *table // structures by id
	extra   map[modulestore.ID]Header
	lost    bool                          // a head is missing, or something could not be read: what has no head may be somebody's
	rows    []split.Index                 // of all sources of the index
	named   *sorter                       // what the registry names
	cuts    *table                        // notes of earlier plans, by id: previous is what they lead to, size how much is between
	weights map[string]Weight             // of the collections, none where the source cannot tell
	stays   int                           // structures, before content was read
	current modulestore.ID                // where the walk is
	gaps    map[modulestore.ID][]*pointer // by the original of their histories, the walks that came to what is not there
}

// Make plans, and writes the plan to a file at path, which takes its place when it is complete. It changes nothing else.
func Make(ctx context.Context, db Reader, o Options, path string) (plan *Plan, err error) {
	if err := o.Policy.Check(); err != nil {
		return nil, err
	}
	if o.Guard == 0 {
		o.Guard = DefaultGuard
	}
	if o.Grace == 0 {
		o.Grace = DefaultGrace
	}
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	o.Now = o.Now.UTC().Truncate(time.Second)
	p := &planner{Options: o, db: db, names: map[string]int{}, ignored: map[modulestore.ID]bool{}, extra: map[modulestore.ID]Header{}, gaps: map[modulestore.ID][]*pointer{}, named: newSorter(byID),
		plan: &Plan{Format: format, Database: db.Name(), Made: o.Now, Policy: o.Policy, Guard: o.Guard.String(), Grace: o.Grace.String(), Courses: []Course{}, Sources: []Asked{}, Differences: []Difference{}, Findings: []string{}}}
	defer func() { err = errors.Join(err, p.table.close(), p.cuts.close()) }()
	if err := p.readStructures(ctx); err != nil {
		return nil, err
	}
	if err := p.readIndexes(ctx); err != nil {
		return nil, err
	}
	if err := p.walkHistories(ctx); err != nil {
		return nil, err
	}
	if err := p.keepPins(); err != nil {
		return nil, err
	}
	uses, err := p.readContent(ctx)
	if err != nil {
		return nil, err
	}
	cuts, err := p.newCuts(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, cuts.close()) }()
	p.plan.Cuts = cuts.n
	structures, err := p.leftOver()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, structures.close()) }()
	definitions, err := p.sweep(ctx, uses)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, definitions.close()) }()
	return p.plan, writePlan(p.plan, cuts, structures, definitions, o.Signer, path)
}

// readStructures reads the headers of all structures, before the indexes: what comes later is nobody's candidate (§7.1).
func (p *planner) readStructures(ctx context.Context) error {
	s := newSorter(byID)
	weights, err := p.db.Weigh(ctx)
	if err != nil {
		return err
	}
	p.weights = weights
	n, total := 0, int(weights[modulestore.CollectionStructures].Documents)
	err = p.db.Structures(ctx, func(h Header) error {
		n++
		p.Progress.tell("reading structures", n, total)
		return s.add(record{id: h.ID, previous: h.Previous, original: h.Original, when: h.when().Unix(), size: uint32(h.Size)})
	})
	if err != nil {
		return err
	}
	if p.table, err = s.finish(); err != nil {
		return err
	}
	return p.readCuts(ctx)
}

// readIndexes makes out the courses, and which of them are left alone.
func (p *planner) readIndexes(ctx context.Context) error {
	mongo, err := p.db.Indexes(ctx)
	if err != nil {
		return err
	}
	sources := []index{{fromMongo, mongo}}
	p.plan.Sources = append(p.plan.Sources, Asked{fromMongo, len(mongo), true})
	if p.Mirror != nil {
		sources = append(sources, index{fromFile, p.Mirror})
		p.plan.Sources = append(p.plan.Sources, Asked{fromFile, len(p.Mirror), false})
	}
	if p.History != nil {
		p.plan.Sources = append(p.plan.Sources, Asked{fromPast, len(p.History), false})
	}
	var last map[string]map[string]string
	if p.Registry != nil {
		rows, ended, err := p.askRegistry(ctx)
		if err != nil {
			return err
		}
		if last = ended; rows != nil {
			sources = append(sources, index{fromTable, rows})
		}
	}
	differ := map[string]bool{}
	for _, d := range compare(sources, last) {
		differ[d.Course] = true
		p.plan.Differences = append(p.plan.Differences, d)
	}
	byName, inMongo, twice := map[string]split.Index{}, map[string]split.Index{}, map[string]bool{}
	for i, s := range sources { // the later ones count more (SP-5)
		for _, x := range s.rows {
			byName[x.Name] = x
			if i == 0 {
				_, there := inMongo[x.Name]
				twice[x.Name] = twice[x.Name] || there
				inMongo[x.Name] = x
			}
		}
		p.rows = append(p.rows, s.rows...)
	}
	if len(p.heads()) == 0 && !p.Headless {
		return fault.Errorf(fault.Refused, p.db.Name(), "no course has a head: everything would go").WithNext("check that this is the right database, with its collection " + modulestore.CollectionIndexes)
	}
	for _, id := range p.Ignore {
		if v, err := parseID(id); err == nil {
			p.ignored[v] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		x := byName[name]
		old := inMongo[name] // what apply can ask for again in any case
		c := Course{Key: name, Heads: headsOf(old), Updated: old.LastUpdate, Why: map[string]int{}}
		switch {
		case twice[name]:
			c.leave("refused", "the index has it twice")
		case differ[name]:
			c.leave("refused", "the indexes of SQL and MongoDB differ")
		case x.Key.IsZero():
			c.leave("refused", "its row is none of today's")
		case slices.Contains(p.Ignore, name):
			c.leave("ignored", "")
		case !p.inScope(x):
			c.leave("out of scope", "")
		case p.WithoutContent && x.IsLibrary():
			c.leave("left alone", "which versions of it courses use is not known without reading their content")
		}
		p.names[name] = len(p.plan.Courses)
		p.plan.Courses = append(p.plan.Courses, c)
	}
	return p.fetchHeads(ctx)
}

func (p *planner) inScope(x split.Index) bool {
	if len(p.Courses) == 0 && len(p.Orgs) == 0 {
		return true
	}
	org, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(x.Name, "course-v1:"), "library-v1:"), "+")
	return slices.Contains(p.Courses, x.Name) || slices.Contains(p.Orgs, org)
}

func (p *planner) heads() map[modulestore.ID]bool {
	all := map[modulestore.ID]bool{}
	for i := range p.rows {
		for _, h := range p.rows[i].Heads() {
			all[h.ID] = true
		}
	}
	return all
}

// fetchHeads reads what was made while the structures were read, and finds the courses whose heads are missing (PR-7).
func (p *planner) fetchHeads(ctx context.Context) error {
	want := p.heads()
	for len(want) > 0 {
		for id := range want {
			if i, err := p.table.find(id); err != nil {
				return err
			} else if _, there := p.extra[id]; i >= 0 || there || id.IsZero() {
				delete(want, id)
			}
		}
		next := map[modulestore.ID]bool{}
		if err := p.db.Headers(ctx, want, func(h Header) error {
			p.extra[h.ID] = h
			next[h.Previous] = true
			return nil
		}); err != nil {
			return err
		}
		want = next
	}
	for i := range p.rows {
		for _, h := range p.rows[i].Heads() {
			at, err := p.table.find(h.ID)
			if err != nil {
				return err
			}
			if _, there := p.extra[h.ID]; at < 0 && !there {
				p.lost = true
				p.plan.Courses[p.names[p.rows[i].Name]].leave("damaged", "the head of "+h.Branch+" is missing: "+h.ID.String())
			}
		}
	}
	if n := p.db.Damage(); n > 0 {
		p.lost = true
		p.plan.find("%d parts of the source cannot be read", n)
	}
	if p.lost {
		p.plan.find("what belongs to no course may belong to what is missing: it stays, and so do all definitions")
	}
	return nil
}
