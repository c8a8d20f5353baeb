package convert

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/olx/fields"
)

// Why a key is what it is, in the map of keys.
const (
	ReasonCourse = "course" // the key of the course or library itself
	ReasonRoot   = "root"   // the root, which has one name in every course
	ReasonKept   = "kept"   // type and name as they were
	ReasonName   = "name"   // the name had characters that keys of today refuse (CV-4)
	ReasonType   = "type"   // another name of a type
	ReasonInside = "inside" // the block is part of its parent's content: its type holds no blocks in OLX
	ReasonOrphan = "orphan" // kept, and no block lists it (CV-36)
	ReasonFile   = "file"
)

const (
	// maxKey is how long keys may be in the columns that hold them (CV-5).
	maxKey = 255
	// maxPart bounds a part of a name in bytes: with a suffix it is the name of a file in an archive.
	maxPart = 240
)

// target returns the key of the result.
func target(src *Source, o Options) (keys.Course, error) {
	to := o.To
	switch {
	case !to.IsZero():
		if to.Deprecated() {
			return keys.Course{}, fault.Errorf(fault.Refused, to.String(), "a course of the old form is never made: one key would name two things (CV-8)").
				WithNext("name a key like course-v1:ORG+COURSE+RUN, or none")
		}
	case src.isOld():
		var err error
		if to, err = keys.NewCourse(legal(src.Old.Org), legal(src.Old.Course), legal(src.Run)); err != nil {
			return keys.Course{}, fault.Errorf(fault.Invalid, src.Name, "it cannot have a key of today: %w", err).WithNext("name one with --to")
		}
	case src.Key.IsZero():
		return keys.Course{}, fault.Errorf(fault.Invalid, src.Name, "the course has no key").WithNext("name one with --to")
	default:
		to = src.Key
	}
	if src.Key.IsLibrary() != to.IsLibrary() && !src.isOld() || src.isOld() && !to.IsCourse() {
		return keys.Course{}, fault.Errorf(fault.Refused, to.String(), "a course does not become a library, nor a library a course").
			WithNext("name a key of the same kind")
	}
	return to, nil
}

// isName reports whether r may stand in a name of a key of today (CV-3): word characters as Unicode has them, and - ~ . :.
func isName(r rune) bool {
	return r == '_' || r == '-' || r == '~' || r == '.' || r == ':' || unicode.IsLetter(r) || unicode.IsNumber(r)
}

// legal replaces what no key of a course may have in its parts (CV-4).
func legal(s string) string {
	return strings.Map(func(r rune) rune {
		if !isName(r) || r == ':' || r == utf8.RuneError {
			return '_'
		}
		return r
	}, s)
}

// fits reports whether a name can be kept: of a key of today, and a path below a folder of an archive (olx.md §1.5).
func fits(name string) bool {
	if name == "" || !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return !isName(r) }) {
		return false
	}
	for part := range strings.SplitSeq(name, ":") {
		if part == "" || part == "." || part == ".." || len(part) > maxPart {
			return false
		}
	}
	return len(name) <= 2*maxPart
}

// tidy makes a name of one that does not fit: each character that is not legal becomes an underscore (CV-4).
func tidy(name string) string {
	clean := strings.Map(func(r rune) rune {
		if !isName(r) || r == utf8.RuneError {
			return '_'
		}
		return r
	}, name)
	if !fits(clean) { // empty parts, and parts that are . or .. or too long
		clean = strings.ReplaceAll(clean, ":", "_")
	}
	if strings.Trim(clean, ".") == "" || len(clean) > maxPart {
		for len(clean) > maxPart-8 || !utf8.ValidString(clean) {
			clean = clean[:len(clean)-1]
		}
		clean = "_" + clean + marked(name)
	}
	return clean
}

// marked returns what tells two names apart that became the same (CV-4).
func marked(name string) string {
	sum := sha256.Sum256([]byte(name))
	return "~" + hex.EncodeToString(sum[:3])
}

// naming is what a block is called now, and why.
type naming struct {
	id     courseware.BlockID
	reason string
}

// namer knows the new name of every block of a source.
type namer struct {
	src  *Source
	key  keys.Course
	of   map[courseware.BlockID]naming
	list []courseware.BlockID // the old ids, ordered

	asked []answer // by the block that is being made
}

func newNamer(src *Source, key keys.Course) *namer {
	n := &namer{src: src, key: key, of: map[courseware.BlockID]naming{}}
	for _, b := range []*modulestore.Branch{src.Draft, src.Published} {
		if b == nil {
			continue
		}
		for block := range b.Blocks() {
			if _, seen := n.of[block.ID]; !seen {
				n.of[block.ID] = naming{}
				n.list = append(n.list, block.ID)
			}
		}
	}
	slices.SortFunc(n.list, courseware.BlockID.Compare)
	taken := make(map[courseware.BlockID]bool, len(n.list))
	give := func(old courseware.BlockID, now naming) {
		n.of[old] = now
		taken[now.id] = true
	}
	root := courseware.BlockID{Type: "course", Name: courseware.RootName}
	if key.IsLibrary() {
		root = courseware.BlockID{Type: "library", Name: "library"}
	}
	give(src.Draft.Root, naming{root, ReasonRoot})
	if src.Published != nil && src.Published.Root != src.Draft.Root {
		give(src.Published.Root, naming{root, ReasonRoot})
	}
	// Names that can be kept are kept, whoever else would like to have them.
	for _, id := range n.list {
		if n.of[id].reason == "" && fits(id.Name) && kind(id.Type) == id.Type && !taken[id] {
			give(id, naming{id, ReasonKept})
		}
	}
	for _, id := range n.list {
		if n.of[id].reason != "" {
			continue
		}
		now := naming{courseware.BlockID{Type: kind(id.Type), Name: id.Name}, ReasonType}
		if !fits(id.Name) {
			now.id.Name, now.reason = tidy(id.Name), ReasonName
		}
		for taken[now.id] {
			now.id.Name += marked(id.Name)
			now.reason = ReasonName
		}
		give(id, now)
	}
	return n
}

