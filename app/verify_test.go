package app

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/openlectern/lectern/catalog"
	"github.com/openlectern/lectern/content/collections"
	"github.com/openlectern/lectern/content/components"
	"github.com/openlectern/lectern/content/containers"
	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/schema"
)

// sound makes a database in which every kind of row occurs and nothing is wrong.
func sound(d *db.DB) error {
	ctx := context.Background()
	if err := schema.Create(ctx, d); err != nil {
		return err
	}
	b := &builder{ctx: ctx, d: d, ids: map[string]publishing.EntityID{}, versions: map[string]publishing.VersionID{}}
	b.pkg("lp:a")
	b.do(func(tx *db.Tx) error {
		_, err := publishing.CreateEntities(ctx, tx, b.p.ID, []publishing.NewEntity{{Ref: "bare"}})
		return err
	})
	b.leaf("x")
	b.leaf("y")
	b.list(containers.Unit, "u", "x", "y")
	b.list(containers.Unit, "w", "x")
	b.list(containers.Subsection, "t", "u", "w")
	b.list(containers.Section, "s", "t")
	b.publish()
	b.edit("x")
	b.publish()
	b.edit("x")
	b.change(func(c *publishing.ChangeSet) error {
		return c.SetDrafts(ctx, []publishing.Pointer{{Entity: b.ids["y"]}})
	})
	b.list(containers.Unit, "p", "x@x")
	b.do(func(tx *db.Tx) error {
		made, err := collections.Create(ctx, tx, b.p.ID, []collections.New{{Code: "c", Title: "C"}})
		if err != nil {
			return err
		}
		_, err = collections.Add(ctx, tx, b.p.ID, []collections.Members{{Collection: made[0].Collection.ID, Entities: []publishing.EntityID{b.ids["x"], b.ids["u"]}}}, 0)
		return err
	})
	b.pkg("course-v1:Org+C+R")
	b.leaf("z")
	b.list("lectern.course", "root", "z")
	b.publish()
	b.do(func(tx *db.Tx) error {
		key, err := keys.ParseCourse(b.p.Ref)
		if err != nil {
			return err
		}
		run, err := catalog.EnsureRun(ctx, tx, key, "C", "en")
		if err != nil {
			return err
		}
		if _, err = tx.Exec(ctx, `INSERT INTO lectern_course (learning_package_id, course_key, course_run_id, root_entity_id, created) VALUES (?, ?, ?, ?, ?)`,
			b.p.ID, b.p.Ref, run, b.ids["root"], tx.Now()); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `INSERT INTO lectern_label (learning_package_id, name, moment, created) VALUES (?, 'L', ?, ?)`,
			b.p.ID, fmt.Sprintf("p%d", b.log), tx.Now())
		return err
	})
	return b.err
}

// builder makes content, and stops at the first error.
type builder struct {
	ctx      context.Context
	d        *db.DB
	p        publishing.Package
	ids      map[string]publishing.EntityID
	versions map[string]publishing.VersionID
	log      int64
	err      error
}

func (b *builder) do(fn func(tx *db.Tx) error) {
	if b.err == nil {
		b.err = b.d.Update(b.ctx, fn)
	}
}

func (b *builder) change(fn func(c *publishing.ChangeSet) error) {
	b.do(func(tx *db.Tx) error {
		_, err := publishing.Change(b.ctx, tx, b.p.ID, publishing.Meta{Kind: publishing.KindEdit}, fn)
		return err
	})
}

func (b *builder) pkg(ref string) {
	b.do(func(tx *db.Tx) (err error) {
		b.p, err = publishing.CreatePackage(b.ctx, tx, publishing.NewPackage{Ref: ref, Title: ref})
		return err
	})
}

func (b *builder) file(c *publishing.ChangeSet, content string) ([]components.File, error) {
	m, err := media.GetOrCreate(b.ctx, c.Tx(), nil, b.p, []media.New{{Type: "text/xml", Text: &content}}, media.Options{})
	if err != nil {
		return nil, err
	}
	return []components.File{{Path: "block.xml", Media: m[0].ID}}, nil
}

