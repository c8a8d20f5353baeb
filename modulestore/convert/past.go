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
	root   courseware.BlockID
	blocks []*modulestore.Block // of the branch, by id
	tree   *courseware.Course
	ids    *namer
	places *places
	made   map[courseware.BlockID]pastMade // by old ids
	links  *links.Rewriter
	folded bool // some blocks are parts of the content of others
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
	now, err := p.edited(&src)
	if now == nil && err == nil {
		now, err = p.whole(&src)
	}
	if err != nil {
		return nil, err
	}
	p.last = slices.Insert(p.last, 0, now)
	p.last = p.last[:min(len(p.last), pastKept)]
	tree := *now.tree
	return &tree, nil
}

// whole converts a version that may differ from the last ones in everything.
func (p *Past) whole(src *Source) (*pastVersion, error) {
	c := bareConverter(src, p.o, p.key)
	if err := c.ids.check(); err != nil {
		return nil, err
	}
	c.spool = p.spool
	branch := src.Draft
	now := &pastVersion{root: branch.Root, blocks: slices.Collect(branch.Blocks()), ids: c.ids, made: make(map[courseware.BlockID]pastMade, branch.Len())}
	alike := make([]bool, len(p.last)) // in which versions all blocks have the names of now
	for i, was := range p.last {
		if alike[i] = maps.Equal(was.ids.of, c.ids.of); alike[i] {
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
			if ok && was.ids.of[b.ID] == c.ids.of[b.ID] && sameSource(m.from, b) && (alike[i] || !m.linked && c.ids.answers(m.asked)) {
				c.made[b] = m.made
				break
			}
		}
	}
	var err error
	if now.tree, now.places, err = c.placed(viewDraft, branch); err != nil {
		return nil, err
	}
	now.tree.Assets, now.folded = nil, len(c.inside) > 0
	for b, m := range c.made {
		now.made[b.ID] = pastMade{b, m}
	}
	return now, nil
}

// edited converts a version that has the blocks of one of the last ones in the same places, so that names and places are what they
// were; nil where there is none.
func (p *Past) edited(src *Source) (*pastVersion, error) {
	branch, blocks := src.Draft, slices.Collect(src.Draft.Blocks())
	i := slices.IndexFunc(p.last, func(was *pastVersion) bool {
		return !was.folded && was.root == branch.Root && slices.EqualFunc(was.blocks, blocks, sameShape)
	})
	if i < 0 {
		return nil, nil
	}
	was := p.last[i]
	now := &pastVersion{root: was.root, blocks: blocks, ids: was.ids, links: was.links, made: maps.Clone(was.made)}
	tree := *was.tree
	tree.Blocks = maps.Clone(was.tree.Blocks)
	at := *was.places
	at.branch = branch
	now.tree, now.places = &tree, &at
	c := &converter{src: src, o: p.o, key: p.key, ids: &namer{src: src, key: p.key, of: was.ids.of, list: was.ids.list}, spool: p.spool,
		made: map[*modulestore.Block]*made{}, inside: map[courseware.BlockID]bool{}}
	c.texts = &texts{c: c, names: p.names, links: was.links}
	v := &viewing{converter: c, name: viewDraft, p: &at, out: &tree, gone: map[courseware.BlockID]bool{}}
	for i, b := range blocks {
		// What came with a copy may count or not by what is said above.
		if was.blocks[i] == b && len(b.Defaults) == 0 {
			continue
		}
		if m, ok := was.made[b.ID]; ok && sameSource(m.from, b) {
			c.made[b] = m.made
		}
		m, err := v.block(b)
		if err != nil {
			return nil, err
		}
		if len(c.inside) > 0 {
			return nil, nil
		}
		now.made[b.ID] = pastMade{b, c.made[b]}
		if tree.Blocks[m.block.ID] = m.block; b.ID == branch.Root {
			tree.GradingPolicy = m.grading
		}
	}
	return now, nil
}

// sameShape reports whether two blocks are one, and list the same.
func sameShape(a, b *modulestore.Block) bool {
	return a == b || a.ID == b.ID && slices.Equal(a.Children, b.Children)
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
