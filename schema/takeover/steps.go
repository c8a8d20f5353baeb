package takeover

import (
	"slices"
	"strings"

	"github.com/openlectern/lectern/schema"
)

// step is one row of Django's ledger: what it is called, and what shall be true when it is written.
type step struct {
	app, name string
	wishes    []wish
}

// Names of tables today.
const (
	learningPackage = "openedx_content_learningpackage"
	entity          = "openedx_content_publishableentity"
	container       = "openedx_content_container"
	containerType   = "openedx_content_containertype"
	component       = "openedx_content_component"
	componentType   = "openedx_content_componenttype"
	collection      = "openedx_content_collection"
	publishRecord   = "openedx_content_publishlogrecord"
	link            = "openedx_content_componentversionmedia"
)

// Names of tables before the merge, and of the two that changed twice.
const (
	oldP        = "oel_publishing_"
	oldLink     = "oel_components_componentversioncontent"
	oldCollect  = "oel_collections_collection"
	midContent  = "openedx_content_content"
	midLink     = "openedx_content_componentversioncontent"
	nowMedia    = "openedx_content_media"
	statesEnded = "_remove_all_field_state_for_move_to_applet"
)

// The rows between which Ulmo stands.
var (
	lastOfUlmo     = schema.Migration{App: "oel_publishing", Name: "0010_backfill_dependencies"}
	firstAfterUlmo = schema.Migration{App: "oel_units", Name: "0002" + statesEnded}
)

// contentSteps are the steps of the content apps in an order that suits every dependency (content-migrations.md §5.1). The
// first row of the hand-over comes before the last step of Ulmo, as it may: so the order of the two rows tells for good
// whether the site was ever at Ulmo, also when a run is stopped between any two steps.
func contentSteps() []step {
	old, over := beforeMerge(), handOver()
	last := len(old) - 1
	return slices.Concat(old[:last], over[:1], old[last:], over[1:], merged())
}

// handOver are the rows by which the old apps give their models away: nothing happens in the database.
func handOver() []step {
	return []step{
		{"oel_units", "0002" + statesEnded, nil},
		{"oel_subsections", "0002" + statesEnded, nil},
		{"oel_sections", "0002" + statesEnded, nil},
		{"oel_components", "0005" + statesEnded, nil},
		{"oel_publishing", "0011" + statesEnded, nil},
		{"oel_contents", "0002" + statesEnded, nil},
		{"oel_collections", "0006" + statesEnded, nil},
	}
}

// merged are the steps of openedx_content (content-migrations.md §1.4, §1.5).
func merged() []step {
	const app = "openedx_content"
	now := schema.Lookup
	return []step{
		{app, "0001_initial", nil},
		{app, "0002_rename_tables_to_openedx_content", []wish{
			renameIndex([]string{oldCollect, collection}, "oel_collect_learnin_dfaf89_idx", "openedx_content_coll_lp_title"),
			renameTables(renames()),
		}},
		{app, "0003_rename_content_to_media", []wish{
			renameTables([][2]string{{midLink, link}, {midContent, nowMedia}}),
			renameColumn(link, "content_id", "media_id"),
			renameIndex([]string{link}, "oel_cvcontent_c_cv", "oel_cvmedia_c_cv"),
			renameIndex([]string{link}, "oel_cvcontent_cv_d", "oel_cvmedia_cv_d"),
			like(now(link)).with("media_id").index("oel_cvmedia_c_cv", "oel_cvmedia_cv_d").wish,
			renameModel("content", "media"),
			renameModel("componentversioncontent", "componentversionmedia"),
		}},
		{app, "0004_componenttype_constraint", []wish{
			mergeTypes,
			like(now(componentType)).index("oel_component_type_uniq_ns_n").wish,
		}},
		{app, "0005_containertypes", []wish{
			makeTables(now(containerType)),
			like(now(container)).with("container_type_id").opened().wish,
			typeContainers,
			like(now(container)).with("container_type_id").wish,
		}},
		{app, "0006_typed_ids", nil},
		{app, "0007_publishlogrecord_direct", []wish{
			forgetDirect,
			like(now(publishRecord)).with("direct").wish,
		}},
		{app, "0008_rename_collection_key_to_collection_code", []wish{
			mapCodes(collection, "id", "_key", "collection_code"),
			renameColumn(collection, "_key", "collection_code"),
			like(now(collection)).with("collection_code").index("oel_coll_uniq_lp_key").checked("oel_coll_collection_code_regex").wish,
		}},
		{app, "0009_rename_component_local_key_to_component_code", []wish{
			mapCodes(component, "publishable_entity_id", "local_key", "component_code"),
			renameColumn(component, "local_key", "component_code"),
			like(now(component)).with("component_code").index("oel_component_uniq_lc_ct_lk", "oel_component_idx_ct_lk").
				checked("oel_component_code_regex").wish,
		}},
		{app, "0010_add_container_code", []wish{
			like(now(container)).with("learning_package_id", "container_code").opened().wish,
			codeContainers,
			like(now(container)).with("learning_package_id", "container_code").index("oel_container_uniq_lp_cc").
				checked("oel_container_code_regex").wish,
		}},
		{app, "0011_rename_entity_key_and_package_key_to_refs", []wish{
			renameColumn(entity, "_key", "entity_ref"),
			like(now(entity)).index("oel_pub_ent_uniq_lp_key", "oel_pub_ent_idx_key").wish,
			renameColumn(learningPackage, "_key", "package_ref"),
			like(now(learningPackage)).index("oel_publishing_lp_uniq_key").wish,
		}},
		{app, "0012_rename_componentversionmedia_key_to_path", []wish{
			renameColumn(link, "_key", "path"),
			like(now(link)).index("oel_cvcontent_uniq_cv_key").wish,
		}},
		{app, "0013_unicode_container_component_codes", []wish{
			like(now(component)).checked("oel_component_code_regex").wish,
			like(now(container)).checked("oel_container_code_regex").wish,
		}},
		{app, "0014_typed_media_id", nil},
	}
}

// renames returns the old and the new names of the thirty tables that 0002 renames.
func renames() [][2]string {
	var pairs [][2]string
	for _, t := range schema.Tables() {
		if was := t.Was; was != "" {
			_, suffix, _ := strings.Cut(strings.TrimPrefix(was, "oel_"), "_")
			pairs = append(pairs, [2]string{was, "openedx_content_" + suffix})
		}
	}
	return pairs
}
