package authzapi

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/openlectern/lectern/authz"
)

// listing is a whole list of people or of their assignments in its order, of which requests show pages. It does not
// change once it is made, and is safe for concurrent use.
type listing struct {
	key    listKey
	sight  *authz.Sight
	d      directory
	groups []group
	order  []line // of assignments ordered by what is no text of people; else they come as the groups do
	count  int    // assignments
	made   time.Time
}

// line is an assignment in a listing: the nth one of a group.
type line struct{ group, nth int32 }

// listKey is all that a listing follows from, but for the people: two with the same key and the same people are equal.
type listKey struct {
	ix     *authz.Index // which never changes, and neither does who is a super admin by it
	viewer string
	filter string
	sorting
}

// listings keeps the last listings, as making one takes many times as long as cutting a page out of it, and who looks at
// one page often looks at the next. They serve as long as the policy and the people that they were made of do. It is
// safe for concurrent use.
type listings struct {
	mu    sync.Mutex
	list  []*listing // the last used first
	clear *time.Timer
}

// How much is kept, so that memory stays bounded, and how long after a listing was made, or twice that: what a policy that
// is not in force any more takes is not held for longer.
const (
	keptListings = 4
	keptLines    = 1 << 20 // groups and assignments in an order of their own, 32 and 8 bytes each
	keptFor      = 5 * time.Second
)

// find returns the listing of a key, nil where it is not kept.
func (l *listings) find(k listKey) *listing {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.IndexFunc(l.list, func(x *listing) bool { return x.key == k })
	if i < 0 {
		return nil
	}
	found := l.list[i]
	copy(l.list[1:i+1], l.list[:i])
	l.list[0] = found
	return found
}

// earlier returns the listing of the same key of an earlier policy, nil where none is kept.
func (l *listings) earlier(k listKey) *listing {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, x := range l.list {
		if x.key.ix != k.ix && (listKey{k.ix, x.key.viewer, x.key.filter, x.key.sorting}) == k {
			return x
		}
	}
	return nil
}

// keep keeps a listing instead of that of the same key, of this policy or another.
func (l *listings) keep(x *listing) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = slices.DeleteFunc(l.list, func(o *listing) bool {
		return listKey{x.key.ix, o.key.viewer, o.key.filter, o.key.sorting} == x.key || time.Since(o.made) > keptFor
	})
	l.list = slices.Insert(l.list, 0, x)
	lines := 0
	for i, o := range l.list {
		if lines += len(o.groups) + len(o.order); i >= keptListings || lines > keptLines {
			clear(l.list[i:])
			l.list = l.list[:i]
			break
		}
	}
	if l.clear != nil {
		l.clear.Stop()
	}
	l.clear = time.AfterFunc(keptFor, l.drop)
}

func (l *listings) drop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = nil
}

// listing returns the list that a request asks for.
func (c *call) listing(l filter, s sorting) (*listing, error) {
	k := listKey{c.base, c.who.Username, fmt.Sprintf("%q %q %q %q", l.Orgs, l.Scopes, l.Roles, l.search), s}
	if x := c.lists.find(k); x != nil {
		switch all, err := c.people.get(c.ctx); {
		case err != nil:
			return nil, err
		case all == x.d.all:
			return x, nil
		}
	}
	if x := c.lists.earlier(k); x != nil {
		all, err := c.people.get(c.ctx)
		if err != nil {
			return nil, err
		}
		if all == x.d.all {
			if x = x.follow(k, c.ix); x != nil {
				c.lists.keep(x)
				return x, nil
			}
		}
	}
	sight, groups, d, err := c.groups(l)
	if err != nil {
		return nil, err
	}
	x := &listing{key: k, sight: sight, d: d, groups: groups, made: time.Now()}
	for _, g := range groups {
		x.count += g.count
	}
	if slices.Contains(personTexts, s.by) {
		sortGroups(s, d, groups)
	} else {
		x.order = s.order(sight, groups, x.count)
	}
	if d.kept && d.whole {
		c.lists.keep(x)
	}
	return x, nil
}

// follow returns the listing on a later policy, where only roles of people who are in it have changed; else nil. Making it
// anew takes hundreds of times as long on a large site.
func (x *listing) follow(k listKey, ix *authz.Index) *listing {
	if x.order != nil {
		return nil
	}
	sight, changed, ok := x.sight.Follow(ix)
	if !ok {
		return nil
	}
	y := &listing{key: k, sight: sight, d: x.d, groups: x.groups, count: x.count, made: time.Now()}
	if len(changed) > 0 {
		y.groups = slices.Clone(x.groups)
		for i, g := range y.groups {
			if _, is := slices.BinarySearch(changed, g.at); is {
				y.groups[i].count = sight.Count(g.at)
				y.count += y.groups[i].count - g.count
			}
		}
	}
	return y
}

// order orders the assignments of groups by a text of theirs. Those with equal texts stay in the order they came.
func (s sorting) order(sight *authz.Sight, groups []group, count int) []line {
	type keyed struct {
		key string
		line
	}
	all := make([]keyed, 0, count)
	fold := keyOnce(s.by)
	for i, g := range groups {
		for n, h := range sight.Grants(g.at) {
			all = append(all, keyed{fold(h.Role, h.Scope), line{int32(i), int32(n)}})
		}
	}
	slices.SortFunc(all, func(a, b keyed) int {
		if c := s.compare(a.key, b.key); c != 0 {
			return c
		}
		return cmp.Or(cmp.Compare(a.group, b.group), cmp.Compare(a.nth, b.nth))
	})
	order := make([]line, len(all))
	for i := range all {
		order[i] = all[i].line
	}
	return order
}

// row is one line of the list of everybody's assignments.
type row struct {
	who   *person
	grant authz.Grant
}

// rows returns the assignments of a window of the list.
func (x *listing) rows(w window) []row {
	rows := make([]row, 0, w.to-w.from)
	if x.order != nil {
		for _, l := range x.order[w.from:w.to] {
			g := x.groups[l.group]
			rows = append(rows, row{g.who, x.sight.Grants(g.at)[l.nth]})
		}
		return rows
	}
	from, to := w.from, w.to
	for _, g := range x.groups {
		if from < g.count && to > 0 {
			for _, h := range x.sight.Grants(g.at)[from:min(to, g.count)] {
				rows = append(rows, row{g.who, h})
			}
		}
		if from, to = max(0, from-g.count), to-g.count; to <= 0 {
			break
		}
	}
	return rows
}
