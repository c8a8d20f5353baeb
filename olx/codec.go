package olx

import (
	"bytes"
	"slices"
	"strings"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/olx/fields"
	"github.com/openlectern/lectern/olx/pyjson"
	"github.com/openlectern/lectern/olx/xmltree"
)

// The names of the files a block is stored as (design.md §4).
const (
	BlockFile  = "block.xml"   // the block's own element, without child blocks and url_name
	BodyFile   = "body.html"   // the exact bytes of an html block, or of a detached one
	PolicyFile = "policy.json" // of a course root: the settings that are never attributes
	SourceFile = "source.json" // of an opaque block: how its source held it
)

// File is one of the files a block is stored as.
type File struct {
	Path string
	Data []byte
}

// EncodeBlock returns the files a block is stored as, sorted by path. They depend on nothing but the block: not on its
// place, its name or its course, so a block that moves keeps its bytes. Keys of its own course in a block's settings are
// the exception; [Move] changes those.
//
// A field of a detached block is a file of its own, named after it.
func EncodeBlock(b *courseware.Block) ([]File, error) {
	spec := fields.Lookup(b.ID.Type)
	switch {
	case b.ID.Type == "":
		return nil, fault.Errorf(fault.Internal, b.ID.String(), "a block without type cannot be written")
	case b.Opaque || spec == nil:
		return encodeOpaque(b)
	case spec.Class == fields.Detached:
		return encodeDetached(b)
	}
	e, err := printer{}.element(b, spec)
	if err != nil {
		return nil, err
	}
	files := []File{{BlockFile, e.join(nil).File()}}
	if spec.Body == fields.HTML {
		body, err := b.Data.Read()
		if err != nil {
			return nil, err
		}
		files = append(files, File{BodyFile, nonNil(body)})
	}
	if policy := policyOnly(b, spec); len(policy.Keys) > 0 {
		files = append(files, File{PolicyFile, policy.File()})
	}
	return files, nil
}

// DecodeBlock is the inverse of EncodeBlock: of the files that it returns, and of those that another program may have
// stored as a component of the same kind. Of the children only the ids are in the caller's store.
func DecodeBlock(id courseware.BlockID, files []File, children []courseware.BlockID) (*courseware.Block, error) {
	spec := fields.Lookup(id.Type)
	if source, ok := find(files, SourceFile); ok || spec == nil {
		return decodeOpaque(id, files, source)
	}
	if spec.Class == fields.Detached {
		return decodeDetached(id, files)
	}
	src, ok := find(files, BlockFile)
	if !ok {
		return nil, fault.Errorf(fault.Invalid, id.String(), "the block has no %s", BlockFile)
	}
	doc, err := xmltree.Parse(BlockFile, src, xmltree.Limits{})
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, id.String(), "%w", err)
	}
	if tag := doc.Root.Name.String(); tag != id.Type {
		return nil, fault.Errorf(fault.Invalid, id.String(), "its %s holds a %s", BlockFile, tag)
	}
	b, inside := decoder{note: ignore}.element(doc.Root, spec)
	if len(inside) > 0 {
		return nil, fault.Errorf(fault.Invalid, id.String(), "its %s holds a child block on line %d", BlockFile, inside[0].Line())
	}
	b.ID, b.Children = id, slices.Clone(children)
	if body, ok := find(files, BodyFile); ok && spec.Body == fields.HTML {
		b.Data = courseware.Bytes(nonNil(body))
	}
	if policy, ok := find(files, PolicyFile); ok {
		settings, _, err := pyjson.Parse(string(policy))
		if err != nil || settings.Kind != pyjson.Object {
			return nil, fault.Errorf(fault.Invalid, id.String(), "its %s is not a JSON object", PolicyFile)
		}
		decoder{note: ignore}.merge(b, spec, settings, PolicyFile, 1)
		sortFields(b, spec)
	}
	return b, nil
}

func ignore(courseware.Finding) {}

func find(files []File, path string) ([]byte, bool) {
	for _, f := range files {
		if f.Path == path {
			return f.Data, true
		}
	}
	return nil, false
}

// policyOnly returns the settings of a block that are never attributes.
func policyOnly(b *courseware.Block, spec *fields.Block) pyjson.Value {
	v := pyjson.Value{Kind: pyjson.Object}
	for _, bf := range b.Fields {
		if f, _ := spec.Field(bf.Name); f.PolicyOnly {
			v = v.With(bf.Name, fields.Parse(fields.Normal(f.Type, bf.Value)))
		}
	}
	return v
}

// encodeOpaque stores the element as it is, with a note of where its source had it.
func encodeOpaque(b *courseware.Block) ([]File, error) {
	data, err := b.Data.Read()
	form := "inline"
	if b.Form == courseware.FormFile {
		form = "file"
	}
	source := pyjson.Value{Kind: pyjson.Object}.With("form", pyjson.Str(form))
	return []File{{BlockFile, nonNil(data)}, {SourceFile, source.File()}}, err
}

func decodeOpaque(id courseware.BlockID, files []File, source []byte) (*courseware.Block, error) {
	data, ok := find(files, BlockFile)
	if !ok {
		return nil, fault.Errorf(fault.Invalid, id.String(), "the block has no %s", BlockFile)
	}
	b := &courseware.Block{ID: id, Opaque: true, Form: courseware.FormInline, Data: courseware.Bytes(nonNil(data))}
	if source == nil {
		b.Data = courseware.Bytes(bytes.TrimRight(nonNil(data), "\n")) // stored by another program, which ends files with a line end
		return b, nil
	}
	v, _, err := pyjson.Parse(string(source))
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, id.String(), "its %s is not JSON", SourceFile)
	}
	if form, _ := v.Lookup("form"); form.Text == "file" {
		b.Form = courseware.FormFile
	}
	return b, nil
}

func encodeDetached(b *courseware.Block) ([]File, error) {
	var files []File
	body, err := b.Data.Read()
	if err != nil {
		return nil, err
	}
	if body != nil {
		files = append(files, File{BodyFile, nonNil(body)})
	}
	for _, f := range b.Fields {
		files = append(files, File{f.Name + ".json", fields.Parse(f.Value).File()})
	}
	slices.SortFunc(files, func(x, y File) int { return strings.Compare(x.Path, y.Path) })
	return files, nil
}

func decodeDetached(id courseware.BlockID, files []File) (*courseware.Block, error) {
	b := &courseware.Block{ID: id}
	for _, f := range files {
		if f.Path == BodyFile {
			b.Data = courseware.Bytes(nonNil(f.Data))
			continue
		}
		name, ok := strings.CutSuffix(f.Path, ".json")
		if !ok {
			continue
		}
		v, _, err := pyjson.Parse(string(f.Data))
		if err != nil {
			return nil, fault.Errorf(fault.Invalid, id.String(), "its %s is not JSON", f.Path)
		}
		b.Fields = append(b.Fields, courseware.Field{Name: name, Value: fields.Value(v.Sorted())})
	}
	sortFields(b, fields.Lookup(id.Type))
	return b, nil
}
