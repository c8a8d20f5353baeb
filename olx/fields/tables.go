package fields

import (
	"slices"

	"github.com/openlectern/lectern/courseware"
)

const (
	null  = courseware.Null
	yes   = courseware.Value("true")
	no    = courseware.Value("false")
	blank = courseware.Value(`""`)
)

func named(name string) Field {
	return Field{Name: "display_name", Default: courseware.Text(name)}
}

// inheritable are the fields of olx.md §6.1.
var inheritable = []Field{
	{Name: "graded", Type: Boolean, Default: no},
	{Name: "start", Type: Date, Default: `"2030-01-01T00:00:00Z"`},
	{Name: "due", Type: Date, Default: null},
	{Name: "relative_weeks_due", Type: Integer, Default: null},
	{Name: "visible_to_staff_only", Type: Boolean, Default: no},
	{Name: "course_edit_method", Default: `"Studio"`},
	{Name: "giturl", Default: null},
	{Name: "xqa_key", Default: null},
	{Name: "graceperiod", Type: Timedelta, Default: null},
	{Name: "group_access", Type: Dict, Default: "{}"},
	{Name: "showanswer", Default: `"finished"`},
	{Name: "show_correctness", Default: `"always"`},
	{Name: "rerandomize", Default: `"never"`},
	{Name: "days_early_for_beta", Type: Float, Default: null},
	{Name: "static_asset_path", Default: blank},
	{Name: "use_latex_compiler", Type: Boolean, Default: no},
	{Name: "max_attempts", Type: Integer, Default: null},
	{Name: "matlab_api_key", Default: null},
	{Name: "user_partitions", Type: List, Default: "[]"},
	{Name: "video_speed_optimizations", Type: Boolean, Default: yes},
	{Name: "video_auto_advance", Type: Boolean, Default: no},
	{Name: "video_bumper", Type: Dict, Default: "{}"},
	{Name: "show_reset_button", Type: Boolean, Default: no},
	{Name: "edxnotes", Type: Boolean, Default: no},
	{Name: "in_entrance_exam", Type: Boolean, Default: no},
	{Name: "self_paced", Type: Boolean, Default: no},
	{Name: "hide_from_toc", Type: Boolean, Default: no},
}

// anywhere are fields of any block that are not inherited.
var anywhere = []Field{
	{Name: "display_name", Default: null},
	{Name: "format", Default: null},
	{Name: "chrome", Default: null},
	{Name: "default_tab", Default: null},
	{Name: "source_file", Default: null},
	{Name: "upstream", Default: null},
	{Name: "upstream_version", Type: Integer, Default: null},
	{Name: "upstream_version_declined", Type: Integer, Default: null},
	{Name: "upstream_display_name", Default: null},
	{Name: "top_level_downstream_parent_key", Default: null},
	{Name: "downstream_customized", Type: List, Default: "[]"},
	{Name: "copied_from_block", Default: null},
	{Name: "tags-v1", Default: blank},
}

// sequence are the fields of a sequential, which a course and a chapter have too (olx.md §6.2, §6.3).
var sequence = []Field{
	{Name: "hide_after_due", Type: Boolean, Default: no},
	{Name: "is_entrance_exam", Type: Boolean, Default: no},
	{Name: "is_time_limited", Type: Boolean, Default: no},
	{Name: "default_time_limit_minutes", Type: Integer, Default: null},
	{Name: "is_proctored_enabled", Type: Boolean, Default: no},
	{Name: "is_practice_exam", Type: Boolean, Default: no},
	{Name: "is_onboarding_exam", Type: Boolean, Default: no},
	{Name: "exam_review_rules", Default: blank},
}

// blocks are the block types, the containers first.
var blocks = slices.Concat(containers, legacyLeaves, pureLeaves, detached)

var containers = []Block{
	{Tag: "course", Class: Legacy, Body: Children, Leading: []string{"license"}, Fields: slices.Concat(courseFields, sequence)},
	{Tag: "chapter", Class: Legacy, Body: Children,
		Fields: slices.Concat([]Field{{Name: "highlights", Type: List, Default: "[]"}}, sequence)},
	{Tag: "sequential", Class: Legacy, Body: Children, Fields: sequence},
	{Tag: "vertical", Class: Legacy, Body: Children, Fields: vertical},
	{Tag: "wrapper", Class: Legacy, Body: Children, Fields: vertical},
	{Tag: "randomize", Class: Legacy, Body: Children},
	{Tag: "library_content", Class: Legacy, Body: Children, Fields: []Field{
		named("Randomized Content Block"),
		{Name: "source_library_id", Default: null},
		{Name: "source_library_version", Default: null},
		{Name: "capa_type", Default: `"any"`},
		{Name: "max_count", Type: Integer, Default: "1"},
		{Name: "allow_resetting_children", Type: Boolean, Default: no},
		{Name: "is_migrated_to_v2", Type: Boolean, Default: no},
	}},
	{Tag: "itembank", Class: Legacy, Body: Children, Fields: []Field{
		named("Problem Bank"),
		{Name: "max_count", Type: Integer, Default: "1"},
		{Name: "allow_resetting_children", Type: Boolean, Default: no},
	}},
	{Tag: "split_test", Class: Legacy, Body: Children, Leading: []string{"group_id_to_child", "user_partition_id"}, Fields: []Field{
		named("Content Experiment"),
		{Name: "group_id_to_child", Type: KeyMap, Default: "{}"},
		{Name: "user_partition_id", Type: Integer, Default: "-1"},
	}},
	{Tag: "conditional", Class: Legacy, Body: Children, Fields: []Field{
		named("Conditional"),
		{Name: "show_tag_list", Type: KeyList, Default: "[]", Content: true, Element: true},
	}},
	{Tag: "unit", Class: Pure, Body: Children, Fields: []Field{named("Unit")}},
	{Tag: "library", Class: Pure, Body: Children, Fields: []Field{
		named("Library"),
		{Name: "advanced_modules", Type: List, Default: "[]", Element: true},
	}},
}

var vertical = []Field{{Name: "discussion_enabled", Type: Boolean, Default: yes}}

var detached = []Block{
	{Tag: courseware.TypeAbout, Class: Detached},
	{Tag: courseware.TypeCourseInfo, Class: Detached, Fields: []Field{{Name: "items", Type: List, Default: "[]", Content: true}}},
	{Tag: courseware.TypeStaticTab, Class: Detached, Fields: []Field{
		named("Empty"), {Name: "course_staff_only", Type: Boolean, Default: no},
	}},
	{Tag: courseware.TypeCustomTagTemplate, Class: Detached},
}
