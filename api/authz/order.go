package authzapi

import (
	"slices"
	"strings"
)

// sorting is how a list is to be ordered.
type sorting struct {
	by   string
	desc bool
}

// readSorting reads sort_by and order. The first of the fields is the default; blank means absent (authz.md §11).
func (c *call) readSorting(f faults, fields ...string) sorting {
	s := sorting{by: fields[0]}
	if v, _ := c.query.get("sort_by"); v != "" {
		s.by = v
		if !slices.Contains(fields, v) {
			f.add("sort_by", "Choose one of "+strings.Join(fields, ", ")+".")
		}
	}
	switch v, _ := c.query.get("order"); v {
	case "", "asc":
	case "desc":
		s.desc = true
	default:
		f.add("order", "Choose asc or desc.")
	}
	return s
}

// compare compares two keys in the order asked for, without regard to case.
func (s sorting) compare(a, b string) int {
	if s.desc {
		a, b = b, a
	}
	return strings.Compare(a, b)
}

// sortBy orders a list by a text of its items, without regard to case; items with equal texts stay as they are, whichever
// way the list goes (authz.md §11).
func sortBy[T any](s sorting, list []T, text func(*T) string) {
	type keyed struct {
		key  string
		item T
	}
	all := make([]keyed, len(list))
	for i := range list {
		all[i] = keyed{strings.ToLower(text(&list[i])), list[i]}
	}
	slices.SortStableFunc(all, func(a, b keyed) int { return s.compare(a.key, b.key) })
	for i := range all {
		list[i] = all[i].item
	}
}

// containsFold reports whether text contains a search term that is in lower case already.
func containsFold(text, term string) bool { return strings.Contains(strings.ToLower(text), term) }

// set is a set of texts; a nil one means that nothing was asked for and everything passes.
type set map[string]struct{}

func setOf(list []string) set {
	if len(list) == 0 {
		return nil
	}
	s := make(set, len(list))
	for _, v := range list {
		s[v] = struct{}{}
	}
	return s
}

func (s set) has(v string) bool {
	if s == nil {
		return true
	}
	_, ok := s[v]
	return ok
}
