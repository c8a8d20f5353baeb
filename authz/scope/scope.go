package scope

import (
	"strings"

	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/keys"
)

// Sep stands between a namespace and an external key; its first occurrence counts (authz.md §1).
const Sep = "^"

// Namespaces of scopes.
const (
	Libraries = "lib"
	Courses   = "course-v1"
	CCXs      = "ccx-v1"
	Global    = "global"
	Platform  = "platform" // of no use
	Orgs      = "org"      // of no use
)

// Scope is where a role holds. It is comparable with ==, safe to copy, and a slice of the text it was parsed from. The
// zero Scope is none.
type Scope struct {
	key  string // external
	ns   string
	kind Kind
	org  string
	bad  bool // the external part is no key of the kind, which shows when its organization is asked for
}

// Parse reads an external key (authz.md §2.1). Another text is a fault.Invalid. A key of the usual form costs no
// allocation.
func Parse(key string) (Scope, error) {
	ns, rest, ok := strings.Cut(key, ":")
	if !ok {
		return Scope{}, refuse(key, "a scope is written as NAMESPACE:KEY")
	}
	if strings.Contains(rest, "*") || strings.Contains(ns, "*") {
		s, err := globOf(ns, key)
		if err != nil {
			return Scope{}, err
		}
		switch s.kind {
		case BaseOrg:
			return Scope{}, refuse(key, "there are no scopes of this namespace")
		case LibraryOrg, CourseOrg:
			if s.org == "" || !plainOrg(s.org) {
				return Scope{}, refuse(key, "a set of all of an organization is lib:ORG:* or course-v1:ORG+*, with letters, digits and . _ - in ORG")
			}
		}
		return s, nil
	}
	s := Scope{key: key, ns: ns}
	switch ns {
	case Libraries:
		s.kind = Library
	case Courses:
		s.kind = Course
	case CCXs:
		s.kind = CCX
	case Global:
		s.kind = Generic
		return s, nil
	default:
		return Scope{}, refuse(key, "there are no scopes of this namespace")
	}
	if s.org, ok = orgOf(s.kind, key); !ok || !strings.HasPrefix(key, ns+":") {
		return Scope{}, refuse(key, "it is not the key of a "+s.kind.thing())
	}
	return s, nil
}

// ParseNamespaced reads the key of a stored row (authz.md §2.2). Another text is a fault.Invalid.
func ParseNamespaced(key string) (Scope, error) {
	ns, ext, ok := strings.Cut(key, Sep)
	if !ok || ns == "" || ext == "" {
		return Scope{}, refuse(key, "a stored scope is written as NAMESPACE^KEY")
	}
	return OfNamespace(ns, ext)
}

// OfNamespace is ParseNamespaced of a key cut in two at its separator.
func OfNamespace(ns, ext string) (Scope, error) {
	if ext == "*" {
		if ns == Libraries || ns == Courses || ns == CCXs {
			return Scope{key: ext, ns: ns, kind: Namespace}, nil
		}
		return Scope{}, refuse(ns+Sep+ext, "there is no such namespace of scopes")
	}
	if strings.Contains(ext, "*") {
		return globOf(ns, ext)
	}
	s := Scope{key: ext, ns: ns}
	switch ns {
	case Libraries:
		s.kind = Library
	case Courses:
		s.kind = Course
	case CCXs:
		s.kind = CCX
	case Global:
		s.kind = Generic
		return s, nil
	default:
		return Scope{}, refuse(ns+Sep+ext, "there is no such namespace of scopes")
	}
	org, valid := orgOf(s.kind, ext)
	if valid {
		s.org = org
	}
	s.bad = !valid
	return s, nil
}

