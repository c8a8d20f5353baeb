package authz

import (
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/openlectern/lectern/authz/scope"
)

// Index is the policy in memory: who has which role where, and what roles may do, at one version. It never changes; a
// change makes another index, which shares with the first what stayed. Everything is safe for concurrent use, and
// questions wait for nobody.
type Index struct {
	version  uuid.UUID
	names    *texts // subjects and roles
	scopes   *texts // of assignments; a tag tells a scope's kind, see scopeTag
	globs    *texts // what stands before the star of the usual globs; a tag is the glob's number in scopes
	actions  *texts
	policy   *policy
	people   ledger     // by subject: other is a scope
	places   ledger     // by scope: other is a subject
	odd      []uint32   // scopes with a star that are no usual globs, ascending
	model    [][]string // p and g2 rows, and those of the types p, g, g2 that nothing reads
	unlisted []uint32   // scopes of assignments that are none, ascending
	admins   *admins
	wide     wide
	count    int    // assignments
	next     uint32 // place in the order of rows of the next assignment
	tolerant bool   // see Tolerant
	steps    []step // the last changes that led here from one before, see since
}

// Tags of scopes.
const (
	tagKind     = 0xff  // the Kind as a stored scope; 0 where it is none
	tagExternal = 0x100 // a client may name it
	tagBroken   = 0x200 // scope.Scope.Broken
	tagGlob     = 0x400 // a usual glob, see globPrefix
	tagOdd      = 0x800 // another text with a star
)

func scopeTag(text string) uint32 {
	tag := uint32(0)
	if _, usual := globPrefix(text); usual {
		tag |= tagGlob
	} else if patternOf(text).glob {
		tag |= tagOdd
	}
	s, err := scope.ParseNamespaced(text)
	if err != nil {
		return tag
	}
	tag |= uint32(s.Kind())
	if s.Broken() {
		tag |= tagBroken
	}
	if e, err := scope.Parse(s.Key()); err == nil && e.NS() == s.NS() {
		tag |= tagExternal
	}
	return tag
}

// globPrefix returns what stands before the star of a domain that is found by the shape of a request's scope: *, ns^*,
// ns^ns:*, ns^ns:ORG:* or ns^ns:ORG+*. Other domains with a star are odd and tried one by one.
func globPrefix(text string) (prefix string, usual bool) {
	prefix, ok := strings.CutSuffix(text, "*")
	if !ok || strings.Contains(prefix, "*") {
		return "", false
	}
	k := keyOf(prefix)
	switch {
	case prefix == "":
		return prefix, true
	case !k.sep:
		return "", false
	case k.ext == "":
		return prefix, true
	}
	inner, ok := strings.CutPrefix(k.ext, k.ns)
	end := orgEnd(k.ns)
	if !ok || end == 0 || !strings.HasPrefix(inner, ":") {
		return "", false
	}
	inner = inner[1:]
	return prefix, inner == "" || strings.IndexByte(inner, end) == len(inner)-1
}

// orgEnd returns what ends the organization in the keys of a namespace, 0 where it has no sets by organization.
func orgEnd(ns string) byte {
	switch ns {
	case scope.Libraries:
		return ':'
	case scope.Courses:
		return '+'
	}
	return 0
}

// domains are the numbers of the stored domains that a request's scope lies in: itself, and the usual globs. 0 is none.
type domains [5]uint32

func (x *Index) domains(c splitKey) domains { return x.around(x.scopes.find(c), c) }

// around is domains for a scope whose own number is known.
func (x *Index) around(own uint32, c splitKey) domains {
	d := domains{own, x.wide.all}
	if !c.sep {
		return d.once()
	}
	end := orgEnd(c.ns)
	switch {
	case end == 0:
		d[2] = x.glob(splitKey{c.ns, "", true})
		return d.once()
	case end == ':':
		d[2] = x.wide.library
	default:
		d[2] = x.wide.course
	}
	n := len(c.ns)
	if len(c.ext) <= n || c.ext[n] != ':' || c.ext[:n] != c.ns {
		return d.once()
	}
	if d[3] = x.wide.libraries; end == '+' {
		d[3] = x.wide.courses
	}
	if i := strings.IndexByte(c.ext[n+1:], end); i >= 0 {
		d[4] = x.glob(splitKey{c.ns, c.ext[:n+1+i+1], true})
	}
	return d.once()
}

// once takes out what is there twice.
func (d domains) once() domains {
	for i := 1; i < len(d); i++ {
		if d[i] == d[0] {
			d[i] = 0
		}
	}
	return d
}

// wide are the numbers of the domains that contain more than an organization; 0 is none.
type wide struct{ all, library, course, libraries, courses uint32 } // *, lib^*, course-v1^*, lib^lib:*, course-v1^course-v1:*

func (w *wide) set(text string, id uint32) {
	switch text {
	case "*":
		w.all = id
	case scope.Libraries + "^*":
		w.library = id
	case scope.Courses + "^*":
		w.course = id
	case scope.Libraries + "^" + scope.Libraries + ":*":
		w.libraries = id
	case scope.Courses + "^" + scope.Courses + ":*":
		w.courses = id
	}
}

func (x *Index) glob(prefix splitKey) uint32 {
	if id := x.globs.find(prefix); id != 0 {
		return x.globs.entry(id).tag
	}
	return 0
}

// holds reports whether a stored domain is one of d or an odd one that c lies in.
func (x *Index) holds(domain uint32, d *domains, c splitKey) bool {
	if domain == d[0] || domain == d[1] || domain == d[2] || domain == d[3] || domain == d[4] {
		return true
	}
	return len(x.odd) > 0 && x.oddHolds(domain, c)
}

func (x *Index) oddHolds(domain uint32, c splitKey) bool {
	if _, odd := slices.BinarySearch(x.odd, domain); !odd {
		return false
	}
	return patternOf(x.scopes.text(domain)).match(c)
}

// in calls fn with every assignment of subject whose domain c lies in, until it returns false.
func (x *Index) in(l list, d *domains, c splitKey, fn func(entry) bool) {
	if !l.long() {
		for _, e := range l.few {
			if x.holds(e.other, d, c) && !fn(e) {
				return
			}
		}
		return
	}
	for _, id := range d {
		if id == 0 {
			continue
		}
		for _, e := range l.of(id) {
			if !fn(e) {
				return
			}
		}
	}
	for _, id := range x.odd {
		if id == d[0] || !patternOf(x.scopes.text(id)).match(c) {
			continue
		}
		for _, e := range l.of(id) {
			if !fn(e) {
				return
			}
		}
	}
}

// Version returns the policy's version that the index stands for; zero where the store has none yet.
func (x *Index) Version() uuid.UUID { return x.version }

// Assignments returns how many assignments there are, each (subject, role, scope) once.
func (x *Index) Assignments() int { return x.count }

// Odd returns the rows of the types p, g and g2 that decide nothing because they have the wrong number of values.
func (x *Index) Odd() [][]string { return slices.Clone(x.policy.odd) }

// Denies returns the p rows that deny, as stored: any one keeps every super admin out of everything (D1).
func (x *Index) Denies() [][]string {
	var rows [][]string
	for _, r := range x.policy.rows {
		if r.effect() == denies {
			rows = append(rows, []string{"p", r.sub, r.act, r.scope, r.eft})
		}
	}
	return rows
}
