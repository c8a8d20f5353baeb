package convert_test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/convert"
	"github.com/openlectern/lectern/olx"
	"github.com/openlectern/lectern/olx/fields"
	"github.com/openlectern/lectern/olx/xmltree"
)

// exported compares a conversion with an import of what the real exporter wrote. What that one loses is named here, by
// rule (olx.md §3.5).
type exported struct {
	t    *testing.T
	src  convert.Source
	r    *convert.Result
	want courseware.State // of the archive
}

// plain is a block as data, in which spellings that mean the same are the same.
type plain struct {
	Container, Opaque bool
	Children          []string
	Fields            map[string]string
	Extra             map[string]string
	Data              string
	Nodes             []string
}

func (e exported) plain(b *courseware.Block) plain {
	spec := fields.Lookup(b.ID.Type)
	p := plain{Container: b.Container, Opaque: b.Opaque, Fields: map[string]string{}, Extra: map[string]string{}}
	for _, id := range b.Children {
		p.Children = append(p.Children, id.String())
	}
	for _, f := range b.Fields {
		v := f.Value
		if spec != nil {
			if known, ok := spec.Field(f.Name); ok {
				v = fields.Normal(known.Type, v)
			}
		}
		sorted, _ := fields.Parse(v).Sorted().Strings(func(s string) string { return e.portable(bareKey(s)) })
		p.Fields[f.Name] = sorted.Plain()
	}
	for _, a := range b.Extra {
		var parts []string
		for part := range strings.SplitSeq(a.Value, ";") {
			parts = append(parts, bareKey(part))
		}
		p.Extra[a.Name] = strings.Join(parts, ";")
	}
	data, err := b.Data.Read()
	if err != nil {
		e.t.Fatal(err)
	}
	p.Data = e.portable(string(data))
	if spec != nil && (spec.Body == fields.Raw || spec.Body == fields.Children) && spec.Class != fields.Detached || b.Opaque {
		p.Data = bare(p.Data)
	}
	for _, n := range b.Nodes {
		p.Nodes = append(p.Nodes, bare(string(n)))
	}
	return p
}

// portable makes links into the course what an import or a conversion makes of them, and names blocks by type and name
// wherever a text does (modulestore.md §5.4, olx.md §2.4).
func (e exported) portable(s string) string {
	if asset, err := e.r.Key.Asset("asset", "x"); err == nil {
		s = strings.ReplaceAll(s, "/"+strings.TrimSuffix(asset.String(), "x"), "/static/")
	}
	if e.src.Key.IsZero() {
		slash := e.src.Old.Org + "/" + e.src.Old.Course
		s = regexp.MustCompile(`/courses/`+regexp.QuoteMeta(e.src.Name)+`/jump_to/i4x://`+regexp.QuoteMeta(slash)+`/[a-z_]+/`).ReplaceAllString(s, "/jump_to_id/")
		s = strings.ReplaceAll(s, "/c4x/"+slash+"/asset/", "/static/")
		s = strings.ReplaceAll(s, "/courses/"+e.src.Name+"/", "/course/")
		dash := strings.ReplaceAll(slash, "/", "-")
		return regexp.MustCompile(`i4x-`+regexp.QuoteMeta(dash)+`-(problem|course|html|video)-`).ReplaceAllString(s, "")
	}
	return strings.ReplaceAll(s, "/c4x/"+e.src.Key.Org()+"/"+e.src.Key.Code()+"/asset/", "/static/")
}

// bareKey makes type/name of a key of a block: the exporter writes keys in the old form (olx.md §3.1).
func bareKey(s string) string {
	if u, err := keys.ParseUsage(s); err == nil {
		return u.Type() + "/" + u.ID()
	}
	return s
}

// bare takes blank text and comments out of XML: the exporter indents bodies (olx.md §3.5, 6).
func bare(s string) string {
	doc, err := xmltree.Parse("body", []byte("<x>"+s+"</x>"), xmltree.Limits{})
	if err != nil {
		return s
	}
	var walk func(n *xmltree.Node) string
	walk = func(n *xmltree.Node) string {
		var out strings.Builder
		for _, c := range n.Children {
			switch c.Kind {
			case xmltree.Text, xmltree.CData:
				if !xmltree.Blank(c.Text()) {
					out.WriteString(strings.Join(strings.Fields(c.Text()), " "))
				}
			case xmltree.Element:
				var attrs []string
				for _, a := range c.Attrs {
					attrs = append(attrs, fmt.Sprintf("%s=%q", a.Name, strings.Join(strings.Fields(a.Value), " ")))
				}
				slices.Sort(attrs)
				out.WriteString("<" + c.Name.String() + " " + strings.Join(attrs, " ") + ">" + walk(c) + "</>")
			}
		}
		return out.String()
	}
	return walk(doc.Root)
}

