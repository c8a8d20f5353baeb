package links

import (
	"strings"
	"unicode/utf8"

	"github.com/openlectern/lectern/courseware"
)

// maxKey is how many characters a key may have (CV-5).
const maxKey = 255

// usage is the key of a block in a text.
type usage struct {
	org, course string
	kind        string
	name        word
	start, end  int
	st          style
	row         int  // 6, or 7 for the spelling of handlers
	today       bool // of the course, in today's spelling
}

// readOld reads a key i4x://Org/Course/type/name at s[at], or as handlers have it, with ;_ for each slash (rows 6 and 7).
func readOld(s string, at int) (u usage, ok bool) {
	u.start = at
	if !strings.HasPrefix(s[at:], "i4x") {
		return u, false
	}
	i := at + len("i4x")
	n, st := char(s, i, ':')
	if n == 0 {
		return u, false
	}
	i, u.st, u.row = i+n, st, 6
	if n, _ := separator(s, i, 7); n > 0 {
		u.row = 7
	}
	for range 2 {
		n, st := separator(s, i, u.row)
		if n == 0 {
			return u, false
		}
		i, u.st = i+n, max(u.st, st)
	}
	for _, part := range [...]*string{&u.org, &u.course, &u.kind} {
		in := isOld
		if part == &u.kind {
			in = isName
		}
		w := take(s, i, u.st, in)
		n, st := separator(s, w.end, u.row)
		if w.raw == "" || n == 0 {
			return u, false
		}
		*part, i, u.st = w.text, w.end+n, max(u.st, st)
	}
	u.name = take(s, i, u.st, isName)
	u.end = u.name.end
	return u, u.name.raw != ""
}

// separator returns how many bytes a slash takes at s[i], in row 7 that which stands for one.
func separator(s string, i, row int) (int, style) {
	if row != 7 {
		return char(s, i, '/')
	}
	n, st := char(s, i, ';')
	if n == 0 || !strings.HasPrefix(s[i+n:], "_") {
		return 0, plain
	}
	return n + 1, st
}

// readToday reads a key block-v1:Org+Course+Run+type@t+block@n of the course that is moved; at is where "block-v1" stands.
func (r *Rewriter) readToday(s string, at int) (u usage, ok bool) {
	library := r.c.From.IsLibrary()
	if library != strings.HasSuffix(s[:at], "lib-") {
		return u, false
	}
	if u.start = at; library {
		u.start -= len("lib-")
	}
	i := at + len("block-v1")
	n, st := char(s, i, ':')
	if n == 0 {
		return u, false
	}
	lead := literal(s, i+n, r.lead)
	if lead == 0 {
		return u, false
	}
	i, u.st, u.row, u.today = i+n+lead, st, 6, true
	for _, part := range [...]string{"+branch@", "+version@", "+type@", "+block@"} {
		n := literal(s, i, part)
		if n == 0 {
			if part == "+branch@" || part == "+version@" {
				continue
			}
			return u, false
		}
		w := take(s, i+n, u.st, isID)
		if w.raw == "" {
			return u, false
		}
		i = w.end
		switch part {
		case "+type@":
			u.kind = w.text
		case "+block@":
			u.name = w
		}
	}
	u.end = i
	return u, true
}

// target is what a key becomes.
type target struct {
	id  courseware.BlockID
	end int // of the key, behind @draft
	why string
	ok  bool // it is a key of the course
}

// resolve finds the block that a key means. Names end where their characters do, but a full stop or colon at the end belongs to
// the sentence where the course has a block without it, or none with it.
func (r *Rewriter) resolve(s string, u usage) target {
	if !u.today && (u.org != r.c.Org || u.course != r.c.Course) {
		return target{end: u.end, why: "a block of another course: " + u.org + "/" + u.course}
	}
	t := target{end: u.end, ok: true}
	name, end := u.name.text, u.end
	for {
		if to, found := r.block(u.kind, name); found {
			t.id, t.end = to, end
			break
		}
		if end > u.name.end-len(u.name.raw)+1 && (s[end-1] == '.' || s[end-1] == ':') {
			name, end = name[:len(name)-1], end-1
			continue
		}
		if plainName := unescape(name); plainName != name {
			if to, found := r.block(u.kind, plainName); found {
				t.id, t.end = to, end
				break
			}
		}
		if u.kind == "course" {
			return target{end: end, why: "the root of another run: " + name}
		}
		t.id, t.end, t.why = courseware.BlockID{Type: u.kind, Name: legal(name)}, end, "the course has no such block"
		break
	}
	if n := literal(s, t.end, "@draft"); n > 0 && !u.today { // it chose the branch
		if _, m, _ := unit(s, t.end+n); m == 0 || take(s, t.end+n, u.st, isName).raw == "" {
			t.end += n
		}
	}
	return t
}

// block returns what a block is called now.
func (r *Rewriter) block(kind, name string) (courseware.BlockID, bool) {
	to, ok := r.c.Blocks[courseware.BlockID{Type: kind, Name: name}]
	if !ok && kind == "course" && (name == r.c.Run || r.moved && name == courseware.RootName) {
		return courseware.BlockID{Type: "course", Name: courseware.RootName}, true
	}
	return to, ok
}

// oldKey looks at i4x: a key, or what HTML ids start with.
func (r *Rewriter) oldKey(s string, at, done int) (match, bool) {
	if strings.HasPrefix(s[at:], "i4x-") {
		return r.htmlID(s, at)
	}
	u, ok := readOld(s, at)
	if !ok || isWord(lastUnit(s, at)) {
		return match{}, false
	}
	return r.key(s, u), true
}

// newKey looks at block-v1.
func (r *Rewriter) newKey(s string, at, done int) (match, bool) {
	u, ok := r.readToday(s, at)
	if !ok || u.start < done || isWord(lastUnit(s, u.start)) {
		return match{}, false
	}
	return r.key(s, u), true
}

// key rewrites the key of a block (rows 6 and 7).
func (r *Rewriter) key(s string, u usage) match {
	t := r.resolve(s, u)
	if !t.ok {
		return keep(u.row, u.start, t.end, t.why)
	}
	k, err := r.c.To.Usage(t.id.Type, t.id.Name)
	if err != nil {
		return keep(u.row, u.start, t.end, "it makes no key of today")
	}
	text := k.String()
	if utf8.RuneCountInString(text) > maxKey {
		return keep(u.row, u.start, t.end, "its new key would be over 255 characters")
	}
	return match{
		start: u.start, end: t.end, cut: t.end, row: u.row,
		became: spellKey(s, u.start, text, u.st), why: t.why,
	}
}
