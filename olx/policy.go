package olx

import (
	"slices"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/olx/fields"
	"github.com/openlectern/lectern/olx/pyjson"
)

// policy holds the settings of blocks that an archive keeps in its policy file (olx.md §1.11).
type policy struct {
	file    string
	keys    []string
	entries map[string]pyjson.Value
	applied map[string]bool
}

func newPolicy(file string, v pyjson.Value) *policy {
	p := &policy{file, v.Keys, make(map[string]pyjson.Value, len(v.Keys)), map[string]bool{}}
	for i, key := range v.Keys {
		p.entries[key] = v.Items[i]
	}
	return p
}

// readPolicies reads the policy file and the grading policy of a course.
func (l *loader) readPolicies() {
	l.policy = l.readPolicy()
	l.course.GradingPolicy = l.readGrading()
}

func (l *loader) readPolicy() *policy {
	files := [...]string{"policies/" + l.run + "/policy.json", "policies/" + l.run + ".json"}
	for _, file := range files {
		if !l.has(file) {
			continue
		}
		v, p := l.json(file)
		if p == nil && v.Kind != pyjson.Object {
			p = &problem{file, 1, rulePolicyFormat, "the policy is not a JSON object", "make it an object of entries by type/url_name"}
		}
		if p != nil {
			l.fail(p)
			return newPolicy(file, pyjson.Value{})
		}
		if len(v.Keys) > 0 {
			return newPolicy(file, v)
		}
	}
	if !l.has(files[0]) {
		l.note().warn(files[0], 0, "PolicyNotFound", "add the file, if only with {}", "the course has no policy file")
	}
	return newPolicy(files[0], pyjson.Value{})
}

// apply sets what the policy says about a block. It wins over attributes.
func (p *policy) apply(d decoder, b *courseware.Block, spec *fields.Block, written string) {
	if spec.Class != fields.Legacy && spec.Class != fields.Inline && spec.Tag != "discussion" {
		return
	}
	key := b.ID.Type + "/" + written
	entry, ok := p.entries[key]
	if !ok || p.applied[key] {
		return
	}
	p.applied[key] = true
	if entry.Kind != pyjson.Object {
		d.note.warn(p.file, 0, ruleBadEntry, "make it an object of settings", "the entry %q is not an object and is left out", key)
		return
	}
	d.merge(b, spec, entry, p.file, 0)
	if spec.Class != fields.Pure {
		sortFields(b, spec)
	}
}

// unused warns of entries that no block has taken.
func (p *policy) unused(note notes) {
	for _, key := range p.keys {
		if !p.applied[key] {
			note.warn(p.file, 0, "PolicyRefNotFound", "remove the entry", "the entry %q is about no block that takes one", key)
		}
	}
}

// defaultGrading is the grading policy of a course that has none (olx.md §1.12).
const defaultGrading = `{
    "GRADER": [
        {"type": "Homework", "short_label": "HW", "min_count": 12, "drop_count": 2, "weight": 0.15},
        {"type": "Lab", "min_count": 12, "drop_count": 2, "weight": 0.15},
        {"type": "Midterm Exam", "short_label": "Midterm", "min_count": 1, "drop_count": 0, "weight": 0.3},
        {"type": "Final Exam", "short_label": "Final", "min_count": 1, "drop_count": 0, "weight": 0.4}
    ],
    "GRADE_CUTOFFS": {"Pass": 0.5}
}`

// GradingPolicy returns a grading policy as canonical JSON, with the default in place of what it lacks (olx.md §1.12).
// What is not a JSON object lacks all.
func GradingPolicy(src []byte) []byte {
	def, _, _ := pyjson.Parse(defaultGrading)
	v, _, err := pyjson.Parse(string(src))
	if err != nil || v.Kind != pyjson.Object {
		return def.File()
	}
	for i, key := range def.Keys {
		if !slices.Contains(v.Keys, key) {
			v = v.With(key, def.Items[i])
		}
	}
	return v.File()
}

func (l *loader) readGrading() []byte {
	file := "policies/" + l.run + "/grading_policy.json"
	if !l.has(file) {
		file = "grading_policy.json"
	}
	if !l.has(file) {
		l.note().warn(file, 0, "PolicyNotFound", "add a grading policy", "the course has no grading policy; it gets the usual one")
		return GradingPolicy(nil)
	}
	data, p := l.text(file)
	if p == nil {
		if _, p = l.json(file); p == nil {
			return GradingPolicy(data)
		}
	}
	l.note().warn(p.file, p.line, ruleGrading, p.remedy, "%s; the course gets the usual grading policy", p.text)
	return GradingPolicy(nil)
}

// finishRoot does to the root what depends on source and target, or on the whole tree (olx.md §2.4).
func (l *loader) finishRoot(b *courseware.Block) {
	if !l.course.Key.IsCourse() {
		return
	}
	pdfTextbooks(b)
	b.Fields = l.move.wiki(b.Fields)
	if v, ok := b.Fields.Lookup("discussion_topics"); ok && v == "{}" {
		setField(b, "discussion_topics", `{"General": {"id": "`+courseware.RootName+`"}}`)
	}
	if v, _ := b.Fields.Lookup("entrance_exam_enabled"); fields.Bool(v) {
		l.entranceExam(b)
	}
}

// entranceExam names the chapter that is the entrance exam.
func (l *loader) entranceExam(b *courseware.Block) {
	for _, id := range b.Children {
		chapter := l.course.Blocks[id]
		if chapter == nil {
			continue
		}
		if v, _ := chapter.Fields.Lookup("is_entrance_exam"); !fields.Bool(v) {
			continue
		}
		if u, err := l.course.Key.Usage(id.Type, id.Name); err == nil {
			setField(b, "entrance_exam_id", courseware.Text(u.String()))
			sortFields(b, fields.Lookup(b.ID.Type))
		}
		return
	}
}
