package schema

// Tables that others refer to.
const (
	overviewTable = "course_overviews_courseoverview"
	libraryTable  = "content_libraries_contentlibrary"
	flagTable     = "waffle_flag"
)

// named columns of django-waffle's tables.
var (
	waffleName = Column{Name: "name", Type: char(100), Unique: true}
	note       = Column{Name: "note", Type: longText}
	createdIdx = Column{Name: "created", Type: timestamp, Index: true}
)

// courseID is the column of a course key. Keys that differ by case alone are one course to the platform.
func courseID(name string) Column { return Column{Name: name, Type: ci(255)} }

func indexed(c Column) Column { c.Index = true; return c }

// override makes a table of what a flag is for one course or organization; rows are only ever added.
func override(name string, key Column, indexes ...Index) Table {
	return Table{
		Name: name,
		Columns: []Column{id4, {Name: "change_date", Type: timestamp}, {Name: "enabled", Type: boolean},
			{Name: "waffle_flag", Type: char(255), Index: true}, {Name: "override_choice", Type: char(3)}, note, indexed(key),
			{Name: "changed_by_id", Type: int4, Null: true, Ref: "auth_user", Rule: Protect}},
		Indexes: indexes,
	}
}

// flagMember makes a table of who has a flag.
func flagMember(who string) Table {
	return Table{
		Name:    flagTable + "_" + who + "s",
		Columns: []Column{id4, ref4("flag_id", flagTable, Cascade), ref4(who+"_id", "auth_"+who, Cascade)},
		Indexes: []Index{unique("", "flag_id", who+"_id")},
	}
}

// platform are the tables of the platform that permissions and flags are read from, as Lectern makes them where there is
// no platform (authz.md §17, authz-migration.md §2, §3). Where there is one they are its own, with more columns, and are
// taken as they are.
var platform = []Table{
	{
		Name:    "django_session",
		Columns: []Column{{Name: "session_key", Type: char(40), PK: true}, {Name: "session_data", Type: longText}, {Name: "expire_date", Type: timestamp, Index: true}},
	},
	{
		Name:    "auth_userprofile",
		Columns: []Column{id4, {Name: "name", Type: char(255)}, one("user_id", "auth_user")},
	},
	{
		Name:    "user_api_userretirementrequest",
		Columns: []Column{id4, created, modified, one("user_id", "auth_user")},
	},
	{
		Name: overviewTable,
		Columns: []Column{{Name: "id", Type: ci(255), PK: true}, {Name: "org", Type: longText},
			{Name: "display_name", Type: longText, Null: true}},
	},
	{
		Name: libraryTable,
		Columns: []Column{id4, {Name: "slug", Type: char(50), Index: true}, {Name: "license", Type: char(25)},
			{Name: "allow_public_learning", Type: boolean}, {Name: "allow_public_read", Type: boolean},
			{Name: "learning_package_id", Type: int4, Null: true, Unique: true, Ref: learningPackage, Rule: SetNull},
			ref4("org_id", "organizations_organization", Protect)},
		Indexes: []Index{unique("", "org_id", "slug")},
	},
	{
		Name: "student_courseaccessrole",
		Columns: []Column{id4, {Name: "org", Type: char(64), Index: true}, indexed(courseID("course_id")),
			{Name: "role", Type: char(64), Index: true}, ref4("user_id", "auth_user", Cascade)},
		Indexes: []Index{unique("", "user_id", "org", "course_id", "role")},
	},
	{
		Name: flagTable,
		Columns: []Column{id4, waffleName, {Name: "everyone", Type: boolean, Null: true}, {Name: "percent", Type: decimal(3), Null: true},
			{Name: "testing", Type: boolean}, {Name: "superusers", Type: boolean}, {Name: "staff", Type: boolean},
			{Name: "authenticated", Type: boolean}, {Name: "languages", Type: longText}, {Name: "rollout", Type: boolean}, note, createdIdx, modified},
		Rebuilt: []string{"id", "name", "percent", "testing", "superusers", "staff", "authenticated", "languages", "rollout", "note",
			"created", "modified", "everyone"},
		OwnNames: true,
	},
	flagMember("user"),
	flagMember("group"),
	{
		Name:    "waffle_switch",
		Columns: []Column{id4, waffleName, {Name: "active", Type: boolean}, note, createdIdx, modified},
	},
	{
		Name:    "waffle_sample",
		Columns: []Column{id4, waffleName, {Name: "percent", Type: decimal(4)}, note, createdIdx, modified},
	},
	override("waffle_utils_waffleflagcourseoverridemodel", courseID("course_id")),
	override("waffle_utils_waffleflagorgoverridemodel", Column{Name: "org", Type: char(255)},
		index("waffle_org_and_waffle_flag", "org", "waffle_flag")),
}

// one makes a reference that no two rows share.
func one(name, table string) Column {
	return Column{Name: name, Type: int4, Unique: true, Ref: table, Rule: Cascade}
}
