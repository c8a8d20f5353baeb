package xmltree

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// xmlDecl matches an XML declaration. Its groups are the encoding and the standalone answer, both with quotes.
var xmlDecl = regexp.MustCompile(`^<\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(?:"1\.[0-9]+"|'1\.[0-9]+')` +
	`(?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*("[A-Za-z][A-Za-z0-9._-]*"|'[A-Za-z][A-Za-z0-9._-]*'))?` +
	`(?:[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*(?:"(?:yes|no)"|'(?:yes|no)'))?[ \t\r\n]*\?>`)

// declaration reads the XML declaration, if the source starts with one.
func (p *parser) declaration() error {
	if !strings.HasPrefix(p.src, "<?xml") || len(p.src) > 5 && !isSpace(p.src[5]) {
		return nil
	}
	m := xmlDecl.FindStringSubmatch(p.src)
	if m == nil {
		return p.invalid(0, "a malformed XML declaration")
	}
	switch name := strings.ToLower(strings.Trim(m[1], `"'`)); name {
	case "", "utf-8", "utf8":
	case "us-ascii", "ascii":
		for i := range len(p.src) {
			if p.src[i] >= 0x80 {
				return p.fail(i, BadEncoding, "a character outside US-ASCII, which the file says it is encoded in")
			}
		}
	default:
		return p.fail(0, BadEncoding, "encoded as %s; only UTF-8 is read", name)
	}
	if err := p.delimited(Instruction, "<?", "?>"); err != nil {
		return err
	}
	p.last().Name.Local = "xml"
	return nil
}

// Recode converts a source that declares itself as ISO-8859-1 or windows-1252 to UTF-8 and takes the encoding out of its
// declaration. Any other source is returned as it is. Parse never does this by itself: a wrong guess would store
// garbled text, so a person has to ask for it.
func Recode(src []byte) []byte {
	m := xmlDecl.FindSubmatchIndex(src[:min(len(src), 1024)])
	if m == nil || m[2] < 0 {
		return src
	}
	var from *charmap.Charmap
	switch strings.ToLower(string(src[m[2]+1 : m[3]-1])) {
	case "iso-8859-1", "iso8859-1", "latin1", "latin-1":
		from = charmap.ISO8859_1
	case "windows-1252", "cp1252":
		from = charmap.Windows1252
	default:
		return src
	}
	out := make([]byte, 0, len(src)+len(src)/8)
	out = append(out, src[:m[2]]...)
	out = append(out, `"UTF-8"`...)
	out = append(out, src[m[3]:m[1]]...)
	for _, c := range src[m[1]:] {
		out = utf8.AppendRune(out, from.DecodeByte(c))
	}
	return out
}