func (b *builder) leaf(ref string) {
	b.change(func(c *publishing.ChangeSet) error {
		files, err := b.file(c, ref)
		if err != nil {
			return err
		}
		made, ids, err := components.CreateWithVersions(b.ctx, c, []components.NewComponent{
			{Type: components.Type{Namespace: "xblock.v1", Name: "html"}, Code: ref, Ref: ref}}, []components.NewVersion{{Title: ref, Files: files}})
		if err == nil {
			b.ids[ref], b.versions[ref] = made[0], ids[0]
		}
		return err
	})
}

func (b *builder) edit(ref string) {
	b.change(func(c *publishing.ChangeSet) error {
		_, _, err := components.NextVersions(b.ctx, c, []components.NextVersion{{Entity: b.ids[ref]}})
		return err
	})
}

// list makes a container; "x@x" is x pinned to its first version.
func (b *builder) list(kind, ref string, children ...string) {
	b.change(func(c *publishing.ChangeSet) error {
		files, err := b.file(c, ref)
		if err != nil {
			return err
		}
		v := containers.NewVersion{Title: ref, Files: files}
		for _, ch := range children {
			name, pin, _ := strings.Cut(ch, "@")
			v.Children = append(v.Children, containers.Child{Entity: b.ids[name], Pin: b.versions[pin]})
		}
		made, ids, err := containers.CreateWithVersions(b.ctx, c, []containers.NewContainer{{Type: kind, Code: ref}}, []containers.NewVersion{v})
		if err == nil {
			b.ids[ref], b.versions[ref] = made[0], ids[0]
		}
		return err
	})
}

func (b *builder) publish() {
	b.do(func(tx *db.Tx) error {
		l, err := publishing.PublishAll(b.ctx, tx, b.p.ID, publishing.PublishMeta{})
		if err == nil {
			b.log = l.ID
		}
		return err
	})
}

// harm is SQL that does damage and what must be found then: "severity code table", each once, in any order. In the SQL
// {e:REF} is the id of an entity, {v:REF:NUM} that of a version, {p:REF} that of a package, {=QUERY} what the query gives,
// and "@" stands for openedx_content_.
type harm struct {
	sql     string // statements, separated by semicolons
	want    string
	mended  bool // a repair brings the rows back
	engines []db.Engine
}

var (
	withoutChecks = []db.Engine{db.SQLite, db.MariaDB} // a connection can leave rows that a CHECK refuses
	withoutFamily = []db.Engine{db.MySQL, db.MariaDB}  // lack unique indexes on expressions, or keep them unenforced
)

const (
	lastDraft  = "{=SELECT MAX(id) FROM @draftchangelogrecord WHERE entity_id = {e:%s}}"
	versionRow = "(uuid, title, version_num, created, entity_id) VALUES ('00000000000040008000000000000001', '', %s, '2026-01-01 00:00:00', %s)"
)

