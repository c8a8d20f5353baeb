package takeover

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/schema"
)

// Look-alikes of the platform's tables that the catalog is filled from.
var (
	indexTable = schema.Table{Name: courseIndex, Columns: []schema.Column{
		{Name: "id", Type: schema.Type{Kind: schema.Serial8}}, {Name: "objectid", Type: schema.Type{Kind: schema.Char, Len: 24}, Unique: true},
		{Name: "course_id", Type: schema.Type{Kind: schema.Key, Len: 255}, Unique: true}, {Name: "org", Type: schema.Type{Kind: schema.Char, Len: 255}, Index: true},
		{Name: "draft_version", Type: schema.Type{Kind: schema.Char, Len: 24}}, {Name: "published_version", Type: schema.Type{Kind: schema.Char, Len: 24}},
		{Name: "library_version", Type: schema.Type{Kind: schema.Char, Len: 24}}, {Name: "wiki_slug", Type: schema.Type{Kind: schema.Char, Len: 255}, Index: true},
		{Name: "base_store", Type: schema.Type{Kind: schema.Char, Len: 20}}, {Name: "edited_by_id", Type: schema.Type{Kind: schema.Int4}, Null: true},
		{Name: "edited_on", Type: schema.Type{Kind: schema.Time}}, {Name: "last_update", Type: schema.Type{Kind: schema.Time}}}}
	overviewTable = schema.Table{Name: courseOverview, Columns: []schema.Column{
		{Name: "id", Type: schema.Type{Kind: schema.Char, Len: 255}, PK: true}, {Name: "created", Type: schema.Type{Kind: schema.Time}},
		{Name: "org", Type: schema.Type{Kind: schema.Char, Len: 255}}, {Name: "display_name", Type: schema.Type{Kind: schema.Text}, Null: true},
		{Name: "language", Type: schema.Type{Kind: schema.Char, Len: 100}, Null: true}}}
)

// withCourses adds the platform's tables of courses.
func withCourses(d *db.DB, overviews bool) error {
	if !overviews {
		return makeAll(d, &indexTable)
	}
	return makeAll(d, &indexTable, &overviewTable)
}

// filledSite is a site with the catalog, and the tables that it is filled from.
func filledSite(d *db.DB) error {
	if err := djangoSite(d); err != nil {
		return err
	}
	_, err := Migrate(context.Background(), d, Options{Catalog: true}, Run{})
	return errors.Join(err, withCourses(d, true))
}

// addCourses adds rows to the index.
func addCourses(d *db.DB, ks ...string) error {
	return d.Update(context.Background(), func(tx *db.Tx) error {
		n, _, err := db.One(context.Background(), tx, "SELECT COUNT(*) FROM "+courseIndex, nil, db.Value[int])
		if err != nil {
			return err
		}
		return tx.Insert(context.Background(), courseIndex, []string{"objectid", "course_id", "org", "draft_version", "published_version", "library_version",
			"wiki_slug", "base_store", "edited_on", "last_update"}, len(ks), func(i int, v []any) {
			key, store, lib := ks[i], "mongodb", ""
			if strings.HasPrefix(key, "library-v1:") {
				lib = "000000000000000000000001"
			}
			if k, ok := strings.CutPrefix(key, "elsewhere "); ok {
				key, store = k, "mysql"
			}
			v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8], v[9] = fmt.Sprintf("%024d", n+i), key, "", "", "", lib, "", store, tx.Now(), tx.Now()
		})
	})
}

// shown is a row of the platform's overviews; "-" is NULL.
type shown struct {
	key, title, language string
	day                  int // of January 2020 on which the course was made
}

func addOverviews(d *db.DB, list ...shown) error {
	return d.Update(context.Background(), func(tx *db.Tx) error {
		return tx.Insert(context.Background(), courseOverview, []string{"id", "created", "org", "display_name", "language"}, len(list), func(i int, v []any) {
			o := list[i]
			v[0], v[1], v[2], v[3], v[4] = o.key, time.Date(2020, 1, o.day, 3, 4, 5, 6000, time.UTC), "", o.title, o.language
			for n := 3; n <= 4; n++ {
				if v[n] == "-" {
					v[n] = nil
				}
			}
		})
	})
}

