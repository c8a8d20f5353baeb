package schema

import (
	"context"
	"slices"
	"testing"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
)

// spoil is a change that makes a new site other than it should be, and the finding that must tell of it.
type spoil struct {
	engines []db.Engine // nil: all
	sqls    []string
	want    string
}

var (
	servers = []db.Engine{db.MySQL, db.MariaDB, db.PostgreSQL}
	lite    = []db.Engine{db.SQLite, db.PostgreSQL} // have partial indexes, and drop indexes without naming the table
)

// spoiltRows contradict each other. Later ones build on the rows of earlier ones.
var spoiltRows = []spoil{
	{nil, []string{
		`INSERT INTO openedx_content_learningpackage (id, uuid, package_ref, title, description, created, updated)
VALUES (1, '00000000000000000000000000000001', 'a', '', '', '2030-01-01 00:00:00', '2030-01-01 00:00:00'),
(2, '00000000000000000000000000000002', 'b', '', '', '2030-01-01 00:00:00', '2030-01-01 00:00:00')`,
		`INSERT INTO openedx_content_publishableentity (id, uuid, entity_ref, created, learning_package_id, can_stand_alone)
VALUES (1, '00000000000000000000000000000001', 'a', '2030-01-01 00:00:00', 1, TRUE),
(2, '00000000000000000000000000000002', 'b', '2030-01-01 00:00:00', 1, TRUE),
(3, '00000000000000000000000000000003', 'c', '2030-01-01 00:00:00', 1, TRUE)`,
		`INSERT INTO openedx_content_publishableentityversion (id, uuid, title, version_num, created, entity_id)
VALUES (1, '00000000000000000000000000000001', '', 1, '2030-01-01 00:00:00', 1),
(2, '00000000000000000000000000000002', '', 1, '2030-01-01 00:00:00', 2)`,
		"INSERT INTO openedx_content_draft (entity_id, version_id) VALUES (1, 2)",
	}, "error pointer openedx_content_draft a a"},
	{nil, []string{
		`INSERT INTO openedx_content_draftchangelog (id, uuid, changed_at, learning_package_id)
VALUES (1, '00000000000000000000000000000001', '2030-01-01 00:00:00', 1)`,
		`INSERT INTO openedx_content_draftchangelogrecord (id, draft_change_log_id, entity_id, new_version_id, dependencies_hash_digest)
VALUES (1, 1, 2, 2, '')`,
		"INSERT INTO openedx_content_draft (entity_id, version_id, draft_log_record_id) VALUES (2, 1, 1)",
	}, "error pointer_record openedx_content_draft a b"},
	{nil, []string{`INSERT INTO openedx_content_container (publishable_entity_id, container_type_id, learning_package_id, container_code)
SELECT 1, MIN(id), 2, 'a' FROM openedx_content_containertype`}, "error package_differs openedx_content_container a a"},
	{nil, []string{`INSERT INTO openedx_content_container (publishable_entity_id, container_type_id, learning_package_id, container_code)
SELECT 2, MIN(id), 1, 'a' FROM openedx_content_containertype`,
		`INSERT INTO openedx_content_container (publishable_entity_id, container_type_id, learning_package_id, container_code)
SELECT 3, MIN(id), 1, 'A' FROM openedx_content_containertype`}, "info code_pair openedx_content_container a A"},
	{nil, []string{"INSERT INTO openedx_content_componenttype (id, namespace, name) VALUES (1, 'n', 'n')",
		`INSERT INTO openedx_content_component (publishable_entity_id, component_type_id, learning_package_id, component_code)
VALUES (3, 1, 1, 'a')`}, "error two_kinds openedx_content_container a c"},
	{nil, []string{`INSERT INTO organizations_organization (id, created, modified, name, short_name, active)
VALUES (1, '2030-01-01 00:00:00', '2030-01-01 00:00:00', '', 'o', TRUE)`,
		"INSERT INTO openedx_catalog_catalogcourse (id, course_code, created, title, language, org_id) VALUES (1, 'c', '2030-01-01 00:00:00', 'c', 'en', 1)",
		`INSERT INTO openedx_catalog_courserun (course_key, run_code, created, title, catalog_course_id)
VALUES ('k1/r', 'r', '2030-01-01 00:00:00', 'c', 1)`}, ""},
	{family, []string{`INSERT INTO openedx_catalog_courserun (course_key, run_code, created, title, catalog_course_id)
VALUES ('k2/r', 'r', '2030-01-01 00:00:00', 'c', 1)`}, "error run_pair openedx_catalog_courserun k1/r"},
	{[]db.Engine{db.MariaDB}, []string{`INSERT INTO openedx_catalog_courserun (course_key, run_code, created, title, catalog_course_id)
VALUES ('k2/R', 'R', '2030-01-01 00:00:00', 'c', 1)`}, "error course_key_pair openedx_catalog_courserun k2/R"},
	{lite, []string{`INSERT INTO organizations_organization (id, created, modified, name, short_name, active)
VALUES (2, '2030-01-01 00:00:00', '2030-01-01 00:00:00', '', 'O', TRUE)`}, "warning organization_pair organizations_organization O"},
	{[]db.Engine{db.PostgreSQL}, []string{"INSERT INTO openedx_content_entitylist (id) VALUES (9)"}, "error ids_behind openedx_content_entitylist id"},
	{[]db.Engine{db.PostgreSQL}, []string{"INSERT INTO openedx_authz_scope (id) VALUES (9)"}, "error ids_behind openedx_authz_scope id"},
}

