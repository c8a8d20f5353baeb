package prune

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/modulestore"
)

// Link is what the reference tool knows of a structure.
type Link struct{ Original, Previous modulestore.ID }

// ActiveBranch is a head as the reference tool lists it.
type ActiveBranch struct {
	Index  modulestore.ID // of the row
	On     time.Time      // of the row
	Branch string
	Course string
	Head   modulestore.ID
}

// Graph is a whole database as the reference tool sees it (modulestore.md §7.1).
type Graph struct {
	Structures map[modulestore.ID]Link
	Branches   []ActiveBranch // in the order of the rows
}

// ReadGraph reads the graph of a database: structures first, then the rows, as the tool does. It holds all ids in memory. Rows
// that cannot be heads are passed over; progress may be nil.
func ReadGraph(ctx context.Context, db Reader, progress Progress) (*Graph, error) {
	g := &Graph{Structures: map[modulestore.ID]Link{}}
	err := db.Structures(ctx, func(h Header) error {
		g.Structures[h.ID] = Link{h.Original, h.Previous}
		progress.tell("reading structures", len(g.Structures), 0)
		return nil
	})
	if err != nil {
		return nil, err
	}
	rows, err := db.Indexes(ctx)
	if err != nil {
		return nil, err
	}
	for i := range rows {
		x := &rows[i]
		on := x.EditedOn
		if on.IsZero() {
			on = idTime(modulestore.ID(x.ID))
		}
		for _, h := range x.Heads() {
			g.Branches = append(g.Branches, ActiveBranch{modulestore.ID(x.ID), on, h.Branch, x.Name, h.ID})
		}
	}
	return g, g.fetchNew(ctx, db)
}

// fetchNew adds heads that were made during the scan, and their ancestors until known ones (§7.1 step 3).
func (g *Graph) fetchNew(ctx context.Context, db Reader) error {
	asked := map[modulestore.ID]bool{}
	for {
		want := map[modulestore.ID]bool{}
		add := func(id modulestore.ID) {
			if _, known := g.Structures[id]; !known && !id.IsZero() && !asked[id] {
				want[id], asked[id] = true, true
			}
		}
		for _, b := range g.Branches {
			id := b.Head
			for asked[id] {
				id = g.Structures[id].Previous
			}
			add(id)
		}
		if len(want) == 0 {
			return nil
		}
		err := db.Headers(ctx, want, func(h Header) error {
			g.Structures[h.ID] = Link{h.Original, h.Previous}
			return nil
		})
		if err != nil {
			return err
		}
	}
}

// CompatPlan is a plan of the reference tool, in its own JSON form.
type CompatPlan struct {
	Delete        []string    `json:"delete"`         // oldest first
	UpdateParents [][2]string `json:"update_parents"` // structure, its new previous_version
}

// Compat makes exactly the plan of the reference tool: of each head it and its original stay with as many predecessors as
// retain says (modulestore.md §7.1). A kept structure that is missing is NotFound, unless it is to be ignored; a head that is
// missing always is (V7). details, if not nil, gets the tool's file for people.
func Compat(g *Graph, retain int, ignoreMissing bool, details io.Writer) (*CompatPlan, error) {
	if retain < 0 {
		return nil, fault.Errorf(fault.Usage, "--retain", "%d is negative", retain)
	}
	keep := map[modulestore.ID]bool{}
	for _, b := range g.Branches {
		link, there := g.Structures[b.Head]
		if !there {
			return nil, missing(b.Head, fmt.Sprintf("the head of %s of %s is missing", b.Branch, b.Course))
		}
		keep[b.Head], keep[link.Original] = true, true
		for range retain {
			if link.Previous.IsZero() {
				break
			}
			keep[link.Previous] = true
			if link, there = g.Structures[link.Previous]; !there {
				break
			}
		}
	}
	for _, id := range sortedIDs(keep) {
		if _, there := g.Structures[id]; there {
			continue
		}
		if !ignoreMissing {
			return nil, missing(id, "a structure to keep is missing")
		}
		delete(keep, id)
	}
	p := &CompatPlan{Delete: []string{}, UpdateParents: [][2]string{}}
	for id := range g.Structures {
		if !keep[id] {
			p.Delete = append(p.Delete, id.String())
		}
	}
	slices.Sort(p.Delete)
	relinked := g.relinks(keep)
	for _, id := range sortedIDs(relinked) {
		p.UpdateParents = append(p.UpdateParents, [2]string{id.String(), g.Structures[id].Original.String()})
	}
	if details != nil {
		return p, g.details(details, p, keep, relinked)
	}
	return p, nil
}

