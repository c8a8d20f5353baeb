package backup

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/openlectern/lectern/content/components"
	"github.com/openlectern/lectern/content/containers"
)

// entity reads the file of a component or container (backup-format.md §4.2).
func (r *reader) entity(i int, container bool, problems *Problems) error {
	file := r.a.files[i].Name
	t, ok, err := r.decode(i, problems)
	if err != nil || !ok {
		return err
	}
	var beside map[string]any
	if r.plan.Lectern {
		if beside, ok, err = r.besideOf(file, problems); err != nil || !ok {
			return err
		}
	}
	before := problems.Len()
	f := form{table: table(t, "entity"), problems: problems, file: file}
	if f.table == nil {
		f.wrong("entity", CodeRequired, textRequired)
		return nil
	}
	unknown(t, r.warn, file, "", "entity", "version")
	unknown(f.table, r.warn, file, "entity.", "can_stand_alone", "key", "created", "draft", "published", "container", "uuid")
	e := entity{file: file, alone: f.boolean("can_stand_alone"), ref: f.text("key", false, maxRef), created: f.when("created")}
	if container {
		e.container = r.containerType(f)
	}
	if e.ref != "" {
		r.identity(&e, f, container, beside)
	}
	e.draft, e.published = r.pointer(f, "draft"), r.pointer(f, "published")
	sound := problems.Len() == before // members of collections may name an entity whose versions alone are bad
	r.versions(&e, t, container, problems)
	r.branches(&e)
	if beside != nil {
		r.overlay(&e, beside, problems)
	}
	if e.deleted = e.deleted || r.strict && e.draft == 0 && e.published != 0; e.deleted {
		e.draft = 0
	} else if e.draft == 0 {
		e.draft = e.published // Python's rule (defect B7)
	}
	if !sound {
		return nil
	}
	if at, twice := r.plan.byRef[e.ref]; twice {
		problems.add(file, "", "key", CodeDuplicate, "%s is the key of %s too", printable(e.ref), r.plan.entities[at].file)
		return nil
	}
	r.plan.byRef[e.ref] = len(r.plan.entities)
	r.plan.entities = append(r.plan.entities, e)
	return nil
}

// containerType reads which container it is (error E7).
func (r *reader) containerType(f form) string {
	v, ok := f.need("container")
	if !ok {
		return ""
	}
	t, ok := v.(map[string]any)
	if !ok || len(t) != 1 {
		f.wrong("container", CodeInvalid, "Container must be a dict with exactly one key.")
		return ""
	}
	for code := range t {
		if stockType(code) || r.plan.Lectern && strings.HasPrefix(code, containers.Prefix) && typeCode(code) {
			return code
		}
		f.wrong("container", CodeInvalid, "Invalid container value: %s", printable(code))
	}
	return ""
}

// typeCode reports whether a code is one by the grammar of container types.
func typeCode(code string) bool {
	odd := func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < '0' || c > '9') && !strings.ContainsRune("-_.", c)
	}
	return len(code) <= maxPart && !strings.ContainsFunc(code, odd)
}

// identity finds type and code of an entity: from lectern/, else from its key (errors E6).
func (r *reader) identity(e *entity, f form, container bool, beside map[string]any) {
	from := form{table(beside, "entity"), f.problems, r.besideFile(e.file), ""}
	_, coded := from.table["code"]
	if coded {
		e.code = from.text("code", false, 0)
	}
	what := e.ref
	switch {
	case container:
	case coded:
		e.component = components.Type{Namespace: from.text("namespace", true, maxPart), Name: from.text("name", true, maxPart)}
	default:
		namespace, name, code, ok := splitRef(e.ref)
		if !ok {
			f.wrong("key", CodeInvalid, "Invalid entity_key format: '%s'. Expected format: '{namespace}:{type_name}:{component_code}'", e.ref)
			return
		}
		e.component, what = components.Type{Namespace: namespace, Name: name}, code
	}
	for _, part := range []string{e.component.Namespace, e.component.Name} {
		if utf8.RuneCountInString(part) > maxPart || strings.HasSuffix(part, " ") || strings.Contains(part, ":") {
			f.wrong("key", CodeInvalid, "%s cannot be part of a component type", printable(part))
			return
		}
	}
	if coded {
		if err := entityCode(e.code); err != nil {
			from.wrong("code", CodeCode, "%v", err)
		}
		return
	}
	code, same := legalCode(what, entityCode)
	if e.code = code; same {
		return
	}
	if r.strict {
		f.wrong("key", CodeCode, "%v", entityCode(what))
		return
	}
	r.plan.Renamed = append(r.plan.Renamed, Renamed{File: e.file, Key: e.ref, From: what, Code: code})
}

// pointer reads the number of the draft or published version, 0 for none.
func (r *reader) pointer(f form, branch string) int {
	v, ok := table(f.table, branch)["version_num"]
	if !ok {
		return 0
	}
	n, ok := asInteger(v)
	if !ok || n != int64(int32(n)) {
		r.lenient(f.problems, f.file, "", branch, CodeInvalid, "the version number is no number that a version can have")
		return 0
	}
	return int(n)
}

