package split

import (
	"context"
	"errors"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/bson"
	"github.com/openlectern/lectern/modulestore/gridfs"
)

// Indexes reads the index rows of a source. problems are by the names of rows.
func Indexes(ctx context.Context, src modulestore.Source, bad func(collection string, err error) error) (all []Index, problems map[string]*modulestore.Tally, err error) {
	c := NewCensus(nil)
	err = src.Scan(ctx, modulestore.Pass{
		Want: func(collection string) bool { return collection == modulestore.CollectionIndexes }, Bad: bad,
		Doc: func(_ string, d bson.Doc) error {
			c.AddIndex(d)
			return nil
		},
	})
	return c.indexes, c.rows, err
}

// Store holds structures and their definitions, ready to be loaded as branches. Not safe for concurrent use.
type Store struct {
	shelf       modulestore.Shelf
	structures  map[modulestore.ID]modulestore.Slot
	definitions map[modulestore.ID]modulestore.Slot
	surveyor    *surveyor
}

// Read fetches structures, and the definitions that their blocks name. What the source lacks is told of when a branch of it is
// loaded; bad is told of what cannot be read, by its collection, and where it is nil or returns an error that ends it.
func Read(ctx context.Context, src modulestore.Source, versions []modulestore.ID, bad func(collection string, err error) error) (*Store, error) {
	s := &Store{structures: map[modulestore.ID]modulestore.Slot{}, definitions: map[modulestore.ID]modulestore.Slot{}, surveyor: newSurveyor()}
	wanted := map[modulestore.ID]bool{}
	for _, id := range versions {
		wanted[id] = true
	}
	named := map[modulestore.ID]bool{}
	tell := func(collection string) func(error) error {
		if bad == nil {
			return nil
		}
		return func(err error) error { return bad(collection, err) }
	}
	fetch := func(collection string, ids map[modulestore.ID]bool, into map[modulestore.ID]modulestore.Slot, also func(bson.Doc)) error {
		return src.Find(ctx, collection, ids, func(d bson.Doc) error {
			slot, err := s.shelf.Put(d)
			into[modulestore.IDOf(d.Lookup("_id"))] = slot
			also(d)
			return err
		}, tell(collection))
	}
	err := fetch(modulestore.CollectionStructures, wanted, s.structures, func(d bson.Doc) {
		h, _ := headerOf(d)
		for _, v := range h.blocks.All() {
			block, _ := v.Doc()
			if id := modulestore.IDOf(block.Lookup("definition")); !id.IsZero() {
				named[id] = true
			}
		}
	})
	if err == nil {
		err = fetch(modulestore.CollectionDefinitions, named, s.definitions, func(bson.Doc) {})
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Close gives the shelf back. What was loaded stays.
func (s *Store) Close() error { return s.shelf.Close() }

// Loaded is a branch with what was wrong on the way to it.
type Loaded struct {
	*modulestore.Branch
	// Structure is what a census says of the structure too, Content what its definitions alone show.
	Structure, Content modulestore.Tally
	// Assets is the asset metadata of the structure (SP-31).
	Assets []gridfs.Asset
}

// Load reads a structure as a branch of a course or library, whose key references to other blocks are written with. A
// structure that is not in the source is not found, one in the form of 2013 is invalid (SP-17).
func (s *Store) Load(of keys.Course, version modulestore.ID) (*Loaded, error) {
	h, err := s.header(of, version)
	if err != nil {
		return nil, err
	}
	o, err := s.surveyor.outline(h)
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, of.String(), "structure %s: %w", version, err)
	}
	l := loader{store: s, of: of}
	// The surveyor has the entries of this structure, each block once.
	blocks := make([]*modulestore.Block, len(s.surveyor.entries))
	all := make([]modulestore.Block, len(blocks))
	for i := range blocks {
		blocks[i] = &all[i]
		if err := l.block(&s.surveyor.entries[i], blocks[i]); err != nil {
			return nil, err
		}
	}
	return &Loaded{modulestore.NewBranch(h.root, version, blocks), o.problems, l.tally, gridfs.AssetsOf(h.assets)}, nil
}

// header reads a structure up to its blocks.
func (s *Store) header(of keys.Course, version modulestore.ID) (header, error) {
	slot, ok := s.structures[version]
	if !ok {
		return header{}, fault.Errorf(fault.NotFound, of.String(), "its structure %s is not in the source", version).
			WithNext("dump the site again, or read it live")
	}
	d, err := s.shelf.Doc(slot)
	if err != nil {
		return header{}, err
	}
	h, err := headerOf(d)
	if err != nil {
		return h, fault.Errorf(fault.Invalid, of.String(), "structure %s: %w", version, err)
	}
	return h, nil
}

