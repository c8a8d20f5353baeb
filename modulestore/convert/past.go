package convert

import (
	"maps"
	"slices"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/links"
)

// Past converts the versions of one course one after the other, each into what [Convert] makes of it alone, without static files,
// map of keys and report. Blocks that say what they said in one of the last versions are not made again: the trees share them. Not safe
// for concurrent use.
type Past struct {
	src   Source
	o     Options
	key   keys.Course
	spool *courseware.Spool
	names map[string]bool // of files
	last  []*pastVersion  // the newest first
}

// pastKept is how many versions are kept to be compared with: one of each branch, as a rule.
const pastKept = 2

// pastVersion is a version that was converted.
type pastVersion struct {
	of    map[courseware.BlockID]naming
	made  map[courseware.BlockID]pastMade // by old ids
	links *links.Rewriter
}

type pastMade struct {
	from *modulestore.Block
	*made
}

// NewPast begins with no version. The branches of src do not matter.
func NewPast(src Source, o Options) (*Past, error) {
	key, err := target(&src, o)
	return &Past{src: src, o: o, key: key, spool: &courseware.Spool{}, names: fileNames(src.Assets)}, err
}

// Convert converts a version, failing as [Convert] does. The tree, of which nothing must be changed, is that of both views.
func (p *Past) Convert(branch *modulestore.Branch) (*courseware.Course, error) {
	src := p.src
	src.Draft, src.Published = branch, branch
	if branch == nil || branch.Block(branch.Root) == nil {
		return nil, noRoot(src.Name)
	}
	c := bareConverter(&src, p.o, p.key)
	if err := c.ids.check(); err != nil {
		return nil, err
	}
	c.spool = p.spool
	now := &pastVersion{of: c.ids.of, made: make(map[courseware.BlockID]pastMade, branch.Len())}
	alike := make([]bool, len(p.last)) // in which versions all blocks have the names of now
	for i, was := range p.last {
		if alike[i] = maps.Equal(was.of, now.of); alike[i] {
			now.links = was.links
		}
	}
	c.texts = &texts{c: c, names: p.names, links: now.links}
	if c.key != c.src.Key && now.links == nil {
		c.texts.links = links.New(c.texts.course())
		now.links = c.texts.links
	}
	for b := range branch.Blocks() {
		for i, was := range p.last {
			m, ok := was.made[b.ID]
			if ok && was.of[b.ID] == now.of[b.ID] && sameSource(m.from, b) && (alike[i] || !m.linked && c.ids.answers(m.asked)) {
				c.made[b] = m.made
				break
			}
		}
	}
	tree, err := c.view(viewDraft, branch)
	if err != nil {
		return nil, err
	}
	tree.Assets = nil
	for b, m := range c.made {
		now.made[b.ID] = pastMade{b, m}
	}
	p.last = slices.Insert(p.last, 0, now)
	p.last = p.last[:min(len(p.last), pastKept)]
	return tree, nil
}

// answers reports whether blocks are called what they were called.
func (n *namer) answers(asked []answer) bool {
	for _, a := range asked {
		if now, ok := n.of[a.of]; now.id != a.now || ok != a.ok {
			return false
		}
	}
	return true
}

// sameSource reports whether two blocks are converted alike, whoever wrote them and whatever they list.
func sameSource(a, b *modulestore.Block) bool {
	return a == b || slices.Equal(a.Content, b.Content) && slices.Equal(a.Settings, b.Settings) && slices.Equal(a.Defaults, b.Defaults) &&
		slices.EqualFunc(a.Asides, b.Asides, func(x, y modulestore.Aside) bool { return x.Type == y.Type && slices.Equal(x.Fields, y.Fields) })
}

func noRoot(name string) error {
	return fault.Errorf(fault.Invalid, name, "there is no root block to begin with").WithNext("look at it with: lectern legacy report")
}
