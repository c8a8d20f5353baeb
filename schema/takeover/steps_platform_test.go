package takeover

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/schema"
)

// rowsUpTo returns all rows of a platform app before its switch row, those to leave out apart.
func rowsUpTo(app string, without ...string) []schema.Migration {
	var ms []schema.Migration
	for _, a := range platform {
		if a.app != app {
			continue
		}
	rows:
		for _, name := range append(append([]string{}, a.replaces...), a.before) {
			for _, w := range without {
				if strings.HasPrefix(name, w) {
					continue rows
				}
			}
			ms = append(ms, schema.Migration{App: app, Name: name})
		}
	}
	return ms
}

// TestPlatformRows has the rows of the platform's apps in every combination that the rule tells apart.
func TestPlatformRows(t *testing.T) {
	t.Parallel()
	const libraries, store, migrator = "content_libraries", "contentstore", "modulestore_migrator"
	row := func(app, name string) schema.Migration { return schema.Migration{App: app, Name: name} }
	for _, c := range []struct {
		name string
		rows []schema.Migration
		want []string
	}{
		{"no app has rows", nil, nil},
		{"libraries", rowsUpTo(libraries),
			[]string{libraries + ".0012_switch_to_openedx_content", libraries + ".0001_squashed_0012_switch_to_openedx_content"}},
		{"libraries, not so far", rowsUpTo(libraries, "0011"), nil},
		{"libraries, with a gap", rowsUpTo(libraries, "0005_ltig"), []string{libraries + ".0012_switch_to_openedx_content"}},
		{"libraries, squashed", []schema.Migration{row(libraries, "0001_squashed_0012_switch_to_openedx_content")}, nil},
		{"libraries, without the squash", append(rowsUpTo(libraries), row(libraries, "0012_switch_to_openedx_content")),
			[]string{libraries + ".0001_squashed_0012_switch_to_openedx_content"}},
		{"libraries of a branch", append(rowsUpTo(libraries), row(libraries, "0012_alter_contentlibrary_learning_package")),
			[]string{libraries + ".0012_switch_to_openedx_content", libraries + ".0001_squashed_0012_switch_to_openedx_content"}},
		{"libraries of a branch, not so far", append(rowsUpTo(libraries, "0011"), row(libraries, "0012_alter_contentlibrary_learning_package")), nil},
		{"store", rowsUpTo(store), []string{store + ".0015_switch_to_openedx_content", store + ".0001_squashed_0015_switch_to_openedx_content"}},
		{"store, not so far", rowsUpTo(store, "0014"), nil},
		{"store of forks", append(rowsUpTo(store), row(store, "0015_mariadb_uuid_conversion"), row(store, "0016_mariadb_uuid_conversion"),
			row(store, "0015_alter_componentlink_upstream_block_and_more")),
			[]string{store + ".0015_switch_to_openedx_content", store + ".0001_squashed_0015_switch_to_openedx_content"}},
		{"migrator", rowsUpTo(migrator), []string{migrator + ".0007_switch_to_openedx_content", migrator + ".0001_squashed_0007_switch_to_openedx_content"}},
		{"migrator, not so far", rowsUpTo(migrator, "0006"), nil},
		{"migrator of early master", append(rowsUpTo(migrator, "0004"), row(migrator, targetAndReason[0]), row(migrator, targetAndReason[1])),
			[]string{migrator + ".0007_switch_to_openedx_content", migrator + ".0001_squashed_0007_switch_to_openedx_content"}},
		{"migrator, one of two", append(rowsUpTo(migrator, "0004"), row(migrator, targetAndReason[0])), []string{migrator + ".0007_switch_to_openedx_content"}},
		{"migrator, all three names", append(rowsUpTo(migrator), row(migrator, targetAndReason[0]), row(migrator, targetAndReason[1])),
			[]string{migrator + ".0007_switch_to_openedx_content", migrator + ".0001_squashed_0007_switch_to_openedx_content"}},
		{"migrator of a branch", append(rowsUpTo(migrator), row(migrator, "0007_alter_modulestoreblockmigration_change_log_record_and_more")),
			[]string{migrator + ".0007_switch_to_openedx_content", migrator + ".0001_squashed_0007_switch_to_openedx_content"}},
		{"rows that are there twice", append(rowsUpTo(store), rowsUpTo(store)...),
			[]string{store + ".0015_switch_to_openedx_content", store + ".0001_squashed_0015_switch_to_openedx_content"}},
		{"an LMS", append(rowsUpTo(libraries), row("course_overviews", "0032_courseoverview_course_theme_variant_and_more")),
			[]string{libraries + ".0012_switch_to_openedx_content", libraries + ".0001_squashed_0012_switch_to_openedx_content"}},
		{"all done", append(append(rowsUpTo(store), row(store, "0015_switch_to_openedx_content")), row(store, "0001_squashed_0015_switch_to_openedx_content")), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := dbtest.Ready(t, db.SQLite, contentSite)
			if err := noteRows(d, c.rows...); err != nil {
				t.Fatal(err)
			}
			before := ledgerOf(t, d, "")
			if p, done := migrate(t, d, Options{}); len(done)+len(p.Steps) > 0 {
				t.Fatalf("done without being asked: %v", done)
			}
			_, done := migrate(t, d, Options{PlatformRows: true})
			if diff := cmp.Diff(c.want, done); diff != "" {
				t.Errorf("steps (-want +got):\n%s", diff)
			}
			for _, id := range c.want {
				before[id]++
			}
			if diff := cmp.Diff(before, ledgerOf(t, d, "")); diff != "" {
				t.Errorf("ledger (-want +got):\n%s", diff)
			}
			if _, done := migrate(t, d, Options{PlatformRows: true}); done != nil {
				t.Errorf("again: %v", done)
			}
		})
	}
}

