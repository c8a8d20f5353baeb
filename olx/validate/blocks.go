package validate

import (
	"slices"
	"strings"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/olx"
	"github.com/openlectern/lectern/olx/fields"
	"github.com/openlectern/lectern/olx/pyjson"
)

// block is a block with the settings that count for it and its place in the archive.
type block struct {
	*courseware.Block
	place   olx.Place
	element *element // nil if the block's element is not known
	course  *courseware.Course
}

// blocks checks every block as it was read: stages 6 and 7 of olx.md §4.
func (c *checker) blocks() {
	list := c.list(c.course, nil)
	if draft := c.res.State.Draft; draft != nil {
		list = append(list, c.list(draft, c.course)...)
	}
	passports := c.passports()
	discussions := map[string]block{}
	for _, b := range list {
		if b.Opaque {
			continue
		}
		c.settings(b)
		c.dates(b)
		c.lti(b, passports)
		c.titles(b)
		c.references(b)
		c.secrets(b)
		c.discussion(b, discussions)
	}
}

// list returns the blocks of a tree that can be reached, in order, but not those that another tree has just so.
func (c *checker) list(course, without *courseware.Course) []block {
	var list []block
	for b := range course.Walk() {
		place := c.res.Places[b.ID]
		if without != nil {
			old := without.Blocks[b.ID]
			if old == b {
				continue
			}
			if old != nil && !strings.HasPrefix(place.File, draftsDir) {
				place = olx.Place{File: draftsDir + place.File}
			}
		}
		if without == nil || without.Blocks[b.ID] == nil {
			c.report.Blocks++
		}
		found := block{Block: b, place: place, element: c.at[place], course: course}
		if e := found.element; e != nil && e.tag != b.ID.Type {
			found.element = nil
		}
		list = append(list, found)
	}
	return list
}

// where returns the place of a setting: its attribute, else the policy entry, else the block.
func (c *checker) where(b block, setting string) (file string, line int) {
	if b.element != nil {
		if _, ok := b.element.Attr(setting); ok {
			return b.place.File, b.element.AttrLine(setting)
		}
	}
	name := b.ID.Name
	if b.ID == b.course.Root {
		name, _ = c.res.Source.Run()
	}
	if entry, ok := c.policy.entries.Lookup(b.ID.Type + "/" + name); ok {
		if _, ok := entry.Lookup(setting); ok {
			return c.policy.file, c.policy.line(setting)
		}
	}
	return b.place.File, b.place.Line
}

// value returns a setting of the block itself, and whether it is set to something but null.
func (b block) value(setting string) (pyjson.Value, bool) {
	v, ok := b.Fields.Lookup(setting)
	if !ok || v.IsNull() {
		return pyjson.Value{}, false
	}
	return fields.Parse(v), true
}

// text returns a setting that is text; "" for none.
func (b block) text(setting string) string {
	s, _ := b.Fields.Text(setting)
	return s
}

// rootValue returns a setting of the course root, and whether it is set to something but null.
func (c *checker) rootValue(name string) (courseware.Value, bool) {
	root := c.course.Blocks[c.course.Root]
	if root == nil {
		return "", false
	}
	v, ok := root.Fields.Lookup(name)
	return v, ok && !v.IsNull()
}

// rootList returns the items of a list of texts that the course root has.
func (c *checker) rootList(name string) []string {
	v, _ := c.rootValue(name)
	var list []string
	for _, item := range fields.Parse(v).Items {
		if item.Kind == pyjson.String {
			list = append(list, item.Text)
		}
	}
	return list
}

// passports returns the ids that the course has LTI passports for.
func (c *checker) passports() map[string]bool {
	ids := map[string]bool{}
	for _, p := range c.rootList("lti_passports") {
		id, _, _ := strings.Cut(p, ":")
		ids[strings.TrimSpace(id)] = true
	}
	return ids
}

// lti checks what a block of an LTI tool needs of its course.
func (c *checker) lti(b block, passports map[string]bool) {
	if b.ID.Type != "lti" && b.ID.Type != "lti_consumer" || !c.res.Source.IsCourse() {
		return
	}
	if b.ID.Type == "lti" {
		c.add(courseware.Info, b.place.File, b.place.Line, obsolete, "use an lti_consumer block", "blocks of type lti are obsolete")
	}
	if !slices.Contains(c.rootList("advanced_modules"), b.ID.Type) {
		c.add(courseware.Error, b.place.File, b.place.Line, ltiError, "add it to advanced_modules of the course",
			"the course does not list %s among its advanced_modules", b.ID.Type)
	}
	if id := b.text("lti_id"); id != "" && !passports[id] {
		file, line := c.where(b, "lti_id")
		c.add(courseware.Error, file, line, ltiError, "add an entry id:key:secret to lti_passports of the course",
			"the course has no LTI passport for the id %q", id)
	}
}

