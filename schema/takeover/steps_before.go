package takeover

import (
	"slices"

	"github.com/openlectern/lectern/schema"
)

// beforeMerge are the steps of the apps of the time before the merge that did something (content-migrations.md §1.2).
func beforeMerge() []step {
	const p, k, m, l = "oel_publishing", "oel_components", "oel_contents", "oel_collections"
	old := func(name string) *schema.Table { return schema.Past(oldP + name) }
	return []step{
		{p, "0001_initial", []wish{makeTables(
			keyed(old("learningpackage")), keyed(without(old("publishableentity"), "can_stand_alone")), old("publishableentityversion"),
			old("publishlog"), without(old("publishlogrecord"), "dependencies_hash_digest"),
			without(old("draft"), "draft_log_record_id"), old("published"))}},
		{m, "0001_initial", []wish{makeTables(schema.Past("oel_contents_mediatype"), schema.Past("oel_contents_content"))}},
		{k, "0001_initial", []wish{makeTables(
			schema.Past("oel_components_componenttype"), schema.Past("oel_components_component"),
			schema.Past("oel_components_componentversion"), firstLink())}},
		{p, "0002_alter_learningpackage_key_and_more", []wish{
			renameColumn(oldP+"learningpackage", "key", "_key"), renameColumn(oldP+"publishableentity", "key", "_key")}},
		{k, "0002_alter_componentversioncontent_key", []wish{renameColumn(oldLink, "key", "_key")}},
		{k, "0003_remove_componentversioncontent_learner_downloadable", []wish{dropColumn(oldLink, "learner_downloadable")}},
		{k, "0004_remove_componentversioncontent_uuid", []wish{dropColumn(oldLink, "uuid")}},
		{l, "0001_initial", []wish{makeTables(firstCollection())}},
		{l, "0002_remove_collection_name_collection_created_by_and_more", []wish{
			dropColumn(oldCollect, "name"),
			like(schema.Past(oldCollect)).with("created_by_id", "title", "description").filled("title", "'Collection'").
				index("oel_collect_learnin_dfaf89_idx").wish}},
		{l, "0003_collection_entities", []wish{makeTables(schema.Past("oel_collections_collectionpublishableentity"))}},
		{l, "0004_collection_key", []wish{
			like(schema.Past(oldCollect)).with("_key").opened().wish,
			nameCollections,
			like(schema.Past(oldCollect)).with("_key").index("oel_coll_uniq_lp_key").wish}},
		{l, "0005_alter_collection_options_alter_collection_enabled", nil},
		{p, "0003_containers", []wish{makeTables(old("container"), old("entitylist"), old("entitylistrow"), old("containerversion"))}},
		{p, "0004_publishableentity_can_stand_alone", []wish{
			like(old("publishableentity")).with("can_stand_alone").filled("can_stand_alone", "true").wish}},
		{p, "0005_alter_entitylistrow_options", nil},
		{"oel_units", "0001_initial", []wish{makeTables(schema.Past("oel_units_unit"), schema.Past("oel_units_unitversion"))}},
		{"oel_sections", "0001_initial", []wish{makeTables(schema.Past("oel_sections_section"), schema.Past("oel_sections_sectionversion"))}},
		{"oel_subsections", "0001_initial", []wish{
			makeTables(schema.Past("oel_subsections_subsection"), schema.Past("oel_subsections_subsectionversion"))}},
		{p, "0006_draftchangelog", []wish{makeTables(
			old("draftchangelog"), without(old("draftchangelogrecord"), "dependencies_hash_digest"), old("draftsideeffect"))}},
		{p, "0007_bootstrap_draftchangelog", []wish{logDrafts}},
		{p, "0008_alter_draftchangelogrecord_options_and_more", nil},
		{p, "0009_dependencies_and_hashing", []wish{
			like(old("draft")).with("draft_log_record_id").wish,
			like(old("draftchangelogrecord")).with("dependencies_hash_digest").filled("dependencies_hash_digest", "''").wish,
			like(old("publishlogrecord")).with("dependencies_hash_digest").filled("dependencies_hash_digest", "''").wish,
			makeTables(old("publishableentityversiondependency"), old("publishsideeffect"))}},
		{p, "0010_backfill_dependencies", []wish{rememberDependencies}},
	}
}

// without returns a table as it was before columns came.
func without(t *schema.Table, columns ...string) *schema.Table {
	u := *t
	u.Columns = slices.DeleteFunc(slices.Clone(t.Columns), func(c schema.Column) bool { return slices.Contains(columns, c.Name) })
	return &u
}

// keyed returns a table as it was while its column _key was called key.
func keyed(t *schema.Table) *schema.Table {
	u := *t
	u.Columns, u.Indexes = slices.Clone(t.Columns), slices.Clone(t.Indexes)
	for i := range u.Columns {
		if u.Columns[i].Name == "_key" {
			u.Columns[i].Name = "key"
		}
	}
	for i := range u.Indexes {
		x := &u.Indexes[i]
		x.Parts = slices.Clone(x.Parts)
		for n := range x.Parts {
			if x.Parts[n].Column == "_key" {
				x.Parts[n].Column = "key"
			}
		}
	}
	return &u
}

// firstLink returns the table of a version's files as it was made first.
func firstLink() *schema.Table {
	t := keyed(schema.Past(oldLink))
	t.Columns = slices.Insert(t.Columns, 1, schema.Column{Name: "uuid", Type: schema.Type{Kind: schema.UUID}, Unique: true})
	t.Columns = append(t.Columns, schema.Column{Name: "learner_downloadable", Type: schema.Type{Kind: schema.Bool}})
	return t
}

// firstCollection returns the table of collections as it was made first.
func firstCollection() *schema.Table {
	t := without(schema.Past(oldCollect), "created_by_id", "title", "_key", "description")
	t.Columns = slices.Insert(t.Columns, 1,
		schema.Column{Name: "name", Type: schema.Type{Kind: schema.Char, Len: 255}, Index: true},
		schema.Column{Name: "description", Type: schema.Type{Kind: schema.CI, Len: 10000}})
	t.Indexes = nil
	return t
}