func missing(id modulestore.ID, why string) error {
	return fault.Errorf(fault.NotFound, id.String(), "%s", why).WithNext("a plan without --compat leaves damaged courses alone")
}

// relinks returns the structures whose predecessor becomes their original: the last one kept before a gap (§7.1 step 7).
func (g *Graph) relinks(keep map[modulestore.ID]bool) map[modulestore.ID]bool {
	out := map[modulestore.ID]bool{}
	for _, b := range g.Branches {
		var last modulestore.ID
		for id := b.Head; keep[id]; id = g.Structures[id].Previous {
			if g.Structures[id].Original == id {
				last = modulestore.ID{}
				break
			}
			last = id
		}
		if link := g.Structures[last]; !last.IsZero() && link.Previous != link.Original {
			out[last] = true
		}
	}
	return out
}

// details writes the file for people.
func (g *Graph) details(to io.Writer, p *CompatPlan, keep, relinked map[modulestore.ID]bool) error {
	w := bufio.NewWriter(to)
	fmt.Fprintf(w, "== Summary ==\nActive Version Branches: %d\nTotal Structures: %d\nStructures to Save: %d\nStructures to Delete: %d\nStructures to Rewrite Parent Link: %d\n\n== Active Versions ==\n",
		len(g.Branches), len(g.Structures), len(keep), len(p.Delete), len(p.UpdateParents))
	active := map[modulestore.ID]bool{}
	for _, b := range g.Branches {
		active[b.Head] = true
	}
	for _, b := range g.Branches {
		fmt.Fprintf(w, "Active Version %s [%s] %s for %s\n", b.Index, b.On.UTC().Format(time.DateTime), b.Branch, b.Course)
		for id := b.Head; ; {
			link, there := g.Structures[id]
			if !there {
				break
			}
			sign := "-"
			if keep[id] {
				sign = "+"
			}
			fmt.Fprintf(w, "%s %s", sign, id)
			if active[id] {
				fmt.Fprint(w, " (active)")
			}
			if id == link.Original {
				fmt.Fprint(w, " (original)")
			}
			if relinked[id] {
				fmt.Fprint(w, " (re-link to original)")
			}
			fmt.Fprintln(w)
			id = link.Previous
		}
		fmt.Fprintln(w)
	}
	return w.Flush()
}

// Text returns the plan as the tool writes it.
func (p *CompatPlan) Text() ([]byte, error) { return json.MarshalIndent(p, "", "  ") }

// ReadCompat reads a plan of the reference tool, or of [Compat]. What is none is fault.Invalid; name is what the message
// calls it.
func ReadCompat(r io.Reader, name string) (*CompatPlan, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, fault.Errorf(fault.Unavailable, name, "cannot read it: %w", err)
	}
	p := &CompatPlan{}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(p); err != nil || p.Delete == nil || p.UpdateParents == nil {
		if err == nil {
			err = fmt.Errorf("delete and update_parents are not both there")
		}
		return nil, fault.Errorf(fault.Invalid, name, "it is no plan of the reference tool: %w", err).WithNext("make one with: lectern split prune plan --compat")
	}
	for _, id := range p.Delete {
		if _, err := parseID(id); err != nil {
			return nil, fault.Errorf(fault.Invalid, name, "%w", err)
		}
	}
	for _, pair := range p.UpdateParents {
		for _, id := range pair {
			if _, err := parseID(id); err != nil {
				return nil, fault.Errorf(fault.Invalid, name, "%w", err)
			}
		}
	}
	return p, nil
}
