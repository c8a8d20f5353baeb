package convert

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/links"
)

// Report says what a conversion met and did (CV-37). The lists are ordered, so that the same source gives the same bytes.
type Report struct {
	Source string `json:"source"`
	Target string `json:"target"`
	Blocks Counts `json:"blocks"`
	// Anomalies counts by rule what was wrong in the source. A1 to A18 are always there.
	Anomalies map[modulestore.Rule]int `json:"anomalies"`
	Problems  []Problem                `json:"problems"`
	// Children counts, in both views together, children that do not stand where they were listed: that a view lacks (OM-20),
	// that stand elsewhere already, that are pages.
	Children []Problem `json:"children"`
	Links    []Row     `json:"links"` // rows 1 to 10 of modulestore.md §5.4
	// BlockLinks counts the links of each block that has some, kept ones not.
	BlockLinks []BlockLinks `json:"block_links"`
	// KeptLinks are links that stayed as they were though something is wrong with them; no more than a hundred.
	KeptLinks  []KeptLink   `json:"kept_links"`
	References []RefCount   `json:"references"`
	Unknown    []FieldCount `json:"unknown_fields"` // kept as attributes
	Dropped    []Dropped    `json:"dropped_fields"` // no place for them was left; here they are
	Set        []FieldCount `json:"set_fields"`     // said now, and not before
	Wiring     int          `json:"wiring_fields"`  // traces of importers and exporters, left out (OM-15)
	Inert      int          `json:"inert_attributes"`
	Retagged   int          `json:"retagged_bodies"`
	BothScopes []Place      `json:"fields_in_both_scopes"` // what no longer counts (OM-12)
	Broken     []Place      `json:"broken_blocks"`         // kept as they are, and shown as broken
	Unreadable []Place      `json:"unreadable_values"`
	Orphans    []Orphan     `json:"orphans"`
	Pages      int          `json:"pages_copied"` // pages that one view lacked (CV-2)
	LostTabs   []string     `json:"tabs_without_page"`
	Renamed    int          `json:"renamed_blocks"`
	CaseTwins  []string     `json:"names_differing_by_case"`
	Missing    []string     `json:"missing_assets"`
	Formats    []string     `json:"formats_without_grader"`
	// Breaks is what does not go on as before however right the conversion is; none where the key stays.
	Breaks []Break `json:"breaks"`
}

// Counts counts blocks.
type Counts struct {
	Draft     int            `json:"draft"`
	Published int            `json:"published"`
	Private   int            `json:"private"` // never published
	Pages     int            `json:"pages"`
	Inside    int            `json:"inside"` // parts of another block's content
	Types     map[string]int `json:"types"`
}

// Problem is an anomaly with where it was met first.
type Problem struct {
	Rule  modulestore.Rule `json:"rule"`
	Text  string           `json:"text"`
	Count int              `json:"count"`
	First string           `json:"first"`
}

// Row counts the links of one row of modulestore.md §5.4.
type Row struct {
	Row     int `json:"row"`
	Changed int `json:"changed"`
	Kept    int `json:"kept"`
	Odd     int `json:"odd"`    // of both, those with something wrong about them
	Blocks  int `json:"blocks"` // with links that changed
}

// BlockLinks counts the links of a block.
type BlockLinks struct {
	Block string      `json:"block"`
	Rows  map[int]int `json:"rows"`
}

// KeptLink is a link that stayed as it was.
type KeptLink struct {
	Block string `json:"block"`
	Row   int    `json:"row"`
	Link  string `json:"link"`
	Why   string `json:"why"`
}

// RefCount counts references that could not simply be followed.
type RefCount struct {
	Kind  string `json:"kind"`
	Count int    `json:"count"`
	First string `json:"first"`
}

// FieldCount counts a field of a type.
type FieldCount struct {
	Type  string `json:"type"`
	Field string `json:"field"`
	Why   string `json:"why,omitempty"`
	Count int    `json:"count"`
	First string `json:"first"`
}

// Dropped is a field that no element can hold.
type Dropped struct {
	Block string           `json:"block"`
	Field string           `json:"field"`
	Value courseware.Value `json:"value"`
}