func harms() []harm {
	last := func(ref string) string { return fmt.Sprintf(lastDraft, ref) }
	return []harm{
		{sql: `UPDATE @draft SET version_id = {v:x:1} WHERE entity_id = {e:y}`,
			want: "error pointer @draft, error pointer_record @draft, error digest @draftchangelogrecord"},
		{sql: `UPDATE @published SET version_id = {v:p:1} WHERE entity_id = {e:y}`,
			want: "error pointer @published, error pointer_record @published, error digest @publishlogrecord"},
		{sql: `UPDATE @draft SET version_id = {v:x:1} WHERE entity_id = {e:x}`, want: "error pointer_record @draft, error digest @draftchangelogrecord"},
		{sql: `UPDATE @draft SET draft_log_record_id = {=SELECT MIN(id) FROM @draftchangelogrecord WHERE entity_id = {e:x}} WHERE entity_id = {e:x}`,
			want: "error pointer_stale @draft", mended: true},
		{sql: `UPDATE @draft SET draft_log_record_id = NULL WHERE entity_id = {e:s}`, want: "error pointer_stale @draft", mended: true},
		{sql: `UPDATE @published SET publish_log_record_id = {=SELECT MIN(id) FROM @publishlogrecord WHERE entity_id = {e:x}} WHERE entity_id = {e:x}`,
			want: "error pointer_stale @published", mended: true},
		{sql: `UPDATE @draft SET version_id = {v:x:2}, draft_log_record_id = {=SELECT MIN(id) + 0 FROM @draftchangelogrecord WHERE entity_id = {e:x} AND new_version_id = {v:x:2}} WHERE entity_id = {e:x}`,
			want: "warning pointer_behind @draft, error digest @draftchangelogrecord"},
		{sql: `DELETE FROM @draft WHERE entity_id = {e:p}`, want: "error pointer_missing @draft"},
		{sql: `DELETE FROM @published WHERE entity_id = {e:s}`, want: "error pointer_missing @published"},
		{sql: `INSERT INTO @publishableentityversion ` + fmt.Sprintf(versionRow, "1", "{e:bare}"), want: "error pointer_missing @draft"},
		{sql: `UPDATE @draftchangelogrecord SET old_version_id = {v:y:1} WHERE id = ` + last("x"), want: "error record_version @draftchangelogrecord, warning record_chain @draftchangelogrecord"},
		{sql: `UPDATE @publishlogrecord SET old_version_id = {v:x:3} WHERE entity_id = {e:x} AND new_version_id = {v:x:2}`, want: "error record_chain @publishlogrecord"},
		{sql: `UPDATE @draftchangelogrecord SET old_version_id = {v:x:1} WHERE id = ` + last("x"), want: "warning record_chain @draftchangelogrecord"},
		{sql: `INSERT INTO @draftchangelog (uuid, changed_at, learning_package_id) VALUES ('00000000000040008000000000000002', '2026-01-01 00:00:00', {p:lp:a})`,
			want: "warning log_empty @draftchangelog"},
		{sql: `UPDATE @publishlog SET learning_package_id = {p:lp:a} WHERE learning_package_id = {p:course-v1:Org+C+R}`,
			want: "error record_package @publishlogrecord, warning label_moment lectern_label"},
		{sql: `DELETE FROM @draftsideeffect WHERE effect_id = ` + last("w"), want: "info edge_missing @draftsideeffect, warning record_idle @draftchangelogrecord", mended: true},
		{sql: `DELETE FROM @publishsideeffect`, want: "info edge_missing @publishsideeffect, warning record_idle @publishlogrecord", mended: true},
		// The side effect of the last change on the top, and its record, as a program that knows of no side effects leaves it.
		{sql: `UPDATE @draft SET draft_log_record_id = {=SELECT MAX(id) FROM @draftchangelogrecord WHERE entity_id = {e:s} AND id < (SELECT MAX(id) FROM @draftchangelogrecord WHERE entity_id = {e:s})} WHERE entity_id = {e:s};
DELETE FROM @draftsideeffect WHERE effect_id = ` + last("s") + `; DELETE FROM @draftchangelogrecord WHERE id = ` + last("s"),
			want: "warning record_missing @draftchangelogrecord, error digest @draftchangelogrecord"},
		{sql: `INSERT INTO @draftsideeffect (cause_id, effect_id) VALUES ({=SELECT MIN(id) FROM @draftchangelogrecord WHERE entity_id = {e:x}}, ` + last("u") + `)`,
			want: "error edge_logs @draftsideeffect"},
		{sql: `INSERT INTO @publishsideeffect (cause_id, effect_id) VALUES ({=SELECT MAX(id) FROM @publishlogrecord WHERE entity_id = {e:x}}, {=SELECT MAX(id) FROM @publishlogrecord WHERE entity_id = {e:s}})`,
			want: "warning edge_neighbour @publishsideeffect"},
		{sql: `UPDATE @draftchangelogrecord SET dependencies_hash_digest = 'ffffffff' WHERE id = ` + last("u"), want: "error digest @draftchangelogrecord", mended: true},
		{sql: `UPDATE @publishlogrecord SET dependencies_hash_digest = ''`, want: "error digest @publishlogrecord"},

		{sql: `DELETE FROM @publishableentityversiondependency WHERE referring_version_id = {v:w:1}`,
			want: "error dependency_missing @publishableentityversiondependency, warning edge_neighbour @draftsideeffect, warning edge_neighbour @publishsideeffect, error digest @draftchangelogrecord, error digest @publishlogrecord", mended: true},
		{sql: `INSERT INTO @publishableentityversiondependency (referring_version_id, referenced_entity_id) VALUES ({v:p:1}, {e:y})`,
			want: "error dependency_extra @publishableentityversiondependency", mended: true},
		{sql: `INSERT INTO @publishableentityversiondependency (referring_version_id, referenced_entity_id) VALUES ({v:x:1}, {e:p})`,
			want: "error dependency_component @publishableentityversiondependency", mended: true},
		{sql: `INSERT INTO @publishableentityversiondependency (referring_version_id, referenced_entity_id) VALUES ({v:x:1}, {e:z})`,
			want: "error dependency_component @publishableentityversiondependency, error dependency_package @publishableentityversiondependency", mended: true},
		{sql: `INSERT INTO @publishableentityversiondependency (referring_version_id, referenced_entity_id) VALUES ({v:x:3}, {e:u})`,
			want: "error dependency_component @publishableentityversiondependency, error cycle @draftchangelogrecord, info edge_missing @draftsideeffect, warning record_missing @draftchangelogrecord"},

		{sql: `UPDATE @entitylistrow SET order_num = 5 WHERE entity_id = {e:w}`, want: "error list_order @entitylistrow"},
		{sql: `INSERT INTO @entitylist (id) VALUES (999)`, want: "info list_orphan @entitylist", engines: []db.Engine{db.SQLite, db.MySQL, db.MariaDB}},
		{sql: `UPDATE @entitylistrow SET entity_id = {e:z}, entity_version_id = {v:z:1} WHERE entity_version_id IS NOT NULL`, want: "error child_package @entitylistrow"},
		{sql: `UPDATE @entitylistrow SET entity_version_id = {v:y:1} WHERE entity_version_id IS NOT NULL`, want: "error child_pin @entitylistrow"},
		{sql: `UPDATE @entitylistrow SET entity_id = {e:t}, entity_version_id = {v:t:1} WHERE entity_version_id IS NOT NULL`, want: "warning child_kind @entitylistrow"},

		{sql: `DELETE FROM @unitversion WHERE container_version_id = {v:w:1}`, want: "error type_row_missing @unitversion", mended: true},
		{sql: `DELETE FROM @sectionversion; DELETE FROM @section`, want: "error type_row_missing @section, error type_row_missing @sectionversion", mended: true},
		{sql: `INSERT INTO @section (container_id) VALUES ({e:root}); INSERT INTO @unitversion (container_version_id) VALUES ({v:t:1})`,
			want: "error type_row_extra @section, error type_row_extra @unitversion"},
		{sql: `DELETE FROM @componentversionmedia WHERE component_version_id = {v:x:2}; DELETE FROM @componentversion WHERE publishable_entity_version_id = {v:x:2}`,
			want: "error version_row_missing @componentversion"},
		{sql: `INSERT INTO @publishableentityversion ` + fmt.Sprintf(versionRow, "7", "{e:root}"), want: "error version_row_missing @containerversion"},
		{sql: `UPDATE @componentversion SET component_id = {e:y} WHERE publishable_entity_version_id = {v:x:1}`, want: "error version_row_owner @componentversion"},
		{sql: `UPDATE @containerversion SET container_id = {e:w} WHERE publishable_entity_version_id = {v:u:1}`, want: "error version_row_owner @containerversion"},
		{sql: `INSERT INTO @component (publishable_entity_id, component_code, component_type_id, learning_package_id) VALUES ({e:root}, 'r', {=SELECT MIN(id) FROM @componenttype}, {p:course-v1:Org+C+R});
INSERT INTO @componentversion (publishable_entity_version_id, component_id) VALUES ({v:root:1}, {e:root})`,
			want: "error two_kinds @container, error dependency_component @publishableentityversiondependency"},
		{sql: `UPDATE @component SET learning_package_id = {p:course-v1:Org+C+R} WHERE publishable_entity_id = {e:y}`,
			want: "error package_differs @component, error media_package @componentversionmedia"},
		{sql: `UPDATE @container SET learning_package_id = {p:lp:a} WHERE publishable_entity_id = {e:root}`,
			want: "error package_differs @container, error media_package lectern_containerversionmedia, error child_package @entitylistrow"},
		{sql: `UPDATE @container SET container_code = 'U' WHERE container_code = 'w'`, want: "info code_pair @container"},

		{sql: `UPDATE @media SET text = NULL WHERE size = 1 AND learning_package_id = {p:course-v1:Org+C+R}`, want: "error media_empty @media"},
		{sql: `UPDATE @media SET size = 99 WHERE hash_digest = '` + media.DigestBytes([]byte("root")) + `'`, want: "error media_size @media"},
		{sql: `UPDATE @componentversionmedia SET path = '../up' WHERE component_version_id = {v:x:1}`, want: "warning path @componentversionmedia"},
		{sql: `UPDATE @componentversionmedia SET path = 'a ' WHERE component_version_id = {v:x:1}`, want: "warning trailing_space @componentversionmedia"},
		{sql: `UPDATE @publishableentityversion SET title = '` + strings.Repeat("é", 501) + `' WHERE id = {v:x:1}`,
			want: "warning too_long @publishableentityversion", engines: []db.Engine{db.SQLite}},
		{sql: `UPDATE @component SET component_code = 'a b' WHERE publishable_entity_id = {e:x}`, want: "error check_violated @component", engines: withoutChecks},
		{sql: `UPDATE @collectionpublishableentity SET entity_id = {e:z} WHERE entity_id = {e:u}`, want: "error member_package @collectionpublishableentity, info collection_log lectern_collectionlog"},

		{sql: `UPDATE @collection SET title = 'renamed', enabled = FALSE`, want: "info collection_log lectern_collectionlog"},
		{sql: `DELETE FROM @collectionpublishableentity WHERE entity_id = {e:u}`, want: "info collection_log lectern_collectionlog"},

		{sql: `UPDATE openedx_catalog_courserun SET course_key = 'course-v1:Org+D+R'`,
			want: "error run_names openedx_catalog_courserun, error course_run lectern_course"},
		{sql: `UPDATE lectern_course SET course_run_id = NULL`, want: "error course_run_missing lectern_course", mended: true},
		{sql: `UPDATE lectern_course SET course_run_id = NULL; DELETE FROM openedx_catalog_courserun`, want: "warning course_run_lost lectern_course"},
		{sql: `UPDATE @learningpackage SET package_ref = 'another' WHERE id = {p:course-v1:Org+C+R}`, want: "error course_package lectern_course"},
		{sql: `UPDATE lectern_course SET root_entity_id = {e:z}`, want: "error course_root lectern_course"},
		{sql: `UPDATE lectern_label SET moment = 'c999'`, want: "warning label_moment lectern_label"},
		{sql: `UPDATE lectern_changelog SET kind = 'x'; UPDATE lectern_publishlog SET kind = 'x'`, want: "warning log_kind lectern_changelog, warning log_kind lectern_publishlog"},
		{sql: `INSERT INTO django_content_type (app_label, model) VALUES ('openedx_content', 'unit')`, want: "warning content_type_missing django_content_type"},
		{sql: `INSERT INTO openedx_catalog_courserun (course_key, run_code, created, title, catalog_course_id) VALUES ('Org/C/R', 'R', '2026-01-01 00:00:00', 't', {=SELECT MIN(id) FROM openedx_catalog_catalogcourse})`,
			want: "error run_pair openedx_catalog_courserun", engines: withoutFamily},
		{sql: `INSERT INTO organizations_organization (created, modified, name, short_name, active) VALUES ('2026-01-01 00:00:00', '2026-01-01 00:00:00', 'o', 'ORG', TRUE)`,
			want: "warning organization_pair organizations_organization", engines: []db.Engine{db.SQLite, db.PostgreSQL}},
	}
}