// TestPlatformRowsOnTheWay writes the rows of the platform after a step of content, in one run.
func TestPlatformRowsOnTheWay(t *testing.T) {
	t.Parallel()
	each(t, djangoSite, func(t *testing.T, d *db.DB) {
		if err := noteRows(d, rowsUpTo("contentstore")...); err != nil {
			t.Fatal(err)
		}
		_, done := migrate(t, d, Options{PlatformRows: true})
		want := []string{last.App + "." + last.Name, "contentstore.0015_switch_to_openedx_content", "contentstore.0001_squashed_0015_switch_to_openedx_content"}
		if diff := cmp.Diff(want, done); diff != "" {
			t.Errorf("steps (-want +got):\n%s", diff)
		}
	})
}

// TestPlatformRowsTooEarly has a run that would stop before what the rows of the platform follow.
func TestPlatformRowsTooEarly(t *testing.T) {
	t.Parallel()
	d := dbtest.Ready(t, db.SQLite, djangoSite)
	var f *fault.Error
	if _, err := NewPlan(context.Background(), d, Options{To: "0001", PlatformRows: true}); !errors.As(err, &f) || f.Kind != fault.Usage || f.Next == "" {
		t.Errorf("%v, want wrong usage with a next step", err)
	}
	if _, err := NewPlan(context.Background(), d, Options{To: "0002", PlatformRows: true}); err != nil {
		t.Error(err)
	}
}

// TestContentTypes renames Django's rows for the two models that 0003 renames, where there are such.
func TestContentTypes(t *testing.T) {
	t.Parallel()
	each(t, contentSite, func(t *testing.T, d *db.DB) {
		for _, c := range []struct {
			name        string
			there, want []string // "label.model"
		}{
			{"both", []string{"openedx_content.content", "openedx_content.componentversioncontent", "oel_contents.content"},
				[]string{"oel_contents.content", "openedx_content.componentversionmedia", "openedx_content.media"}},
			{"one is there under both names", []string{"openedx_content.content", "openedx_content.media", "openedx_content.componentversioncontent"},
				[]string{"openedx_content.componentversionmedia", "openedx_content.content", "openedx_content.media"}},
			{"of another app", []string{"shelves.content", "openedx_content.unit"}, []string{"openedx_content.unit", "shelves.content"}},
		} {
			undoMedia(t, d)
			for _, n := range c.there {
				label, model, _ := strings.Cut(n, ".")
				send(t, d, "INSERT INTO django_content_type (app_label, model) VALUES ('"+label+"', '"+model+"')")
			}
			migrate(t, d, Options{To: "0003"})
			got, err := db.All(context.Background(), d, "SELECT CONCAT(app_label, '.', model) FROM django_content_type", nil, db.Value[string])
			if err != nil {
				t.Fatal(err)
			}
			slices.Sort(got) // a database's order depends on its collation
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s: content types (-want +got):\n%s", c.name, diff)
			}
		}
	})
}

// undoMedia gives the content tables the names of between 0002 and 0003.
func undoMedia(t *testing.T, d *db.DB) {
	t.Helper()
	send(t, d, "DELETE FROM django_content_type", "DELETE FROM django_migrations WHERE app = 'openedx_content' AND name > '0003'",
		"ALTER TABLE "+nowMedia+" RENAME TO "+midContent, "ALTER TABLE "+link+" RENAME TO "+midLink,
		"ALTER TABLE "+midLink+" RENAME COLUMN media_id TO content_id")
	for _, n := range [][2]string{{"oel_cvmedia_c_cv", "oel_cvcontent_c_cv"}, {"oel_cvmedia_cv_d", "oel_cvcontent_cv_d"}} {
		switch {
		case d.Engine().MySQLFamily():
			send(t, d, "ALTER TABLE "+midLink+" RENAME INDEX "+n[0]+" TO "+n[1])
		case d.Engine() == db.PostgreSQL:
			send(t, d, "ALTER INDEX "+n[0]+" RENAME TO "+n[1])
		}
	}
	if d.Engine() == db.SQLite {
		send(t, d, "DROP INDEX oel_cvmedia_c_cv", "DROP INDEX oel_cvmedia_cv_d",
			"CREATE INDEX oel_cvcontent_c_cv ON "+midLink+" (content_id, component_version_id)",
			"CREATE INDEX oel_cvcontent_cv_d ON "+midLink+" (component_version_id, content_id)")
	}
}
