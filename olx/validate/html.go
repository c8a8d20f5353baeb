package validate

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/net/html"

	"github.com/openlectern/lectern/olx/xmltree"
)

// words makes a set of words.
func words(list ...string) map[string]bool {
	set := map[string]bool{}
	for _, l := range list {
		for w := range strings.FieldsSeq(l) {
			set[w] = true
		}
	}
	return set
}

var (
	// void elements have no end tag.
	void = words("area base basefont bgsound br col embed frame hr img input keygen link meta param source track wbr")
	// lax elements are those whose end tag may be left out, or that others close.
	lax = words("html head body p li dt dd rb rt rtc rp optgroup option caption colgroup thead tbody tfoot tr td th")
	// foreign elements have content of another language.
	foreign = words("svg math")
	// elements are those of HTML, in use or obsolete.
	elements = words(
		"a abbr acronym address applet area article aside audio b base basefont bdi bdo bgsound big blink blockquote body br",
		"button canvas caption center cite code col colgroup command content data datalist dd del details dfn dialog dir div dl",
		"dt element em embed fieldset figcaption figure font footer form frame frameset h1 h2 h3 h4 h5 h6 head header hgroup hr",
		"html i iframe image img input ins isindex kbd keygen label legend li link listing main map mark marquee math menu",
		"menuitem meta meter multicol nav nextid nobr noembed noframes noscript object ol optgroup option output p param",
		"picture plaintext pre progress q rb rp rt rtc ruby s samp script search section select shadow slot small source spacer",
		"span strike strong style sub summary sup svg table tbody td template textarea tfoot th thead time title tr track tt u",
		"ul var video wbr xmp",
	)
)

// fault is something wrong with HTML, on a line counted from 0.
type fault struct {
	line int
	text string
}

// openTag is an element that is open.
type openTag struct {
	name string
	line int
}

// reader goes through HTML tag by tag. The parser of HTML5 itself never complains, so it cannot be asked.
type reader struct {
	open   []openTag
	faults []fault
	// attr is called with every attribute.
	attr func(line int, name, value string)
}

// readHTML finds what is wrong with an HTML text, and shows its attributes to attr.
func readHTML(data []byte, attr func(line int, name, value string)) []fault {
	r := &reader{attr: attr}
	if xmltree.Blank(string(data)) {
		r.fault(0, "the HTML is empty")
		return r.faults
	}
	z := html.NewTokenizer(bytes.NewReader(data))
	line := 0
	for {
		kind := z.Next()
		if kind == html.ErrorToken {
			break
		}
		next := line + bytes.Count(z.Raw(), []byte("\n"))
		switch kind {
		case html.StartTagToken, html.SelfClosingTagToken:
			r.start(z, kind == html.SelfClosingTagToken, line)
		case html.EndTagToken:
			name, _ := z.TagName()
			r.end(string(name), line)
		}
		line = next
	}
	for _, o := range r.open {
		if !lax[o.name] {
			r.fault(o.line, "<%s> is not closed", o.name)
		}
	}
	slices.SortStableFunc(r.faults, func(x, y fault) int { return cmp.Compare(x.line, y.line) })
	return r.faults
}

func (r *reader) fault(line int, format string, args ...any) {
	r.faults = append(r.faults, fault{line, fmt.Sprintf(format, args...)})
}

// inForeign reports whether the place is inside SVG or MathML, where other elements are known.
func (r *reader) inForeign() bool {
	for _, o := range r.open {
		if foreign[o.name] {
			return true
		}
	}
	return false
}

func (r *reader) start(z *html.Tokenizer, closed bool, line int) {
	raw, more := z.TagName()
	name := string(raw)
	for more {
		var key, value []byte
		key, value, more = z.TagAttr()
		r.attr(line, string(key), string(value))
	}
	inForeign := r.inForeign()
	// A name with a hyphen is one of a custom element, which anyone may define.
	if !elements[name] && !inForeign && !strings.Contains(name, "-") {
		r.fault(line, "<%s> is no element of HTML", name)
	}
	if !void[name] && (!closed || !inForeign && !foreign[name]) {
		r.open = append(r.open, openTag{name, line})
	}
}

func (r *reader) end(name string, line int) {
	at := len(r.open) - 1
	for at >= 0 && r.open[at].name != name {
		at--
	}
	if at < 0 {
		r.fault(line, "</%s> closes nothing", name)
		return
	}
	for _, o := range r.open[at+1:] {
		if !lax[o.name] {
			r.fault(o.line, "<%s> is not closed before </%s>", o.name, name)
		}
	}
	r.open = r.open[:at]
}
