package backup

import (
	"bytes"
	"strings"
	"time"

	"github.com/openlectern/lectern/content/components"
	"github.com/openlectern/lectern/content/containers"
	"github.com/openlectern/lectern/internal/zipdir"
)

// Meta is what an archive says about its making (backup-format.md §4.1). It is told, never stored.
type Meta struct {
	FormatVersion int       `json:"format_version"`
	CreatedBy     string    `json:"created_by"` // this and the next two are empty when the archive does not say
	Email         string    `json:"created_by_email"`
	CreatedAt     time.Time `json:"created_at"`
	Origin        string    `json:"original_server"`
}

// Plan is what a sound archive holds: the rows that it becomes, without the content of files, which is read from the
// archive when they are written. It may be restored any number of times while the archive is open.
type Plan struct {
	Meta                    Meta
	Key, Title, Description string
	Created                 time.Time
	Course                  *Course // nil when the package is none
	Lectern                 bool    // there is a folder lectern/
	Renamed                 []Renamed
	Warnings                []Problem

	archive     *Archive
	strict      bool
	entities    []entity
	byRef       map[string]int
	collections []collection
	read        map[string][]byte // small files that were looked into, by their paths
	readBytes   int
}

// remember keeps a file for the restore, which would inflate it once more, as long as there is room.
func (p *Plan) remember(name string, content []byte) {
	const room, small = 8 << 20, 16 << 10
	if len(content) > small || p.readBytes+len(content) > room {
		return
	}
	if p.read == nil {
		p.read = map[string][]byte{}
	}
	p.read[name] = bytes.Clone(content)
	p.readBytes += len(content)
}

// entity is a component or container of a plan.
type entity struct {
	file             string // path of its TOML
	ref              string
	container        string // type code, "" for a component
	component        components.Type
	code             string
	created          time.Time
	alone            bool
	draft, published int  // numbers of versions, 0 for none
	deleted          bool // what is published has no draft, and is not to get one
	versions         []version
	folder           string // of version folders, where it is not the one beside the file
}

// version is a version that a branch or a pin names.
type version struct {
	num      int
	title    string
	created  time.Time // zero for the time of the restore
	children []string
	pins     []int // for each child the number of the version it is pinned to, 0 for none; nil when none is
	media    []mediaKind
	extra    bool // only a pin names it: its files are in lectern/
}

// mediaKind says how a file is kept, where that is not as usual.
type mediaKind struct{ path, mime, keep string }

// collection is a collection of a plan.
type collection struct {
	file               string
	title, description string
	key, code          string
	members            []string
}

func (e *entity) isContainer() bool { return e.container != "" }

// at returns the version of a number, nil when there is none.
func (e *entity) at(num int) *version {
	for i := range e.versions {
		if num != 0 && e.versions[i].num == num {
			return &e.versions[i]
		}
	}
	return nil
}

// takes reports whether a container of this type may hold an entity (backup-format.md §4.2).
func takes(container string, child *entity) bool {
	switch container {
	case containers.Unit:
		return !child.isContainer()
	case containers.Subsection:
		return child.container == containers.Unit
	case containers.Section:
		return child.container == containers.Subsection
	}
	return true
}

// usualRef returns the ref that an entity of its kind and code has by convention.
func (e *entity) usualRef() string {
	if e.isContainer() {
		return e.code
	}
	return e.component.String() + ":" + e.code
}

// found is a file of a version.
type found struct {
	zipdir.Member
	path string // in the version
}

// filesOf returns the files of a component's version, in the order of their paths.
func (p *Plan) filesOf(e *entity, v *version) []found {
	place, ok := placeOf(e.file)
	folder := ""
	switch {
	case v.extra:
		folder = place.extra() + "/" + versionFolder(v.num)
	case ok:
		folder = place.versions() + versionFolder(v.num)
	}
	list := under(p.archive, folder)
	if len(list) == 0 && e.folder != "" && !v.extra {
		list = under(p.archive, e.folder+versionFolder(v.num))
	}
	return list
}

// settingsOf returns the settings files of a container's version.
func (p *Plan) settingsOf(e *entity, v *version) []found {
	if len(v.media) == 0 {
		return nil
	}
	place, _ := placeOf(e.file)
	return under(p.archive, place.extra()+"/"+versionFolder(v.num))
}

func under(a *Archive, folder string) []found {
	if folder == "" {
		return nil
	}
	members := a.below(folder)
	list := make([]found, len(members))
	for i, m := range members {
		list[i] = found{m, strings.TrimPrefix(m.Name, folder)}
	}
	return list
}

// kind returns how a file of a version is kept.
func (e *entity) kind(v *version, path string) mediaKind {
	for _, k := range v.media {
		if k.path == path {
			return k
		}
	}
	mime, text := usual(e.component, path)
	if text {
		return mediaKind{path, mime, keepText}
	}
	return mediaKind{path, mime, keepFile}
}

// Counts are the numbers of what a plan restores (backup-format.md §6.3).
type Counts struct {
	Containers  int `json:"num_containers"`
	Sections    int `json:"num_sections"`
	Subsections int `json:"num_subsections"`
	Units       int `json:"num_units"`
	Components  int `json:"num_components"`
	Collections int `json:"num_collections"`
}

// Counts counts what the plan restores.
func (p *Plan) Counts() Counts {
	c := Counts{Collections: len(p.collections)}
	for i := range p.entities {
		switch p.entities[i].container {
		case "":
			c.Components++
			continue
		case containers.Unit:
			c.Units++
		case containers.Subsection:
			c.Subsections++
		case containers.Section:
			c.Sections++
		}
		c.Containers++
	}
	return c
}

// Entities returns how many components and containers there are.
func (p *Plan) Entities() int { return len(p.entities) }

// Has reports whether there is an entity with this ref.
func (p *Plan) Has(ref string) bool { _, ok := p.byRef[ref]; return ok }
