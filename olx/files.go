package olx

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/openlectern/lectern/olx/archive"
	"github.com/openlectern/lectern/olx/pyjson"
	"github.com/openlectern/lectern/olx/xmltree"
)

// has reports whether the course directory has a file. Names are only ever looked up in the archive's own table.
func (l *loader) has(name string) bool {
	_, ok := l.a.Stat(name)
	return ok
}

// read returns the bytes of a file of the course directory.
func (l *loader) read(name string) ([]byte, *problem) {
	l.used[name] = true
	err := l.ctx.Err() // Read ends with it
	var data []byte
	if err == nil {
		data, err = l.a.ReadFile(name, 0)
	}
	var ae *archive.Error
	switch {
	case err == nil:
		return data, nil
	case errors.As(err, &ae):
		return nil, &problem{file: name, rule: ae.Rule, text: ae.Text, remedy: "pack the archive again"}
	}
	return nil, &problem{file: name, rule: ruleNoFile, text: err.Error(), remedy: "try again"}
}

// xml reads an XML file and returns its root element and its bytes, the latter also where they are no XML.
func (l *loader) xml(name string) (*xmltree.Node, []byte, *problem) {
	data, p := l.read(name)
	if p != nil {
		return nil, nil, p
	}
	doc, err := xmltree.Parse(name, data, l.o.XML)
	if err == nil {
		return doc.Root, data, nil
	}
	p = &problem{file: name, rule: ruleXML, text: err.Error(), remedy: "repair the XML"}
	var xe *xmltree.Error
	if errors.As(err, &xe) {
		p.line, p.rule, p.text = xe.Line, xe.Rule, xe.Text
	}
	if p.rule == ruleEncoding {
		p.remedy = "save the file as UTF-8"
	}
	return nil, data, p
}

// text reads a file that has to be UTF-8. The bytes come also where they are not.
func (l *loader) text(name string) ([]byte, *problem) {
	data, p := l.read(name)
	if p == nil && !utf8.Valid(data) {
		line := 1
		for s := range strings.SplitAfterSeq(string(data), "\n") {
			if !utf8.ValidString(s) {
				break
			}
			line++
		}
		p = &problem{name, line, ruleEncoding, "the file is not UTF-8", "save the file as UTF-8"}
	}
	return data, p
}

// json reads a JSON file. ok is false where it cannot be read, which is p's matter.
func (l *loader) json(name string) (v pyjson.Value, p *problem) {
	data, p := l.read(name)
	if p != nil {
		return v, p
	}
	v, twice, err := pyjson.Parse(string(data))
	if err != nil {
		p = &problem{file: name, rule: ruleBadPolicy, text: "not valid JSON", remedy: "repair the JSON"}
		var je *pyjson.Error
		if errors.As(err, &je) {
			p.line, p.text = je.Line, "not valid JSON: "+je.Text
		}
		return v, p
	}
	for _, key := range twice {
		l.note().warn(name, 0, ruleBadPolicy, "keep one of them", "the key %q stands more than once; the last one counts", key)
	}
	return v, nil
}

// known are the folders that reading looks into beside those of block types.
var known = []string{
	"about", "info", "tabs", "custom_tags", "policies", "static", "static_import", "drafts", "assets",
}

// ignored returns what was not used, whole folders by their name (olx.md §1.2).
func (l *loader) ignored() []string {
	folders := map[string]bool{} // used: something in it was
	top := func(name string) string {
		dir, _, _ := strings.Cut(name, "/")
		return dir + "/"
	}
	for name := range l.used {
		folders[top(name)] = true
	}
	var list []string
	for _, name := range l.a.Names() {
		switch dir := top(name); {
		case l.used[name]:
		case strings.Contains(name, "/") && !folders[dir] && !slices.Contains(known, strings.TrimSuffix(dir, "/")):
			list = append(list, dir)
		default:
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// isJunk reports whether a file is one that editors and systems leave behind (olx.md §2.5).
func isJunk(base string) bool {
	return strings.HasPrefix(base, "._") || base == ".DS_Store" || strings.HasSuffix(base, "~")
}

func missing(kind, file, by string, line int) *problem {
	return &problem{by, line, ruleNoFile, fmt.Sprintf("the %s %s is not in the archive", kind, file),
		"add the file, or remove what names it"}
}
