package links

import (
	"strings"
	"unicode/utf8"
)

// oldAsset looks at c4x: the address of a file, /c4x/Org/Course/asset/name or c4x://Org/Course/asset/name (row 2).
func (r *Rewriter) oldAsset(s string, at, done int) (match, bool) {
	start, i := at, at+len("c4x")
	n, st := char(s, i, '/')
	if n > 0 {
		start -= slashBefore(s, at)
		if i += n; start == at {
			return match{}, false
		}
	} else {
		n, st = char(s, i, ':')
		if n == 0 {
			return match{}, false
		}
		i += n
		for range 2 {
			n, how := char(s, i, '/')
			if n == 0 {
				return match{}, false
			}
			i, st = i+n, max(st, how)
		}
	}
	if start < done {
		return match{}, false
	}
	var parts [3]string
	for j := range parts {
		w := take(s, i, st, isName)
		n, how := char(s, w.end, '/')
		if w.raw == "" || n == 0 {
			return match{}, false
		}
		parts[j], i, st = w.text, w.end+n, max(st, how)
	}
	where, from := r.placeOf(s, start)
	if start == at { // the name of a protocol comes before nothing else
		if where = free; isWord(lastUnit(s, at)) {
			return match{}, false
		}
	}
	end := addressEnd(s, i)
	org, course, kind := parts[0], parts[1], parts[2]
	if org != r.c.Org || course != r.c.Course {
		return keep(2, start, end, "a file of another course: "+org+"/"+course), true
	}
	return r.asset(s, start, i, end, kind, st, where, from)
}

// newAsset looks at asset-v1, with a slash before it an address, without one a key.
func (r *Rewriter) newAsset(s string, at, done int) (match, bool) {
	i := at + len("asset-v1")
	n, st := char(s, i, ':')
	if n == 0 {
		return match{}, false
	}
	lead := literal(s, i+n, r.lead)
	if lead == 0 {
		return match{}, false
	}
	i += n + lead
	kind := literal(s, i, "+type@")
	if kind == 0 {
		return match{}, false
	}
	w := take(s, i+kind, st, isID)
	name := literal(s, w.end, "+block@")
	if w.raw == "" || name == 0 {
		return match{}, false
	}
	i = w.end + name
	start := at - slashBefore(s, at)
	end := addressEnd(s, i)
	if start < done || start == at && isWord(lastUnit(s, at)) {
		return match{}, false
	}
	if start == at {
		return match{start: at, end: end, cut: i, row: 2, became: spellKey(s, at, r.assetKey(w.text), st), why: r.missing(s, i, end)}, end > i
	}
	where, from := r.placeOf(s, start)
	return r.asset(s, start, i, end, w.text, st, where, from)
}

// asset rewrites the address of a file of the course whose name is s[name:end].
func (r *Rewriter) asset(s string, start, name, end int, kind string, st style, where place, from int) (match, bool) {
	m := match{start: start, end: end, cut: name, row: 2, became: write("/static/", st)}
	switch {
	case name == end:
		return match{}, false
	case kind == "asset":
		m.why = r.missing(s, name, end)
	case r.c.To.IsCourse(): // of a thumbnail
		m.became = write("/"+r.assetKey(kind), st)
	default:
		return keep(2, start, end, "not an asset, but of kind "+kind), true
	}
	return r.set(s, m, where, from), true
}

// assetKey is what comes before the name in the key of a file.
func (r *Rewriter) assetKey(kind string) string {
	_, lead, _ := strings.Cut(r.c.To.String(), ":")
	return "asset-v1:" + lead + "+type@" + kind + "+block@"
}

// static looks at the portable address of a file, /static/name, which stays (row 1).
func (r *Rewriter) static(s string, at, done int) (match, bool) {
	n, _ := char(s, at+len("static"), '/')
	start := at - slashBefore(s, at)
	if n == 0 || start == at || start < done {
		return match{}, false
	}
	where, from := r.placeOf(s, start)
	if where == other { // before the name is read: a long path may hold many of them
		return match{}, false
	}
	name := at + len("static") + n
	end := addressEnd(s, name)
	if name == end {
		return match{}, false
	}
	m := keep(1, start, end, r.missing(s, name, end))
	if where == own {
		m.row, m.start = 10, from
	}
	return m, true
}

// missing says that the course has no file of the name that stands at s[name:end], "" where it has. A name in quotes may have
// characters that end an address, and one in an address may be escaped, or followed by a query.
func (r *Rewriter) missing(s string, name, end int) string {
	if r.c.HasAsset == nil {
		return ""
	}
	raw := s[name:end]
	if at := strings.IndexAny(raw, "?#;,"); at > 0 && !strings.HasPrefix(raw[at:], "#39") {
		if raw[at] != ';' || !strings.Contains(raw[:at], "&") {
			if r.has(raw) {
				return ""
			}
			raw = raw[:at]
		}
	}
	if r.has(raw) {
		return ""
	}
	if quoted := s[name:quoteEnd(s, name, end)]; quoted != raw && r.has(quoted) {
		return ""
	}
	return "the course has no file " + AssetName(unescape(raw))
}

// has reports whether the course has a file, whose name may be escaped.
func (r *Rewriter) has(name string) bool {
	if r.c.HasAsset(AssetName(name)) {
		return true
	}
	plainName := unescape(name)
	return plainName != name && r.c.HasAsset(AssetName(plainName))
}

// quoteEnd returns where the quote ends that the line has next, or end.
func quoteEnd(s string, at, end int) int {
	for i := end; i < len(s) && i < at+maxKey; {
		c, n, _ := unit(s, i)
		switch c {
		case '"', '\'':
			if i > at && s[i-1] == '\\' {
				i--
			}
			return i
		case '\n', '<', '>', utf8.RuneError:
			return end
		}
		i += n
	}
	return end
}
