package validate

import (
	"time"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/olx/fields"
	"github.com/openlectern/lectern/olx/xmltree"
)

// dates checks that times come in an order that makes sense.
func (c *checker) dates(b block) {
	switch b.ID.Type {
	case "course":
		start, end := c.time(b, "start"), c.time(b, "end")
		if !start.at.IsZero() && !end.at.IsZero() && !start.at.Before(end.at) {
			c.misordered(b, "end", "the course ends before it starts")
		}
	case "chapter", "sequential", "vertical", "problem":
		c.span(b, "the "+b.ID.Type, c.time(b, "start"), c.time(b, "due"))
	case "openassessment":
		c.span(b, "the openassessment", c.assessmentTime(b, "submission_start"), c.assessmentTime(b, "submission_due"))
		if b.element != nil {
			c.assessments(b, b.element.Node)
		}
	}
}

// moment is a time and the setting that says it.
type moment struct {
	at   time.Time
	file string
	line int
}

func (c *checker) time(b block, setting string) moment {
	v, _ := b.Fields.Lookup(setting)
	at, _ := fields.Time(v)
	file, line := c.where(b, setting)
	return moment{at, file, line}
}

// assessmentTime reads a time of an openassessment, which the importer keeps as the text that it is.
func (c *checker) assessmentTime(b block, setting string) moment {
	m := c.time(b, setting)
	if s := b.text(setting); s != "" && m.at.IsZero() {
		c.add(courseware.Error, m.file, m.line, invalidSetting, "write it like 2030-01-31T12:00:00Z", "%s is not a date", setting)
	}
	return m
}

// assessments checks the steps of an openassessment.
func (c *checker) assessments(b block, n *xmltree.Node) {
	for child := range n.Elements() {
		if child.Name.Local != "assessment" {
			c.assessments(b, child)
			continue
		}
		read := func(attr string) moment {
			m := moment{file: child.File(), line: child.AttrLine(attr)}
			if s, _ := child.Attr(attr); s != "" {
				var ok bool
				if m.at, ok = fields.Time(courseware.Text(s)); !ok {
					c.add(courseware.Error, m.file, m.line, invalidSetting, "write it like 2030-01-31T12:00:00Z", "%s is not a date", attr)
				}
			}
			return m
		}
		name, _ := child.Attr("name")
		c.span(b, "the "+name, read("start"), read("due"))
	}
}

// span checks the times of something in the course against each other and against those of the course.
func (c *checker) span(b block, what string, start, due moment) {
	root := c.course.Blocks[c.course.Root]
	if root == nil {
		return
	}
	read := func(name string) time.Time {
		v, _ := root.Fields.Lookup(name)
		t, _ := fields.Time(v)
		return t
	}
	from, to := read("start"), read("end")
	check := func(m moment, other time.Time, fine bool, text string) {
		if !m.at.IsZero() && !other.IsZero() && !fine {
			c.add(courseware.Warning, m.file, m.line, dateOrdering, "correct one of the dates", "%s %s", what, text)
		}
	}
	check(start, from, !start.at.Before(from), "starts before the course does")
	check(start, to, start.at.Before(to), "starts when the course is over")
	check(due, from, due.at.After(from), "is due before the course starts")
	check(due, start.at, due.at.After(start.at), "is due before it starts")
	check(due, to, !due.at.After(to), "is due when the course is over")
}

func (c *checker) misordered(b block, setting, text string) {
	file, line := c.where(b, setting)
	c.add(courseware.Warning, file, line, dateOrdering, "correct one of the dates", "%s", text)
}