var place = regexp.MustCompile(`\{(e|v|p):([^{}]*)\}`)

// spell replaces the names in damaging SQL.
func spell(t *testing.T, d *db.DB, sql string) string {
	t.Helper()
	number := func(query string, args ...any) string {
		n, ok, err := db.One(t.Context(), d, query, args, db.Value[*int64])
		if err != nil {
			t.Fatal(err)
		}
		if !ok || n == nil {
			return "0"
		}
		return fmt.Sprint(*n)
	}
	sql = strings.ReplaceAll(sql, "@", "openedx_content_")
	sql = place.ReplaceAllStringFunc(sql, func(m string) string {
		part := place.FindStringSubmatch(m)
		switch part[1] {
		case "e":
			return number("SELECT id FROM openedx_content_publishableentity WHERE entity_ref = ?", part[2])
		case "p":
			return number("SELECT id FROM openedx_content_learningpackage WHERE package_ref = ?", part[2])
		}
		ref, num, _ := strings.Cut(part[2], ":")
		return number("SELECT v.id FROM openedx_content_publishableentityversion v JOIN openedx_content_publishableentity e ON e.id = v.entity_id"+
			" WHERE e.entity_ref = ? AND v.version_num = "+num, ref)
	})
	for {
		a := strings.Index(sql, "{=")
		if a < 0 {
			return sql
		}
		b := a + strings.IndexByte(sql[a:], '}')
		sql = sql[:a] + number(sql[a+2:b]) + sql[b+1:]
	}
}