// compare compares one view. want is of the archive.
func (e exported) compare(view string, branch *modulestore.Branch, want, got *courseware.Course) {
	t := e.t
	t.Helper()
	if diff := cmp.Diff(string(want.GradingPolicy), string(got.GradingPolicy)); diff != "" {
		t.Errorf("%s: grading policy (-want +got)\n%s", view, diff)
	}
	reached := map[courseware.BlockID]bool{}
	for b := range got.Walk() {
		reached[b.ID] = true
	}
	for _, id := range slices.SortedFunc(maps.Keys(got.Blocks), courseware.BlockID.Compare) {
		w := want.Blocks[id]
		if w == nil {
			if e.lost(view, id, reached, got) == "" {
				t.Errorf("%s: the archive has no %s", view, id)
			}
			continue
		}
		a, b := e.plain(w), e.plain(got.Blocks[id])
		e.waive(branch, id, got, &a, &b)
		if view == "draft" && modulestore.IsDirectOnly(id.Type) && want.Blocks[id] == e.want.Published.Blocks[id] {
			continue // an archive has no drafts of them (olx.md §1.15)
		}
		if diff := cmp.Diff(a, b); diff != "" {
			t.Errorf("%s: %s (-want +got)\n%s", view, id, diff)
		}
	}
	for id := range want.Blocks {
		if got.Blocks[id] == nil {
			t.Errorf("%s: there is no %s", view, id)
		}
	}
}

// lost reports whether the exporter has no place for a block.
func (e exported) lost(view string, id courseware.BlockID, reached map[courseware.BlockID]bool, course *courseware.Course) string {
	if !reached[id] && !isPage(id) {
		return "orphans are not exported"
	}
	parents := olx.Parents(course)
	for at, ok := id, true; ok; at, ok = parents[at] {
		if up := course.Blocks[parents[at]]; up != nil && up.ID.Type == "conditional" && e.src.Key.IsZero() {
			return "what a conditional shows is not exported from the old store"
		}
	}
	return ""
}

func isPage(id courseware.BlockID) bool {
	spec := fields.Lookup(id.Type)
	return spec != nil && spec.Class == fields.Detached
}

// waive takes out what the exporter loses or adds. Each step is one rule.
func (e exported) waive(branch *modulestore.Branch, id courseware.BlockID, course *courseware.Course, want, got *plain) {
	stored := branch.Block(e.old(id))
	lost := func(name string) {
		if _, there := want.Fields[name]; !there {
			delete(got.Fields, name)
		}
	}
	if isPage(id) { // of pages only content is exported
		for _, f := range stored.Settings {
			lost(f.Name)
		}
		return
	}
	// What came with a copy from a library is not exported (SP-28): an import asks the library again.
	for _, f := range stored.Defaults {
		lost(f.Name)
	}
	// Annexes of a type that the exporting program does not know are not exported.
	if len(stored.Asides) > 0 && len(want.Nodes) == 0 {
		got.Nodes = nil
	}
	spec := fields.Lookup(id.Type)
	for name := range got.Fields { // content of a course that is neither a child element nor a file (olx.md §1.16)
		if f, _ := spec.Field(name); f.Content && !f.Element && name != "license" {
			lost(name)
		}
	}
	switch id.Type {
	case "video": // captions are those that the store of videos knows (olx.md §3.2)
		lost("transcripts")
		if got.Fields["sub"] == `""` { // none is none
			lost("sub")
		}
	case "discussion": // ids that follow from the old key (CV-1)
		lost("discussion_id")
	case "conditional": // what it shows is not exported as its child from the old store
		if e.src.Key.IsZero() && want.Children == nil {
			got.Children = nil
		}
	case "course": // textbooks fall together into the last one (olx.md §3.5, 3)
		if strings.Count(got.Fields["textbooks"], "[") > 2 {
			got.Fields["textbooks"] = want.Fields["textbooks"]
		}
	}
}

// old returns what a block was called.
func (e exported) old(id courseware.BlockID) courseware.BlockID {
	key, err := e.r.Key.Usage(id.Type, id.Name)
	if err != nil {
		e.t.Fatal(err)
	}
	for _, m := range e.r.Keys {
		if m.New == key.String() {
			u, err := keys.ParseUsage(m.Old)
			if err != nil {
				e.t.Fatal(err)
			}
			return courseware.BlockID{Type: u.Type(), Name: u.ID()}
		}
	}
	e.t.Fatalf("the map lacks %s", key)
	return id
}

// same compares a state with what an archive of it says: everything but what no archive can say.
func (e exported) same(want, got courseware.State) {
	e.t.Helper()
	pairs := [][2]*courseware.Course{{want.Published, got.Published}}
	if want.Draft != nil {
		draft := got.Draft
		if draft == nil {
			draft = got.Published
		}
		pairs = append(pairs, [2]*courseware.Course{want.Draft, draft})
	}
	for i, pair := range pairs {
		reached := map[courseware.BlockID]bool{}
		for b := range pair[0].Walk() {
			reached[b.ID] = true
		}
		for id, b := range pair[0].Blocks {
			again := pair[1].Blocks[id]
			switch {
			case i == 1 && modulestore.IsDirectOnly(id.Type), !reached[id] && !isPage(id):
			case again == nil:
				e.t.Errorf("%s is not in the archive of the conversion", id)
			default:
				if diff := cmp.Diff(e.plain(b), e.plain(again)); diff != "" {
					e.t.Errorf("%s comes back otherwise (-want +got)\n%s", id, diff)
				}
			}
		}
	}
}
