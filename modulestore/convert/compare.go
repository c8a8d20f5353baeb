package convert

import (
	"maps"
	"slices"
	"strings"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/olx"
	"github.com/openlectern/lectern/olx/fields"
	"github.com/openlectern/lectern/olx/pyjson"
)

// Difference is something in which a store says otherwise than the source.
type Difference struct {
	View  string `json:"view"`
	Block string `json:"block"` // by its old id as type/name
	What  string `json:"what"`  // "block", "children", "stored", or the name of a field
	Was   string `json:"was"`
	Is    string `json:"is"`
	// Waived is the rule that allows the difference, "" where none does.
	Waived string `json:"waived"`
}

// Rules that waive a difference, by their names in modulestore.md; those of children are the names of anomalies.
const (
	waiveKeys    = "5.3"
	waiveLinks   = "5.4"
	waiveField   = "5.5"
	waiveUnique  = "CV-1"
	waivePage    = "CV-2"
	waiveCopy    = "SP-28"
	waiveScope   = "OM-12"
	waiveWiring  = "OM-15"
	waiveForm    = "1.4"  // a value that cannot be read counts as null
	waiveRaw     = "1.9"  // of olx.md: attributes of a body that are settings say nothing
	waiveContent = "1.10" // of olx.md: what cannot be read is kept as an element
	waiveCycle   = "A6"   // a block below itself has lost a parent
	waiveInside  = "1.7"  // of olx.md: the type holds no blocks, so they are parts of its content
)

// Compare walks the views of a source and what a store gives back, and returns every difference with the rule that waives
// it (CV-35): blocks and their order, the fields that a block says itself, the values that inheritable ones count with, and
// the sets of pages. A conversion is proven when none is left without a rule. It fails only where temporary storage cannot
// be read; that is a difference too.
func Compare(src Source, r *Result, got courseware.State) []Difference {
	x := &comparer{c: newConverter(&src, Options{To: r.Key}, r.Key), r: r}
	published, draft := got.Published, got.Draft
	if draft == nil {
		draft = published
	}
	made := r.State.Draft
	if made == nil {
		made = r.State.Published
	}
	x.view(viewDraft, src.Draft, src.Published, made, draft)
	if src.Published != nil && !r.DraftsOnly {
		x.view(viewPublished, src.Published, src.Draft, r.State.Published, published)
	}
	return x.out
}

// comparer collects differences.
type comparer struct {
	c    *converter
	r    *Result
	name string
	out  []Difference
}

func (x *comparer) add(id courseware.BlockID, what, was, is, waived string) {
	x.out = append(x.out, Difference{x.name, id.String(), what, brief(was), brief(is), waived})
}