// Place is something about a block.
type Place struct {
	Block string `json:"block"`
	What  string `json:"what"`
}

// Orphan is a block that no block lists. It is in the state, and in the store, without a parent.
type Orphan struct {
	Block string `json:"block"`
	View  string `json:"view"`
	Key   string `json:"key"`
}

// Why a field is set that was not.
const (
	setDefault = "default"  // what the old site works out when it loads the block
	setUnique  = "unique"   // a default that follows from the block's key (CV-1)
	setCopied  = "copied"   // came with a copy from a library (SP-28)
	setMoved   = "remapped" // as was asked for
)

// Kinds of references that could not simply be followed.
const (
	refForeign = "foreign" // into another course; kept
	refNowhere = "nowhere" // to a block that is not there
	refBad     = "invalid" // no key at all; kept
)

// maxKept bounds the list of links that stayed.
const maxKept = 100

// notes collects what a report says.
type notes struct {
	tally                        modulestore.Tally
	rows                         [11]Row
	blockRows                    map[courseware.BlockID]map[int]int
	kept                         []KeptLink
	refs                         []RefCount
	unknowns, sets               []FieldCount
	dropped                      []Dropped
	wires, inerts, retags, pages int
	broke, unread, scopes        []Place
	orphans                      []Orphan
	missing                      map[string]bool // names of files that links lead to
	lostTabs                     []string
	seenDropped                  map[Dropped]bool
}

func (n *notes) left(t modulestore.Tally) { n.tally.Merge(t) }

func (n *notes) twoScopes(id courseware.BlockID, f courseware.Field) {
	n.scopes = appendOnce(n.scopes, Place{id.String(), f.Name + ": " + string(f.Value)})
}

func (n *notes) orphan(view string, id courseware.BlockID, ids *namer) {
	n.orphans = append(n.orphans, Orphan{id.String(), view, ids.usage(ids.of[id].id)})
}

func (n *notes) wired()    { n.wires++ }
func (n *notes) inert()    { n.inerts++ }
func (n *notes) retagged() { n.retags++ }
func (n *notes) onePage()  { n.pages++ }

func (n *notes) noFile(name string) {
	if n.missing == nil {
		n.missing = map[string]bool{}
	}
	n.missing[name] = true
}

func (n *notes) tab(slug string) {
	if !slices.Contains(n.lostTabs, slug) {
		n.lostTabs = append(n.lostTabs, slug)
	}
}

func (n *notes) broken(id courseware.BlockID, err error) {
	n.broke = appendOnce(n.broke, Place{id.String(), err.Error()})
}

func (n *notes) unreadable(id courseware.BlockID, f courseware.Field) {
	n.unread = appendOnce(n.unread, Place{id.String(), f.Name + ": " + string(f.Value)})
}

func appendOnce(list []Place, p Place) []Place {
	if slices.Contains(list, p) {
		return list
	}
	return append(list, p)
}

func (n *notes) drop(id courseware.BlockID, field string, v courseware.Value) {
	d := Dropped{id.String(), field, v}
	if n.seenDropped == nil {
		n.seenDropped = map[Dropped]bool{}
	}
	if !n.seenDropped[d] {
		n.seenDropped[d] = true
		n.dropped = append(n.dropped, d)
	}
}

// copiedAway notes a value of a container that came with a copy and counts for the container alone.
func (n *notes) copiedAway(id courseware.BlockID, f courseware.Field) {
	n.drop(id, "default of "+f.Name, f.Value)
}

func (n *notes) unknown(id courseware.BlockID, field string) {
	n.unknowns = count(n.unknowns, id, field, "")
}

func (n *notes) set(id courseware.BlockID, field, why string) { n.sets = count(n.sets, id, field, why) }

func count(list []FieldCount, id courseware.BlockID, field, why string) []FieldCount {
	for i := range list {
		if f := &list[i]; f.Type == id.Type && f.Field == field && f.Why == why {
			f.Count++
			return list
		}
	}
	return append(list, FieldCount{id.Type, field, why, 1, id.String()})
}

