package schema

// Names of the tables that others refer to.
const (
	learningPackage = "openedx_content_learningpackage"
	entity          = "openedx_content_publishableentity"
	entityVersion   = "openedx_content_publishableentityversion"
	draftRecord     = "openedx_content_draftchangelogrecord"
	publishRecord   = "openedx_content_publishlogrecord"
	container       = "openedx_content_container"
	containerVer    = "openedx_content_containerversion"
	component       = "openedx_content_component"
	componentVer    = "openedx_content_componentversion"
	mediaTable      = "openedx_content_media"
)

// publishing are the tables of packages, entities, versions, pointers and logs (content-schema.md §3.1-3.10).
var publishing = []Table{
	{
		Name: learningPackage,
		Was:  "oel_publishing_learningpackage",
		Columns: []Column{id4, uuidCol, {Name: "package_ref", Type: key(500)}, {Name: "title", Type: ci(500)},
			{Name: "description", Type: ciText}, created, {Name: "updated", Type: timestamp}},
		Indexes: []Index{unique("oel_publishing_lp_uniq_key", "package_ref")},
		Rebuilt: []string{"id", "uuid", "title", "description", "created", "updated", "package_ref"},
	},
	{
		Name: entity,
		Was:  "oel_publishing_publishableentity",
		Columns: []Column{id8, uuidCol, {Name: "entity_ref", Type: key(500)}, created, by("created_by_id"),
			ref4("learning_package_id", learningPackage, Cascade), {Name: "can_stand_alone", Type: boolean}},
		Indexes: []Index{
			unique("oel_pub_ent_uniq_lp_key", "learning_package_id", "entity_ref"),
			index("oel_pub_ent_idx_key", "entity_ref"),
			index("oel_pub_ent_idx_lp_rcreated", "learning_package_id", "created DESC"),
		},
		Rebuilt: []string{"id", "uuid", "created", "can_stand_alone", "created_by_id", "learning_package_id", "entity_ref"},
	},
	{
		Name: entityVersion,
		Was:  "oel_publishing_publishableentityversion",
		Columns: []Column{id8, uuidCol, {Name: "title", Type: ci(500)}, {Name: "version_num", Type: uint4}, created,
			by("created_by_id"), ref8("entity_id", entity, Cascade)},
		Indexes: []Index{
			unique("oel_pv_uniq_entity_version_num", "entity_id", "version_num"),
			index("oel_pv_idx_entity_rcreated", "entity_id", "created DESC"),
			index("oel_pv_idx_title", "title"),
		},
	},
	{
		Name: "openedx_content_publishableentityversiondependency",
		Was:  "oel_publishing_publishableentityversiondependency",
		Columns: []Column{id8, ref8("referenced_entity_id", entity, Restrict),
			ref8("referring_version_id", entityVersion, Cascade)},
		Indexes: []Index{unique("oel_pevd_uniq_rv_re", "referring_version_id", "referenced_entity_id")},
	},
	{
		Name: "openedx_content_draftchangelog",
		Was:  "oel_publishing_draftchangelog",
		Columns: []Column{id8, uuidCol, {Name: "changed_at", Type: timestamp}, by("changed_by_id"),
			ref4("learning_package_id", learningPackage, Cascade)},
	},
	{
		Name: "openedx_content_publishlog",
		Was:  "oel_publishing_publishlog",
		Columns: []Column{id8, uuidCol, {Name: "message", Type: ci(500)}, {Name: "published_at", Type: timestamp},
			ref4("learning_package_id", learningPackage, Cascade), by("published_by_id")},
	},
	{
		Name: draftRecord,
		Was:  "oel_publishing_draftchangelogrecord",
		Columns: []Column{id8, ref8("draft_change_log_id", "openedx_content_draftchangelog", Cascade),
			ref8("entity_id", entity, Restrict), null(ref8("new_version_id", entityVersion, Restrict)),
			null(ref8("old_version_id", entityVersion, Restrict)), {Name: "dependencies_hash_digest", Type: char(8)}},
		Indexes: []Index{
			unique("oel_dlr_uniq_dcl", "draft_change_log_id", "entity_id"),
			index("oel_dlr_idx_entity_rdcl", "entity_id", "draft_change_log_id DESC"),
		},
	},
	{
		Name: publishRecord,
		Was:  "oel_publishing_publishlogrecord",
		Columns: []Column{id8, ref8("entity_id", entity, Restrict), null(ref8("new_version_id", entityVersion, Restrict)),
			null(ref8("old_version_id", entityVersion, Restrict)), ref8("publish_log_id", "openedx_content_publishlog", Cascade),
			{Name: "dependencies_hash_digest", Type: char(8)}, {Name: "direct", Type: boolean, Null: true}},
		Indexes: []Index{
			unique("oel_plr_uniq_pl_publishable", "publish_log_id", "entity_id"),
			index("oel_plr_idx_entity_rplr", "entity_id", "publish_log_id DESC"),
		},
		Rebuilt: []string{"id", "dependencies_hash_digest", "entity_id", "new_version_id", "old_version_id", "publish_log_id", "direct"},
	},
	{
		Name: "openedx_content_draft",
		Was:  "oel_publishing_draft",
		Columns: []Column{subtype("entity_id", entity),
			{Name: "version_id", Type: int8, Null: true, Unique: true, Ref: entityVersion, Rule: Restrict},
			null(ref8("draft_log_record_id", draftRecord, SetNull))},
	},
	{
		Name: "openedx_content_published",
		Was:  "oel_publishing_published",
		Columns: []Column{subtype("entity_id", entity), ref8("publish_log_record_id", publishRecord, Restrict),
			{Name: "version_id", Type: int8, Null: true, Unique: true, Ref: entityVersion, Rule: Restrict}},
	},
	{
		Name:    "openedx_content_draftsideeffect",
		Was:     "oel_publishing_draftsideeffect",
		Columns: []Column{id8, ref8("cause_id", draftRecord, Restrict), ref8("effect_id", draftRecord, Restrict)},
		Indexes: []Index{unique("oel_pub_dse_uniq_c_e", "cause_id", "effect_id")},
	},
	{
		Name:    "openedx_content_publishsideeffect",
		Was:     "oel_publishing_publishsideeffect",
		Columns: []Column{id8, ref8("cause_id", publishRecord, Restrict), ref8("effect_id", publishRecord, Restrict)},
		Indexes: []Index{unique("oel_pub_pse_uniq_c_e", "cause_id", "effect_id")},
	},
	{
		Name:    "openedx_content_entitylist",
		Was:     "oel_publishing_entitylist",
		Columns: []Column{id8},
	},
	{
		Name: "openedx_content_entitylistrow",
		Was:  "oel_publishing_entitylistrow",
		Columns: []Column{id8, {Name: "order_num", Type: uint4}, ref8("entity_id", entity, Restrict),
			ref8("entity_list_id", "openedx_content_entitylist", Cascade), null(ref8("entity_version_id", entityVersion, Restrict))},
		Indexes: []Index{unique("oel_publishing_elist_row_order", "entity_list_id", "order_num")},
	},
}
