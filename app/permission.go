package app

import "strings"

// Permission is what a use case asks of its actor. The system operator needs none.
type Permission struct {
	who     who
	course  string // action asked for on a course or legacy library (authz.md §5.2)
	library string // on a library (authz.md §5.1)
	also    who    // who else may, or must be asked besides; see the use case
}

// who says whom a use case is for.
type who uint8

const (
	operators who = iota + 1 // staff and superusers: what is the site's own business
	allowed                  // who has the action on the course or library in question
	viewers                  // who has it on anything; the others' things are left out
	creators                 // who may make courses and libraries
	signedIn                 // every person
)

func on(course, library string) Permission {
	return Permission{who: allowed, course: course, library: library}
}

func (p Permission) or(w who) Permission { p.also = w; return p }

// String says it in words.
func (p Permission) String() string {
	text := map[who]string{operators: "staff", creators: "course creators", signedIn: "everybody who is signed in"}
	s := text[p.who]
	if p.who == allowed || p.who == viewers {
		s = strings.Trim(p.course+", "+p.library, ", ")
	}
	if p.also != 0 {
		s += "; " + text[p.also]
	}
	return s
}

// Actions.
const (
	viewCourse    = "courses.view_course"
	editCourse    = "courses.edit_course_content"
	publishCourse = "courses.publish_course_content"
	importCourse  = "courses.import_course"
	exportCourse  = "courses.export_course"
	manageTeam    = "courses.manage_course_team"

	viewLibrary   = "content_libraries.view_library"
	editLibrary   = "content_libraries.edit_library_content"
	deleteLibrary = "content_libraries.delete_library"

	manageLibraryTeam = "content_libraries.manage_library_team"
)

