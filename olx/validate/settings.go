package validate

import (
	"slices"
	"strconv"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/olx/fields"
	"github.com/openlectern/lectern/olx/pyjson"
)

// enums are the settings that take few values (olx.md §4, §6.4). Of rerandomize the old spellings count too.
var enums = map[string][]string{
	"showanswer": {
		"always", "answered", "attempted", "closed", "finished", "correct_or_past_due", "past_due", "never", "after_attempts",
		"after_all_attempts", "after_all_attempts_or_correct", "attempted_no_past_due",
	},
	"rerandomize":      {"always", "onreset", "never", "per_student", "", "true", "false"},
	"show_correctness": {"always", "past_due", "never"},
}

// settings checks values beyond what their types say, which the importer has compared.
func (c *checker) settings(b block) {
	for _, f := range b.Fields {
		if values := enums[f.Name]; values != nil {
			if v := fields.Parse(f.Value); v.Kind != pyjson.Null && !slices.Contains(values, v.Text) {
				c.invalid(b, f.Name, "use one of the values that it takes", "the %s %q is none of the values it takes", f.Name, v.Text)
			}
		}
	}
	if n, ok := b.number("max_attempts"); ok && n < 1 {
		c.invalid(b, "max_attempts", "allow at least one attempt", "max_attempts is less than 1")
	}
	if n, ok := b.number("weight"); ok && n < 0 {
		c.invalid(b, "weight", "make it zero or more", "the weight is negative")
	}
	switch b.ID.Type {
	case "course":
		c.needs(b, "start", "course_image")
	case "sequential":
		timed, _ := b.Fields.Lookup("is_time_limited")
		enabled, _ := c.rootValue("enable_timed_exams")
		if fields.Bool(timed) && !fields.Bool(enabled) {
			c.invalid(b, "is_time_limited", "set enable_timed_exams of the course", "a timed exam in a course that has not enabled them")
		}
	case "discussion":
		c.needs(b, "discussion_category", "discussion_target")
	case "lti":
		c.needs(b, "lti_id")
		if hidden, _ := b.Fields.Lookup("hide_launch"); !fields.Bool(hidden) {
			c.needs(b, "launch_url")
		}
	case "openassessment":
		c.needs(b, "submission_start", "submission_due")
	}
}

// needs checks that a block says something in certain settings.
func (c *checker) needs(b block, settings ...string) {
	for _, name := range settings {
		if v, ok := b.value(name); !ok || v.Kind == pyjson.String && v.Text == "" {
			c.invalid(b, name, "set "+name, "the %s has no %s", b.ID.Type, name)
		}
	}
}

func (c *checker) invalid(b block, setting, remedy, format string, args ...any) {
	file, line := c.where(b, setting)
	c.add(courseware.Error, file, line, invalidSetting, remedy, format, args...)
}

// number returns a setting that is a number, or text that is one.
func (b block) number(setting string) (float64, bool) {
	v, ok := b.value(setting)
	if !ok || v.Kind != pyjson.Number && v.Kind != pyjson.String {
		return 0, false
	}
	f, err := strconv.ParseFloat(v.Text, 64)
	return f, err == nil
}
