package backup

import (
	"strconv"
	"strings"

	"github.com/openlectern/lectern/content/components"
	"github.com/openlectern/lectern/content/media"
)

// The names of an archive (backup-format.md §2), and of the folder beside them that only Lectern reads.
const (
	packageFile      = "package.toml"
	entitiesDir      = "entities/"
	collectionsDir   = "collections/"
	versionsDir      = "component_versions/"
	staticDir        = "static/"
	blockFile        = "block.xml"
	ending           = ".toml"
	lecternDir       = "lectern/"
	lecternFile      = lecternDir + packageFile
	lecternContainer = lecternDir + "containers/"
	lecternComponent = lecternDir + "components/"
)

// place is where an entity lies: its folder below entities/, "" for a container, and its name.
type place struct{ folder, name string }

// entityFile returns the path of an entity's file.
func (p place) entityFile() string { return entitiesDir + p.folder + p.name + ending }

// versions returns the folder of a component's version folders.
func (p place) versions() string {
	if p.name == "" {
		return entitiesDir + p.folder + versionsDir
	}
	return entitiesDir + p.folder + p.name + "/" + versionsDir
}

func versionFolder(num int) string { return "v" + strconv.Itoa(num) + "/" }

// extra returns the path, without ending, of what only Lectern reads about an entity.
func (p place) extra() string {
	if p.folder == "" {
		return lecternContainer + p.name
	}
	return lecternComponent + p.folder + p.name
}

// placeOf returns the place that an entity's file gives it; ok is false where Python would not find the files of a
// component, which is anywhere but at depth four.
func placeOf(file string) (p place, ok bool) {
	rest := strings.TrimSuffix(strings.TrimPrefix(file, entitiesDir), ending)
	i := strings.LastIndexByte(rest, '/')
	p = place{rest[:i+1], rest[i+1:]}
	return p, p.folder == "" || strings.Count(p.folder, "/") == 2
}

// usual returns the type that a file of a component is restored with, and whether its text is kept in the row
// (backup-format.md §6.1).
func usual(t components.Type, path string) (mime string, text bool) {
	if path != blockFile {
		return media.TypeByExtension(path), false
	}
	mime = "application/vnd.openedx.xblock.v1." + t.Name + "+xml"
	if _, err := media.ParseType(mime); err != nil {
		mime = media.OctetStream // a type with a plus or a slash in its name
	}
	return mime, true
}

// The ways in which a media is kept, as lectern/ has them.
const (
	keepText = "text" // in the row, where that can hold it
	keepFile = "file"
	keepBoth = "both"
)

func kept(m media.Media) string {
	switch {
	case m.HasText && m.HasFile:
		return keepBoth
	case m.HasText:
		return keepText
	}
	return keepFile
}

// isUsual reports whether a stored file comes back as it is without a word about it in lectern/.
func isUsual(t components.Type, path string, m media.Media) bool {
	mime, text := usual(t, path)
	if m.Type.String() != mime {
		return false
	}
	long := m.Size > media.MaxRowText // perhaps too long for a row: then a file is what comes back
	return text && (kept(m) == keepText || long && kept(m) == keepFile) || !text && kept(m) == keepFile
}