// brief cuts what a difference shows of a long value.
func brief(s string) string {
	const most = 400
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// view compares one view: made is what the conversion made of it, got what the store gives back.
func (x *comparer) view(name string, branch, other *modulestore.Branch, made, got *courseware.Course) {
	x.name = name
	if got == nil {
		x.add(branch.Root, "block", branch.Root.String(), "", "")
		return
	}
	p := place(branch, other)
	parents := olx.Parents(got)
	known := make(map[courseware.BlockID]bool, branch.Len())
	inside := map[courseware.BlockID]bool{}
	for _, id := range p.order { // parents first
		b, now := branch.Block(id), x.c.ids.of[id].id
		known[now] = true
		block := got.Blocks[now]
		if inside[id] {
			x.add(id, "block", id.String(), "", waiveInside)
			for _, child := range p.children[id] {
				inside[child] = true
			}
			continue
		}
		if block == nil {
			x.add(id, "block", id.String(), "", "")
			continue
		}
		if len(p.children[id]) > 0 && (block.Opaque || !olx.HoldsBlocks(now.Type)) {
			for _, child := range p.children[id] {
				inside[child] = true
			}
		} else {
			x.children(b, p, block, got, other)
		}
		if m := made.Blocks[now]; m != nil && !sameStored(m, block) {
			x.add(id, "stored", print(m), print(block), "")
		}
		if block.Opaque {
			x.opaque(b, block)
			continue
		}
		x.fields(b, block, got)
		x.effective(b, branch, p, block, got, parents)
	}
	for _, id := range slices.SortedFunc(maps.Keys(got.Blocks), courseware.BlockID.Compare) {
		if !known[id] {
			waived := ""
			if isPage(id.Type) && other != nil {
				waived = waivePage
			}
			x.add(id, "block", "", id.String(), waived)
		}
	}
}

// sameStored reports whether a store gave back what was made, however it keeps bodies.
func sameStored(a, b *courseware.Block) bool {
	c := *b
	if c.Form != a.Form && !a.Opaque {
		c.Form = a.Form
	}
	return a.Equal(&c)
}

// print returns a block as text, to be shown.
func print(b *courseware.Block) string {
	text, err := olx.PrintBlock(b)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// children compares a list of children with what the source says, and names the rule for each child that is not there.
func (x *comparer) children(b *modulestore.Block, p *places, got *courseware.Block, in *courseware.Course, other *modulestore.Branch) {
	var want []string
	for _, id := range p.children[b.ID] {
		want = append(want, x.c.ids.of[id].id.String())
	}
	var is []string
	for _, id := range got.Children {
		if in.Blocks[id] != nil {
			is = append(is, id.String())
		}
	}
	if !slices.Equal(want, is) {
		x.add(b.ID, "children", strings.Join(want, " "), strings.Join(is, " "), "")
	}
	if len(p.children[b.ID]) == len(b.Children) {
		return
	}
	one := places{branch: p.branch, children: map[courseware.BlockID][]courseware.BlockID{}, parent: p.parent}
	one.list(b, other)
	for _, problem := range one.left.Problems() {
		x.add(b.ID, "children", problem.First, "", string(problem.Rule))
	}
}

// fields compares what a block says itself.
func (x *comparer) fields(b *modulestore.Block, got *courseware.Block, in *courseware.Course) {
	spec := fields.Lookup(got.ID.Type)
	explained := map[string]bool{}
	for _, f := range b.Content {
		explained[f.Name] = true
		if _, both := b.Settings.Lookup(f.Name); both && x.has(got, f.Name) {
			x.both(b, got, spec, f.Name)
			continue
		}
		x.field(b, got, in, spec, f)
	}
	for _, f := range b.Settings {
		if explained[f.Name] {
			continue
		}
		explained[f.Name] = true
		x.field(b, got, in, spec, f)
	}
	for _, f := range got.Fields {
		if explained[f.Name] {
			continue
		}
		waived := ""
		copied, isCopied := b.Defaults.Lookup(f.Name)
		switch {
		case isCopied && x.equal(spec, f.Name, copied, f.Value), isCopied && x.equal(spec, f.Name, x.linked(b, f.Name, copied), f.Value):
			waived = waiveCopy
		case f.Name == "discussion_id":
			waived = waiveUnique
		case x.leftover(b, f.Name):
			waived = waiveWiring
		case f.Name == "wiki_slug", f.Name == "discussion_topics", f.Name == "download_track":
			waived = waiveField
		case spec.Class != fields.Legacy && spec.Class != fields.Detached: // from an element kept as data
			waived = waiveRaw
		case spec.Body == fields.Video:
			waived = waiveRaw
		}
		x.add(b.ID, f.Name, "", string(f.Value), waived)
	}
}

// leftover reports whether an importer left an attribute of that name.
func (x *comparer) leftover(b *modulestore.Block, name string) bool {
	v, _ := b.Settings.Lookup("xml_attributes")
	_, ok := fields.Parse(v).Lookup(name)
	return ok
}

// has reports whether a block of ours says something under the name of a field.
func (x *comparer) has(got *courseware.Block, name string) bool {
	_, ok := got.Fields.Lookup(name)
	return ok
}

// both checks that one of two values of a field counts.
func (x *comparer) both(b *modulestore.Block, got *courseware.Block, spec *fields.Block, name string) {
	content, _ := b.Content.Lookup(name)
	setting, _ := b.Settings.Lookup(name)
	is, _ := got.Fields.Lookup(name)
	waived := ""
	for _, v := range [...]courseware.Value{content, setting} {
		if x.equal(spec, name, v, is) || x.equal(spec, name, x.linked(b, name, v), is) {
			waived = waiveScope
		}
	}
	x.add(b.ID, name, string(content)+" and "+string(setting), string(is), waived)
}

// linked returns a value with its references and links as they are now.
func (x *comparer) linked(b *modulestore.Block, name string, v courseware.Value) courseware.Value {
	return x.c.texts.fields(b, courseware.Fields{{Name: name, Value: v}})[0].Value
}

// equal reports whether two values of a field mean the same.
func (x *comparer) equal(spec *fields.Block, name string, a, b courseware.Value) bool {
	f, _ := fields.Common(name)
	if spec != nil {
		f, _ = spec.Field(name)
	}
	if a == b || pyjson.Equal(fields.Parse(a).Sorted(), fields.Parse(b).Sorted()) {
		return true
	}
	a, b = fields.Normal(f.Type, a), fields.Normal(f.Type, b)
	return a == b || pyjson.Equal(fields.Parse(a).Sorted(), fields.Parse(b).Sorted())
}

// field compares one field that the source sets.
func (x *comparer) field(b *modulestore.Block, got *courseware.Block, in *courseware.Course, spec *fields.Block, f courseware.Field) {
	linked := x.linked(b, f.Name, f.Value)
	changed := ""
	if linked != f.Value {
		changed = waiveLinks
		if isReference(b.ID.Type, f.Name) {
			changed = waiveKeys
		}
	}
	is, ok := got.Fields.Lookup(f.Name)
	switch {
	case ok && x.equal(spec, f.Name, f.Value, is):
	case ok && spec.Class == fields.Assessment && assessed(linked) == assessed(is):
		// All that such an element holds are texts (olx.md §6.5).
	case ok && x.equal(spec, f.Name, linked, is):
		x.add(b.ID, f.Name, string(f.Value), string(is), changed)
	case f.Name == "xml_attributes", wiring(f.Name) && !(got.ID == in.Root && f.Name == "grading_policy"):
		if !ok && f.Name != "xml_attributes" && spec.Class != fields.Legacy {
			x.add(b.ID, f.Name, string(f.Value), "", waiveWiring)
		}
	case spec.Class == fields.Assessment && (x.assessment(b, got, f.Name) || f.Value.IsNull() && !ok):
	case x.special(b, got, in, spec, f.Name, f.Value, linked):
	case ok:
		waived := ""
		if f.Name == "wiki_slug" || f.Name == "discussion_topics" || f.Name == "tabs" {
			waived = waiveField
		} else if known, _ := spec.Field(f.Name); !fields.Readable(known.Type, linked) {
			waived = waiveForm
		}
		x.add(b.ID, f.Name, string(f.Value), string(is), waived)
	case x.attribute(got, f.Name, linked):
		if changed != "" {
			x.add(b.ID, f.Name, string(f.Value), string(linked), changed)
		}
	case f.Name == "license" && (f.Value.IsNull() || f.Value == `""`), f.Name == "textbooks" && f.Value == "[]":
		// Says nothing, and is not written (olx.md §1.16).
	case f.Name == "show_tag_list" && len(fields.Parse(f.Value).Items) == 0:
	case f.Name == "tabs":
		x.add(b.ID, f.Name, string(f.Value), "", waiveField)
	case spec.Class == fields.Detached && wiring(f.Name):
	default:
		x.add(b.ID, f.Name, string(f.Value), "", x.dropped(b, f))
	}
}

// assessed is a value as the text that an openassessment has for it.
func assessed(v courseware.Value) string {
	switch p := fields.Parse(v); {
	case p.Kind == pyjson.Bool && p.IsTrue():
		return "True"
	case p.Kind == pyjson.Bool:
		return "False"
	default:
		return attrText(p)
	}
}

// dropped returns the rule for a field that no element can hold: the report has it.
func (x *comparer) dropped(b *modulestore.Block, f courseware.Field) string {
	for _, d := range x.r.Report.Dropped {
		if d.Block == b.ID.String() && d.Field == f.Name {
			return waiveScope
		}
	}
	return ""
}

// attribute reports whether a block has a value as an attribute that no field claims.
func (x *comparer) attribute(got *courseware.Block, name string, v courseware.Value) bool {
	for _, a := range got.Extra {
		if a.Name == name {
			return a.Value == attrText(fields.Parse(v))
		}
	}
	return false
}

// effective compares the values that inheritable fields count with (modulestore.md §4.7).
func (x *comparer) effective(b *modulestore.Block, branch *modulestore.Branch, p *places, got *courseware.Block, in *courseware.Course, parents map[courseware.BlockID]courseware.BlockID) {
	spec := fields.Lookup(got.ID.Type)
	if spec.Class == fields.Detached {
		return // pages do not inherit (L-92)
	}
	for _, name := range inheritable {
		was := branch.Setting(b.ID, name)
		is := olx.Effective(in, parents, got.ID, name)
		if x.equal(spec, name, was, is) || x.equal(spec, name, x.linked(b, name, was), is) {
			continue
		}
		waived := ""
		f, _ := spec.Field(name)
		_, copied := b.Defaults.Lookup(name)
		switch {
		case !fields.Readable(f.Type, was):
			waived = waiveForm
		case copied:
			waived = waiveCopy
		case p.torn(b.ID):
			waived = waiveCycle
		case spec.Class == fields.Assessment:
			waived = waiveRaw // its attributes are texts
		case x.linkedAbove(b, branch, name, is, spec):
			waived = waiveLinks
		}
		x.add(b.ID, name+" as it counts", string(was), string(is), waived)
	}
}

// linkedAbove reports whether a value is that of an ancestor with its links as they are now.
func (x *comparer) linkedAbove(b *modulestore.Block, branch *modulestore.Branch, name string, is courseware.Value, spec *fields.Block) bool {
	at, ok := branch.Parent(b.ID)
	for range branch.Len() {
		if !ok {
			return false
		}
		up := branch.Block(at)
		if v, set := up.Settings.Lookup(name); set {
			return x.equal(spec, name, x.linked(up, name, v), is)
		}
		at, ok = branch.Parent(at)
	}
	return false
}

// inheritable are the fields that a block takes from above.
var inheritable = strings.Fields(`graded start due relative_weeks_due visible_to_staff_only course_edit_method giturl xqa_key graceperiod
	group_access showanswer show_correctness rerandomize days_early_for_beta static_asset_path use_latex_compiler max_attempts
	matlab_api_key user_partitions video_speed_optimizations video_auto_advance video_bumper show_reset_button edxnotes
	in_entrance_exam self_paced hide_from_toc`)