// kind returns the type that blocks of a stored type have in OLX: some types are other names of customtag (olx.md §6.4).
func kind(blockType string) string {
	if _, alias := fields.Alias(blockType); alias {
		return "customtag"
	}
	return strings.ReplaceAll(blockType, ":", "_")
}

// now returns the new id of a block; ok is false where the source has no such block. That it was asked for is noted.
func (n *namer) now(id courseware.BlockID) (courseware.BlockID, bool) {
	now, ok := n.of[id]
	n.asked = append(n.asked, answer{id, now.id, ok})
	return now.id, ok
}

// usage returns the new key of a block.
func (n *namer) usage(id courseware.BlockID) string {
	u, err := n.key.Usage(id.Type, id.Name)
	if err != nil { // a type that no key takes
		return n.key.String() + "+type@" + id.Type + "+block@" + id.Name
	}
	return u.String()
}

// old returns the key that a block has in the source.
func (n *namer) old(id courseware.BlockID) string {
	if n.src.isOld() {
		return "i4x://" + n.src.Old.Org + "/" + n.src.Old.Course + "/" + id.Type + "/" + id.Name
	}
	u, err := n.src.Key.Usage(id.Type, id.Name)
	if err != nil {
		return n.src.Key.String() + "+type@" + id.Type + "+block@" + id.Name
	}
	return u.String()
}

// check refuses keys that today's columns cannot hold (CV-5), and those that cannot be keys at all.
func (n *namer) check() error {
	long, first := 0, ""
	for _, id := range n.list {
		now := n.of[id].id
		if _, err := n.key.Usage(now.Type, now.Name); err != nil {
			return fault.Errorf(fault.Invalid, n.old(id), "it cannot have a key of today: %w", err)
		}
		if key := n.usage(now); len(key) > maxKey {
			if long++; first == "" {
				first = key
			}
		}
	}
	if long == 0 {
		return nil
	}
	return fault.Errorf(fault.Refused, n.src.Name, "%d blocks would have keys of more than %d characters, the first %s", long, maxKey, first).
		WithNext("choose a shorter run with --run, or a shorter key with --to")
}

// mappings returns the map of keys (CV-7).
func (c *converter) mappings() []Mapping {
	list := []Mapping{{c.src.Name, c.key.String(), "both", ReasonCourse}}
	if c.src.Published == nil {
		list[0].View = viewDraft
	}
	var blocks, files []Mapping
	for _, id := range c.ids.list {
		m := Mapping{c.ids.old(id), c.ids.usage(c.ids.of[id].id), c.viewsOf(id), c.ids.of[id].reason}
		if m.Reason == ReasonKept {
			switch {
			case c.inside[id]:
				m.Reason = ReasonInside
			case c.orphans[id] == c.views(id):
				m.Reason = ReasonOrphan
			}
		}
		blocks = append(blocks, m)
	}
	for _, a := range c.src.Assets {
		if m, ok := c.file(a); ok {
			files = append(files, m)
		}
	}
	for _, part := range [][]Mapping{blocks, files} {
		slices.SortFunc(part, func(a, b Mapping) int { return cmp.Compare(a.Old, b.Old) })
		list = append(list, part...)
	}
	return list
}

// file returns the line of a static file: the key of its entry under the old and the new course.
func (c *converter) file(a *courseware.Asset) (Mapping, bool) {
	if a.EntryKey == "" {
		return Mapping{}, false
	}
	now, err := c.key.Asset("asset", a.EntryKey)
	if err != nil || c.key.IsLibrary() {
		return Mapping{}, false
	}
	m := Mapping{New: now.String(), View: "both", Reason: ReasonFile}
	if c.src.isOld() {
		m.Old = "/c4x/" + c.src.Old.Org + "/" + c.src.Old.Course + "/asset/" + a.EntryKey
		return m, true
	}
	old, err := c.src.Key.Asset("asset", a.EntryKey)
	m.Old = old.String()
	return m, err == nil
}

// views is how many trees of the result come from a view that has a block.
func (c *converter) views(id courseware.BlockID) int {
	if c.viewsOf(id) == "both" && c.src.Published != c.src.Draft {
		return 2
	}
	return 1
}

// viewsOf says in which views the source has a block.
func (c *converter) viewsOf(id courseware.BlockID) string {
	draft := c.src.Draft.Block(id) != nil
	published := c.src.Published != nil && c.src.Published.Block(id) != nil
	switch {
	case draft && published:
		return "both"
	case published:
		return viewPublished
	}
	return viewDraft
}