// versions reads the versions that branches name (errors E8); others are ignored.
func (r *reader) versions(e *entity, t map[string]any, container bool, problems *Problems) {
	list, other := tables(t, "version")
	if other {
		problems.add(e.file, "", "version", CodeInvalid, "version must be an array of tables")
		return
	}
	for _, one := range list {
		n, ok := asInteger(one["version_num"])
		num := int(n)
		if !ok || n == 0 || num != e.draft && num != e.published {
			r.warn.add(e.file, "", "version", CodeIgnored, "a version that neither draft nor published names is ignored")
			continue
		}
		f := form{table: one, problems: problems, file: e.file}
		if n < 0 {
			f.wrong("version_num", CodeTooLow, "Ensure this value is greater than or equal to 0.")
		}
		v := version{num: num, title: f.text("title", true, maxTitle), created: f.when("created")}
		if container {
			v.children = childrenOf(f)
		}
		unknown(one, r.warn, e.file, "version.", "title", "version_num", "container", "created")
		if old := e.at(num); old != nil {
			r.lenient(problems, e.file, "", "version_num", CodeDuplicate, "version %d is there twice; the last one counts", num)
			*old = v
			continue
		}
		e.versions = append(e.versions, v)
	}
}

// childrenOf reads the children of a container's version.
func childrenOf(f form) []string {
	v, ok := f.need("container")
	if !ok {
		return nil
	}
	t, ok := v.(map[string]any)
	if !ok || len(t) != 1 {
		f.wrong("container", CodeInvalid, "Container must be a dict with exactly one key.")
		return nil
	}
	v, ok = t["children"]
	if !ok {
		f.wrong("container", CodeInvalid, "Container must have a 'children' key.")
		return nil
	}
	list, ok := v.([]any)
	if !ok {
		f.wrong("container", CodeInvalid, "'children' must be a list.")
		return nil
	}
	out := make([]string, len(list))
	for i, one := range list {
		if out[i], ok = asText(one); !ok {
			f.wrong("container", CodeInvalid, "child %d is no key", i)
		}
	}
	return out
}

// branches drops pointers to versions that are not there.
func (r *reader) branches(e *entity) {
	problems := &r.leaves
	if e.isContainer() {
		problems = &r.parents
	}
	for _, b := range []struct {
		name string
		num  *int
	}{{"draft", &e.draft}, {"published", &e.published}} {
		if *b.num != 0 && e.at(*b.num) == nil {
			r.lenient(problems, e.file, "", b.name, CodeUnknown, "there is no version %d", *b.num)
			*b.num = 0
		}
	}
	e.versions = slices.DeleteFunc(e.versions, func(v version) bool { return v.num != e.draft && v.num != e.published })
}

// codes tells of codes that two entities have.
func (r *reader) codes() {
	odd := map[string]int{}
	for i := range r.plan.entities {
		e := &r.plan.entities[i]
		usual := e.usualRef()
		if usual == e.ref {
			continue
		}
		problems, kind := &r.leaves, "component "
		if e.isContainer() {
			problems, kind = &r.parents, "container "
		}
		other, twice := r.plan.byRef[usual]
		if twice {
			o := &r.plan.entities[other]
			twice = o.isContainer() == e.isContainer() && o.usualRef() == o.ref
		}
		if !twice {
			other, twice = odd[kind+usual]
		}
		if twice {
			problems.add(e.file, "", "key", CodeDuplicate, "its code %s is that of %s too", printable(e.code), r.plan.entities[other].file)
		}
		odd[kind+usual] = i
	}
}

// children drops the children that cannot be restored: unknown ones, and those of a level that the container does not
// take.
func (r *reader) children() {
	for i := range r.plan.entities {
		e := &r.plan.entities[i]
		for j := range e.versions {
			v := &e.versions[j]
			kept := v.children[:0]
			var pins []int
			for k, ref := range v.children {
				at, ok := r.plan.byRef[ref]
				switch {
				case !ok:
					r.lenient(&r.parents, e.file, "", "children", CodeUnknown, "child %s of version %d is not in the archive", printable(ref), v.num)
					continue
				case !takes(e.container, &r.plan.entities[at]):
					r.lenient(&r.parents, e.file, "", "children", CodeInvalid, "child %s of version %d is of a kind that a %s does not hold", printable(ref), v.num, e.container)
					continue
				}
				if v.pins != nil {
					if v.pins[k] != 0 && r.plan.entities[at].at(v.pins[k]) == nil {
						r.parents.add(e.file, "", "pins", CodeUnknown, "%s has no version %d to be pinned", printable(ref), v.pins[k])
					}
					pins = append(pins, v.pins[k])
				}
				kept = append(kept, r.plan.entities[at].ref) // one string for all that name it
			}
			v.children = kept
			if v.pins != nil {
				v.pins = pins
			}
		}
	}
}
