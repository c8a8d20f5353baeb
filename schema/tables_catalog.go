package schema

// modified columns of the organizations tables, in their order.
var modified = Column{Name: "modified", Type: timestamp}

// history returns the columns that a table of past rows has after those it copies.
func history(columns ...Column) []Column {
	return append(columns,
		Column{Name: "history_id", Type: serial4}, Column{Name: "history_date", Type: timestamp},
		Column{Name: "history_change_reason", Type: char(100), Null: true}, Column{Name: "history_type", Type: char(1)},
		by("history_user_id"))
}

// organizations are the tables of edx-organizations, which the catalog's refer to (content-schema.md §8.3).
var organizations = []Table{
	{
		Name: "organizations_organization",
		Columns: []Column{id4, created, modified, {Name: "name", Type: char(255), Index: true},
			{Name: "short_name", Type: char(255), Unique: true, Altered: true}, {Name: "description", Type: longText, Null: true},
			{Name: "logo", Type: char(255), Null: true}, {Name: "active", Type: boolean}},
		Rebuilt:  []string{"id", "created", "modified", "name", "description", "logo", "active", "short_name"},
		OwnNames: true,
	},
	{
		Name: "organizations_organizationcourse",
		Columns: []Column{id4, created, modified, {Name: "course_id", Type: char(255), Index: true}, {Name: "active", Type: boolean},
			ref4("organization_id", "organizations_organization", Cascade)},
		Indexes: []Index{unique("", "course_id", "organization_id")},
	},
	{
		Name: "organizations_historicalorganization",
		Columns: history(Column{Name: "id", Type: int4, Index: true}, created, modified, Column{Name: "name", Type: char(255), Index: true},
			Column{Name: "short_name", Type: char(255), Index: true}, Column{Name: "description", Type: longText, Null: true},
			Column{Name: "logo", Type: longText, Null: true}, Column{Name: "active", Type: boolean}),
	},
	{
		Name: "organizations_historicalorganizationcourse",
		Columns: append(history(Column{Name: "id", Type: int4, Index: true}, created, modified,
			Column{Name: "course_id", Type: char(255), Index: true}, Column{Name: "active", Type: boolean}),
			Column{Name: "organization_id", Type: int4, Null: true, Index: true}),
	},
}

func notBlank(table, column string) Check {
	return Check{Name: "oex_catalog_" + table + "_" + column + "_not_blank", Column: column}
}

// catalog are the tables of course identity (content-schema.md §8).
var catalog = []Table{
	{
		Name: "openedx_catalog_catalogcourse",
		Columns: []Column{id8, {Name: "course_code", Type: key(255)}, created, {Name: "title", Type: ci(255)},
			{Name: "language", Type: key(64)}, ref4("org_id", "organizations_organization", Protect)},
		Indexes: []Index{
			index("openedx_cat_org_id_bd314b_idx", "org_id", "course_code"),
			{Name: "oex_catalog_catalogcourse_org_code_uniq_ci", Unique: true,
				Parts: []Part{{Column: "org_id"}, {Column: "course_code", Lower: true}}},
		},
		Checks: []Check{notBlank("catalogcourse", "course_code"), notBlank("catalogcourse", "title"),
			{Name: "oex_catalog_catalogcourse_language_regex", Column: "language", Pattern: &languageCode}},
	},
	{
		Name: "openedx_catalog_courserun",
		Columns: []Column{id8, {Name: "course_key", Type: key(255), Index: true}, {Name: "run_code", Type: key(128)}, created,
			{Name: "title", Type: ci(255)}, ref8("catalog_course_id", "openedx_catalog_catalogcourse", Protect)},
		Indexes: []Index{
			{Name: "oex_catalog_courserun_course_key_ci", Unique: true, Parts: []Part{{Column: "course_key", Lower: true}}},
			{Name: "oex_catalog_courserun_catalog_course_run_code_uniq", Unique: true, Parts: parts("catalog_course_id", "run_code"),
				Not: &Like{"course_key", "ccx"}},
		},
		Checks: []Check{notBlank("courserun", "run_code"), notBlank("courserun", "title"),
			{Name: "oex_catalog_courserun_course_key_run_code_match_exactly", Column: "run_code", Within: "course_key"}},
	},
	{
		Name: "openedx_catalog_pathwaycategory",
		Columns: []Column{id4, {Name: "category_code", Type: key(255)}, {Name: "title", Type: ci(255)},
			{Name: "title_plural", Type: ci(255)}},
		Indexes: []Index{{Name: "oex_catalog_pathwaycategory_code_uniq_ci", Unique: true,
			Parts: []Part{{Column: "category_code", Lower: true}}}},
		Checks: []Check{{Name: "oex_catalog_pathwaycategory_code_regex", Column: "category_code", Pattern: &pathwayCode},
			notBlank("pathwaycategory", "title")},
	},
	{
		Name: "openedx_catalog_catalogpathway",
		Columns: []Column{id8, {Name: "pathway_code", Type: key(255)}, created, modified, {Name: "title", Type: ci(255)},
			{Name: "description", Type: ciText}, ref4("org_id", "organizations_organization", Protect),
			ref4("category_id", "openedx_catalog_pathwaycategory", Protect)},
		Indexes: []Index{
			index("openedx_cat_org_id_037ff8_idx", "org_id", "pathway_code"),
			{Name: "oex_catalog_catalogpathway_org_code_uniq_ci", Unique: true,
				Parts: []Part{{Column: "org_id"}, {Column: "pathway_code", Lower: true}}},
		},
		Checks: []Check{{Name: "oex_catalog_catalogpathway_pathway_code_regex", Column: "pathway_code", Pattern: &pathwayCode},
			notBlank("catalogpathway", "title")},
	},
	{
		Name: "openedx_catalog_pathwayenrollment",
		Columns: []Column{id8, created, modified, {Name: "is_active", Type: boolean},
			ref8("catalog_pathway_id", "openedx_catalog_catalogpathway", Protect), ref4("user_id", "auth_user", Cascade)},
		Indexes: []Index{unique("oex_catalog_pathwayenrollment_uniq_user_pathway", "user_id", "catalog_pathway_id")},
	},
}