// do runs damaging SQL on a connection that checks nothing it can leave unchecked.
func (h harm) do(t *testing.T, d *db.DB) {
	t.Helper()
	statements := strings.Split(spell(t, d, h.sql), ";")
	err := d.Session(t.Context(), func(s *db.Session) error {
		var off []string
		switch d.Engine() {
		case db.SQLite:
			off = []string{"PRAGMA foreign_keys = OFF", "PRAGMA ignore_check_constraints = ON"}
		case db.MariaDB:
			off = []string{"SET foreign_key_checks = 0", "SET check_constraint_checks = 0"}
		case db.MySQL:
			off = []string{"SET foreign_key_checks = 0"}
		}
		for _, sql := range append(off, statements...) {
			if _, err := s.Exec(t.Context(), sql); err != nil {
				return fmt.Errorf("%s: %w", sql, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// codes lists findings as "severity code table", each once.
func codes(list []schema.Finding) []string {
	out := []string{}
	for _, f := range list {
		out = append(out, strings.ReplaceAll(fmt.Sprintf("%s %s %s", f.Severity, f.Code, f.Table), "openedx_content_", "@"))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func openAt(t *testing.T, url string) *db.DB {
	t.Helper()
	d, err := db.Open(t.Context(), url, db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// rows dumps all content without the ids that only count up.
func rows(t *testing.T, url string) string {
	t.Helper()
	d := openAt(t, url)
	var out []string
	for _, table := range schema.Tables() {
		if !strings.HasPrefix(table.Name, "openedx_content_") && !strings.HasPrefix(table.Name, "lectern_") || table.Name == "lectern_package" {
			continue
		}
		var cols []string
		for _, c := range table.Columns {
			if c.Name != "id" {
				cols = append(cols, c.Name)
			}
		}
		if len(cols) == 0 {
			cols = []string{"id"}
		}
		err := d.Query(t.Context(), "SELECT "+strings.Join(cols, ", ")+" FROM "+table.Name, nil, func(r *db.Row) error {
			values := make([]any, len(cols))
			dest := make([]any, len(cols))
			for i := range values {
				dest[i] = &values[i]
			}
			err := r.Scan(dest...)
			out = append(out, table.Name+fmt.Sprint(values))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

// TestVerifyFindsHarm does every kind of damage to a good database, and sees it found, and where that can be, repaired. On
// servers, where each good database takes a second, it does what is repaired and what depends on the engine; every rule is
// asked there by [TestVerifySound] all the same.
func TestVerifyFindsHarm(t *testing.T) {
	t.Parallel()
	dbtest.OnEngines(t, func(t *testing.T, e db.Engine) {
		t.Parallel()
		for i, h := range harms() {
			if h.engines != nil && !slices.Contains(h.engines, e) || e != db.SQLite && h.engines == nil && !h.mended {
				continue
			}
			t.Run(fmt.Sprintf("%02d %s", i, strings.ReplaceAll(h.want, "@", "")), func(t *testing.T) {
				if e != db.SQLite {
					t.Parallel()
				}
				url := dbtest.ReadyURL(t, e, sound)
				c := Config{DB: url, Media: t.TempDir()}
				before := rows(t, url)
				d := openAt(t, url)
				h.do(t, d)
				if err := d.Close(); err != nil {
					t.Fatal(err)
				}
				harmed := rows(t, url)
				found, err := Verify(t.Context(), c, VerifyOptions{})
				if err != nil {
					t.Fatal(err)
				}
				want := strings.Split(h.want, ", ")
				slices.Sort(want)
				if diff := cmp.Diff(want, codes(found.Findings)); diff != "" {
					t.Errorf("findings (-want +got):\n%s%+v", diff, found.Findings)
				}
				for _, f := range found.Findings {
					if f.Next == "" || strings.HasPrefix(f.Table, "openedx_content_") && f.Code != "list_orphan" && !strings.HasPrefix(f.Key, "lp:a") && !strings.HasPrefix(f.Key, "course-v1:Org+C+R") {
						t.Errorf("a finding does not say where it is, or what to do: %+v", f)
					}
				}
				if !h.mended {
					return
				}
				dry := c
				dry.DryRun = true
				planned, err := Repair(t.Context(), dry, VerifyOptions{})
				if err != nil {
					t.Fatal(err)
				}
				if got := rows(t, url); got != harmed {
					t.Errorf("the dry run changed rows:\n%s", cmp.Diff(harmed, got))
				}
				done, err := Repair(t.Context(), c, VerifyOptions{})
				if err != nil {
					t.Fatal(err)
				}
				// They come as the database finds them, in no promised order.
				byText := cmpopts.SortSlices(func(a, b schema.Finding) bool { return fmt.Sprint(a) < fmt.Sprint(b) })
				if diff := cmp.Diff(planned.Repaired, done.Repaired, byText); diff != "" || len(done.Repaired) == 0 {
					t.Errorf("repaired (-planned +done):\n%s", diff)
				}
				if len(done.Findings) > 0 {
					t.Errorf("after the repair: %+v", done.Findings)
				}
				if got := rows(t, url); got != before {
					t.Errorf("rows after the repair (-want +got):\n%s", cmp.Diff(strings.Split(before, "\n"), strings.Split(got, "\n")))
				}
			})
		}
	})
}

// TestVerifySound finds nothing in a good database, and a repair of it changes nothing.
func TestVerifySound(t *testing.T) {
	t.Parallel()
	dbtest.OnEngines(t, func(t *testing.T, e db.Engine) {
		t.Parallel()
		url := dbtest.ReadyURL(t, e, sound)
		c := Config{DB: url, Media: t.TempDir()}
		before := rows(t, url)
		found, err := Verify(t.Context(), c, VerifyOptions{Files: true})
		if err != nil || len(found.Findings) > 0 {
			t.Errorf("findings %+v, %v", found, err)
		}
		found, err = Repair(t.Context(), c, VerifyOptions{})
		if err != nil || len(found.Findings)+len(found.Repaired) > 0 {
			t.Errorf("repaired %+v, %v", found, err)
		}
		if got := rows(t, url); got != before {
			t.Errorf("rows (-want +got):\n%s", cmp.Diff(before, got))
		}
	})
}

// TestVerifyFiles finds what is wrong with media files.
func TestVerifyFiles(t *testing.T) {
	t.Parallel()
	c := Config{DB: filepath.Join(t.TempDir(), "x.db"), Write: true}
	a := open(t, c)
	var p publishing.Package
	var list []media.Media
	err := a.Update(t.Context(), func(tx *db.Tx) (err error) {
		if p, err = publishing.CreatePackage(t.Context(), tx, publishing.NewPackage{Ref: "lp", Title: "lp"}); err != nil {
			return err
		}
		text := "text"
		list, err = media.GetOrCreate(t.Context(), tx, a.Files, p, []media.New{{Type: "image/png", Bytes: []byte("gone")}, {Type: "image/png", Bytes: []byte("short")},
			{Type: "image/png", Bytes: []byte("other")}, {Type: "text/plain", Text: &text}, {Type: "image/png", Bytes: []byte("right")}}, media.Options{})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	_, folder := c.paths()
	at := func(m media.Media) string { return filepath.Join(folder, "content", p.UUID.String(), m.Digest) }
	for _, err := range []error{
		os.Remove(at(list[0])), os.WriteFile(at(list[1]), []byte("s"), 0o600), os.WriteFile(at(list[2]), []byte("OTHER"), 0o600),
		os.WriteFile(at(media.Media{Digest: media.DigestBytes([]byte("unnamed"))}), []byte("unnamed"), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := a.DB.Exec(t.Context(), `UPDATE openedx_content_media SET text = 'TEXT' WHERE id = ?`, list[3].ID); err != nil {
		t.Fatal(err)
	}
	c.Write = false
	found, err := Verify(t.Context(), c, VerifyOptions{})
	if err != nil || len(found.Findings) > 0 {
		t.Errorf("without files: %+v, %v", found, err)
	}
	found, err = Verify(t.Context(), c, VerifyOptions{Files: true})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range found.Findings {
		got = append(got, fmt.Sprintf("%s %s %s>%s", f.Severity, f.Code, f.Value, f.Proposed))
	}
	want := []string{
		"error media_file_missing >" + list[0].Digest, "error media_file_size 1 bytes>5 bytes",
		"error media_digest " + media.DigestBytes([]byte("OTHER")) + ">" + list[2].Digest,
		"error media_digest " + media.DigestBytes([]byte("TEXT")) + ">" + list[3].Digest, "info media_file_unnamed 1 files>0 files",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

// TestVerifyNamesSome names the first findings of a kind and counts the others, unless all are asked for.
func TestVerifyNamesSome(t *testing.T) {
	t.Parallel()
	c := Config{DB: filepath.Join(t.TempDir(), "x.db"), Write: true}
	a := open(t, c)
	err := a.Update(t.Context(), func(tx *db.Tx) error {
		if _, err := tx.Exec(t.Context(), `INSERT INTO openedx_content_mediatype (type, sub_type, suffix) VALUES ('a', ?, '')`, strings.Repeat("x", 200)); err != nil {
			return err
		}
		p, err := publishing.CreatePackage(t.Context(), tx, publishing.NewPackage{Ref: "lp", Title: "lp"})
		if err != nil {
			return err
		}
		list := make([]publishing.NewEntity, 30)
		for i := range list {
			list[i].Ref = fmt.Sprintf("e%d", i)
		}
		ids, err := publishing.CreateEntities(t.Context(), tx, p.ID, list)
		if err != nil {
			return err
		}
		_, err = publishing.Change(t.Context(), tx, p.ID, publishing.Meta{}, func(cs *publishing.ChangeSet) error {
			n := make([]publishing.NewVersion, len(ids))
			for i := range n {
				n[i].Entity = ids[i]
			}
			_, _, err := cs.CreateVersions(t.Context(), n)
			return err
		})
		if err != nil {
			return err
		}
		_, err = tx.Exec(t.Context(), `UPDATE openedx_content_draftchangelogrecord SET dependencies_hash_digest = 'x'`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	c.Write = false
	for all, want := range map[bool]string{false: "1 too_long, 21 digest, 10 more", true: "1 too_long, 30 digest, "} {
		found, err := Verify(t.Context(), c, VerifyOptions{All: all})
		if err != nil {
			t.Fatal(err)
		}
		n := map[string]int{}
		more := ""
		for _, f := range found.Findings {
			n[f.Code]++
			if strings.HasSuffix(f.Value, "more") {
				more = f.Value
			}
		}
		if got := fmt.Sprintf("%d too_long, %d digest, %s", n["too_long"], n["digest"], more); got != want {
			t.Errorf("all %v: %s, want %s", all, got, want)
		}
	}
}
