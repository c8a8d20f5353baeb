package migrator

import (
	"maps"
	"slices"
	"strings"

	"github.com/openlectern/lectern/content/containers"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/olx"
	"github.com/openlectern/lectern/olx/fields"
)

// Previous says which entity of a library earlier migrations made of a block of the source, by usage key (P0).
type Previous map[string]publishing.EntityID

// Action is what becomes of a block.
type Action string

// The actions.
const (
	Create  Action = "create"  // a new entity
	Change  Action = "update"  // a new version of the entity that it became before
	Restore Action = "restore" // the same, of one that was deleted
	Same    Action = "same"    // it is already as in the source: a row and no version
	Leave   Action = "skip"    // it is there and is not looked at: no row
	Refuse  Action = "refuse"  // it cannot be in a library: a row without a target
)

// Step is what becomes of one block.
type Step struct {
	Block  courseware.BlockID
	Key    string // usage key in the source
	Kind   string // type code of a container, "" of a component
	Code   string // the id in the library; "" if refused
	Title  string
	Action Action
	Reason *Reason // why it was refused, or what it lacks

	entity   publishing.EntityID // that it is; 0 for what is created, until it is
	children []*Step             // of a container: what goes into it
}

// Type returns the block type of a component or the type code of a container in the library.
func (s *Step) Type() string {
	if s.Kind != "" {
		return s.Kind
	}
	return s.Block.Type
}

// Plan is what becomes of a source in a library.
type Plan struct {
	Source Source
	// Steps are in document order, parents first.
	Steps []*Step
	// Unidentified counts blocks that no usage key can name: they are left out and have no row (W5).
	Unidentified int
	// Misplaced counts blocks that are in the library but not in the container made of their parent, whose type does not
	// take them.
	Misplaced int
	// Limit is that of the library, Live how many live entities it will have.
	Limit, Live int

	assets *assets
}

// Over reports whether the library would hold more than it may (U6).
func (p *Plan) Over() bool { return p.Limit >= 0 && p.Live > p.Limit }

// Writes reports whether anything in the library would change.
func (p *Plan) Writes() bool {
	return slices.ContainsFunc(p.Steps, func(s *Step) bool { return s.writes() })
}

func (s *Step) writes() bool { return s.Action == Create || s.Action == Change || s.Action == Restore }

// kinds are the containers that blocks become, with their levels.
var kinds = map[string]struct {
	code  string
	level Level
}{
	"vertical":   {containers.Unit, Unit},
	"sequential": {containers.Subsection, Subsection},
	"chapter":    {containers.Section, Section},
}

// maxTitle is how long the title of a version may be.
const maxTitle = 500

// Make decides what becomes of each block of a source, by the algorithm of migrator.md §4 to §7. It changes nothing, and the
// same arguments give the same plan. It fails where no id is left for a block (I4) and where text that is not in memory
// cannot be read. The limit is not checked: see [Plan.Over].
func Make(src Source, lib *Library, previous Previous, o Options) (*Plan, error) {
	m := &maker{
		plan: &Plan{Source: src, Limit: o.limit(), Live: lib.live, assets: newAssets(src.Tree)},
		src:  src.Tree, key: src.Key, lib: lib, previous: previous, o: o,
		codes: make(codes, len(lib.codes)), done: map[courseware.BlockID]*Step{},
	}
	for kind, set := range lib.codes {
		m.codes[kind] = maps.Clone(set)
	}
	root := src.Tree.Blocks[src.Tree.Root]
	if root == nil {
		return nil, fault.Errorf(fault.NotFound, src.Key.String(), "nothing of it is published").WithNext("publish it first")
	}
	if _, err := m.children(root); err != nil {
		return nil, err
	}
	return m.plan, nil
}

type maker struct {
	plan     *Plan
	src      *courseware.Course
	key      keys.Course
	lib      *Library
	previous Previous
	o        Options
	codes    codes
	done     map[courseware.BlockID]*Step // nil for what is no step or not finished
}

// children walks the children of a block, in order, and returns what they became.
func (m *maker) children(b *courseware.Block) ([]*Step, error) {
	var out []*Step
	for _, id := range b.Children {
		s, err := m.walk(id)
		if err != nil {
			return nil, err
		}
		if s != nil && s.Action != Refuse {
			out = append(out, s)
		}
	}
	return out, nil
}

// walk returns what a block becomes, nil where that is nothing by itself.
func (m *maker) walk(id courseware.BlockID) (*Step, error) {
	if s, seen := m.done[id]; seen {
		return s, nil
	}
	m.done[id] = nil // a block that holds itself ends here
	b := m.src.Blocks[id]
	switch {
	case b == nil || id.Type == "wiki":
		return nil, nil
	case id.Type == "course" || id.Type == "library":
		_, err := m.children(b)
		return nil, err
	}
	kind, container := kinds[id.Type]
	if container && kind.level > m.o.Level {
		_, err := m.children(b)
		return nil, err
	}
	s := &Step{Block: id, Kind: kind.code, Title: title(b)}
	usage, err := m.key.Usage(id.Type, id.Name)
	if id.Name == "" || err != nil || len([]rune(usage.String())) > maxKey {
		m.plan.Unidentified++
		if container { // what is in it can be named all the same
			_, err := m.children(b)
			return nil, err
		}
		return nil, nil
	}
	s.Key = usage.String()
	m.plan.Steps = append(m.plan.Steps, s) // before its children
	if container {
		err = m.container(s, b)
	} else {
		err = m.component(s, b)
	}
	m.done[id] = s
	return s, err
}

