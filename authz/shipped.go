package authz

import "strings"

// Shipped returns the rows of permissions that a site starts with, as ptype, v0, v1 …: what each role may do on all of
// its namespace, then which permission implies which (authz.md §5). The order is the one in which they are stored, as
// roles and permissions are listed in row order (authz.md §15, D16). The rows are the caller's.
func Shipped() [][]string {
	var rows [][]string
	for _, r := range shippedRoles {
		for _, p := range r.permissions() {
			rows = append(rows, []string{"p", rolePrefix + r.name, "act^" + r.app + "." + p, r.namespace + "^*", "allow"})
		}
	}
	for _, i := range implications {
		from, to, _ := strings.Cut(i, " ")
		rows = append(rows, []string{"g2", "act^" + ofLibraries + "." + from, "act^" + ofLibraries + "." + to})
	}
	return rows
}

// Applications that permissions belong to.
const (
	ofLibraries = "content_libraries"
	ofCourses   = "courses"
)

// shipped is a role that a site starts with.
type shipped struct {
	name, app, namespace string
	own                  string   // permissions of this role alone, first in its list
	tiers                []string // further permissions, which roles have more or fewer of
	without              string   // those of the tiers that it lacks
}

func (r shipped) permissions() []string {
	lacks := setOf(strings.Fields(r.without))
	var list []string
	for _, p := range strings.Fields(r.own + " " + strings.Join(r.tiers, " ")) {
		if !lacks[p] {
			list = append(list, p)
		}
	}
	return list
}

// Permissions of libraries (authz.md §5.1).
const libraryPermissions = `view_library manage_library_tags delete_library edit_library_content publish_library_content reuse_library_content
	view_library_team manage_library_team create_library_collection edit_library_collection delete_library_collection`

// courseTiers are the permissions of courses (authz.md §5.2), in groups of which each role has the first few: what an
// auditor may, what an editor may besides, what staff may, and what is left to administrators.
var courseTiers = []string{
	`view_course view_course_updates view_pages_and_resources view_files view_grading_settings view_checklists view_course_team
	view_schedule_and_details view_advanced_settings view_certificates view_group_configurations view_library_updates`,
	`edit_course_content manage_library_updates manage_course_updates manage_pages_and_resources create_files edit_files
	edit_grading_settings manage_group_configurations edit_details manage_tags`,
	`publish_course_content delete_files edit_schedule manage_advanced_settings manage_certificates import_course export_course export_tags`,
	`manage_course_team manage_taxonomies`,
}

var shippedRoles = []shipped{
	{name: "library_admin", app: ofLibraries, namespace: "lib", own: libraryPermissions},
	{name: "library_author", app: ofLibraries, namespace: "lib", own: libraryPermissions, without: "delete_library manage_library_team"},
	{name: "library_contributor", app: ofLibraries, namespace: "lib", own: libraryPermissions, without: "delete_library manage_library_team publish_library_content"},
	{name: "library_user", app: ofLibraries, namespace: "lib", own: "view_library reuse_library_content view_library_team"},
	{name: "course_auditor", app: ofCourses, namespace: "course-v1", tiers: courseTiers[:1]},
	{name: "course_editor", app: ofCourses, namespace: "course-v1", tiers: courseTiers[:2]},
	{name: "course_staff", app: ofCourses, namespace: "course-v1", own: "legacy_staff_role_permissions", tiers: courseTiers[:3]},
	{name: "course_admin", app: ofCourses, namespace: "course-v1", own: "legacy_instructor_role_permissions", tiers: courseTiers},
	{name: "course_limited_staff", app: ofCourses, namespace: "course-v1", own: "legacy_limited_staff_role_permissions"},
	{name: "course_data_researcher", app: ofCourses, namespace: "course-v1", own: "legacy_data_researcher_permissions"},
	{name: "course_beta_tester", app: ofCourses, namespace: "course-v1", own: "legacy_beta_tester_permissions"},
}

// implications are pairs of which who has the first permission has the second (authz.md §5.1). Courses have none.
var implications = []string{
	"manage_library_tags edit_library_content",
	"delete_library edit_library_content",
	"publish_library_content edit_library_content",
	"edit_library_content view_library",
	"reuse_library_content view_library",
	"publish_library_content view_library",
	"manage_library_team view_library_team",
	"delete_library_collection edit_library_collection",
	"create_library_collection edit_library_collection",
	"edit_library_collection view_library",
}
