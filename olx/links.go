package olx

import (
	"strings"

	"github.com/openlectern/lectern/keys"
)

// linker replaces absolute links into one course by portable ones: addresses of its files by /static/, addresses that
// jump to its blocks by /jump_to_id/ (olx.md §2.4). It compares literally, in the old and the new spelling, and only what
// a quote encloses on both sides. Links into other courses stay.
type linker struct {
	assets []string // what comes before the name of a file
	jumps  []jump
}

// jump is what comes before and behind the type of the block in a link to it.
type jump struct{ before, after string }

func newLinker(c keys.Course) *linker {
	org, code := c.Org(), c.Code()
	l := &linker{assets: []string{"/c4x/" + org + "/" + code + "/asset/"}}
	run, ok := c.Run()
	if !ok || !c.IsCourse() {
		return l
	}
	plus := org + "+" + code + "+" + run
	l.assets = append(l.assets, "/asset-v1:"+plus+"+type@asset+block@")
	for _, course := range [...]string{org + "/" + code + "/" + run, "course-v1:" + plus} {
		l.jumps = append(l.jumps,
			jump{"/courses/" + course + "/jump_to/i4x://" + org + "/" + code + "/", "/"},
			jump{"/courses/" + course + "/jump_to/block-v1:" + plus + "+type@", "+block@"})
	}
	return l
}

// quotes are what can enclose a link, the longer ones first: as they are, behind a backslash in JSON or a script, or
// escaped in XML.
var quotes = [...]string{`\"`, `\'`, `"`, `'`, "&quot;", "&#34;", "&apos;", "&#39;"}

// text replaces links in a text.
func (l *linker) text(s string) string {
	if !strings.Contains(s, "/c4x/") && !strings.Contains(s, "/asset-v1:") && !strings.Contains(s, "/jump_to/") {
		return s
	}
	var out strings.Builder
	done := 0
	for i := 0; i < len(s); {
		at := strings.IndexByte(s[i:], '/')
		if at < 0 {
			break
		}
		i += at
		to, end, ok := l.at(s, i)
		if !ok {
			i++
			continue
		}
		out.WriteString(s[done:i])
		out.WriteString(to)
		done, i = end, end
	}
	if done == 0 {
		return s
	}
	return out.String() + s[done:]
}

// at returns what a link that starts at i becomes, and where it ends.
func (l *linker) at(s string, i int) (to string, end int, ok bool) {
	prefix, n := l.match(s[i:])
	if n == 0 {
		return "", 0, false
	}
	for _, q := range quotes {
		if !strings.HasSuffix(s[:i], q) {
			continue
		}
		rest := s[i+n:]
		if line := strings.IndexByte(rest, '\n'); line >= 0 {
			rest = rest[:line]
		}
		if length := strings.Index(rest, q); length >= 0 {
			return prefix + rest[:length], i + n + length, true
		}
	}
	return "", 0, false
}

// match returns what replaces the start of a link, and how long that start is; 0 for what is no link of the course.
func (l *linker) match(s string) (prefix string, n int) {
	for _, p := range l.assets {
		if strings.HasPrefix(s, p) {
			return "/static/", len(p)
		}
	}
	for _, j := range l.jumps {
		if !strings.HasPrefix(s, j.before) {
			continue
		}
		blockType, _, ok := strings.Cut(s[len(j.before):], j.after)
		if ok && validName(blockType) {
			return "/jump_to_id/", len(j.before) + len(blockType) + len(j.after)
		}
	}
	return "", 0
}

// value replaces a value that is a link as a whole, and links in a value that is a text.
func (l *linker) value(s string) string {
	if prefix, n := l.match(s); n > 0 && !strings.ContainsAny(s, "\"'\n<> ") {
		return prefix + s[n:]
	}
	return l.text(s)
}