// titled are the types of blocks that learners or authors see by their title.
var titled = []string{
	"course", "chapter", "sequential", "vertical", "html", "video", "discussion", "problem", "lti", "lti_consumer", "drag-and-drop-v2",
}

// titles checks that there are titles.
func (c *checker) titles(b block) {
	switch _, set := b.Fields.Lookup("display_name"); {
	case b.ID.Type == "openassessment" && set:
		file, line := c.where(b, "display_name")
		c.add(courseware.Warning, file, line, extraDisplayName, "use the title element", "an openassessment has its title in an element")
	case strings.TrimSpace(b.text("display_name")) == "" && slices.Contains(titled, b.ID.Type):
		file, line := c.where(b, "display_name")
		c.add(courseware.Warning, file, line, missingDisplayName, "add a display_name", "the %s has no display_name", b.ID.Type)
	}
}

// references checks keys of other blocks: of a conditional and a split_test. Those of drafts the importer checks.
func (c *checker) references(b block) {
	var found []string
	collect := func(setting string) {
		v, _ := b.value(setting)
		v.Strings(func(s string) string {
			found = append(found, s)
			return s
		})
	}
	setting := ""
	switch b.ID.Type {
	case "conditional":
		setting = "sources"
		for _, a := range b.Extra {
			if a.Name == setting {
				found = strings.Split(a.Value, ";")
			}
		}
		collect("show_tag_list")
	case "split_test":
		setting = "group_id_to_child"
		collect(setting)
	}
	for _, s := range found {
		if s = strings.TrimSpace(s); s == "" || c.resolves(s, b.course) {
			continue
		}
		file, line := c.where(b, setting)
		c.add(courseware.Warning, file, line, danglingReference, "name a block of this course",
			"the %s refers to %q, which is no block of this course", b.ID.Type, s)
	}
}

// resolves reports whether a usage key names a block of the archive's own course (olx.md §2.4).
func (c *checker) resolves(s string, course *courseware.Course) bool {
	if strings.Count(s, "/") == 3 && !strings.Contains(s, ":") {
		s = "i4x://" + s
	}
	u, err := keys.ParseUsage(s)
	own := c.res.Source
	if err != nil || u.Org() != own.Org() || u.Code() != own.Code() {
		return false
	}
	if run, ok := u.Run(); ok && !u.Deprecated() {
		if ownRun, _ := own.Run(); run != ownRun {
			return false
		}
	}
	return u.Type() == course.Root.Type || course.Blocks[courseware.BlockID{Type: u.Type(), Name: u.ID()}] != nil
}

// secrets are the settings that hold keys and passwords (olx.md §5.3).
var secrets = []string{"lti_passports", "matlab_api_key", "xqa_key", "video_upload_pipeline"}

// secrets names the settings that hold secrets. What is in them is never told.
func (c *checker) secrets(b block) {
	for _, name := range secrets {
		v, ok := b.value(name)
		if !ok || v.Text == "" && len(v.Items) == 0 {
			continue
		}
		file, line := c.where(b, name)
		c.add(courseware.Info, file, line, secretInArchive, "take it out before passing the archive on",
			"the setting %s holds secrets, which anyone with the archive can read", name)
	}
}

// discussion checks discussion blocks against each other.
func (c *checker) discussion(b block, seen map[string]block) {
	if b.ID.Type != "discussion" {
		return
	}
	if b.element != nil && b.element.parent == nil {
		c.add(courseware.Info, b.place.File, b.place.Line, obsolete, "put the element into the unit",
			"discussion blocks in files of their own are obsolete")
	}
	id := b.text("discussion_id")
	if id == "" {
		return
	}
	first, twice := seen[id]
	if !twice {
		seen[id] = b
	} else if first.ID != b.ID {
		file, line := c.where(b, "discussion_id")
		c.add(courseware.Error, file, line, duplicateID, "give every discussion an id of its own",
			"the discussion_id %q is also that of the discussion in %s:%d", id, first.place.File, first.place.Line)
	}
}
