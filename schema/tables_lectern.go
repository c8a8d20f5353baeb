package schema

// ownLedger is the ledger of Lectern's own tables. It is the first table made and its row [baseline] the last thing
// written, so a database in which the row is missing was left half made.
const ownLedger = "lectern_schema"

// lockTable is in a database of any age that was worked on, by itself, so it says nothing of what the database is.
const lockTable = "lectern_lock"

// extends makes the primary key of a lectern_* table whose rows say more about rows of another. Like every reference of a
// lectern_* table it leaves the database to delete the row with the other, as a Django process that deletes a package does
// not know these tables and must not be stopped by them.
func extends(c Column) Column {
	c.PK, c.Rule = true, Drop
	return c
}

// lectern are the tables for what Open edX has no room for (design.md §4). They are only ever added to.
var lectern = []Table{
	{
		Name:    ownLedger,
		Columns: []Column{id4, {Name: "name", Type: key(255), Unique: true}, {Name: "applied", Type: timestamp}},
	},
	{
		Name:    "lectern_package",
		Columns: []Column{extends(ref4("learning_package_id", learningPackage, Drop)), {Name: "serial", Type: int8}},
	},
	{
		Name: "lectern_changelog",
		Columns: []Column{extends(ref8("draft_change_log_id", "openedx_content_draftchangelog", Drop)),
			{Name: "kind", Type: key(32)}, {Name: "message", Type: ci(500)}, {Name: "source", Type: key(500)}},
	},
	{
		Name: "lectern_publishlog",
		Columns: []Column{extends(ref8("publish_log_id", "openedx_content_publishlog", Drop)),
			{Name: "kind", Type: key(32)}, {Name: "source", Type: key(500)}},
	},
	{
		Name: "lectern_containerversionmedia",
		Columns: []Column{id8, ref8("container_version_id", containerVer, Drop), {Name: "path", Type: key(500)},
			ref8("media_id", mediaTable, Drop)},
		Indexes: []Index{
			unique("lectern_cvmedia_uniq_cv_path", "container_version_id", "path"),
			index("lectern_cvmedia_m_cv", "media_id", "container_version_id"),
		},
	},
	{
		Name: "lectern_course",
		Columns: []Column{id8, {Name: "learning_package_id", Type: int4, Unique: true, Ref: learningPackage, Rule: Drop},
			{Name: "course_key", Type: key(255), Unique: true},
			{Name: "course_run_id", Type: int8, Null: true, Unique: true, Ref: "openedx_catalog_courserun", Rule: Clear},
			{Name: "root_entity_id", Type: int8, Unique: true, Ref: entity, Rule: Drop}, created},
	},
	{
		Name: "lectern_label",
		Columns: []Column{id8, ref4("learning_package_id", learningPackage, Drop), {Name: "name", Type: key(255)},
			{Name: "moment", Type: char(32)}, created,
			{Name: "created_by_id", Type: int4, Null: true, Ref: "auth_user", Rule: Clear}},
		Indexes: []Index{unique("lectern_label_uniq_lp_name", "learning_package_id", "name")},
	},
	{
		Name: "lectern_import",
		Columns: []Column{extends(ref4("learning_package_id", learningPackage, Drop)), {Name: "digest", Type: char(64)},
			{Name: "kept", Type: int4}, {Name: "draft_change_log_id", Type: int8}, {Name: "publish_log_id", Type: int8}},
	},
	{
		// What happened to collections, of which Open edX keeps no history. The collection is no reference: its rows outlive it.
		Name: "lectern_collectionlog",
		Columns: []Column{id8, ref4("learning_package_id", learningPackage, Drop), {Name: "collection_id", Type: int4},
			{Name: "collection_code", Type: key(255)}, {Name: "entity_id", Type: int8, Null: true, Index: true, Ref: entity, Rule: Drop},
			{Name: "kind", Type: key(16)}, {Name: "title", Type: ci(500)}, {Name: "description", Type: ciText}, {Name: "enabled", Type: boolean},
			{Name: "noticed", Type: boolean}, {Name: "logged_at", Type: timestamp},
			{Name: "logged_by_id", Type: int4, Null: true, Ref: "auth_user", Rule: Clear}},
		Indexes: []Index{index("lectern_collectionlog_c_e", "collection_id", "entity_id")},
	},
	{
		// Events outlive what they tell of, so they refer to nothing.
		Name: "lectern_event",
		Columns: []Column{id8, {Name: "uuid", Type: uuid}, {Name: "learning_package_id", Type: int8}, {Name: "event_type", Type: key(64)},
			{Name: "event_time", Type: timestamp}, {Name: "changed_by_id", Type: int8, Null: true}, {Name: "title", Type: ci(500)},
			{Name: "log_id", Type: int8, Null: true}, {Name: "data", Type: longText, Null: true}, {Name: "routed", Type: boolean}, created},
		Indexes: []Index{
			index("lectern_event_routed", "routed", "id"),
			index("lectern_event_lp", "learning_package_id", "id"),
		},
	},
	{
		Name: "lectern_webhook",
		Columns: []Column{id8, {Name: "url", Type: longText}, {Name: "secret", Type: longText}, {Name: "event_types", Type: longText},
			{Name: "learning_package_id", Type: int8, Null: true}, {Name: "active", Type: boolean}, {Name: "attempts", Type: int4}, created},
	},
	{
		Name: "lectern_delivery",
		Columns: []Column{id8, ref8("webhook_id", "lectern_webhook", Drop), ref8("event_id", "lectern_event", Drop),
			{Name: "learning_package_id", Type: int8}, {Name: "dead", Type: boolean}, {Name: "attempts", Type: int4},
			{Name: "due", Type: timestamp}, {Name: "holder", Type: char(32)}, {Name: "error", Type: longText}},
		Indexes: []Index{
			unique("lectern_delivery_uniq_webhook_event", "webhook_id", "event_id"),
			index("lectern_delivery_lane", "webhook_id", "dead", "learning_package_id", "event_id"),
			index("lectern_delivery_event", "event_id"),
		},
	},
	{
		// What was pruned of a package, for those who ask for it; the rows stay when the trash is emptied.
		Name: "lectern_pruned",
		Columns: []Column{id8, ref4("learning_package_id", learningPackage, Drop), {Name: "publish", Type: boolean},
			{Name: "first_log", Type: int8}, {Name: "next_log", Type: int8}, {Name: "first_at", Type: timestamp},
			{Name: "logs", Type: int8}, created, {Name: "created_by", Type: key(150)}},
		Indexes: []Index{index("lectern_pruned_lp_log", "learning_package_id", "publish", "first_log")},
	},
	{
		Name: "lectern_prune",
		Columns: []Column{id8, ref4("learning_package_id", learningPackage, Drop), {Name: "plan", Type: char(64)}, created,
			{Name: "created_by", Type: key(150)}, {Name: "expires", Type: timestamp}, {Name: "finished", Type: timestamp, Null: true}},
		Indexes: []Index{unique("lectern_prune_uniq_lp_plan", "learning_package_id", "plan")},
	},
	{
		Name: "lectern_trash",
		Columns: []Column{id8, ref8("prune_id", "lectern_prune", Drop), {Name: "batch", Type: int8}, {Name: "part", Type: int8},
			{Name: "data", Type: longText}},
		Indexes: []Index{unique("lectern_trash_uniq_batch_part", "prune_id", "batch", "part")},
	},
	{
		Name: "lectern_trashfile",
		Columns: []Column{id8, ref4("learning_package_id", learningPackage, Drop), {Name: "hash_digest", Type: char(40)},
			{Name: "expires", Type: timestamp}},
		Indexes: []Index{index("lectern_trashfile_lp_digest", "learning_package_id", "hash_digest")},
	},
	{
		// Package lease makes it too, as it is needed before a database has any other table of ours, so it refers to nothing.
		Name: lockTable,
		Columns: []Column{{Name: "name", Type: key(255), PK: true}, {Name: "holder", Type: key(255)}, {Name: "what", Type: longText},
			{Name: "taken_at", Type: timestamp}, {Name: "ends_at", Type: timestamp}},
	},
	{
		// Rows of content_libraries_contentlibrarypermission as they were, of which no role could be made (authz.md §10, step
		// 0006). A take-over makes the table where there is nothing else of ours, so it refers to nothing.
		Name: LibraryPermissions,
		Columns: []Column{{Name: "id", Type: int8, PK: true}, {Name: "access_level", Type: key(30)}, {Name: "library_id", Type: int8},
			{Name: "user_id", Type: int8, Null: true}, {Name: "group_id", Type: int8, Null: true}, {Name: "library_key", Type: longText},
			created},
	},
	{
		// What Open edX's audit of role assignments has no columns for. Like that table it refers to nothing, as its rows
		// outlive what they tell of; a row's id is that of its row there.
		Name: "lectern_authzaudit",
		Columns: []Column{{Name: "audit_id", Type: int8, PK: true}, {Name: "reason", Type: ci(500)}, {Name: "run_id", Type: int8, Null: true, Index: true},
			{Name: "before_row", Type: longText, Null: true}, {Name: "after_row", Type: longText, Null: true}},
	},
	{
		// The steps of the policy: which rows made each version of the one before it.
		Name: "lectern_authzchange",
		Columns: []Column{id8, {Name: "version", Type: uuid, Unique: true}, {Name: "previous", Type: uuid}, indexed(created),
			{Name: "delta", Type: longText}},
	},
	{
		// What is known of all rules together at the version last written by Lectern. One row.
		Name:    "lectern_authzpolicy",
		Columns: []Column{{Name: "id", Type: int4, PK: true}, {Name: "version", Type: uuid}, {Name: "loose", Type: longText}},
	},
	{
		// Who is signed in. Of the cookie there is a digest only; the session ends when the fingerprint is no longer that of
		// the user's password.
		Name: "lectern_session",
		Columns: []Column{id8, {Name: "token_hash", Type: key(64), Unique: true}, ref4("user_id", "auth_user", Drop),
			{Name: "method", Type: key(16)}, {Name: "fingerprint", Type: key(64)}, created, {Name: "seen", Type: timestamp},
			{Name: "ends", Type: timestamp, Index: true}},
	},
	{
		// Tokens of programs.
		Name: "lectern_token",
		Columns: []Column{id8, {Name: "token_hash", Type: key(64), Unique: true}, ref4("user_id", "auth_user", Drop),
			{Name: "name", Type: key(150)}, {Name: "fingerprint", Type: key(64)}, created, {Name: "expires", Type: timestamp, Null: true},
			{Name: "used", Type: timestamp, Null: true}, {Name: "revoked", Type: timestamp, Null: true}},
	},
	{
		// Addresses that sign somebody in once.
		Name: "lectern_signinlink",
		Columns: []Column{id8, {Name: "token_hash", Type: key(64), Unique: true}, ref4("user_id", "auth_user", Drop),
			{Name: "fingerprint", Type: key(64)}, created, {Name: "ends", Type: timestamp, Index: true}, {Name: "used", Type: timestamp, Null: true}},
	},
	{
		// Failed attempts to sign in, counted by slots that names and addresses fall into, so that strangers cannot fill the table.
		Name:    "lectern_signinlimit",
		Columns: []Column{{Name: "slot", Type: key(32), PK: true}, {Name: "failures", Type: int4}, {Name: "ends", Type: timestamp, Index: true}},
	},
	{
		// Whom an identity provider means.
		Name:    "lectern_identity",
		Columns: []Column{id8, {Name: "issuer", Type: key(255)}, {Name: "subject", Type: key(255)}, ref4("user_id", "auth_user", Drop), created},
		Indexes: []Index{unique("lectern_identity_uniq_issuer_subject", "issuer", "subject")},
	},
	{
		// Long work, of servers and of commands alike. Arguments, progress, result, files and error are JSON. Who works on a
		// job holds the lease that is named after its uuid and attempt.
		Name: "lectern_job",
		Columns: []Column{id8, {Name: "uuid", Type: uuid, Unique: true}, {Name: "kind", Type: key(64)}, {Name: "thing", Type: key(500)},
			{Name: "status", Type: key(16)}, {Name: "foreground", Type: boolean}, {Name: "place", Type: key(64)},
			{Name: "attempt", Type: int4}, {Name: "spare", Type: int4}, {Name: "cancel", Type: boolean}, {Name: "worker", Type: key(255)},
			{Name: "arguments", Type: longText}, {Name: "progress", Type: longText}, {Name: "result", Type: longText, Null: true},
			{Name: "files", Type: longText}, {Name: "error", Type: longText, Null: true}, created,
			{Name: "started", Type: timestamp, Null: true}, {Name: "finished", Type: timestamp, Null: true},
			{Name: "created_by_id", Type: int4, Null: true, Index: true, Ref: "auth_user", Rule: Clear}},
		Indexes: []Index{
			index("lectern_job_status", "status", "id"),
			index("lectern_job_finished", "finished"),
		},
	},
	{
		Name:    "lectern_joblog",
		Columns: []Column{id8, ref8("job_id", "lectern_job", Drop), {Name: "at", Type: timestamp}, {Name: "line", Type: longText}},
		Indexes: []Index{index("lectern_joblog_job", "job_id", "id")},
	},
	{
		// What was asked of a run that moved roles from one side of the authoring flag to the other, so that it can be asked
		// again; a row's id is that of its row in Open edX's table of runs, whose rows refer to nothing either.
		Name: "lectern_authzrun",
		Columns: []Column{{Name: "run_id", Type: int8, PK: true}, {Name: "ask", Type: longText}, {Name: "moved", Type: int8}, {Name: "merged", Type: int8},
			{Name: "left_alone", Type: int8}, {Name: "errors", Type: int8}, {Name: "actor_id", Type: int4, Null: true}},
	},
	{
		// What became of each row of a run, with the row as it was. Those that stand on a side are what the next run the other
		// way finds there, and gives back.
		Name: "lectern_authzrunrecord",
		Columns: []Column{id8, {Name: "run_id", Type: int8, Index: true}, {Name: "side", Type: key(8)}, {Name: "standing", Type: boolean},
			{Name: "outcome", Type: key(16)}, {Name: "reason", Type: key(40)}, {Name: "note", Type: longText}, {Name: "user_id", Type: int4},
			{Name: "username", Type: ci(255)}, {Name: "legacy_role", Type: ci(255)}, {Name: "role", Type: ci(255)}, {Name: "scope", Type: key(500)},
			{Name: "row_id", Type: int8}, {Name: "org", Type: ci(255)}, {Name: "course_id", Type: ci(255)}},
		Indexes: []Index{index("lectern_authzrunrecord_standing", "scope", "side", "standing")},
	},
	{
		// How far a run is that moves its roles in batches. Attempt counts who took it up: only the last may go on. No two of them
		// work at one scope, which is course: or org: and its key in lower case.
		Name: "lectern_authzshift",
		Columns: []Column{{Name: "run_id", Type: int8, PK: true}, {Name: "scope", Type: key(300), Unique: true}, {Name: "step", Type: key(16)}, {Name: "attempt", Type: int8}, {Name: "after_id", Type: int8},
			{Name: "copied", Type: int8}, {Name: "done", Type: int8}, {Name: "total", Type: int8}, {Name: "version", Type: uuid}, {Name: "dirty", Type: boolean}},
	},
	{
		// What courses and libraries were made of that came from an old store, each of one source. The logs are those that were
		// the last of the package then: what differs from them was edited here.
		Name: "lectern_conversion",
		Columns: []Column{id8, {Name: "learning_package_id", Type: int4, Unique: true, Ref: learningPackage, Rule: Drop},
			{Name: "source_key", Type: key(500)}, {Name: "store", Type: key(16)}, {Name: "target_key", Type: key(255), Unique: true},
			{Name: "digest", Type: char(64)}, {Name: "options", Type: char(64)}, {Name: "draft_change_log_id", Type: int8},
			{Name: "publish_log_id", Type: int8}, {Name: "report", Type: longText}, created,
			{Name: "created_by_id", Type: int4, Null: true, Ref: "auth_user", Rule: Clear}},
		Indexes: []Index{index("lectern_conversion_source", "source_key")},
	},
	{
		// Under which key everything of such a course or library is found that had another one in the old store.
		Name: "lectern_conversion_key",
		Columns: []Column{id8, ref8("conversion_id", "lectern_conversion", Drop), {Name: "old_key", Type: key(500)},
			{Name: "new_key", Type: key(255)}, {Name: "branches", Type: key(16)}, {Name: "reason", Type: longText}},
		Indexes: []Index{index("lectern_conversion_key_old", "conversion_id", "old_key")},
	},
	{
		// At which stage of its retirement the old store is: the newest row counts, and the others are its history.
		Name: "lectern_legacy_stage",
		Columns: []Column{id8, {Name: "stage", Type: key(16)}, {Name: "warning", Type: boolean}, {Name: "message", Type: longText},
			{Name: "ends_on", Type: key(10)}, {Name: "hidden", Type: boolean}, {Name: "closed", Type: boolean}, created, {Name: "created_by", Type: key(150)}},
	},
	{
		// What the platform says of courses with old keys, as it said it last: data has every column of it, as JSON. Rows stay
		// when the platform's go. What was found of a course in the old store itself is in the columns that begin with scan;
		// scan_content has what the platform took from there whenever it was asked, as JSON.
		Name: "lectern_legacy_overview",
		Columns: []Column{{Name: "course_key", Type: key(255), PK: true}, {Name: "org", Type: longText}, {Name: "title", Type: longText},
			{Name: "location", Type: longText}, {Name: "version", Type: int8, Null: true}, {Name: "start_at", Type: timestamp, Null: true},
			{Name: "end_at", Type: timestamp, Null: true}, {Name: "enrollment_start", Type: timestamp, Null: true},
			{Name: "enrollment_end", Type: timestamp, Null: true}, {Name: "made_at", Type: timestamp, Null: true},
			{Name: "modified_at", Type: timestamp, Null: true}, {Name: "self_paced", Type: boolean, Null: true},
			{Name: "staff_only", Type: boolean, Null: true}, {Name: "invitation_only", Type: boolean, Null: true},
			{Name: "visibility", Type: longText}, {Name: "language", Type: longText}, {Name: "passing_grade", Type: longText},
			{Name: "image_url", Type: longText}, {Name: "short_description", Type: longText}, {Name: "effort", Type: longText},
			{Name: "data", Type: longText}, {Name: "problem", Type: longText}, {Name: "filled_at", Type: timestamp, Null: true},
			{Name: "scan_bytes", Type: int8, Null: true}, {Name: "scan_edit", Type: timestamp, Null: true}, {Name: "scanned_at", Type: timestamp, Null: true},
			{Name: "scan_content", Type: longText, Null: true}},
	},
	{
		// How often somebody was refused a course with an old key: rows of a day add up.
		Name:    "lectern_legacy_refusal",
		Columns: []Column{id8, {Name: "course_key", Type: key(255)}, {Name: "page", Type: key(32)}, {Name: "day", Type: key(10)}, {Name: "hits", Type: int8}},
		Indexes: []Index{index("lectern_legacy_refusal_day", "day", "course_key")},
	},
}

// LibraryPermissions is the table in which a take-over keeps rows of the time before openedx-authz that it could not move.
const LibraryPermissions = "lectern_librarypermission"