// useCases says of every use case whom it is for: one that is not here fails. There is no permission to delete a course
// among Open edX's, so that is for who manages its team; nor one to take a copy of a library, so that is for who edits it.
var useCases = map[string]Permission{
	// Courses and legacy libraries.
	"List":          {who: viewers, course: viewCourse},
	"Show":          on(viewCourse, ""),
	"Blocks":        on(viewCourse, ""),
	"Diff":          on(viewCourse, ""),
	"History":       on(viewCourse, ""),
	"Labels":        on(viewCourse, ""),
	"Label":         on(editCourse, ""),
	"Unlabel":       on(editCourse, ""),
	"CreateBlocks":  on(editCourse, ""), // pages and the course's settings have actions of their own, see blockActions
	"EditBlocks":    on(editCourse, ""),
	"MoveBlocks":    on(editCourse, ""),
	"DeleteBlocks":  on(editCourse, ""),
	"Discard":       on(editCourse, ""),
	"Restore":       on(editCourse, ""),
	"Publish":       on(publishCourse, ""),
	"Export":        on(exportCourse, ""),
	"Import":        on(importCourse, "").or(creators), // where there is no such course yet
	"Rerun":         on(editCourse, "").or(creators),   // the one on the course it is made of, and the other
	"Delete":        on(manageTeam, "").or(operators),  // to purge
	"Packages":      {who: viewers, course: viewCourse, library: viewLibrary},
	"Backup":        on(exportCourse, editLibrary),
	"VerifyAgainst": on(exportCourse, editLibrary),
	// Where there is no such package yet it is for creators. An old one is removed for good by operators only.
	"RestorePackage": on(importCourse, deleteLibrary).or(creators),

	// Libraries.
	"CreateLibrary":     on("", editLibrary).or(creators), // where there is no such library yet
	"MigrateToLibrary":  on(editCourse, editLibrary),      // the one on each source, the other on the library
	"LibraryMigrations": {who: viewers, course: viewCourse, library: viewLibrary},
	"LibraryPreview":    on(viewCourse, editLibrary), // the one on the source, the other on the library
	"LibraryBlocks":     on("", viewLibrary),
	"LibraryCourses":    on("", viewLibrary),
	"LibraryInfo":       {who: signedIn, course: viewCourse}, // what one may not see is left out
	// Tasks: everybody has their own.
	"LibraryTasks":      {who: signedIn},
	"LibraryTask":       {who: signedIn},
	"LibraryArtifact":   {who: signedIn},
	"StartLibraryTask":  {who: signedIn}, // it takes the permission of what it does
	"CancelLibraryTask": {who: operators},

	// The site's own business.
	"BackupAll":         {who: operators},
	"ConvertOldSite":    {who: operators},
	"PlanPrune":         {who: operators},
	"ApplyPrune":        {who: operators},
	"UndoPrune":         {who: operators},
	"ExpirePrune":       {who: operators},
	"Events":            {who: operators},
	"Event":             {who: operators},
	"AddWebhook":        {who: operators},
	"Webhooks":          {who: operators},
	"RemoveWebhook":     {who: operators},
	"ActivateWebhook":   {who: operators},
	"PingWebhook":       {who: operators},
	"DeadLetters":       {who: operators},
	"ReviveDeadLetters": {who: operators},
	"DropDeadLetters":   {who: operators},
	"DeliverEvents":     {who: operators},
	"AddUser":           {who: operators},
	"AddUserWithLink":   {who: operators},
	"Users":             {who: operators},
	"SetPassword":       {who: operators}, // of a superuser only superusers, here and below
	"SignInLink":        {who: operators},
	"DisableUser":       {who: operators},
	"EnableUser":        {who: operators},
	"NewToken":          {who: operators},
	"RevokeToken":       {who: operators},
	"Tokens":            {who: operators},
	"Account":           {who: signedIn},
	"Flag":              {who: operators},
	"SetFlag":           {who: operators},
	"FlagHistory":       {who: operators},
	"MoveRoles":         {who: operators},
	"RoleRuns":          {who: operators},
	"RoleRun":           {who: operators},
	"RetryRoleRun":      {who: operators},
	"CloseRoleRun":      {who: operators},
	"ResumeRoleRun":     {who: operators},
	"RoleRunRows":       {who: operators},
	"ReconcileRoles":    {who: operators},
	"FlagStates":        {who: signedIn},
	"StateMap":          {who: operators},

	// What is left of the old store.
	"LegacyStage":         {who: signedIn},
	"LegacyAccess":        {who: signedIn},
	"LegacyCards":         Permission{who: signedIn}.or(operators), // of others
	"LegacyCourses":       {who: viewers, course: viewCourse},
	"SetLegacyStage":      {who: operators},
	"LegacyStageHistory":  {who: operators},
	"LegacyRefusals":      {who: operators},
	"FillLegacyOverviews": {who: operators},
	"NoteLegacySizes":     {who: operators},

	// Who may do what.
	"Assign":          on(manageTeam, manageLibraryTeam),
	"Unassign":        on(manageTeam, manageLibraryTeam),
	"GiveRole":        on(manageTeam, manageLibraryTeam), // by assignments alone, as the next
	"TakeRole":        on(manageTeam, manageLibraryTeam),
	"CheckPermission": {who: operators},
	"Explain":         {who: operators},
	"Assignments":     {who: operators},
	"Roles":           {who: signedIn},
	"TeamAudit":       {who: operators},
	"SeedPolicy":      {who: operators},
	"LoadDefinitions": {who: operators},

	// Jobs: everybody has their own, operators all. To start one takes the permission of what it does.
	"Jobs":      {who: signedIn},
	"Job":       {who: signedIn},
	"JobLog":    {who: signedIn},
	"JobFile":   {who: signedIn},
	"CancelJob": {who: signedIn},
	"RetryJob":  {who: signedIn},
	"StartJob":  {who: signedIn},
	"WorkJobs":  {who: operators},
	"CountJobs": {who: operators},

	// On databases of any age.
	"Init":         {who: operators},
	"Status":       {who: operators},
	"PlanTakeover": {who: operators},
	"Migrate":      {who: operators},
	"Rehearse":     {who: operators},
	"RevertNames":  {who: operators},
	"DropOwn":      {who: operators},
	"Verify":       {who: operators},
	"Repair":       {who: operators},
}

// blockActions are what changing some types of blocks asks for in place of editing content: they are not content.
var blockActions = map[string]string{
	"course":      "courses.manage_advanced_settings",
	"about":       "courses.edit_details",
	"course_info": "courses.manage_course_updates",
	"static_tab":  "courses.manage_pages_and_resources",
}
