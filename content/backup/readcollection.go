package backup

import (
	"fmt"
	"strconv"
	"strings"
)

// collection reads the file of a collection (backup-format.md §4.3).
func (r *reader) collection(i int) error {
	file := r.a.files[i].Name
	t, ok, err := r.decode(i, &r.sets)
	if err != nil || !ok {
		return err
	}
	f := form{table: table(t, "collection"), problems: &r.sets, file: file, section: sectionCollection}
	if len(f.table) == 0 {
		f.wrong("non_field_errors", CodeNull, textNoData)
		return nil
	}
	unknown(t, r.warn, file, "", "collection")
	unknown(f.table, r.warn, file, "collection.", "title", "key", "description", "created", "entities")
	c := collection{file: file, title: f.text("title", false, maxTitle), key: f.text("key", false, 0), description: f.text("description", true, maxDescription)}
	if c.key != "" {
		r.collectionCode(&c, f)
	}
	f.members(&c)
	seen := make(map[string]bool, len(c.members))
	known := c.members[:0]
	for _, ref := range c.members {
		at, ok := r.plan.byRef[ref]
		switch {
		case ref == "":
		case !ok:
			r.sets.add(file, "", "entities", CodeUnknown, "Entity ref %s not found for collection %s", printable(ref), printable(c.key))
		case !seen[ref]:
			seen[ref] = true
			known = append(known, r.plan.entities[at].ref)
		}
	}
	c.members = known
	if other, twice := r.used[c.code]; twice && c.code != "" {
		f.wrong("key", CodeDuplicate, "%s is the code of %s too", printable(c.code), other)
	}
	r.used[c.code] = file
	r.plan.collections = append(r.plan.collections, c)
	return nil
}

// collectionCode finds the code of a collection.
func (r *reader) collectionCode(c *collection, f form) {
	code, same := legalCode(c.key, collectionCode)
	if c.code = code; same {
		return
	}
	if r.strict {
		f.wrong("key", CodeCode, "%v", collectionCode(c.key))
		return
	}
	r.plan.Renamed = append(r.plan.Renamed, Renamed{File: c.file, Key: c.key, From: c.key, Code: code})
}

// members reads the keys of the members (errors E9).
func (f form) members(c *collection) {
	v, ok := f.need("entities")
	if !ok {
		return
	}
	list, ok := v.([]any)
	if !ok {
		f.wrong("entities", "not_a_list", "Expected a list of items but got type %q.", fmt.Sprintf("%T", v))
		return
	}
	for i, one := range list {
		s, ok := asText(one)
		s = strings.TrimFunc(s, pythonSpace)
		switch field := "entities." + strconv.Itoa(i); {
		case !ok:
			f.wrong(field, CodeInvalid, textString)
		case s == "":
			f.wrong(field, CodeBlank, textBlank)
		default:
			c.members = append(c.members, s)
		}
	}
}
