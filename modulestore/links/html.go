package links

import (
	"strings"
	"unicode/utf8"
)

// htmlID looks at an HTML id of old, i4x-Org-Course-type-name, in scripts and style sheets (row 8). Such an id does not say where
// its parts end, so it is looked for among those that the blocks of the course have, the longest first (CV-11). What follows it
// may go on behind _ or -, as the ids of inputs do (…_2_1), and what comes before may end in one.
func (r *Rewriter) htmlID(s string, at int) (match, bool) {
	if c, _ := utf8.DecodeLastRuneInString(s[:at]); c != '_' && isWord(lastUnit(s, at)) {
		return match{}, false
	}
	end := at
	for limit := min(len(s), at+max(r.htmlMax, wordMax)+1); end < limit; {
		c, n := utf8.DecodeRuneInString(s[end:])
		if !isWord(c) && c != '-' {
			break
		}
		end += n
	}
	for n := min(end-at, r.htmlMax); n > len("i4x-"); n-- {
		if at+n < end && s[at+n] != '_' && s[at+n] != '-' {
			continue
		}
		switch names := r.html[s[at:at+n]]; len(names) {
		case 0:
		case 1:
			return match{start: at, end: at + n, cut: at + n, row: 8, became: names[0], why: "an HTML id in a script or a style sheet"}, true
		default:
			return keep(8, at, at+n, "several blocks have this HTML id: "+strings.Join(names, ", ")), true
		}
	}
	if strings.Count(s[at:end], "-") < 4 {
		return match{}, false
	}
	return keep(8, at, end, "the HTML id of no block of the course"), true
}