// globOf reads a key with a star (authz.md §2.1, rule 2) without looking at the organization.
func globOf(ns, key string) (Scope, error) {
	s := Scope{key: key, ns: ns}
	inner, ok := strings.CutPrefix(key, ns)
	if !ok || !strings.HasPrefix(inner, ":") || !strings.HasSuffix(inner, "*") {
		return Scope{}, refuse(key, "a * stands only for all of an organization or all of the platform")
	}
	inner = inner[1 : len(inner)-1]
	switch {
	case inner == "" && ns == Libraries:
		s.kind = LibraryPlatform
	case inner == "" && ns == Courses:
		s.kind = CoursePlatform
	case inner == "" && ns == Platform:
		s.kind = BasePlatform
	case len(inner) < 2:
		return Scope{}, refuse(key, "the organization is missing")
	case ns == Libraries:
		s.kind = LibraryOrg
		s.org = orgBefore(inner, ":")
	case ns == Courses:
		s.kind = CourseOrg
		s.org = orgBefore(inner, "+")
	case ns == Orgs:
		s.kind = BaseOrg
		s.bad = true
	default:
		return Scope{}, refuse(key, "there are no sets of scopes of this namespace")
	}
	return s, nil
}

// orgBefore returns what stands before the boundary that must end the text, else nothing.
func orgBefore(s, boundary string) string {
	org, ok := strings.CutSuffix(s, boundary)
	if !ok {
		return ""
	}
	return org
}

// plainOrg reports whether s can be the organization of a set: [A-Za-z0-9._-]*.
func plainOrg(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}

// orgOf returns the organization of a concrete key; ok is false when it is no key of the kind.
func orgOf(k Kind, key string) (org string, ok bool) {
	switch k {
	case Library:
		c, err := keys.ParseContext(key)
		return c.Org(), err == nil && c.IsLibrary() && c.Form() == keys.FormLibrary
	case CCX:
		if rest, found := strings.CutPrefix(key, CCXs+":"); found {
			head, number, found := cutLast(rest, "+ccx@")
			if !found || number == "" || !plainOrg(strings.ReplaceAll(number, "~", "-")) {
				return "", false
			}
			key = Courses + ":" + head
		}
	}
	c, err := keys.ParseCourse(key)
	return c.Org(), err == nil
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

func refuse(key, format string) error {
	return fault.Errorf(fault.Invalid, key, "not a scope: %s", format)
}

func (k Kind) thing() string {
	if k == Library {
		return "library"
	}
	return "course"
}

// Key returns the external key, as clients write it.
func (s Scope) Key() string { return s.key }

// String returns the external key.
func (s Scope) String() string { return s.key }

// Namespaced returns the key as rows hold it.
func (s Scope) Namespaced() string { return s.ns + Sep + s.key }

// NS returns the namespace.
func (s Scope) NS() string { return s.ns }

// Kind returns what the scope names.
func (s Scope) Kind() Kind { return s.kind }

// Org returns the short name of the organization: empty where the kind has none, and for odd stored rows.
func (s Scope) Org() string { return s.org }

// Broken reports whether a stored scope's key is none of its kind, so that neither organization nor ancestors can be
// told (authz.md §2.3). Decisions do not mind.
func (s Scope) Broken() bool { return s.bad }

// Ancestors returns the external keys of the scopes that contain this one, the nearest first (authz.md §2.3).
func (s Scope) Ancestors() []string {
	if s.bad {
		return nil
	}
	switch s.kind {
	case Library:
		return []string{Libraries + ":" + s.org + ":*", Libraries + ":*"}
	case Course:
		return []string{Courses + ":" + s.org + "+*", Courses + ":*"}
	case LibraryOrg, CourseOrg:
		return []string{s.ns + ":*"}
	}
	return nil
}

// Expand returns the keys and the ancestors of each that is a scope, without duplicates, in the order in which they
// come up. Other texts stay alone (authz.md §2.3).
func Expand(keys []string) []string {
	seen := make(map[string]bool, 3*len(keys))
	all := make([]string, 0, 3*len(keys))
	add := func(k string) {
		if !seen[k] {
			seen[k] = true
			all = append(all, k)
		}
	}
	for _, k := range keys {
		add(k)
		if s, err := Parse(k); err == nil {
			for _, a := range s.Ancestors() {
				add(a)
			}
		}
	}
	return all
}