// spoiltTables are each other than they should be in one point.
var spoiltTables = []spoil{
	{nil, []string{"DROP TABLE auth_user_groups"}, "warning table_missing auth_user_groups "},
	{nil, []string{"DROP TABLE lectern_label"}, "error table_missing lectern_label "},
	{nil, []string{"DROP TABLE openedx_content_draft",
		"CREATE TABLE openedx_content_draft (entity_id bigint NOT NULL PRIMARY KEY, version_id bigint NULL UNIQUE)"},
		"error column_missing openedx_content_draft draft_log_record_id"},
	{nil, []string{"DROP TABLE openedx_content_unit", "CREATE TABLE openedx_content_unit (container_id bigint NOT NULL PRIMARY KEY)"},
		"error foreign_missing openedx_content_unit container_id"},
	{nil, []string{"DROP TABLE openedx_content_section", `CREATE TABLE openedx_content_section (container_id bigint NOT NULL PRIMARY KEY,
FOREIGN KEY (container_id) REFERENCES openedx_content_publishableentity (id))`}, "error foreign_target openedx_content_section container_id"},
	{nil, []string{"DROP TABLE lectern_publishlog", `CREATE TABLE lectern_publishlog (publish_log_id bigint NOT NULL PRIMARY KEY,
kind varchar(32) NOT NULL, source varchar(500) NOT NULL, FOREIGN KEY (publish_log_id) REFERENCES openedx_content_publishlog (id))`},
		"error foreign_action lectern_publishlog publish_log_id"},
	{nil, []string{"DROP TABLE openedx_content_unitversion", "CREATE TABLE openedx_content_unitversion (container_version_id smallint NOT NULL PRIMARY KEY)"},
		"error type openedx_content_unitversion container_version_id"},
	{nil, []string{"ALTER TABLE openedx_content_entitylist ADD COLUMN shelf integer"}, "warning column_extra openedx_content_entitylist shelf"},
	{nil, []string{"DROP TABLE openedx_authz_usersubject",
		"CREATE TABLE openedx_authz_usersubject (subject_ptr_id bigint NOT NULL PRIMARY KEY, user_id integer NULL)"},
		"error foreign_missing openedx_authz_usersubject user_id"},
	{[]db.Engine{db.SQLite, db.MariaDB}, []string{"DROP TABLE openedx_authz_authzcourseauthoringmigrationrun",
		"CREATE TABLE openedx_authz_authzcourseauthoringmigrationrun (id bigint NOT NULL PRIMARY KEY, metadata text NOT NULL)"},
		"error check_missing openedx_authz_authzcourseauthoringmigrationrun metadata"},
	{[]db.Engine{db.PostgreSQL}, []string{"ALTER TABLE casbin_rule ALTER COLUMN v5 DROP NOT NULL"}, "error null casbin_rule v5"},
	{lite, []string{"DROP INDEX oel_pv_idx_title"}, "error index_missing openedx_content_publishableentityversion oel_pv_idx_title"},
	{family, []string{"DROP INDEX oel_pv_idx_title ON openedx_content_publishableentityversion"},
		"error index_missing openedx_content_publishableentityversion oel_pv_idx_title"},
	{lite, []string{"DROP INDEX oel_dlr_idx_entity_rdcl",
		"CREATE INDEX oel_dlr_idx_entity_rdcl ON openedx_content_draftchangelogrecord (entity_id, draft_change_log_id)"},
		"error index_differs openedx_content_draftchangelogrecord oel_dlr_idx_entity_rdcl"},
	{lite, []string{"DROP INDEX oex_catalog_courserun_catalog_course_run_code_uniq",
		"CREATE UNIQUE INDEX oex_catalog_courserun_catalog_course_run_code_uniq ON openedx_catalog_courserun (catalog_course_id, run_code)"},
		"error unique_differs openedx_catalog_courserun oex_catalog_courserun_catalog_course_run_code_uniq"},
	{servers, []string{"ALTER TABLE openedx_content_componenttype DROP CONSTRAINT oel_component_type_uniq_ns_n"},
		"error unique_missing openedx_content_componenttype oel_component_type_uniq_ns_n"},
	{nil, []string{"DROP TABLE openedx_content_published", `CREATE TABLE openedx_content_published (entity_id bigint NOT NULL PRIMARY KEY,
publish_log_record_id bigint NOT NULL, version_id bigint NULL)`}, "error unique_missing openedx_content_published version_id"},
	{[]db.Engine{db.PostgreSQL}, []string{"ALTER TABLE openedx_content_media ALTER COLUMN has_file DROP NOT NULL"}, "error null openedx_content_media has_file"},
	{family, []string{"ALTER TABLE openedx_content_media MODIFY has_file bool NULL"}, "error null openedx_content_media has_file"},
	{servers, []string{"ALTER TABLE openedx_content_media ALTER COLUMN created SET DEFAULT '2030-01-01 00:00:00'"}, "error default openedx_content_media created"},
	{family, []string{"ALTER TABLE openedx_content_componentversionmedia MODIFY path varchar(500) NOT NULL"},
		"error collation openedx_content_componentversionmedia path"},
	{family, []string{"UPDATE openedx_content_container SET container_code = 'z' WHERE container_code = 'A'",
		"ALTER TABLE openedx_content_container MODIFY container_code varchar(255) NOT NULL"},
		"info container_code_collation openedx_content_container container_code"},
	{family, []string{"ALTER TABLE openedx_content_media MODIFY hash_digest varchar(40) CHARACTER SET latin1 NOT NULL"},
		"error charset openedx_content_media hash_digest"},
	{[]db.Engine{db.MariaDB}, []string{"ALTER TABLE django_migrations ENGINE=MyISAM"}, "warning storage_engine django_migrations "},
	{servers, []string{"ALTER TABLE openedx_content_collection DROP CONSTRAINT oel_coll_collection_code_regex"},
		"error check_missing openedx_content_collection oel_coll_collection_code_regex"},
	{servers, []string{"ALTER TABLE openedx_content_containertype DROP CONSTRAINT oex_publishing_containertype_type_code_rx",
		"ALTER TABLE openedx_content_containertype ADD CONSTRAINT oex_publishing_containertype_type_code_rx CHECK (type_code <> 'x')"},
		"error check_differs openedx_content_containertype oex_publishing_containertype_type_code_rx"},
	{[]db.Engine{db.PostgreSQL}, []string{"ALTER TABLE openedx_content_media DROP CONSTRAINT oel_contents_content_size_check"},
		"error check_missing openedx_content_media size"},
	{[]db.Engine{db.PostgreSQL}, []string{"ALTER TABLE openedx_content_publishsideeffect ALTER COLUMN id DROP IDENTITY"},
		"error ids openedx_content_publishsideeffect id"},
}

