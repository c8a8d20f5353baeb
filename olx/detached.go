package olx

import (
	"path"
	"strings"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/olx/fields"
)

// detachedFolders are the folders of detached blocks and what is in them (olx.md §1.2, §1.14).
var detachedFolders = [...]struct{ dir, blockType, suffix string }{
	{"info", courseware.TypeCourseInfo, ".html"},
	{"tabs", courseware.TypeStaticTab, ".html"},
	{"custom_tags", courseware.TypeCustomTagTemplate, ""},
	{"about", courseware.TypeAbout, ".html"},
}

// readDetached reads the detached blocks, those in the folder of the run over the others.
func (l *loader) readDetached() {
	for _, f := range detachedFolders {
		var own []string
		for _, name := range l.a.Under(f.dir) {
			switch rest := name[len(f.dir)+1:]; {
			case !strings.Contains(rest, "/"):
				l.detachedFile(f.blockType, name)
			case strings.HasPrefix(rest, l.run+"/") && !strings.Contains(rest[len(l.run)+1:], "/"):
				own = append(own, name)
			}
		}
		for _, name := range own {
			l.detachedFile(f.blockType, name)
		}
	}
	for id, b := range l.course.Blocks {
		sortFields(b, fields.Lookup(id.Type))
	}
}

// detachedFile reads one file: slug.field.json is a field of the block, other JSON nothing, any other file its data.
func (l *loader) detachedFile(blockType, name string) {
	base := path.Base(name)
	if isJunk(base) {
		return
	}
	parts := strings.Split(base, ".")
	if parts[len(parts)-1] == "json" {
		if len(parts) != 3 || parts[0] == "" || parts[1] == "data" || parts[1] == "metadata" {
			return
		}
		b := l.detached(blockType, parts[0], name)
		v, p := l.json(name)
		if p != nil {
			l.fail(p)
			return
		}
		value, _ := v.Sorted().Strings(l.move.links.value)
		setField(b, parts[1], fields.Value(value))
		return
	}
	slug := base
	if i := strings.LastIndexByte(base, '.'); i > 0 {
		slug = base[:i]
	}
	data, p := l.text(name)
	if p != nil {
		l.fail(p)
	}
	if data != nil {
		l.detached(blockType, slug, name).Data = l.keep([]byte(l.move.links.text(string(nonNil(data)))))
	}
}

// detached returns the block of a slug, which is made at need.
func (l *loader) detached(blockType, slug, file string) *courseware.Block {
	id := courseware.BlockID{Type: blockType, Name: validID(slug)}
	if id.Name != slug {
		l.note().warn(file, 0, ruleName, "use letters, digits and _ - ~ . : in names",
			"the name %q cannot be the id of a block; it is now named %s", slug, id.Name)
	}
	b := l.course.Blocks[id]
	if b == nil {
		b = &courseware.Block{ID: id}
		l.course.Blocks[id] = b
		l.res.Places[id] = Place{File: file}
	}
	return b
}

// detached adds the files that detached blocks are in an archive.
func (x *exporter) detached() {
	for id, b := range x.course.Blocks {
		for _, f := range detachedFolders {
			if f.blockType != id.Type || b.Opaque {
				continue
			}
			stem := f.dir + "/" + id.Name
			if !b.Data.None() {
				suffix := f.suffix
				if suffix == "" && strings.LastIndexByte(id.Name, '.') > 0 {
					suffix = ".html" // or what follows the dot would be taken for the suffix
				}
				x.add(stem+suffix, x.data(b))
			}
			for _, field := range b.Fields {
				x.add(stem+"."+field.Name+".json", fields.Parse(field.Value).File())
			}
		}
	}
}