// courses returns the catalog: organizations, "org|code|title|language|day" and "key|run|title|code|day" with day 0 for
// now.
func courses(t *testing.T, d *db.DB) (orgs, list, runs []string) {
	t.Helper()
	day := func(at time.Time) int {
		if at.Year() != 2020 {
			return 0
		}
		return at.Day()
	}
	scan := func(r *db.Row) (string, error) {
		var a, b, c, e string
		var at time.Time
		err := r.Scan(&a, &b, &c, &e, &at)
		return fmt.Sprintf("%s|%s|%s|%s|%d", a, b, c, e, day(at)), err
	}
	ctx := context.Background()
	orgs, err1 := db.All(ctx, d, "SELECT short_name FROM organizations_organization ORDER BY id", nil, db.Value[string])
	list, err2 := db.All(ctx, d, "SELECT o.short_name, c.course_code, c.title, c.language, c.created FROM openedx_catalog_catalogcourse c "+
		"JOIN organizations_organization o ON o.id = c.org_id ORDER BY c.id", nil, scan)
	runs, err3 := db.All(ctx, d, "SELECT r.course_key, r.run_code, r.title, c.course_code, r.created FROM openedx_catalog_courserun r "+
		"JOIN openedx_catalog_catalogcourse c ON c.id = r.catalog_course_id ORDER BY r.id", nil, scan)
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	return orgs, list, runs
}

// addOrg adds an organization.
func addOrg(t *testing.T, d *db.DB, name string, active bool) {
	t.Helper()
	send(t, d, fmt.Sprintf("INSERT INTO organizations_organization (created, modified, name, short_name, active) "+
		"VALUES ('2019-01-01 00:00:00', '2019-01-01 00:00:00', 'Name', '%s', %v)", name, active))
}