// TestVerifyFinds spoils a new site, first its rows, then its tables, and looks for every finding that must tell of it.
func TestVerifyFinds(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		t.Parallel()
		if err := Create(context.Background(), d); err != nil {
			t.Fatal(err)
		}
		for _, spoils := range [][]spoil{spoiltRows, spoiltTables} {
			var want []string
			for _, s := range spoils {
				if s.engines != nil && !slices.Contains(s.engines, d.Engine()) {
					continue
				}
				run(t, d, s.sqls...)
				if s.want != "" {
					want = append(want, s.want)
				}
			}
			got := found(t, d)
			for _, w := range want {
				if !slices.Contains(got, w) {
					t.Errorf("no finding %q among %q", w, got)
				}
			}
		}
	})
}

// TestVerifyOrphan finds rows that refer to nothing, which a connection without checks can leave.
func TestVerifyOrphan(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		t.Parallel()
		if d.Engine() == db.PostgreSQL {
			return // no connection can
		}
		if err := Create(context.Background(), d); err != nil {
			t.Fatal(err)
		}
		off := "SET foreign_key_checks = 0"
		if d.Engine() == db.SQLite {
			off = "PRAGMA foreign_keys = OFF"
		}
		err := d.Session(context.Background(), func(s *db.Session) error {
			for _, sql := range []string{off, "INSERT INTO openedx_content_unit (container_id) VALUES (77)"} {
				if _, err := s.Exec(context.Background(), sql); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := found(t, d); !slices.Contains(got, "error orphan openedx_content_unit container_id of row 77") {
			t.Errorf("findings %q, want the orphan among them", got)
		}
	})
}
