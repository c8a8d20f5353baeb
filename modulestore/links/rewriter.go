package links

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/keys"
)

// settle is how often a text is gone over until nothing changes any more. Twice is the rule; more are for names that look like
// links themselves.
const settle = 8

// Rewriter rewrites the texts of one course. It is made by [New], does not change, and is safe for concurrent use.
type Rewriter struct {
	c     Course
	moved bool   // links in today's spelling are to be rewritten too
	lead  string // what follows the prefix in keys of From: Org+Course+Run
	host  string
	marks []mark
	old   map[string][]courseware.BlockID // blocks of the course by what their name was, as they are called now
	now   map[string]int                  // how many types share a name now
	html  map[string][]string             // what html ids become; several where they clash (CV-11)
	// htmlMax is the length of the longest key of html.
	htmlMax int
}

// mark is a text that every link of a kind has in it, however it is escaped, and what looks at its surroundings.
type mark struct {
	text string
	look func(s string, at, done int) (match, bool)
}

// match is a link that was found: s[start:end] is it. The part up to cut becomes the text in its place; the rest stays.
type match struct {
	start, end, cut int
	row             int
	became          string
	kept            bool
	why             string
}

// keep is a link that stays.
func keep(row, start, end int, why string) match {
	return match{start: start, end: end, row: row, kept: true, why: why}
}

// New returns the rewriter of a course.
func New(c Course) *Rewriter {
	r := &Rewriter{c: c, host: strings.ToLower(c.Host), old: map[string][]courseware.BlockID{}, now: map[string]int{}, html: map[string][]string{}}
	slash, _ := keys.NewSlashCourse(c.Org, c.Course, c.Run)
	for was, is := range c.Blocks {
		r.old[was.Name] = append(r.old[was.Name], is)
		r.now[is.Name]++
		if u, err := slash.Usage(was.Type, was.Name); err == nil {
			id := u.HTMLID()
			r.htmlMax = max(r.htmlMax, len(id))
			if !slices.Contains(r.html[id], is.Name) {
				r.html[id] = append(r.html[id], is.Name)
			}
		}
	}
	for _, names := range r.html {
		slices.Sort(names) // the blocks came in no order
	}
	r.marks = []mark{
		{"courses", r.course}, {"c4x", r.oldAsset}, {"i4x", r.oldKey}, {"static", r.static}, {"jump_to_id", r.jump},
	}
	if !c.From.IsZero() && !c.From.Deprecated() && c.From != c.To {
		if prefix, lead, ok := strings.Cut(c.From.String(), ":"); ok {
			r.moved, r.lead = true, lead
			r.marks = append(r.marks, mark{"asset-v1", r.newAsset}, mark{"block-v1", r.newKey}, mark{prefix, r.newCourse})
		}
	}
	for _, org := range spellings(c.Org) {
		for _, slash := range slashes {
			r.marks = append(r.marks, mark{org + slash.text, r.bare})
		}
	}
	return r
}

// NamesBlocks reports whether a text may have a link to a block in it, in any spelling. One that has none is rewritten alike in
// courses that differ in nothing but their blocks.
func NamesBlocks(s string) bool {
	return strings.Contains(s, "i4x") || strings.Contains(s, "block-v1") || strings.Contains(s, "jump_to_id")
}

// Text returns a text with its links rewritten, and what was found in it in order. A text without links is returned as it is.
// Text(Text(s)) is Text(s); where the names of a course make that impossible, s comes back, and the changes say so.
func (r *Rewriter) Text(s string) (out string, changes []Change) {
	out, changes, n := r.pass(s)
	for range settle {
		if n == 0 {
			return out, changes
		}
		again, more, rewritten := r.pass(out)
		for _, c := range more {
			if !c.Kept {
				changes = append(changes, c)
			}
		}
		out, n = again, rewritten
	}
	for i := range changes {
		if c := &changes[i]; !c.Kept {
			c.Became, c.Kept, c.Why = c.Found, true, "what it would become is a link again, and so on without end"
		}
	}
	return s, changes
}

// pass goes over a text once, and counts what it rewrote.
func (r *Rewriter) pass(s string) (string, []Change, int) {
	var room [64]int
	next := append(room[:0], make([]int, len(r.marks))...)
	open := 0
	bare := strings.Contains(s, r.c.Course) || !ascii(r.c.Course)
	for i, m := range r.marks {
		next[i] = -1
		if m.text == "" || !bare && i >= len(r.marks)-r.bares() {
			continue
		}
		if next[i] = strings.Index(s, m.text); next[i] >= 0 {
			open++
		}
	}
	if open == 0 {
		return s, nil, 0
	}
	var (
		out       strings.Builder
		changes   []Change
		done      int // everything before it is settled
		written   int // everything before it is in out
		rewritten int
	)
	for {
		first := -1
		for i, at := range next {
			if at >= 0 && (first < 0 || at < next[first]) {
				first = i
			}
		}
		if first < 0 {
			break
		}
		at, from := next[first], next[first]+1
		if at >= done {
			if m, ok := r.marks[first].look(s, at, done); ok {
				c := Change{Row: m.row, Found: s[m.start:m.end], Kept: m.kept, Why: m.why}
				if c.Became = c.Found; !m.kept {
					c.Became = m.became + s[m.cut:m.end]
				}
				if c.Became == c.Found {
					c.Kept = true
				} else {
					out.WriteString(s[written:m.start])
					out.WriteString(m.became)
					written = m.cut
					rewritten++
				}
				changes = append(changes, c)
				done = m.end
			}
		}
		from = max(from, done)
		if i := strings.Index(s[from:], r.marks[first].text); i >= 0 {
			next[first] = from + i
		} else {
			next[first] = -1
		}
	}
	if rewritten == 0 {
		return s, changes, 0
	}
	out.WriteString(s[written:])
	return out.String(), changes, rewritten
}

// bares is how many of the marks, at the end of their list, are those of bare course keys.
func (r *Rewriter) bares() int { return len(spellings(r.c.Org)) * len(slashes) }

// spellings are the ways in which a name can stand in a text.
func spellings(name string) []string {
	switch {
	case name == "":
		return nil
	case ascii(name):
		return []string{name}
	}
	var upper, lower, script strings.Builder
	for _, c := range name {
		if c < utf8.RuneSelf {
			upper.WriteRune(c)
			lower.WriteRune(c)
			script.WriteRune(c)
			continue
		}
		hex := percentAll(string(c))
		upper.WriteString(hex)
		lower.WriteString(strings.ToLower(hex))
		for _, half := range utf16.Encode([]rune{c}) {
			fmt.Fprintf(&script, `\u%04x`, half)
		}
	}
	return []string{name, upper.String(), lower.String(), script.String()}
}

// ascii reports whether a text has no letters of other scripts.
func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
