package authzapi

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Sizes of a page (authz.md §11).
const (
	pageSize    = 10
	maxPageSize = 100
)

// Page is one page of a list. Next and Previous are absolute addresses, null at the ends.
type Page[T any] struct {
	Count    int     `json:"count"`
	Next     *string `json:"next"`
	Previous *string `json:"previous"`
	Results  []T     `json:"results"`
}

// window is the part of a list that a request asks for.
type window struct {
	count, size, page, pages int
	from, to                 int // the items of it, half open
}

// errPage is the answer to a page that there is not.
var errPage = &problem{status: http.StatusNotFound, body: detail{"Invalid page."}}

// windowOf reads page and page_size for a list of count items.
func windowOf(q query, count int) (window, error) {
	w := window{count: count, size: pageSize, page: 1}
	if v, ok := q.get("page_size"); ok {
		if n, ok := parseInt(v); ok && n > 0 {
			w.size = min(n, maxPageSize)
		}
	}
	w.pages = max(1, (count+w.size-1)/w.size)
	if v, _ := q.get("page"); v == "last" {
		w.page = w.pages
	} else if v != "" {
		n, ok := parseInt(v)
		if !ok || n < 1 || n > w.pages {
			return w, errPage
		}
		w.page = n
	}
	w.from = (w.page - 1) * w.size
	w.to = min(w.from+w.size, count)
	return w, nil
}

// link returns the address of another page of the list at address, as the reference writes it: parameters sorted by name,
// the first page without a number.
func (w window) link(address string, q query, page int) string {
	q = slices.DeleteFunc(slices.Clone(q), func(p pair) bool { return p.key == "page" })
	if page > 1 {
		q = append(q, pair{"page", strconv.Itoa(page)})
	}
	slices.SortStableFunc(q, func(a, b pair) int { return strings.Compare(a.key, b.key) })
	var b strings.Builder
	b.WriteString(address)
	for i, p := range q {
		b.WriteByte("?&"[min(i, 1)])
		b.WriteString(url.QueryEscape(p.key))
		b.WriteByte('=')
		b.WriteString(url.QueryEscape(p.value))
	}
	return b.String()
}

// pageOf wraps the items of a window.
func pageOf[T any](c *call, w window, items []T) Page[T] {
	p := Page[T]{Count: w.count, Results: items}
	if items == nil {
		p.Results = []T{}
	}
	address := c.address()
	if w.page < w.pages {
		p.Next = new(w.link(address, c.query, w.page+1))
	}
	if w.page > 1 {
		p.Previous = new(w.link(address, c.query, w.page-1))
	}
	return p
}

// parseInt reads a whole number as Python does: blanks around it, a sign, and single underscores between digits. A
// number that is out of range is the nearest one that is not.
func parseInt(s string) (int, bool) {
	s = strings.TrimSpace(s)
	sign := ""
	if s != "" && (s[0] == '+' || s[0] == '-') {
		sign, s = s[:1], s[1:]
	}
	if s == "" || s[0] == '_' || s[len(s)-1] == '_' || strings.Contains(s, "__") || strings.ContainsAny(s, "+-") {
		return 0, false
	}
	n, err := strconv.ParseInt(sign+strings.ReplaceAll(s, "_", ""), 10, 32)
	if err != nil && !isRange(err) {
		return 0, false
	}
	return int(n), true
}