// loader makes the blocks of one structure.
type loader struct {
	store *Store
	of    keys.Course
	tally modulestore.Tally
}

func (l *loader) block(e *entry, b *modulestore.Block) error {
	b.ID = courseware.BlockID{Type: string(e.kind), Name: string(e.name)}
	b.Listed = e.listed
	for _, v := range e.children.All() {
		if id, ok := pairOf(v); ok {
			b.Children = append(b.Children, id)
		}
	}
	settings, _ := e.fields.Doc()
	b.Settings = l.fields(b.ID.Type, settings)
	defaults, _ := e.defaults.Doc()
	b.Defaults = l.fields(b.ID.Type, defaults)
	asides, _ := e.asides.Doc()
	if e.asides.Type == bson.Array {
		for _, v := range asides.All() {
			aside, _ := v.Doc()
			in, _ := aside.Lookup("fields").Doc()
			f, _ := modulestore.FieldsOf(in)
			b.Asides = append(b.Asides, modulestore.Aside{Type: aside.Lookup("aside_type").String(), Fields: f})
		}
	}
	b.Edit = editOf(e)
	if e.definition.IsZero() {
		return nil
	}
	slot, ok := l.store.definitions[e.definition]
	if !ok {
		l.tally.Add(modulestore.MissingDefinition, b.ID.String())
		return nil
	}
	d, err := l.store.shelf.Doc(slot)
	if err != nil {
		return err
	}
	content, _ := d.Lookup("fields").Doc()
	b.Content = l.fields(b.ID.Type, content)
	if !d.Clean() {
		l.tally.Add(modulestore.UncleanText, b.ID.String())
	}
	for _, f := range b.Content {
		if _, both := b.Settings.Lookup(f.Name); both {
			l.tally.Add(modulestore.BothScopes, b.ID.String()+", "+f.Name)
		}
	}
	old, _ := d.Lookup("aside_fields").Doc()
	for kind, v := range old.All() {
		in, _ := v.Doc()
		f, _ := modulestore.FieldsOf(in)
		b.Asides = append(b.Asides, modulestore.Aside{Type: string(kind), Fields: f})
	}
	return nil
}

func editOf(e *entry) (out modulestore.Edit) {
	out.Version, out.Previous, out.Source, out.OriginalVersion, out.Definition = e.update, e.previous, e.source, e.originalVer, e.definition
	info, _ := e.edit.Doc()
	for key, v := range info.All() {
		switch string(key) {
		case "edited_on":
			out.On, _ = v.Time()
		case "edited_by":
			out.By = modulestore.Person(v)
		case "original_usage":
			out.Original = v.String()
		}
	}
	return out
}

// fields reads the fields of a block but its children, with references as keys.
func (l *loader) fields(blockType string, d bson.Doc) courseware.Fields {
	f, _ := modulestore.FieldsOf(d)
	n := 0
	for _, field := range f {
		if field.Name == "children" {
			continue
		}
		if isReference(blockType, field.Name) {
			field.Value = l.references(d.Lookup(field.Name), field.Value)
		}
		f[n] = field
		n++
	}
	return f[:n]
}

// isReference reports whether a field holds references to blocks, which are stored as pairs of type and id and look like any
// other list (SP-15).
func isReference(blockType, name string) bool {
	switch blockType {
	case "conditional":
		return name == "sources_list" || name == "show_tag_list"
	case "split_test":
		return name == "group_id_to_child"
	}
	return false
}

// references writes the pairs in a value as keys: a list of them, or an object with one under each name. What is no pair
// stays as it is.
func (l *loader) references(v bson.Value, as courseware.Value) courseware.Value {
	d, ok := v.Doc()
	if !ok {
		return as
	}
	open, end := "[", "]"
	if v.Type == bson.Document {
		open, end = "{", "}"
	}
	out := []byte(open)
	for name, item := range d.All() {
		if len(out) > 1 {
			out = append(out, ", "...)
		}
		if v.Type == bson.Document {
			out = append(append(out, courseware.Text(string(name))...), ": "...)
		}
		if id, ok := pairOf(item); ok {
			if key, err := l.of.Usage(id.Type, id.Name); err == nil {
				out = append(out, courseware.Text(key.String())...)
				continue
			}
		}
		out, _ = bson.AppendJSON(out, item)
	}
	return courseware.Value(append(out, end...))
}
