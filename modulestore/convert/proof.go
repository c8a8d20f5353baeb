package convert

import (
	"bytes"
	"slices"
	"strings"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/olx"
	"github.com/openlectern/lectern/olx/fields"
	"github.com/openlectern/lectern/olx/xmltree"
)

// special compares the fields that are not fields of ours: bodies, conditions, the grading policy. It reports whether the
// field is one of them.
func (x *comparer) special(b *modulestore.Block, got *courseware.Block, in *courseware.Course, spec *fields.Block, name string, was, linked courseware.Value) bool {
	switch {
	case name == "grading_policy" && got.ID == in.Root:
		x.grading(b, in, was)
	case name == "data":
		if spec.Class == fields.Pure || spec.Class == fields.Assessment {
			if text, isText := was.Text(); !isText || !strings.HasPrefix(strings.TrimSpace(text), "<") {
				return false
			}
		}
		if spec.Body == fields.Children && spec.Class != fields.Detached {
			return false
		}
		x.body(b, got, spec, was, linked)
	case spec.Tag == "poll_question" && (name == "question" || name == "answers"):
		if name == "answers" {
			if _, both := b.Content.Lookup("question"); both {
				return true // compared together
			}
		}
		o := own{content: x.c.texts.fields(b, b.Content)}
		x.text(b, got, "question", poll(&o), was != linked)
	case spec.Tag == "conditional" && (name == "conditional_attr" || name == "conditional_value" || name == "conditional_message" || name == "sources_list"):
		x.condition(b, got, name, linked)
	default:
		return false
	}
	return true
}

func (x *comparer) grading(b *modulestore.Block, in *courseware.Course, was courseware.Value) {
	if want := olx.GradingPolicy([]byte(was)); !bytes.Equal(want, in.GradingPolicy) {
		waived := ""
		if cutoffs, ok := fields.Parse(was).Lookup("GRADE_CUTOFFS"); ok && len(cutoffs.Items) == 0 {
			waived = waiveField
		}
		x.add(b.ID, "grading_policy", string(want), string(in.GradingPolicy), waived)
	}
}

// body compares what is between the tags, or in the file.
func (x *comparer) body(b *modulestore.Block, got *courseware.Block, spec *fields.Block, was, linked courseware.Value) {
	text, isText := linked.Text()
	if !isText && !linked.IsNull() {
		text = string(linked)
	}
	if spec.Body == fields.HTML || spec.Class == fields.Detached {
		x.text(b, got, "data", []byte(text), was != linked)
		return
	}
	if xmltree.Blank(text) {
		x.text(b, got, "data", nil, false)
		return
	}
	doc, err := xmltree.Parse("data", []byte(fields.Clean(text)), xmltree.Limits{})
	if err != nil {
		data, readErr := got.Data.Read()
		if readErr == nil && xmltree.EscapeText(fields.Clean(text)) == string(data) {
			x.add(b.ID, "data", text, string(data), waiveContent)
			return
		}
		x.add(b.ID, "data", text, string(data), "")
		return
	}
	if spec.Body == fields.Video {
		return // its element is a form of its settings, which are compared
	}
	want := doc.Root.Inner()
	data, err := got.Data.Read()
	switch {
	case err != nil:
		x.add(b.ID, "data", want, err.Error(), "")
	case string(data) == want:
		if was != linked {
			x.add(b.ID, "data", string(was), string(linked), waiveLinks)
		}
	case sameXML(want, string(data), got.Nodes):
		// What a pure XBlock or an annex has as a child element stands beside the body.
	default:
		x.add(b.ID, "data", want, string(data), "")
	}
}

// sameXML reports whether a body with what is kept beside it is the same content, blank text apart.
func sameXML(want, got string, beside [][]byte) bool {
	squeeze := func(s string) string {
		return strings.Join(strings.Fields(s), "")
	}
	all := got
	for _, n := range beside {
		all += string(n)
	}
	return squeeze(want) == squeeze(all) || xmltree.Blank(want) && xmltree.Blank(got)
}

// text compares a body byte by byte.
func (x *comparer) text(b *modulestore.Block, got *courseware.Block, what string, want []byte, changed bool) {
	data, err := got.Data.Read()
	switch {
	case err != nil:
		x.add(b.ID, what, string(want), err.Error(), "")
	case !bytes.Equal(data, want):
		x.add(b.ID, what, string(want), string(data), "")
	case changed:
		x.add(b.ID, what, "", string(data), waiveLinks)
	}
}