// maxKey is how long a usage key may be in a row.
const maxKey = 255

func title(b *courseware.Block) string {
	t := strings.ReplaceAll(b.Title(), "\x00", "")
	if t == "" {
		t = b.ID.Name
	}
	if rs := []rune(t); len(rs) > maxTitle {
		return string(rs[:maxTitle])
	}
	return t
}

// mapped returns the entity that a step became before and is again, nil for none (I1).
func (m *maker) mapped(s *Step) *entity {
	if m.o.Repeat == Fork {
		return nil
	}
	if e := m.lib.entities[m.previous[s.Key]]; e != nil && e.container == (s.Kind != "") && e.kind == s.Type() {
		return e
	}
	return nil
}

// place decides which entity a step is: the one that it became before, or a new one under a new id (I1 to I6). It returns
// the present one, nil for a new one.
func (m *maker) place(s *Step) (*entity, error) {
	if e := m.mapped(s); e != nil {
		s.entity, s.Code = m.previous[s.Key], e.code
		return e, nil
	}
	kind := s.Block.Type
	if s.Kind != "" {
		kind = ""
	}
	var err error
	s.Code, err = m.codes.take(kind, m.o.base(s.Type(), s.Block.Name, s.Title))
	if err != nil {
		err = fault.Errorf(fault.KindOf(err), s.Key, "%w", err).WithNext("give the blocks of the source titles that differ")
	}
	s.Action = Create
	m.plan.Live++
	return nil, err
}

// repeat decides what becomes of an entity that is there; it reports whether that depends on its content.
func (m *maker) repeat(s *Step, e *entity) (compare bool) {
	switch {
	case !e.live:
		s.Action = Restore
		m.plan.Live++
	case m.o.Repeat == Skip:
		s.Action = Leave
	default:
		s.Action = Change
		return true
	}
	return false
}

func (m *maker) component(s *Step, b *courseware.Block) error {
	if m.mapped(s) == nil { // else it was judged before (U5)
		if s.Reason = m.refuse(b); s.Reason != nil {
			s.Action = Refuse
			return nil
		}
	}
	e, err := m.place(s)
	if err != nil {
		return err
	}
	compare := e != nil && m.repeat(s, e)
	if s.Action == Leave {
		return nil
	}
	text, files, missing, err := m.plan.content(b)
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		s.Reason = missingFiles(missing)
	}
	if !compare || e.title != s.Title {
		return nil
	}
	same, err := m.plan.assets.same(e.files, text, files)
	if same {
		s.Action = Same
	}
	return err
}

// refuse returns why a block cannot be in a library, nil if it can (U1 to U3, U8).
func (m *maker) refuse(b *courseware.Block) *Reason {
	spec := fields.Lookup(b.ID.Type)
	switch {
	case spec == nil || spec.Class == fields.Detached:
		if _, template := fields.Alias(b.ID.Type); !template {
			return notInstalled(b.ID.Type)
		}
	case b.Container || olx.HoldsBlocks(b.ID.Type) || len(b.Children) > 0:
		return hasChildren(b.ID.Type, b.ID.Name, len(b.Children))
	case m.o.Types != nil && !m.o.Types[b.ID.Type]:
		return notEnabled(b.ID.Type)
	case b.Opaque:
		return invalidOLX(b.ID.Type, b.ID.Name, "")
	}
	text, err := olxOf(b)
	if err == nil {
		_, err = olx.ParseBlock(text, b.ID.String())
	}
	if fault.Is(err, fault.Invalid) {
		return invalidOLX(b.ID.Type, b.ID.Name, err.Error())
	}
	return nil // what else is wrong shows when it is written
}

func (m *maker) container(s *Step, b *courseware.Block) error {
	all, err := m.children(b)
	if err != nil {
		return err
	}
	for _, c := range all {
		if !takes(s.Kind, c.Kind) {
			m.plan.Misplaced++
			continue
		}
		s.children = append(s.children, c)
	}
	e, err := m.place(s)
	if err != nil || e == nil {
		return err
	}
	if m.repeat(s, e) && e.title == s.Title && !e.pinned && slices.EqualFunc(e.children, s.children, func(id publishing.EntityID, c *Step) bool {
		return c.entity == id
	}) {
		s.Action = Same
	}
	return nil
}

// takes reports whether a container of a type holds things of another; "" are components (content-model.md §11).
func takes(kind, child string) bool {
	switch kind {
	case containers.Unit:
		return child == ""
	case containers.Subsection:
		return child == containers.Unit
	default:
		return child == containers.Subsection
	}
}

// olxOf returns a block as the OLX of a component: its own element without its name (W11).
func olxOf(b *courseware.Block) ([]byte, error) {
	plain := *b
	plain.ID.Name = ""
	return olx.PrintBlock(&plain)
}

// content returns what a component is stored as: its OLX, its files, and the names of files that are not there.
func (p *Plan) content(b *courseware.Block) (text []byte, files []attached, missing []string, err error) {
	if text, err = olxOf(b); err != nil {
		return nil, nil, nil, err
	}
	text, files, missing = p.assets.attach(text)
	return text, files, missing, nil
}
