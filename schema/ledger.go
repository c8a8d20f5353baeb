package schema

import (
	"context"

	"github.com/openlectern/lectern/db"
)

// Migration is one row of Django's ledger, the table django_migrations.
type Migration struct{ App, Name string }

// baseline is the row of Lectern's own ledger that stands for all lectern_* tables of this version.
const baseline = "0001_baseline"

// app is migrations of one Django app.
type app struct {
	name  string
	names []string
}

// apps lists the migrations that a new site of openedx-core 1.15.2 has applied, in the order of its ledger; an app comes
// again where others come between its rows (content-migrations.md §5).
var apps = []app{
	{"contenttypes", []string{"0001_initial", "0002_remove_content_type_name"}},
	{"auth", []string{"0001_initial", "0002_alter_permission_name_max_length", "0003_alter_user_email_max_length",
		"0004_alter_user_username_opts", "0005_alter_user_last_login_null", "0006_require_contenttypes_0002",
		"0007_alter_validators_add_error_messages", "0008_alter_user_username_max_length", "0009_alter_user_last_name_max_length",
		"0010_alter_group_name_max_length", "0011_update_proxy_permissions", "0012_alter_user_first_name_max_length"}},
	{"oel_publishing", []string{"0001_initial", "0002_alter_learningpackage_key_and_more"}},
	{"oel_collections", []string{"0001_initial", "0002_remove_collection_name_collection_created_by_and_more",
		"0003_collection_entities", "0004_collection_key", "0005_alter_collection_options_alter_collection_enabled", "0006" + stub}},
	{"oel_contents", []string{"0001_initial"}},
	{"oel_components", []string{"0001_initial", "0002_alter_componentversioncontent_key",
		"0003_remove_componentversioncontent_learner_downloadable", "0004_remove_componentversioncontent_uuid", "0005" + stub}},
	{"oel_contents", []string{"0002" + stub}},
	{"oel_publishing", []string{"0003_containers"}},
	{"oel_units", []string{"0001_initial", "0002" + stub}},
	{"oel_publishing", []string{"0004_publishableentity_can_stand_alone", "0005_alter_entitylistrow_options"}},
	{"oel_subsections", []string{"0001_initial", "0002" + stub}},
	{"oel_sections", []string{"0001_initial", "0002" + stub}},
	{"oel_publishing", []string{"0006_draftchangelog", "0007_bootstrap_draftchangelog",
		"0008_alter_draftchangelogrecord_options_and_more", "0009_dependencies_and_hashing", "0010_backfill_dependencies", "0011" + stub}},
	{"organizations", []string{"0001_initial", "0002_auto_20170117_1434", "0003_auto_20170221_1138", "0004_auto_20170413_2315",
		"0005_auto_20171116_0640", "0006_auto_20171207_0259", "0007_historicalorganization", "0002_unique_short_name",
		"0003_historicalorganizationcourse", "0004_auto_20230727_2054"}},
	{"openedx_catalog", catalogMigrations},
	{"openedx_content", contentMigrations},
	{"organizations", []string{"0001_squashed_0007_historicalorganization"}},
}

// besides lists the migrations of the tables that stand beside content and catalog. A site that content can be worked on
// may lack them (authz.md §10, §17).
var besides = []app{
	{"sessions", []string{"0001_initial"}},
	{"waffle", []string{"0001_initial", "0002_auto_20161201_0958", "0003_update_strings_for_i18n", "0004_update_everyone_nullbooleanfield"}},
	{casbinParent.App, []string{casbinParent.Name}},
	{authzApp, authzMigrations},
}

// Each app of the time before the merge ends with a migration that only hands its models over.
const stub = "_remove_all_field_state_for_move_to_applet"

var catalogMigrations = []string{"0001_initial", "0002_pathways"}

var contentMigrations = []string{"0001_initial", "0002_rename_tables_to_openedx_content", "0003_rename_content_to_media",
	"0004_componenttype_constraint", "0005_containertypes", "0006_typed_ids", "0007_publishlogrecord_direct",
	"0008_rename_collection_key_to_collection_code", "0009_rename_component_local_key_to_component_code", "0010_add_container_code",
	"0011_rename_entity_key_and_package_key_to_refs", "0012_rename_componentversionmedia_key_to_path",
	"0013_unicode_container_component_codes", "0014_typed_media_id"}

// Migrations returns the rows of Django's ledger that a new site has, in their order.
func Migrations() []Migration {
	var ms []Migration
	for _, list := range [][]app{apps, besides} {
		for _, a := range list {
			for _, n := range a.names {
				ms = append(ms, Migration{a.name, n})
			}
		}
	}
	return ms
}

// seed writes the rows that a new site begins with: what the migrations insert, and last the two ledgers. It needs tables
// without rows.
func seed(ctx context.Context, tx *db.Tx) error {
	types := []string{"section", "subsection", "unit"}
	// The order gives them the ids 1, 2, 3 where the database counts by one; nobody may rely on it.
	if err := tx.Insert(ctx, "openedx_content_containertype", []string{"type_code"}, len(types), func(i int, v []any) {
		v[0] = types[i]
	}); err != nil {
		return err
	}
	if err := tx.Insert(ctx, "openedx_catalog_pathwaycategory", []string{"category_code", "title", "title_plural"}, 1, func(_ int, v []any) {
		v[0], v[1], v[2] = "pathway", "Pathway", ""
	}); err != nil {
		return err
	}
	ms := Migrations()
	if err := tx.Insert(ctx, "django_migrations", []string{"app", "name", "applied"}, len(ms), func(i int, v []any) {
		v[0], v[1], v[2] = ms[i].App, ms[i].Name, tx.Now()
	}); err != nil {
		return err
	}
	return sign(ctx, tx)
}

// sign writes the row of Lectern's own ledger.
func sign(ctx context.Context, tx *db.Tx) error { return writeOwn(ctx, tx, baseline) }

// writeOwn writes a row of Lectern's own ledger.
func writeOwn(ctx context.Context, tx *db.Tx, name string) error {
	return tx.Insert(ctx, ownLedger, []string{"name", "applied"}, 1, func(_ int, v []any) {
		v[0], v[1] = name, tx.Now()
	})
}

// ownRows returns the names in Lectern's own ledger, none when there is no such table.
func ownRows(ctx context.Context, q db.Querier) (map[string]bool, error) {
	names := map[string]bool{}
	err := q.Query(ctx, "SELECT name FROM lectern_schema", nil, func(r *db.Row) error {
		n, err := db.Value[string](r)
		names[n] = true
		return err
	})
	return names, err
}