// TestFill fills the catalog by every rule of content-migrations.md §1.6.
func TestFill(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ÿ", 300)
	for _, c := range []struct {
		name          string
		orgs          []string
		keys          []string
		shown         []shown
		wantOrgs      []string
		courses, runs []string
		findings      []string // "severity code key value proposed"
		summary       []string // of the statements, behind "-- "
	}{
		{name: "nothing"},
		{name: "one, of which nothing is known", keys: []string{"course-v1:Axim+C+R"}, wantOrgs: []string{"Axim"},
			courses: []string{"Axim|C|C|en|0"}, runs: []string{"course-v1:Axim+C+R|R|C|C|0"},
			summary: []string{"1 organization", "1 course", "1 course run"}},
		{name: "an organization that is there, though it is not active", orgs: []string{"-Axim"}, keys: []string{"course-v1:Axim+C+R"}, wantOrgs: []string{"Axim"},
			courses: []string{"Axim|C|C|en|0"}, runs: []string{"course-v1:Axim+C+R|R|C|C|0"},
			summary: []string{"1 course", "1 course run"}},
		{name: "an organization of another case", orgs: []string{"AXIM"}, keys: []string{"course-v1:Axim+C+R", "course-v1:Axim+D+R"}, wantOrgs: []string{"AXIM"},
			courses: []string{"AXIM|C|C|en|0", "AXIM|D|D|en|0"}, runs: []string{"course-v1:Axim+C+R|R|C|C|0", "course-v1:Axim+D+R|R|D|D|0"},
			findings: []string{"warning catalog_organization course-v1:Axim+C+R Axim AXIM"}},
		{name: "libraries, other stores and keys that are none", keys: []string{"library-v1:Axim+L", "ccx-v1:Axim+C+R+ccx@1", "elsewhere course-v1:Axim+X+R", "course-v1:Axim+C+R", "course-v1:nonsense",
			"course-v1:Axim+C+" + strings.Repeat("r", 129)}, wantOrgs: []string{"Axim"},
			courses: []string{"Axim|C|C|en|0"}, runs: []string{"course-v1:Axim+C+R|R|C|C|0"},
			findings: []string{"warning catalog_key course-v1:Axim+C+" + strings.Repeat("r", 129) + "  ", "warning catalog_key course-v1:nonsense  "}},
		{name: "titles, languages and times", keys: []string{"course-v1:A+C+R1", "course-v1:A+C+R2", "course-v1:A+C+R3", "course-v1:A+D+R1", "course-v1:A+D+R2",
			"course-v1:A+E+R1", "course-v1:A+E+R2", "course-v1:A+F+R", "course-v1:A+G+R", "course-v1:A+H+R1", "course-v1:A+H+R2"},
			shown: []shown{{"course-v1:A+C+R1", "Chemistry", "de", 5}, {"course-v1:A+C+R2", "Chemistry", "fr", 4}, {"course-v1:A+C+R3", " ", "fr", 6},
				{"course-v1:A+D+R1", "Deutsch", "-", 7}, {"course-v1:A+D+R2", "German", "zh_HANS", 8},
				{"course-v1:A+E+R2", "English", "zh_HANT", 9}, {"course-v1:A+F+R", "-", "ca@valencia", 10}, {"course-v1:A+G+R", long, "pt_BR", 11},
				{"course-v1:A+H+R1", "H", "eng", 12}, {"course-v1:A+H+R2", "Physics", "en", 11}},
			wantOrgs: []string{"A"},
			courses: []string{"A|C|Chemistry|de|4", "A|D|D|en|7", "A|E|E|en|9", "A|F|F|ca-es-valencia|10", "A|G|" + long[:255*2] + "|pt-br|11",
				"A|H|H|en|11"},
			runs: []string{"course-v1:A+C+R1|R1|Chemistry|C|5", "course-v1:A+C+R2|R2|Chemistry|C|4", "course-v1:A+C+R3|R3|C|C|6", "course-v1:A+D+R1|R1|Deutsch|D|7",
				"course-v1:A+D+R2|R2|German|D|8", "course-v1:A+E+R1|R1|E|E|0", "course-v1:A+E+R2|R2|English|E|9", "course-v1:A+F+R|R|F|F|10",
				"course-v1:A+G+R|R|" + long[:255*2] + "|G|11", "course-v1:A+H+R1|R1|H|H|12", "course-v1:A+H+R2|R2|Physics|H|11"},
			findings: []string{"warning catalog_language course-v1:A+H+R1 eng en"},
			summary:  []string{"1 organization", "6 courses", "11 course runs"}},
		{name: "languages", keys: []string{"course-v1:A+C1+R", "course-v1:A+C2+R", "course-v1:A+C3+R", "course-v1:A+C4+R", "course-v1:A+C5+R"},
			shown: []shown{{"course-v1:A+C1+R", "x", "zh_HANT", 1}, {"course-v1:A+C2+R", "x", "zh-Hans", 1}, {"course-v1:A+C3+R", "x", "e", 1},
				{"course-v1:A+C4+R", "x", "en-", 1}, {"course-v1:A+C5+R", "x", "", 1}},
			wantOrgs: []string{"A"},
			courses:  []string{"A|C1|x|zh-hk|1", "A|C2|x|zh-cn|1", "A|C3|x|en|1", "A|C4|x|en|1", "A|C5|x|en|1"},
			runs: []string{"course-v1:A+C1+R|R|x|C1|1", "course-v1:A+C2+R|R|x|C2|1", "course-v1:A+C3+R|R|x|C3|1", "course-v1:A+C4+R|R|x|C4|1",
				"course-v1:A+C5+R|R|x|C5|1"},
			findings: []string{"warning catalog_language course-v1:A+C3+R e en", "warning catalog_language course-v1:A+C4+R en- en"}},
		{name: "other scripts", keys: []string{"course-v1:Ünï+Курс+Осень"}, shown: []shown{{"course-v1:Ünï+Курс+Осень", "Введение 🎓", "ru", 3}}, wantOrgs: []string{"Ünï"},
			courses: []string{"Ünï|Курс|Введение 🎓|ru|3"}, runs: []string{"course-v1:Ünï+Курс+Осень|Осень|Введение 🎓|Курс|3"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dbtest.EachReady(t, filledSite, func(t *testing.T, d *db.DB) {
				t.Parallel()
				for _, name := range c.orgs {
					n, idle := strings.CutPrefix(name, "-")
					addOrg(t, d, n, !idle)
				}
				if err := errors.Join(addCourses(d, c.keys...), addOverviews(d, c.shown...)); err != nil {
					t.Fatal(err)
				}
				p, done := migrate(t, d, Options{Catalog: true})
				if (len(done) > 0) != (len(c.runs) > 0) {
					t.Errorf("done: %v", done)
				}
				var findings, summary []string
				for _, f := range p.Findings {
					findings = append(findings, fmt.Sprintf("%s %s %s %s %s", f.Severity, f.Code, f.Key, f.Value, f.Proposed))
				}
				for _, st := range p.Steps {
					for _, s := range st.Statements[1:] {
						_, what, _ := strings.Cut(s.SQL, "-- ")
						summary = append(summary, what)
					}
				}
				orgs, list, runs := courses(t, d)
				if diff := cmp.Diff([][]string{c.wantOrgs, c.courses, c.runs, c.findings}, [][]string{orgs, list, runs, findings}); diff != "" {
					t.Errorf("organizations, courses, runs, findings (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(c.summary, summary); c.summary != nil && diff != "" {
					t.Errorf("summary (-want +got):\n%s", diff)
				}
				sound(t, d)
				if got := ledgerOf(t, d, "course_overviews"); len(got) > 0 {
					t.Errorf("the platform's row is written: %v", got)
				}
				if _, done := migrate(t, d, Options{Catalog: true}); done != nil {
					t.Errorf("again: %v", done)
				}
			})
		})
	}
}

// TestFillAgain fills, lets people work, and fills again: what is there stays as it is (MR-33).
func TestFillAgain(t *testing.T) {
	t.Parallel()
	dbtest.EachReady(t, filledSite, func(t *testing.T, d *db.DB) {
		t.Parallel()
		err := errors.Join(addCourses(d, "course-v1:A+C+R1", "course-v1:A+D+R1"),
			addOverviews(d, shown{"course-v1:A+C+R1", "First", "de", 2}, shown{"course-v1:A+C+R2", "Second", "fr", 1}))
		if err != nil {
			t.Fatal(err)
		}
		migrate(t, d, Options{Catalog: true})
		send(t, d, "UPDATE openedx_catalog_courserun SET title = 'Changed' WHERE run_code = 'R1'", "UPDATE openedx_catalog_catalogcourse SET title = 'Mine', language = 'es'",
			"UPDATE organizations_organization SET active = FALSE, name = 'Other'", "UPDATE "+courseOverview+" SET display_name = 'Third' WHERE id LIKE '%R1'")
		if _, done := migrate(t, d, Options{Catalog: true}); done != nil {
			t.Errorf("nothing is missing, yet it did %v", done)
		}
		if err := addCourses(d, "course-v1:A+C+R2", "course-v1:B+E+R1"); err != nil {
			t.Fatal(err)
		}
		migrate(t, d, Options{Catalog: true})
		orgs, list, runs := courses(t, d)
		want := [][]string{{"A", "B"}, {"A|C|Mine|es|2", "A|D|Mine|es|0", "B|E|E|en|0"},
			{"course-v1:A+C+R1|R1|Changed|C|2", "course-v1:A+D+R1|R1|Changed|D|0", "course-v1:A+C+R2|R2|Second|C|1", "course-v1:B+E+R1|R1|E|E|0"}}
		if diff := cmp.Diff(want, [][]string{orgs, list, runs}); diff != "" {
			t.Errorf("organizations, courses, runs (-want +got):\n%s", diff)
		}
		n, _, err := db.One(context.Background(), d, "SELECT COUNT(*) FROM organizations_organization WHERE name = 'Other' AND NOT active", nil, db.Value[int])
		if err != nil || n != 1 {
			t.Errorf("%d organizations as they were left, want 1 (%v)", n, err)
		}
	})
}

// TestFillConflicts has courses that the catalog cannot tell from others: named, and nothing is written.
func TestFillConflicts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		first []string // courses that are in the catalog
		orgs  []string
		keys  []string
		want  []string // "key value"
		loose bool     // the database of the MySQL family cannot hold the two organizations
	}{
		{name: "a course of another case is there", first: []string{"course-v1:A+Course+R"}, keys: []string{"course-v1:A+course+R2", "course-v1:A+Fine+R"},
			want: []string{"course-v1:A+course+R2 catalog-course:A:Course"}},
		{name: "two courses of the index", keys: []string{"course-v1:A+C+R1", "course-v1:A+c+R2"}, want: []string{"course-v1:A+c+R2 catalog-course:A:C"}},
		{name: "a run of another case", first: []string{"course-v1:A+C+Run"}, keys: []string{"course-v1:A+C+run"}, want: []string{"course-v1:A+C+run course-v1:A+C+Run"}},
		{name: "two runs of the index", keys: []string{"course-v1:A+C+R", "course-v1:A+C+r"}, want: []string{"course-v1:A+C+r course-v1:A+C+R"}},
		{name: "two organizations in keys", keys: []string{"course-v1:Axim+C+R", "course-v1:axim+C+R"}, want: []string{"course-v1:axim+C+R course-v1:Axim+C+R"}},
		{name: "two organizations to choose from", orgs: []string{"AXIM", "axim"}, keys: []string{"course-v1:Axim+C+R"}, want: []string{"course-v1:Axim+C+R AXIM and axim"},
			loose: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dbtest.EachReady(t, filledSite, func(t *testing.T, d *db.DB) {
				t.Parallel()
				if c.loose && d.Engine().MySQLFamily() {
					return
				}
				if err := addCourses(d, c.first...); err != nil {
					t.Fatal(err)
				}
				for _, name := range c.orgs {
					addOrg(t, d, name, true)
				}
				migrate(t, d, Options{Catalog: true})
				send(t, d, "DELETE FROM "+courseIndex)
				if err := addCourses(d, c.keys...); err != nil {
					t.Fatal(err)
				}
				orgs, list, runs := courses(t, d)
				p, err := Migrate(context.Background(), d, Options{Catalog: true}, Run{})
				if !fault.Is(err, fault.Refused) {
					t.Fatalf("%v, want it refused", err)
				}
				var got []string
				for _, f := range p.Findings {
					if f.Severity == schema.Error && f.Code == "catalog_case" && f.Next != "" {
						got = append(got, f.Key+" "+f.Value)
					}
				}
				if diff := cmp.Diff(ordered(c.want), ordered(got)); diff != "" {
					t.Errorf("findings (-want +got):\n%s", diff)
				}
				orgs2, list2, runs2 := courses(t, d)
				if diff := cmp.Diff([][]string{orgs, list, runs}, [][]string{orgs2, list2, runs2}); diff != "" {
					t.Errorf("a refusal changed the catalog (-before +after):\n%s", diff)
				}
			})
		})
	}
}

