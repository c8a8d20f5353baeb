package prune

import (
	"container/heap"
	"context"
	"time"

	"github.com/openlectern/lectern/modulestore"
)

// pointer is a walk with the structure that it comes to next.
type pointer struct {
	next     modulestore.ID
	original modulestore.ID // of what it came by last
	walk     walk
}

// pointers is a heap, newest id first.
type pointers []*pointer

func (p pointers) Len() int           { return len(p) }
func (p pointers) Less(i, j int) bool { return compareIDs(p[i].next, p[j].next) > 0 }
func (p pointers) Swap(i, j int)      { p[i], p[j] = p[j], p[i] }
func (p *pointers) Push(x any)        { *p = append(*p, x.(*pointer)) }
func (p *pointers) Pop() any {
	old := *p
	last := old[len(old)-1]
	*p = old[:len(old)-1]
	return last
}

// walkHistories goes through all structures from the newest to the oldest, with one pointer for each head. Where a history has a
// gap, as pruning leaves, it goes on with the next older structure of the same original that nothing leads to. Any other that no
// pointer comes to is the last one of what has no head: it gets a pointer of its own.
func (p *planner) walkHistories(ctx context.Context) error {
	var heads pointers
	for i := range p.current {
		p.current[i] = 0xff
	}
	for i := range p.rows {
		course := p.names[p.rows[i].Name]
		c := &p.plan.Courses[course]
		for _, h := range p.rows[i].Heads() {
			if err := p.push(&heads, &pointer{next: h.ID, walk: newWalk(p.Policy, course, h.Branch, c.Status != "")}); err != nil {
				return err
			}
		}
	}
	for i := p.table.n - 1; i >= 0; i-- {
		if i%4096 == 0 {
			p.Progress.tell("walking histories", p.table.n-i, p.table.n)
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		r, err := p.table.record(i)
		if err != nil {
			return err
		}
		now := *r
		p.current = now.id
		for len(heads) > 0 && compareIDs(heads[0].next, now.id) > 0 { // it is not there
			p.truncated(heap.Pop(&heads).(*pointer))
		}
		var loose *pointer
		reached := false
		for len(heads) > 0 && heads[0].next == now.id {
			next := heap.Pop(&heads).(*pointer)
			if next.walk.course < 0 {
				if loose == nil || next.walk.steps < loose.walk.steps {
					loose = next
				}
				continue
			}
			reached = true
			if err := p.pass(&heads, next, r, &now); err != nil {
				return err
			}
		}
		if reached || now.owner > 0 {
			continue // what has no head ends where it branched off
		}
		if across := p.gaps[now.original]; len(across) > 0 {
			delete(p.gaps, now.original)
			for _, next := range across {
				if err := p.pass(&heads, next, r, &now); err != nil {
					return err
				}
			}
			continue
		}
		if loose == nil {
			fresh := p.Now.Sub(time.Unix(now.when, 0)) < p.Grace
			loose = &pointer{walk: newWalk(p.Policy, -1, "", p.lost)}
			if !fresh {
				loose.walk.steps, loose.walk.left = p.Policy.Last+1, [3]int{} // deleted long ago
			}
		}
		p.visit(&now, &loose.walk)
		if p.Now.Sub(time.Unix(now.when, 0)) < p.Grace {
			now.stays = true
		}
		*r, p.table.dirty = now, true
		loose.next = now.previous
		if !loose.next.IsZero() && compareIDs(loose.next, now.id) < 0 {
			heap.Push(&heads, loose)
		}
	}
	for _, left := range heads { // nothing there is old enough
		p.truncated(left)
	}
	return nil
}

// pass lets a walk that came to a structure say whether it stays, and go on.
func (p *planner) pass(heads *pointers, at *pointer, r, now *record) error {
	p.visit(now, &at.walk)
	at.next, at.original = now.previous, now.original
	*r, p.table.dirty = *now, true
	return p.push(heads, at)
}

// truncated leaves a walk at a gap.
func (p *planner) truncated(at *pointer) {
	if at.walk.course < 0 {
		return
	}
	p.plan.Courses[at.walk.course].Truncated = true
	if !at.original.IsZero() {
		p.gaps[at.original] = append(p.gaps[at.original], at)
	}
}

// push lets a pointer wait for its next structure. What was passed already, as ids of several machines are not in order within
// a second, or was made during the scan, is visited at once.
func (p *planner) push(heads *pointers, at *pointer) error {
	for seen := 0; !at.next.IsZero(); seen++ {
		if seen > p.table.n+len(p.extra) { // a circle
			at.original = modulestore.ID{}
			p.truncated(at)
			return nil
		}
		if h, there := p.extra[at.next]; there {
			at.walk.visit(p.Policy, h.when(), p.Now)
			at.next, at.original = h.Previous, h.Original
			continue
		}
		if compareIDs(at.next, p.current) < 0 {
			heap.Push(heads, at)
			return nil
		}
		i, err := p.table.find(at.next)
		switch {
		case err != nil:
			return err
		case i < 0:
			p.truncated(at)
			return nil
		}
		r, err := p.table.peek(i)
		if err != nil {
			return err
		}
		p.visit(&r, &at.walk)
		if err := p.table.poke(i, r); err != nil {
			return err
		}
		at.next, at.original = r.previous, r.original
	}
	return nil
}

// visit lets a walk say whether a structure stays.
func (p *planner) visit(r *record, w *walk) {
	why := w.visit(p.Policy, time.Unix(r.when, 0).UTC(), p.Now)
	if r.owner == 0 && w.course >= 0 {
		r.owner = uint32(w.course) + 1
		if r.noted {
			p.plan.Courses[w.course].Gaps++
		}
	}
	if why == "" || w.course < 0 && why == whyHead && r.stays {
		return
	}
	p.stay(r, why)
}

// stay keeps a structure; the first reason counts.
func (p *planner) stay(r *record, why string) {
	if r.stays {
		return
	}
	r.stays = true
	if r.owner > 0 {
		p.plan.Courses[r.owner-1].Why[why]++
	}
}

// keep keeps a structure by its id and reports whether it is there.
func (p *planner) keep(id modulestore.ID, why string) (there, first bool, err error) {
	i, err := p.table.find(id)
	if err != nil || i < 0 {
		_, there = p.extra[id]
		return there, false, err
	}
	r, err := p.table.peek(i)
	if err != nil || r.stays {
		return true, false, err
	}
	p.stay(&r, why)
	return true, true, p.table.poke(i, r)
}
