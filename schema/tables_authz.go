package schema

// Tables that others name too.
const (
	casbinRule  = "casbin_rule"
	authzPrefix = "openedx_authz_"
	policyTable = authzPrefix + "policycachecontrol"
	scopeTable  = authzPrefix + "scope"
	externalKey = "external_key" // of a scope: the one column that a later step adds to an earlier table
)

// document is the type of JSON documents.
var document = Type{Kind: JSON}

var (
	createdAt   = Column{Name: "created_at", Type: timestamp}
	updatedAt   = Column{Name: "updated_at", Type: timestamp}
	displayName = Column{Name: "display_name", Type: char(255)}
	description = Column{Name: "description", Type: longText}
	icon        = Column{Name: "icon", Type: char(128), Null: true}
	scopes      = Column{Name: "scopes", Type: document}
)

// sourceOf makes the table that says which files define a thing, and how.
func sourceOf(thing, constraint string, column, of string) Table {
	return Table{
		Name: authzPrefix + thing + "source",
		Columns: []Column{id8, {Name: "origin_kind", Type: char(16)}, {Name: "priority", Type: int4},
			ref8(column, authzPrefix+of, NoRule), ref8("source_id", authzPrefix+"authzschemasource", NoRule)},
		Indexes: []Index{unique("authz_"+constraint+"_source_uniq", column, "source_id")},
	}
}

// authz are the tables of permissions, as openedx-authz 1.35.0 has them (authz.md §10).
var authz = []Table{
	{
		Name: casbinRule,
		Columns: []Column{id4, {Name: "ptype", Type: char(255)}, {Name: "v0", Type: char(255)}, {Name: "v1", Type: char(255)},
			{Name: "v2", Type: char(255)}, {Name: "v3", Type: char(255)}, {Name: "v4", Type: char(255)}, {Name: "v5", Type: char(255)}},
	},
	{
		Name:    scopeTable,
		Columns: []Column{id8, {Name: externalKey, Type: char(255), Null: true, Unique: true}},
	},
	{
		Name:    authzPrefix + "subject",
		Columns: []Column{id8},
	},
	{
		Name: authzPrefix + "extendedcasbinrule",
		Columns: []Column{id8, {Name: "casbin_rule_key", Type: char(255), Unique: true}, null(description), createdAt, updatedAt,
			{Name: "metadata", Type: document, Null: true},
			{Name: "casbin_rule_id", Type: int4, Unique: true, Ref: casbinRule, Rule: Cascade},
			null(ref8("scope_id", scopeTable, Cascade)), null(ref8("subject_id", authzPrefix+"subject", Cascade))},
	},
	{
		Name:    authzPrefix + "usersubject",
		Columns: []Column{subtype("subject_ptr_id", authzPrefix+"subject"), null(ref4("user_id", "auth_user", Cascade))},
	},
	{
		Name:    authzPrefix + "contentlibraryscope",
		Columns: []Column{subtype("scope_ptr_id", scopeTable), null(ref4("content_library_id", libraryTable, Cascade))},
	},
	{
		Name:    policyTable,
		Columns: []Column{id8, {Name: "version", Type: uuid}},
	},
	{
		Name: authzPrefix + "coursescope",
		Columns: []Column{subtype("scope_ptr_id", scopeTable),
			{Name: "course_overview_id", Type: ci(255), Null: true, Ref: overviewTable, Rule: Cascade}},
	},
	{
		Name: authzPrefix + "authzcourseauthoringmigrationrun", // authz-migration.md §8
		Columns: []Column{id8, {Name: "migration_type", Type: char(20)}, {Name: "scope_type", Type: char(20)},
			{Name: "scope_key", Type: char(255)}, {Name: "status", Type: char(20)}, createdAt, updatedAt,
			{Name: "completed_at", Type: timestamp, Null: true}, {Name: "metadata", Type: document}},
	},
	{
		// Rows outlive users, courses and roles, so they refer to nothing.
		Name: authzPrefix + "roleassignmentaudit",
		Columns: []Column{id8, {Name: "operation", Type: char(20)}, {Name: "subject", Type: char(255)}, {Name: "role", Type: char(255)},
			{Name: "scope", Type: char(255)}, {Name: "actor_id", Type: int4, Null: true}, {Name: "timestamp", Type: timestamp}},
		Indexes: []Index{index("role_audit_subject_idx", "subject"), index("role_audit_scope_idx", "scope")},
	},
	{
		Name: authzPrefix + "authzschemasource",
		Columns: []Column{id8, {Name: "distribution", Type: char(255)}, {Name: "module", Type: char(255)},
			{Name: "distribution_version", Type: char(64)}, {Name: "resource_path", Type: char(255)}, {Name: "content_digest", Type: char(64)},
			{Name: "schema_version", Type: char(16)}, createdAt, updatedAt},
		Indexes: []Index{unique("authz_source_dist_module_uniq", "distribution", "module")},
	},
	{
		Name: authzPrefix + "authzpermissioncategory",
		Columns: []Column{id8, {Name: "category_id", Type: char(255), Unique: true}, displayName, description, icon,
			createdAt, updatedAt},
	},
	{
		Name: authzPrefix + "authzpermissiondefinition",
		Columns: []Column{id8, {Name: "namespace", Type: char(255)}, {Name: "name", Type: char(255)}, displayName, description, scopes, icon,
			createdAt, updatedAt, null(ref8("category_id", authzPrefix+"authzpermissioncategory", NoRule))},
		Indexes: []Index{unique("authz_permission_ns_name_uniq", "namespace", "name")},
	},
	{
		Name: authzPrefix + "authzroledefinition",
		Columns: []Column{id8, {Name: "role_id", Type: char(255), Unique: true}, displayName, description, scopes, icon,
			{Name: "hidden", Type: boolean}, createdAt, updatedAt},
	},
	{
		Name: authzPrefix + "authzrolepermission",
		Columns: []Column{id8, {Name: "scope", Type: char(255)}, createdAt, updatedAt,
			ref8("permission_id", authzPrefix+"authzpermissiondefinition", NoRule), ref8("role_id", authzPrefix+"authzroledefinition", NoRule)},
		Indexes: []Index{unique("authz_role_permission_uniq", "role_id", "permission_id", "scope")},
	},
	sourceOf("authzcategory", "category", "category_id", "authzpermissioncategory"),
	sourceOf("authzpermission", "permission", "permission_id", "authzpermissiondefinition"),
	sourceOf("authzrole", "role", "role_id", "authzroledefinition"),
	sourceOf("authzrolepermission", "role_permission", "role_permission_id", "authzrolepermission"),
}
