package links

import "strings"

// course looks at the address of a page of a course: /courses/Org/Course/Run/… (rows 3 and 5).
func (r *Rewriter) course(s string, at, done int) (match, bool) {
	start, i := at-slashBefore(s, at), at+len("courses")
	n, st := char(s, i, '/')
	if n == 0 || start == at || start < done {
		return match{}, false
	}
	i += n
	where, from := r.placeOf(s, start)
	end, ok := r.ownCourse(s, i)
	if !ok {
		return r.otherCourse(s, start, i, st, where, from)
	}
	if next, _ := char(s, end, '/'); next > 0 {
		if m, ok := r.jumpTo(s, start, end+next, st, where, from); ok {
			return m, true
		}
		return r.set(s, match{start: start, end: end, cut: end, row: 5, became: write("/course", st)}, where, from), true
	}
	return r.set(s, match{start: start, end: end, cut: end, row: 5, became: write("/course/", st)}, where, from), true
}

// ownCourse returns where the key of the course ends that stands at s[i].
func (r *Rewriter) ownCourse(s string, i int) (end int, ok bool) {
	if end, _, ok = r.bareAt(s, i); ok {
		return end, ends(s, end)
	}
	if !r.moved {
		return 0, false
	}
	n := literal(s, i, r.c.From.String())
	return i + n, n > 0 && ends(s, i+n)
}

// bareAt returns where Org/Course/Run ends at s[i], and how its slashes are written.
func (r *Rewriter) bareAt(s string, i int) (end int, st style, ok bool) {
	for j, part := range [...]string{r.c.Org, r.c.Course, r.c.Run} {
		if j > 0 {
			n, how := char(s, i, '/')
			if n == 0 {
				return 0, plain, false
			}
			i, st = i+n, max(st, how)
		}
		n := literal(s, i, part)
		if n == 0 {
			return 0, plain, false
		}
		i += n
	}
	return i, st, true
}

// jumpTo looks at jump_to/key at s[i], which may lead to a block of the course (row 3).
func (r *Rewriter) jumpTo(s string, start, i int, st style, where place, from int) (match, bool) {
	word, ok := strings.CutPrefix(s[i:], "jump_to")
	if !ok {
		return match{}, false
	}
	i = len(s) - len(word)
	n, _ := char(s, i, '/')
	if n == 0 {
		return match{}, false
	}
	i += n
	u, ok := readOld(s, i)
	if !ok && r.moved {
		at := i
		if r.c.From.IsLibrary() {
			at += len("lib-")
		}
		if at < len(s) && strings.HasPrefix(s[at:], "block-v1") {
			u, ok = r.readToday(s, at)
		}
	}
	if !ok {
		return match{}, false
	}
	t := r.resolve(s, u)
	if !t.ok {
		return keep(3, start, t.end, t.why), true
	}
	m := match{start: start, end: t.end, cut: t.end, row: 3, became: write("/jump_to_id/", st) + write(t.id.Name, u.st), why: t.why}
	if m.why == "" && r.now[t.id.Name] > 1 {
		m.why = "several blocks are called " + t.id.Name
	}
	return r.set(s, m, where, from), true
}

// otherCourse looks at the address of a page of another course of the old store, which stays.
func (r *Rewriter) otherCourse(s string, start, i int, st style, where place, from int) (match, bool) {
	if where == other {
		return match{}, false
	}
	var parts [3]string
	for j := range parts {
		if j > 0 {
			n, how := char(s, i, '/')
			if n == 0 {
				return match{}, false
			}
			i, st = i+n, max(st, how)
		}
		w := take(s, i, st, isOld)
		if w.raw == "" {
			return match{}, false
		}
		parts[j], i = w.text, w.end
	}
	if next, _, _ := unit(s, i); next == ':' || next == '+' { // a key of today
		return match{}, false
	}
	m := keep(5, start, i, "a page of another course: "+strings.Join(parts[:], "/"))
	if where == own {
		m.row, m.start = 10, from
	}
	return m, true
}

// jump looks at /jump_to_id/name, which stays where it leads to one block (row 4).
func (r *Rewriter) jump(s string, at, done int) (match, bool) {
	n, st := char(s, at+len("jump_to_id"), '/')
	start := at - slashBefore(s, at)
	if n == 0 || start == at || start < done {
		return match{}, false
	}
	where, from := r.placeOf(s, start)
	if start == done { // the course is named before it, and has been looked at
		where = free
	}
	name := at + len("jump_to_id") + n
	w := take(s, name, st, isName)
	if w.raw == "" || where == other {
		return match{}, false
	}
	m := r.jumpName(s, start, name, w)
	if where == own {
		m.became = s[from:m.start] + m.became
		m.row, m.start = 10, from
	}
	return m, true
}

// jumpName looks at the name of a block that stands at s[name:].
func (r *Rewriter) jumpName(s string, start, name int, w word) match {
	end, text := w.end, w.text
	for ; end > name+1 && len(r.old[text]) == 0 && r.now[text] == 0 && (s[end-1] == '.' || s[end-1] == ':'); end-- {
		text = text[:len(text)-1]
	}
	m := keep(4, start, end, "")
	was := r.old[text]
	if len(was) == 0 && r.now[text] == 0 {
		was, text = r.old[unescape(text)], unescape(text)
	}
	if len(was) == 0 && text == r.c.Run && r.now[text] == 0 {
		if root, ok := r.block("course", text); ok {
			was = append(was, root)
		}
	}
	switch {
	case len(was) == 0 && r.now[text] == 1:
	case len(was) == 0 && r.now[text] == 0:
		m.why = "no block of the course is called " + text
	case len(was) != 1:
		m.why = "several blocks are called " + text
	case was[0].Name != text:
		m.kept, m.cut, m.became = false, end, s[start:name]+was[0].Name
	case r.now[text] > 1:
		m.why = "several blocks are called " + text
	}
	return m
}

// bare looks at Org/Course/Run by itself (row 9).
func (r *Rewriter) bare(s string, at, done int) (match, bool) {
	end, st, ok := r.bareAt(s, at)
	if !ok || !ends(s, end) {
		return match{}, false
	}
	before := lastUnit(s, at)
	if before != 0 && (isName(before) && before != ':') {
		return match{}, false
	}
	return r.courseKey(s, at, end, st, before), true
}

// newCourse looks at the key of the course in today's spelling (row 9).
func (r *Rewriter) newCourse(s string, at, done int) (match, bool) {
	key := r.c.From.String()
	end := at + literal(s, at, key)
	if end == at || !ends(s, end) {
		return match{}, false
	}
	before := lastUnit(s, at)
	if before != 0 && isName(before) && before != ':' {
		return match{}, false
	}
	_, st := char(s, at+strings.IndexByte(key, ':'), ':')
	return r.courseKey(s, at, end, st, before), true
}

// courseKey rewrites a course key that no other key characters touch; one that is part of a path stays.
func (r *Rewriter) courseKey(s string, at, end int, st style, before rune) match {
	after, _, _ := unit(s, end)
	if before == '/' || after == '/' || before == '+' || after == '+' || before == '@' || after == '@' {
		return keep(9, at, end, "part of a longer path or key")
	}
	if r.c.To.IsZero() {
		return keep(9, at, end, "there is no new key")
	}
	return match{start: at, end: end, cut: end, row: 9, became: spellKey(s, at, r.c.To.String(), st)}
}
