package convert

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/olx/fields"
	"github.com/openlectern/lectern/olx/pyjson"
	"github.com/openlectern/lectern/olx/xmltree"
)

// graded are the content fields of an openassessment that are child elements of it in OLX (olx.md §6.5).
var graded = []string{"title", "rubric_assessments", "prompt", "rubric_criteria", "rubric_feedback_prompt", "rubric_feedback_default_text"}

// assess makes the body of an openassessment of its fields, and gives the others the names and forms that its attributes
// have. One without any of those fields has no body, and stands for the usual assessment.
func assess(out *courseware.Block, o *own) {
	v := map[string]pyjson.Value{}
	for _, name := range graded {
		if f, ok := o.take(name); ok {
			v[name] = fields.Parse(f)
		}
	}
	rest := slices.Concat(o.content, o.settings)
	o.content, o.settings = nil, nil
	for _, f := range rest {
		name, is := strings.CutSuffix(f.Name, "_raw") // how later releases call what they work out another value of
		switch p := fields.Parse(f.Value); {
		case p.Kind == pyjson.Null:
			continue // such an attribute is not written
		case name == "white_listed_file_types" && p.Kind == pyjson.Array:
			f.Value = courseware.Text(joined(p))
		}
		if is && (name == "text_response" || name == "file_upload_response" || name == "file_upload_type") {
			f.Name = name
		}
		o.settings = append(o.settings, f)
	}
	if len(v) == 0 {
		return
	}
	title, _ := v["title"]
	if title.Kind != pyjson.String {
		display, _ := o.settings.Text("display_name")
		title = pyjson.Str(display)
	}
	var body []byte
	for _, e := range []*xmltree.Elem{text("title", title), steps(v["rubric_assessments"]), prompts(v["prompt"]), rubric(v)} {
		body = e.Append(body, 0)
	}
	out.Data = courseware.Bytes(body)
}

func joined(p pyjson.Value) string {
	parts := make([]string, len(p.Items))
	for i, item := range p.Items {
		parts[i] = attrText(item)
	}
	return strings.Join(parts, ",")
}

// text returns an element with a text.
func text(name string, v pyjson.Value) *xmltree.Elem {
	e := xmltree.NewElem(name)
	if v.Kind != pyjson.Null {
		e.Inner = xmltree.EscapeText(assessed(fields.Value(v)))
	}
	return e
}

// part adds a text element where an object has one under the name.
func part(e *xmltree.Elem, of pyjson.Value, name string) {
	if v, ok := of.Lookup(name); ok && v.Kind != pyjson.Null {
		e.Add(text(name, v))
	}
}

// steps are what a response goes through: training, peers, staff.
func steps(list pyjson.Value) *xmltree.Elem {
	out := xmltree.NewElem("assessments")
	for _, step := range list.Items {
		e := xmltree.NewElem("assessment")
		for i, name := range step.Keys {
			if v := step.Items[i]; name != "examples" && isAttr(name) && v.Kind != pyjson.Null {
				e.Set(name, assessed(fields.Value(v)))
			}
		}
		examples, _ := step.Lookup("examples")
		for _, example := range examples.Items {
			e.Add(trained(example))
		}
		out.Add(e)
	}
	return out
}

// trained is an answer with the options that it deserves.
func trained(example pyjson.Value) *xmltree.Elem {
	e, answer := xmltree.NewElem("example"), xmltree.NewElem("answer")
	v, _ := example.Lookup("answer")
	parts := v.Items
	switch v.Kind {
	case pyjson.Object:
		list, _ := v.Lookup("parts")
		parts = list.Items
	case pyjson.String: // of one part, as it was once
		answer.Inner = xmltree.EscapeText(fields.Clean(v.Text))
	}
	for _, p := range parts {
		words, _ := p.Lookup("text")
		answer.Add(text("part", words))
	}
	e.Add(answer)
	selected, _ := example.Lookup("options_selected")
	for _, s := range selected.Items {
		choice := xmltree.NewElem("select")
		for _, name := range [...]string{"criterion", "option"} {
			v, _ := s.Lookup(name)
			choice.Set(name, assessed(fields.Value(v)))
		}
		e.Add(choice)
	}
	return e
}

// prompts are what learners respond to: one text, or a list in JSON.
func prompts(v pyjson.Value) *xmltree.Elem {
	out := xmltree.NewElem("prompts")
	list := v
	if v.Kind == pyjson.String {
		if p, _, err := pyjson.Parse(v.Text); err == nil && p.Kind == pyjson.Array {
			list = p
		} else {
			one := pyjson.Value{Kind: pyjson.Object}.With("description", v)
			list = pyjson.Value{Kind: pyjson.Array, Items: []pyjson.Value{one}}
		}
	}
	for _, p := range list.Items {
		e := xmltree.NewElem("prompt")
		part(e, p, "description")
		out.Add(e)
	}
	return out
}

// rubric is what responses are assessed by, criteria and their options in their order.
func rubric(v map[string]pyjson.Value) *xmltree.Elem {
	out := xmltree.NewElem("rubric")
	for _, c := range ordered(v["rubric_criteria"].Items) {
		e := xmltree.NewElem("criterion")
		if feedback, ok := c.Lookup("feedback"); ok && feedback.Text != "" {
			e.Set("feedback", feedback.Text)
		}
		for _, name := range [...]string{"name", "label", "prompt"} {
			part(e, c, name)
		}
		options, _ := c.Lookup("options")
		for _, o := range ordered(options.Items) {
			option := xmltree.NewElem("option")
			if points, ok := o.Lookup("points"); ok {
				option.Set("points", assessed(fields.Value(points)))
			}
			for _, name := range [...]string{"name", "label", "explanation"} {
				part(option, o, name)
			}
			e.Add(option)
		}
		out.Add(e)
	}
	if p := v["rubric_feedback_prompt"]; p.Kind != pyjson.Null {
		out.Add(text("feedbackprompt", p))
	}
	if p := v["rubric_feedback_default_text"]; p.Kind != pyjson.Null {
		out.Add(text("feedback_default_text", p))
	}
	return out
}

// ordered returns objects by their order_num.
func ordered(list []pyjson.Value) []pyjson.Value {
	at := func(v pyjson.Value) int {
		n, _ := v.Lookup("order_num")
		i, _ := strconv.Atoi(n.Text) // one without goes first
		return i
	}
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b pyjson.Value) int { return cmp.Compare(at(a), at(b)) })
	return list
}
