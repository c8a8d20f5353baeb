package flags

import (
	"context"
	"strings"

	"github.com/openlectern/lectern/db"
)

// window is how many ids below the highest are counted. Transactions do not commit in the order of their ids, so a row may
// appear below the highest one that was seen, but not so far below.
const window = 10000

// mark tells whether rows were added to a table: their highest id, and how many there are above base.
type mark struct{ base, last, count int64 }

// looks are the scalar queries that a mark is made of, and where their results go.
type looks struct {
	queries []string
	args    []any
	into    []any
}

func (l *looks) add(query string, into *int64, args ...any) {
	l.queries, l.args, l.into = append(l.queries, "("+query+")"), append(l.args, args...), append(l.into, into)
}

// run sends them as one statement.
func (l *looks) run(ctx context.Context, q db.Querier) error {
	if len(l.queries) == 0 {
		return nil
	}
	return q.Query(ctx, "SELECT "+strings.Join(l.queries, ", "), l.args, func(r *db.Row) error { return r.Scan(l.into...) })
}

// place takes the marks of what is about to be read.
func (s *State) place(ctx context.Context, q db.Querier) error {
	var high, counts looks
	for _, t := range s.tables() {
		high.add("SELECT COALESCE(MAX(id), 0) FROM "+t.name, &t.mark.last)
	}
	if err := high.run(ctx, q); err != nil {
		return err
	}
	for _, t := range s.tables() {
		t.mark.base = max(t.mark.last-window, 0)
		counts.add("SELECT COUNT(*) FROM "+t.name+" WHERE id > ?", &t.mark.count, t.mark.base)
	}
	s.lookAtMembers(&counts, &s.members)
	return counts.run(ctx, q)
}

// marked is a table of overrides with its mark.
type marked struct {
	name string
	mark *mark
}

func (s *State) tables() (list []marked) {
	if s.courses.there {
		list = append(list, marked{courseOverrides.name, &s.courses.mark})
	}
	if s.orgs.there {
		list = append(list, marked{orgOverrides.name, &s.orgs.mark})
	}
	return list
}

// memberMark tells whether the flag was given to somebody or taken from: rows come and go, but none comes with an id that
// was there before.
type memberMark struct{ lastUser, users, lastGroup, groups int64 }

func (s *State) lookAtMembers(l *looks, m *memberMark) {
	if s.flag == nil {
		return
	}
	for _, t := range []struct {
		table       string
		last, count *int64
	}{{flagUsers, &m.lastUser, &m.users}, {flagGroups, &m.lastGroup, &m.groups}} {
		l.add("SELECT COALESCE(MAX(id), 0) FROM "+t.table+" WHERE flag_id = ?", t.last, s.flag.ID)
		l.add("SELECT COUNT(*) FROM "+t.table+" WHERE flag_id = ?", t.count, s.flag.ID)
	}
}

// Changed reports whether something may have been said of the flag, or of any in the same tables, since the state was
// read. It takes two small statements. Overrides that were altered or removed by hand, which the platform never does, and
// tables that were made since, it does not see: who keeps a state for long reads it anew now and then.
func (s *State) Changed(ctx context.Context, q db.Querier) (bool, error) {
	if s.rules {
		flag, err := readFlag(ctx, q, s.name)
		if err != nil || !flag.same(s.flag) {
			return err == nil, err
		}
	}
	var l looks
	now := State{flag: s.flag, courses: overrides{there: s.courses.there}, orgs: overrides{there: s.orgs.there}}
	now.courses.mark.base, now.orgs.mark.base = s.courses.mark.base, s.orgs.mark.base
	for _, t := range now.tables() {
		l.add("SELECT COALESCE(MAX(id), 0) FROM "+t.name, &t.mark.last)
		l.add("SELECT COUNT(*) FROM "+t.name+" WHERE id > ?", &t.mark.count, t.mark.base)
	}
	now.lookAtMembers(&l, &now.members)
	if err := l.run(ctx, q); err != nil {
		return false, err
	}
	return now.courses.mark != s.courses.mark || now.orgs.mark != s.orgs.mark || now.members != s.members, nil
}
