package validate

import (
	"strings"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/olx/fields"
	"github.com/openlectern/lectern/olx/pyjson"
)

// policyFile is the settings file of a course.
type policyFile struct {
	file    string
	text    string
	entries pyjson.Value
}

// line returns the line on which a key of the file first stands, 0 if it does not stand there as it is.
func (p policyFile) line(key string) int { return lineOf(p.text, key) }

func lineOf(text, key string) int {
	i := strings.Index(text, `"`+key+`"`)
	if i < 0 {
		return 0
	}
	return 1 + strings.Count(text[:i], "\n")
}

// policies checks the policy file against the blocks: stage 4 of olx.md §4.
func (c *checker) policies() {
	run, _ := c.res.Source.Run()
	for _, file := range [...]string{"policies/" + run + "/policy.json", "policies/" + run + ".json"} {
		data, err := c.a.ReadFile(file, 0)
		if err != nil {
			continue
		}
		v, _, err := pyjson.Parse(string(data))
		if err != nil || v.Kind != pyjson.Object {
			continue // the importer has said so
		}
		if len(v.Keys) > 0 {
			c.policy = policyFile{file, string(data), v}
			break
		}
	}
	types := map[string]string{} // of a name
	for _, e := range c.elements {
		if e.name != "" && types[e.name] == "" {
			types[e.name] = e.tag
		}
	}
	for i, key := range c.policy.entries.Keys {
		c.entry(key, c.policy.entries.Items[i], types)
	}
}

// entry checks one entry of the policy file.
func (c *checker) entry(key string, entry pyjson.Value, types map[string]string) {
	p := c.policy
	tag, name, ok := strings.Cut(key, "/")
	e := c.named[courseware.BlockID{Type: tag, Name: name}]
	if run, _ := c.res.Source.Run(); tag == "course" && name == run {
		e = c.root()
	}
	switch {
	case e != nil:
		c.overrides(e, key, entry)
	case ok && types[name] != "" && types[name] != tag:
		c.add(courseware.Error, p.file, p.line(key), wrongObjectType, "name it "+types[name]+"/"+name,
			"the entry %q is about a %s, but the block of that name is a %s", key, tag, types[name])
	case ok && types[name] == tag: // in another form, such as a pointer whose file is missing
	default:
		c.add(courseware.Warning, p.file, p.line(key), policyRefNotFound, "remove the entry", "the entry %q is about no block of the course", key)
	}
}

// root returns the element that defines the course.
func (c *checker) root() *element {
	if e := c.at[c.res.Places[c.course.Root]]; e != nil {
		return e
	}
	return nil
}

// overrides names the settings that stand both in an element and in the policy.
func (c *checker) overrides(e *element, key string, entry pyjson.Value) {
	spec := fields.Lookup(e.tag)
	if entry.Kind != pyjson.Object || spec == nil {
		return
	}
	for i, name := range entry.Keys {
		text, ok := e.Attr(name)
		f, known := spec.Field(name)
		if !ok || fields.Stripped(name) {
			continue
		}
		same := known && pyjson.Equal(read(spec, f, text), fields.Parse(fields.Normal(f.Type, fields.Value(entry.Items[i]))))
		if same || !known && entry.Items[i].Text == text {
			c.add(courseware.Info, e.File(), e.AttrLine(name), settingOverride, "keep it in one place",
				"the setting %s stands in %s too, with the same value", name, c.policy.file)
			continue
		}
		c.add(courseware.Warning, e.File(), e.AttrLine(name), settingOverride, "keep the value that is meant, in one place",
			"the setting %s has another value in the entry %q of %s, which counts", name, key, c.policy.file)
	}
}

// read returns the value of an attribute as its type reads it.
func read(spec *fields.Block, f fields.Field, text string) pyjson.Value {
	reader := fields.ReadLegacy
	if spec.Class == fields.Pure {
		reader = fields.ReadPure
	}
	v, _ := reader(f.Type, text)
	return fields.Parse(v)
}