func (n *notes) reference(kind, where string) {
	for i := range n.refs {
		if n.refs[i].Kind == kind {
			n.refs[i].Count++
			return
		}
	}
	n.refs = append(n.refs, RefCount{kind, 1, where})
}

func (n *notes) links(id courseware.BlockID, changes []links.Change) {
	for _, ch := range changes {
		row := &n.rows[ch.Row]
		if ch.Why != "" {
			row.Odd++
		}
		if ch.Kept {
			row.Kept++
			if ch.Why != "" && len(n.kept) < maxKept {
				n.kept = append(n.kept, KeptLink{id.String(), ch.Row, ch.Found, ch.Why})
			}
			continue
		}
		row.Changed++
		if n.blockRows == nil {
			n.blockRows = map[courseware.BlockID]map[int]int{}
		}
		if n.blockRows[id] == nil {
			n.blockRows[id] = map[int]int{}
		}
		if n.blockRows[id][ch.Row]++; n.blockRows[id][ch.Row] == 1 {
			row.Blocks++
		}
	}
}

// finish makes the report.
func (c *converter) finish(r *Result) Report {
	n := &c.notes
	out := Report{
		Source: c.src.Name, Target: c.key.String(), Anomalies: map[modulestore.Rule]int{}, KeptLinks: n.kept, References: n.refs,
		Unknown: n.unknowns, Dropped: n.dropped, Set: n.sets, Wiring: n.wires, Inert: n.inerts, Retagged: n.retags, Broken: n.broke,
		Unreadable: n.unread, Orphans: n.orphans, Pages: n.pages, LostTabs: n.lostTabs, BothScopes: n.scopes,
	}
	for i := 1; i <= 18; i++ {
		out.Anomalies[modulestore.Rule("A"+strconv.Itoa(i))] = 0
	}
	for _, p := range c.src.Problems.Problems() {
		out.Anomalies[p.Rule] = p.Count
		out.Problems = append(out.Problems, Problem{p.Rule, p.Rule.Text(), p.Count, p.First})
	}
	for _, p := range n.tally.Problems() {
		text := p.Rule.Text()
		if p.Rule == unpublished {
			text = "child that one view lacks and the other has"
		}
		out.Children = append(out.Children, Problem{p.Rule, text, p.Count, p.First})
	}
	for i := 1; i < len(n.rows); i++ {
		n.rows[i].Row = i
		out.Links = append(out.Links, n.rows[i])
	}
	for id, rows := range n.blockRows {
		out.BlockLinks = append(out.BlockLinks, BlockLinks{id.String(), rows})
	}
	slices.SortFunc(out.BlockLinks, func(a, b BlockLinks) int { return strings.Compare(a.Block, b.Block) })
	for _, list := range [...][]FieldCount{out.Unknown, out.Set} {
		slices.SortFunc(list, func(a, b FieldCount) int {
			return cmp.Or(strings.Compare(a.Type, b.Type), strings.Compare(a.Field, b.Field), strings.Compare(a.Why, b.Why))
		})
	}
	c.count(&out)
	c.breaks(&out, r.State)
	out.Missing = c.files(r.State)
	if c.key.IsCourse() {
		out.Formats = c.formats(r.State)
	}
	out.lists()
	return out
}

// lists makes empty lists of those that are not there, which is what readers of JSON expect.
func (r *Report) lists() {
	r.Problems, r.Children, r.BlockLinks = list(r.Problems), list(r.Children), list(r.BlockLinks)
	r.KeptLinks, r.References, r.Unknown, r.Dropped = list(r.KeptLinks), list(r.References), list(r.Unknown), list(r.Dropped)
	r.Set, r.BothScopes, r.Broken, r.Unreadable = list(r.Set), list(r.BothScopes), list(r.Broken), list(r.Unreadable)
	r.Orphans, r.LostTabs, r.CaseTwins, r.Missing = list(r.Orphans), list(r.LostTabs), list(r.CaseTwins), list(r.Missing)
	r.Formats, r.Breaks = list(r.Formats), list(r.Breaks)
}

func list[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
