package backup

import (
	"strings"

	"github.com/openlectern/lectern/content/media"
)

// readBeside reads lectern/package.toml, see [writer.beside].
func (r *reader) readBeside() error {
	i := r.a.find(lecternFile)
	if i < 0 {
		return nil
	}
	t, ok, err := r.decode(i, &r.head)
	if err != nil || !ok {
		return err
	}
	r.plan.Lectern = true
	f := form{table: table(t, "lectern"), problems: &r.head, file: lecternFile, section: "lectern section"}
	if n, ok := f.integer("format_version"); ok && n != lecternVersion {
		f.wrong("format_version", CodeVersion, "version %d of what only Lectern reads is not known; this program reads version %d", n, lecternVersion)
	}
	exact := table(t, "package")
	for name, v := range map[string]*string{"title": &r.plan.Title, "description": &r.plan.Description} {
		if s, ok := exact[name].(string); ok && strings.TrimFunc(s, pythonSpace) == *v {
			*v = s
		}
	}
	course := table(t, "course")
	if course == nil {
		return nil
	}
	f = form{table: course, problems: &r.head, file: lecternFile, section: "course section"}
	r.plan.Course = &Course{
		Key: f.text("key", false, 0), Root: f.text("root", false, maxRef), Title: f.text("title", true, 0),
		Language: f.text("language", true, 0), Created: f.time("created"),
	}
	return nil
}

// besideFile returns the path of what lectern/ has about the entity of a file.
func (r *reader) besideFile(file string) string {
	place, _ := placeOf(file)
	return place.extra() + ending
}

// besideOf reads it, if it is there.
func (r *reader) besideOf(file string, problems *Problems) (t map[string]any, ok bool, err error) {
	i := r.a.find(r.besideFile(file))
	if i < 0 {
		return nil, true, nil
	}
	return r.decode(i, problems)
}

// overlay adds what lectern/ says to an entity.
func (r *reader) overlay(e *entity, t map[string]any, problems *Problems) {
	file := r.besideFile(e.file)
	f := form{table: table(t, "entity"), problems: problems, file: file}
	if key := f.text("key", false, 0); key != e.ref && key != "" {
		f.wrong("key", CodeInvalid, "it is about %s, which is not the key in %s", printable(key), e.file)
	}
	if _, ok := f.table["draft_deleted"]; ok && e.draft == 0 {
		e.deleted = f.boolean("draft_deleted")
	}
	list, other := tables(t, "version")
	if other {
		f.wrong("version", CodeInvalid, "version must be an array of tables")
	}
	if len(list) > maxBeside {
		f.wrong("version", CodeTooLarge, "more than %d versions", maxBeside)
		return
	}
	for _, one := range list {
		r.overlayVersion(e, form{table: one, problems: problems, file: file})
	}
}

// maxBeside is how many versions of an entity, and files of a version, lectern/ may describe: they are searched one by one.
const maxBeside = 10_000

func (r *reader) overlayVersion(e *entity, f form) {
	n, ok := f.integer("version_num")
	if !ok {
		return
	}
	if n <= 0 || n != int64(int32(n)) {
		f.wrong("version_num", CodeTooLow, "Ensure this value is greater than or equal to 1.")
		return
	}
	v := e.at(int(n))
	if _, whole := f.table["title"]; whole {
		if v != nil {
			f.wrong("version_num", CodeDuplicate, "version %d is in %s too", n, e.file)
			return
		}
		e.versions = append(e.versions, version{num: int(n), extra: true, title: f.text("title", true, maxTitle), created: f.when("created")})
		v = &e.versions[len(e.versions)-1]
		if e.isContainer() {
			v.children = f.texts("children")
		}
	}
	if v == nil {
		r.warn.add(f.file, "", "version", CodeIgnored, "version %d is not in the archive", n)
		return
	}
	if t, ok := f.table["exact_title"].(string); ok && strings.TrimFunc(t, pythonSpace) == v.title {
		v.title = t // as readers of the format know it, but for white space at its ends
	}
	f.pins(v)
	list, other := tables(f.table, "media")
	if other {
		f.wrong("media", CodeInvalid, "media must be an array of tables")
	}
	if len(list) > maxBeside {
		f.wrong("media", CodeTooLarge, "more than %d files", maxBeside)
		return
	}
	for _, one := range list {
		m := form{table: one, problems: f.problems, file: f.file}
		k := mediaKind{path: m.text("path", false, 0), mime: m.text("type", false, 0), keep: m.text("keep", false, 0)}
		if _, err := media.ParseType(k.mime); k.mime != "" && err != nil {
			m.wrong("type", CodeInvalid, "%v", err)
		}
		if k.keep != "" && k.keep != keepText && k.keep != keepFile && k.keep != keepBoth {
			m.wrong("keep", CodeInvalid, "it must be text, file or both")
		}
		v.media = append(v.media, k)
	}
}

// texts reads a required array of strings.
func (f form) texts(field string) []string {
	v, ok := f.need(field)
	if !ok {
		return nil
	}
	list, ok := v.([]any)
	out := make([]string, len(list))
	for i := range list {
		if ok {
			out[i], ok = list[i].(string)
		}
	}
	if !ok {
		f.wrong(field, CodeInvalid, "it must be a list of strings")
	}
	return out
}

// pins reads the versions that the children are pinned to.
func (f form) pins(v *version) {
	value, ok := f.table["pins"]
	if !ok {
		return
	}
	list, ok := value.([]any)
	if !ok || len(list) != len(v.children) {
		f.wrong("pins", CodeInvalid, "it must be a list of as many numbers as there are children")
		return
	}
	for _, one := range list {
		n, ok := one.(int64)
		if !ok || n < 0 || n != int64(int32(n)) {
			f.wrong("pins", CodeInvalid, "it must be a list of version numbers")
			v.pins = nil
			return
		}
		v.pins = append(v.pins, int(n))
	}
}
