package takeover

import (
	"slices"

	"github.com/openlectern/lectern/schema"
)

// renamed is the row of content that the platform's switch rows follow.
var renamed = schema.Migration{App: "openedx_content", Name: "0002_rename_tables_to_openedx_content"}

// switched is an app of the platform whose next migration only says that its references lead to the renamed tables, and
// the squashed one that stands for all up to it (content-migrations.md §5.2).
type switched struct {
	app, before, row, squash string
	replaces                 []string // by the squash, without before and row
}

var platform = []switched{
	{"content_libraries", "0011_remove_contentlibrary_bundle_uuid_and_more", "0012_switch_to_openedx_content", "0001_squashed_0012_switch_to_openedx_content",
		[]string{"0001_initial", "0002_group_permissions", "0003_contentlibrary_type", "0004_contentlibrary_license", "0005_ltigradedresource_ltiprofile",
			"0005_contentlibraryblockimporttask", "0006_auto_20210615_1916", "0007_merge_20210818_0614", "0008_auto_20210818_2148",
			"0009_alter_contentlibrary_authorized_lti_configs", "0010_contentlibrary_learning_package_and_more"}},
	{"contentstore", "0014_remove_componentlink_downstream_is_modified_and_more", "0015_switch_to_openedx_content", "0001_squashed_0015_switch_to_openedx_content",
		[]string{"0001_initial", "0002_add_assets_page_flag", "0003_remove_assets_page_flag", "0004_remove_push_notification_configmodel_table",
			"0005_add_enable_checklists_quality_waffle_flag", "0006_courseoutlineregenerate", "0007_backfillcoursetabsconfig",
			"0008_cleanstalecertificateavailabilitydatesconfig", "0009_learningcontextlinksstatus_publishableentitylink", "0010_container_link_models",
			"0011_enable_markdown_editor_flag_by_default", "0012_componentlink_top_level_parent_and_more",
			"0013_componentlink_downstream_is_modified_and_more"}},
	{"modulestore_migrator", "0006_alter_modulestoreblocksource_forwarded_and_more", "0007_switch_to_openedx_content", "0001_squashed_0007_switch_to_openedx_content",
		[]string{"0001_initial", "0002_alter_modulestoremigration_task_status", "0003_modulestoremigration_is_failed",
			targetAndReason[0] + "_squashed_" + targetAndReason[1]}},
}

// targetAndReason are the two migrations of modulestore_migrator that early sites have in place of the squash of both.
var targetAndReason = []string{"0004_alter_modulestoreblockmigration_target", "0005_modulestoreblockmigration_unsupported_reason"}

// platformSteps are the rows of platform apps that change nothing in the database, each only where the app has come as far
// as the one before. An app without rows has no tables either: its squashed migration is yet to make them.
func platformSteps() []step {
	var all []step
	for _, a := range platform {
		all = append(all,
			step{a.app, a.row, []wish{onlyAfter(renamed), onlyAfter(schema.Migration{App: a.app, Name: a.before})}},
			step{a.app, a.squash, []wish{a.complete}})
	}
	return all
}

// onlyAfter passes over a step where a row is missing.
func onlyAfter(m schema.Migration) wish {
	return func(p *planner) {
		if !p.rows[m] {
			p.skip = true
		}
	}
}

// complete passes over the squash where one of the rows that it replaces is missing. A squash among them counts as there
// when all that it replaces is.
func (a *switched) complete(p *planner) {
	has := func(name string) bool { return p.rows[schema.Migration{App: a.app, Name: name}] }
	for _, name := range append(slices.Clone(a.replaces), a.before, a.row) {
		pair := name == targetAndReason[0]+"_squashed_"+targetAndReason[1] && has(targetAndReason[0]) && has(targetAndReason[1])
		if !has(name) && !pair {
			p.skip = true
			return
		}
	}
}