// condition compares what a conditional has as attributes.
func (x *comparer) condition(b *modulestore.Block, got *courseware.Block, name string, linked courseware.Value) {
	find := func(name string) (string, bool) {
		for _, a := range got.Extra {
			if a.Name == name {
				return a.Value, true
			}
		}
		return "", false
	}
	p := fields.Parse(linked)
	var want, is string
	var ok bool
	switch name {
	case "sources_list":
		var list []string
		for _, item := range p.Items {
			list = append(list, attrText(item))
		}
		want = strings.Join(list, ";")
		is, ok = find("sources")
	case "conditional_message":
		want = attrText(p)
		is, ok = find("message")
	case "conditional_attr":
		want = p.Text
		if _, ok = find(p.Text); ok {
			is = p.Text
		}
	case "conditional_value":
		condition, set := b.Content.Text("conditional_attr")
		if !set {
			condition = defaultCondition
		}
		want = attrText(p)
		is, ok = find(condition)
	}
	if linked.IsNull() {
		want = ""
	}
	if (!ok || want != is) && !(linked.IsNull() && is == "") {
		x.add(b.ID, name, want, is, "")
	}
}

// opaque checks that an element says everything that a block of an unknown type says.
func (x *comparer) opaque(b *modulestore.Block, got *courseware.Block) {
	data, err := got.Data.Read()
	if err != nil {
		x.add(b.ID, "data", "", err.Error(), "")
		return
	}
	doc, err := xmltree.Parse(b.ID.String(), data, xmltree.Limits{})
	if err != nil {
		x.add(b.ID, "data", "", err.Error(), waiveContent)
		return
	}
	for _, list := range [...]courseware.Fields{b.Content, b.Settings} {
		for _, f := range list {
			linked := x.linked(b, f.Name, f.Value)
			text := attrText(fields.Parse(linked))
			is, ok := doc.Root.Attr(f.Name)
			known, _ := fields.Common(f.Name)
			switch {
			case ok && (is == text || is == fields.WriteLegacy(known.Type, linked)), wiring(f.Name), linked.IsNull():
			case f.Name == "data" && x.isBody(doc.Root, text):
			case ok && x.equal(nil, f.Name, linked, courseware.Value(is)):
			case ok && fields.Parse(courseware.Value(is)).Sorted().Plain() == fields.Parse(linked).Sorted().Plain():
			default:
				x.add(b.ID, f.Name, text, is, x.dropped(b, f))
			}
		}
	}
}

// isBody reports whether an element has the body of another one.
func (x *comparer) isBody(root *xmltree.Node, text string) bool {
	doc, err := xmltree.Parse("data", []byte(fields.Clean(text)), xmltree.Limits{})
	if err != nil {
		return strings.TrimSpace(root.Text()) == strings.TrimSpace(text)
	}
	return strings.HasPrefix(root.Inner(), doc.Root.Inner())
}

// assessment compares a field of an openassessment that is a part of its body, or an attribute of another name. It reports
// whether the field is one of these.
func (x *comparer) assessment(b *modulestore.Block, got *courseware.Block, name string) bool {
	if data, _ := b.Content.Text("data"); strings.HasPrefix(strings.TrimSpace(data), "<") {
		return false // the body is in there
	}
	o := own{x.c.texts.fields(b, b.Content), x.c.texts.fields(b, b.Settings)}
	var want courseware.Block
	assess(&want, &o)
	if slices.Contains(graded, name) {
		if _, inContent := b.Content.Lookup(name); !inContent {
			return false
		}
		if !want.Data.Equal(got.Data) {
			text, _ := want.Data.Read() // in memory
			is, err := got.Data.Read()
			if err != nil {
				is = []byte(err.Error())
			}
			x.add(b.ID, name, string(text), string(is), "")
		}
		return true
	}
	short := strings.TrimSuffix(name, "_raw")
	v, ok := o.settings.Lookup(short)
	if !ok || short == name && name != "white_listed_file_types" {
		return false
	}
	if is, _ := got.Fields.Lookup(short); assessed(v) != assessed(is) {
		x.add(b.ID, name, string(v), string(is), "")
	}
	return true
}
