package prune

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/bson"
)

// Pin keeps one structure whatever the policy says.
type Pin struct {
	Course, Reason string
	Version        modulestore.ID
	Expires        time.Time // zero means never
	Label          bool      // a name that people gave it rather than a need
}

// ReadPins reads pins as comma-separated values with the columns course, version, reason and expires (a day or a moment, may be
// empty), and label where there is one (its name).
func ReadPins(r io.Reader, name string) ([]Pin, error) {
	bad := func(line int, err error) error {
		return fault.Errorf(fault.Invalid, name, "line %d: %w", line, err).WithNext("write the columns course,version,reason,expires")
	}
	in := csv.NewReader(r)
	head, err := in.Read()
	if err != nil {
		return nil, bad(1, err)
	}
	for _, c := range []string{"course", "version", "reason", "expires"} {
		if !slices.Contains(head, c) {
			return nil, bad(1, fmt.Errorf("no column %s", c))
		}
	}
	var pins []Pin
	for {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			return pins, nil
		}
		line, _ := in.FieldPos(0)
		if err != nil {
			return nil, bad(line, err)
		}
		var p Pin
		for i, column := range head {
			text := row[i]
			switch column {
			case "course":
				p.Course = text
			case "version":
				p.Version, err = parseID(text)
			case "reason":
				p.Reason = text
			case "label":
				p.Label = text != ""
			case "expires":
				if text == "" {
					continue
				}
				if p.Expires, err = time.Parse(time.DateOnly, text); err != nil {
					p.Expires, err = time.Parse(time.RFC3339, text)
				}
			}
			if err != nil {
				return nil, bad(line, err)
			}
		}
		pins = append(pins, p)
	}
}

// keepPins keeps what pins, the index's history, the registry and the ignore list name.
func (p *planner) keepPins() error {
	for _, pin := range p.Pins {
		if !pin.Expires.IsZero() && pin.Expires.Before(p.Now) || pin.Label && !p.Policy.Labelled {
			continue
		}
		there, _, err := p.keep(pin.Version, whyPin)
		if err != nil {
			return err
		}
		p.plan.Pins = append(p.plan.Pins, pin.Version.String())
		if !there {
			p.plan.find("the pinned structure %s of %s is missing", pin.Version, pin.Course)
		}
	}
	for id := range p.ignored {
		if _, _, err := p.keep(id, whyPin); err != nil {
			return err
		}
		p.plan.Pins = append(p.plan.Pins, id.String())
	}
	slices.Sort(p.plan.Pins)
	for i := range p.History {
		// The table keeps every head that ever was: as roots count those of the time that deleted courses are kept (SP-4).
		if x := &p.History[i]; p.Now.Sub(x.LastUpdate) < p.Grace {
			for _, h := range x.Heads() {
				if _, _, err := p.keep(h.ID, whyIndex); err != nil {
					return err
				}
			}
		}
	}
	if err := p.keepNamed(); err != nil {
		return err
	}
	return p.guard()
}

// guard keeps everything young, and what may be somebody's.
func (p *planner) guard() error {
	for i := range p.table.n {
		r, err := p.table.record(i)
		if err != nil {
			return err
		}
		if p.Now.Sub(time.Unix(r.when, 0)) < p.Guard && !r.stays {
			p.stay(r, whyGuard)
			p.table.dirty = true
		}
		if r.stays {
			p.stays++
		}
	}
	return p.table.flush()
}