// ordered makes pairs of what stands in the way of each other the same whichever comes first: that is up to the database.
func ordered(pairs []string) []string {
	var out []string
	for _, p := range pairs {
		out = append(out, strings.ToLower(p))
	}
	return out
}

// TestFillFromNothing plans and does everything in one run: content, catalog and courses.
func TestFillFromNothing(t *testing.T) {
	t.Parallel()
	each(t, djangoSite, func(t *testing.T, d *db.DB) {
		if err := errors.Join(withCourses(d, true), addCourses(d, "course-v1:A+C+R1", "course-v1:A+C+R2", "library-v1:A+L")); err != nil {
			t.Fatal(err)
		}
		p, err := NewPlan(context.Background(), d, Options{Catalog: true})
		if err != nil || p.Refusal != nil {
			t.Fatal(err, p.Refusal)
		}
		_, done := migrate(t, d, Options{Catalog: true})
		want := []string{last.App + "." + last.Name, madeOrganizations, madeCourses, madePathways, filled}
		if diff := cmp.Diff([][]string{want, want}, [][]string{ids(p), done}); diff != "" {
			t.Errorf("steps planned and done (-want +got):\n%s", diff)
		}
		st := p.Steps[len(p.Steps)-1].Statements
		if got := st[len(st)-1].SQL; !strings.HasSuffix(got, "-- 2 course runs") {
			t.Errorf("the plan says %s", got)
		}
		_, list, runs := courses(t, d)
		if diff := cmp.Diff([][]string{{"A|C|C|en|0"}, {"course-v1:A+C+R1|R1|C|C|0", "course-v1:A+C+R2|R2|C|C|0"}}, [][]string{list, runs}); diff != "" {
			t.Errorf("courses, runs (-want +got):\n%s", diff)
		}
		inCatalog(t, d)
	})
}
