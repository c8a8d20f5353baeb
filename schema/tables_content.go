package schema

// containers are the tables of everything with children (content-schema.md §3.11, §3.12).
var containers = []Table{
	{
		Name:    "openedx_content_containertype",
		Columns: []Column{id4, {Name: "type_code", Type: key(100), Unique: true}},
		Checks:  []Check{{Name: "oex_publishing_containertype_type_code_rx", Column: "type_code", Pattern: &typeCode}},
	},
	{
		Name: container,
		Was:  "oel_publishing_container",
		Columns: []Column{subtype("publishable_entity_id", entity),
			late(ref4("container_type_id", "openedx_content_containertype", Restrict)),
			late(ref4("learning_package_id", learningPackage, Cascade)), {Name: "container_code", Type: key(255)}},
		Indexes: []Index{unique("oel_container_uniq_lp_cc", "learning_package_id", "container_code")},
		Checks:  []Check{{Name: "oel_container_code_regex", Column: "container_code", Pattern: &unicodeCode}},
	},
	{
		Name: containerVer,
		Was:  "oel_publishing_containerversion",
		Columns: []Column{subtype("publishable_entity_version_id", entityVersion), ref8("container_id", container, Cascade),
			ref8("entity_list_id", "openedx_content_entitylist", Restrict)},
	},
	{
		Name:    "openedx_content_unit",
		Was:     "oel_units_unit",
		Columns: []Column{subtype("container_id", container)},
	},
	{
		Name:    "openedx_content_unitversion",
		Was:     "oel_units_unitversion",
		Columns: []Column{subtype("container_version_id", containerVer)},
	},
	{
		Name:    "openedx_content_subsection",
		Was:     "oel_subsections_subsection",
		Columns: []Column{subtype("container_id", container)},
	},
	{
		Name:    "openedx_content_subsectionversion",
		Was:     "oel_subsections_subsectionversion",
		Columns: []Column{subtype("container_version_id", containerVer)},
	},
	{
		Name:    "openedx_content_section",
		Was:     "oel_sections_section",
		Columns: []Column{subtype("container_id", container)},
	},
	{
		Name:    "openedx_content_sectionversion",
		Was:     "oel_sections_sectionversion",
		Columns: []Column{subtype("container_version_id", containerVer)},
	},
}

// media are the tables of files and texts by digest (content-schema.md §3.16, §3.17).
var media = []Table{
	{
		Name: "openedx_content_mediatype",
		Was:  "oel_contents_mediatype",
		Columns: []Column{id4, {Name: "type", Type: ci(127)}, {Name: "sub_type", Type: ci(127)},
			{Name: "suffix", Type: ci(127)}},
		Indexes: []Index{unique("oel_contents_uniq_t_st_sfx", "type", "sub_type", "suffix")},
	},
	{
		Name: mediaTable,
		Was:  "oel_contents_content",
		Columns: []Column{id8, {Name: "size", Type: uint8T}, {Name: "hash_digest", Type: char(40)},
			{Name: "has_file", Type: boolean}, {Name: "text", Type: ciText, Null: true}, created,
			ref4("learning_package_id", learningPackage, Cascade), ref4("media_type_id", "openedx_content_mediatype", Protect)},
		Indexes: []Index{
			unique("oel_content_uniq_lc_media_type_hash_digest", "learning_package_id", "media_type_id", "hash_digest"),
			index("oel_content_idx_lp_rsize", "learning_package_id", "size DESC"),
		},
	},
}

// components are the tables of everything without children (content-schema.md §3.13-3.15).
var components = []Table{
	{
		Name:    "openedx_content_componenttype",
		Was:     "oel_components_componenttype",
		Columns: []Column{id4, {Name: "namespace", Type: key(100)}, {Name: "name", Type: key(100)}},
		Indexes: []Index{unique("oel_component_type_uniq_ns_n", "namespace", "name")},
	},
	{
		Name: component,
		Was:  "oel_components_component",
		Columns: []Column{subtype("publishable_entity_id", entity), {Name: "component_code", Type: key(255)},
			ref4("component_type_id", "openedx_content_componenttype", Protect), ref4("learning_package_id", learningPackage, Cascade)},
		Indexes: []Index{
			unique("oel_component_uniq_lc_ct_lk", "learning_package_id", "component_type_id", "component_code"),
			index("oel_component_idx_ct_lk", "component_type_id", "component_code"),
		},
		Checks:  []Check{{Name: "oel_component_code_regex", Column: "component_code", Pattern: &unicodeCode}},
		Rebuilt: []string{"publishable_entity_id", "component_type_id", "learning_package_id", "component_code"},
	},
	{
		Name: componentVer,
		Was:  "oel_components_componentversion",
		Columns: []Column{subtype("publishable_entity_version_id", entityVersion),
			ref8("component_id", component, Cascade)},
	},
	{
		Name: "openedx_content_componentversionmedia",
		Was:  "oel_components_componentversioncontent",
		Columns: []Column{id8, {Name: "path", Type: key(500)}, ref8("component_version_id", componentVer, Cascade),
			{Name: "media_id", Type: int8, Ref: mediaTable, Rule: Restrict, Late: true, WasName: "content_id"}},
		Indexes: []Index{
			unique("oel_cvcontent_uniq_cv_key", "component_version_id", "path"),
			index("oel_cvmedia_c_cv", "media_id", "component_version_id"),
			index("oel_cvmedia_cv_d", "component_version_id", "media_id"),
		},
		Rebuilt: []string{"id", "component_version_id", "media_id", "path"},
	},
}

// collections are the tables of collections (content-schema.md §3.18, §3.19).
var collections = []Table{
	{
		Name: "openedx_content_collection",
		Was:  "oel_collections_collection",
		Columns: []Column{id4, {Name: "description", Type: ciText}, {Name: "enabled", Type: boolean}, created,
			{Name: "modified", Type: timestamp}, ref4("learning_package_id", learningPackage, Cascade), by("created_by_id"),
			{Name: "title", Type: ci(500)}, {Name: "collection_code", Type: key(255)}},
		Indexes: []Index{
			unique("oel_coll_uniq_lp_key", "learning_package_id", "collection_code"),
			index("openedx_content_coll_lp_title", "learning_package_id", "title"),
		},
		Checks: []Check{{Name: "oel_coll_collection_code_regex", Column: "collection_code", Pattern: &asciiCode}},
		Rebuilt: []string{"id", "title", "description", "enabled", "created", "modified", "created_by_id",
			"learning_package_id", "collection_code"},
	},
	{
		Name: "openedx_content_collectionpublishableentity",
		Was:  "oel_collections_collectionpublishableentity",
		Columns: []Column{id8, created, ref4("collection_id", "openedx_content_collection", Cascade), by("created_by_id"),
			ref8("entity_id", entity, Restrict)},
		Indexes: []Index{unique("oel_collections_cpe_uniq_col_ent", "collection_id", "entity_id")},
	},
}