// readContent reads what stays: library versions that it names stay too, and the definitions that it uses are returned.
func (p *planner) readContent(ctx context.Context) (*table, error) {
	uses := newSorter(byID)
	if p.WithoutContent {
		return uses.finish()
	}
	fresh := map[modulestore.ID]bool{}
	n := 0
	read := func(d bson.Doc) error {
		n++
		p.Progress.tell("reading what stays", n, max(n, p.stays))
		return contentOf(d, func(id modulestore.ID) error { return uses.add(record{id: id}) }, func(id modulestore.ID) error {
			_, first, err := p.keep(id, whyLibrary)
			if first {
				fresh[id] = true
			}
			return err
		})
	}
	// A library that a course names is kept while the pass goes on, and may be met by it as well: reading it twice does no harm.
	err := p.db.Kept(ctx, func(id modulestore.ID) (bool, error) {
		i, err := p.table.find(id)
		if err != nil || i < 0 {
			return false, err
		}
		r, err := p.table.peek(i)
		return r.stays, err
	}, func(yield func(modulestore.ID) error) error {
		for i := range p.table.n {
			r, err := p.table.record(i)
			if err != nil {
				return err
			}
			if r.stays {
				if err := yield(r.id); err != nil {
					return err
				}
			}
		}
		return nil
	}, read)
	if err != nil {
		return nil, err
	}
	young := map[modulestore.ID]bool{}
	for id := range p.extra {
		young[id] = true
	}
	for some := young; len(some) > 0 || len(fresh) > 0; {
		for id := range fresh {
			some[id] = true
		}
		fresh = map[modulestore.ID]bool{}
		if err := p.db.Documents(ctx, modulestore.CollectionStructures, some, read); err != nil {
			return nil, err
		}
		some = map[modulestore.ID]bool{}
	}
	if err := p.table.flush(); err != nil {
		return nil, err
	}
	return uses.finish()
}

// contentOf hands over the definitions of a structure's blocks and the library versions that they name (SP-26).
func contentOf(d bson.Doc, definition, library func(modulestore.ID) error) error {
	blocks, _ := d.Lookup("blocks").Doc()
	for _, v := range blocks.All() {
		b, ok := v.Doc()
		if !ok {
			continue
		}
		if id := modulestore.IDOf(b.Lookup("definition")); !id.IsZero() {
			if err := definition(id); err != nil {
				return err
			}
		}
		for _, in := range []string{"fields", "defaults"} {
			v := b.Lookup(in, "source_library_version")
			id, err := parseID(v.String())
			if err != nil {
				id = modulestore.IDOf(v)
			}
			if !id.IsZero() && library != nil {
				if err := library(id); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// leftOver returns what goes, ordered by course and id, and counts.
func (p *planner) leftOver() (*table, error) {
	s := newSorter(func(a, b *record) int {
		if a.owner != b.owner {
			return int(a.owner) - int(b.owner)
		}
		return byID(a, b)
	})
	loose := Course{Why: map[string]int{}}
	err := p.table.each(func(r *record) error {
		c := &loose
		if r.owner > 0 {
			c = &p.plan.Courses[r.owner-1]
		}
		if r.stays {
			c.Keep++
			c.BytesKept += int64(r.size)
			p.plan.Keep++
			return nil
		}
		c.Remove++
		c.Bytes += int64(r.size)
		p.plan.Remove++
		p.plan.Bytes += int64(r.size)
		return s.add(*r)
	})
	p.plan.Loose = Amount{loose.Keep, loose.Remove, loose.Bytes}
	if err != nil {
		return nil, err
	}
	return s.finish()
}

// sweep returns the definitions that nothing uses which stays (PR-9).
func (p *planner) sweep(ctx context.Context, uses *table) (_ *table, err error) {
	defer func() { err = errors.Join(err, uses.close()) }()
	out := newSorter(byID)
	if p.WithoutContent || p.lost {
		return out.finish()
	}
	all := newSorter(byID)
	n, total := 0, int(p.weights[modulestore.CollectionDefinitions].Documents)
	err = p.db.Definitions(ctx, func(h Header) error {
		n++
		p.Progress.tell("reading definitions", n, total)
		return all.add(record{id: h.ID, when: h.when().Unix(), size: uint32(h.Size)})
	})
	if err != nil {
		return nil, err
	}
	list, err := all.finish()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, list.close()) }()
	if p.db.Damage() > 0 {
		return out.finish()
	}
	at := 0
	d := &p.plan.Definitions
	err = list.each(func(r *record) error {
		used := false
		for ; at < uses.n; at++ {
			u, err := uses.record(at)
			if err != nil {
				return err
			}
			c := compareIDs(u.id, r.id)
			if used = c == 0; c >= 0 {
				break
			}
		}
		if used || p.Now.Sub(time.Unix(r.when, 0)) < p.Guard {
			d.Keep++
			return nil
		}
		d.Remove++
		d.Bytes += int64(r.size)
		p.plan.Bytes += int64(r.size)
		return out.add(*r)
	})
	if err != nil {
		return nil, err
	}
	return out.finish()
}
