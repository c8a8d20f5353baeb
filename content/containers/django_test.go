package containers

import (
	"strings"
	"testing"

	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/dbtest"
)

// TestColumnsThatDjangoMade has the container codes of a MariaDB database that Django made: the column tells neither
// letter case nor accents apart, and the CHECK refuses whatever is not ASCII (content-schema.md §2.1, §5).
func TestColumnsThatDjangoMade(t *testing.T) {
	t.Parallel()
	for _, e := range dbtest.Engines() {
		if e != db.MariaDB {
			continue
		}
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			d := dbtest.Open(t, e)
			if err := setup(d); err != nil {
				t.Fatal(err)
			}
			for _, sql := range []string{
				"ALTER TABLE openedx_content_container MODIFY container_code varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci NOT NULL",
				"ALTER TABLE openedx_content_container DROP CONSTRAINT oel_container_code_regex",
				`ALTER TABLE openedx_content_container ADD CONSTRAINT oel_container_code_regex CHECK (container_code REGEXP BINARY '^[\\w.-]+\\Z')`,
			} {
				if _, err := d.Exec(t.Context(), sql); err != nil {
					t.Fatal(err)
				}
			}
			f := &fixture{DB: d, t: t}
			f.pkg = f.newPackage("lp:django")
			f.container(Unit, "Intro")
			many := make([]NewContainer, few+1)
			for i := range many {
				many[i] = NewContainer{Type: Unit, Code: "c" + strings.Repeat("x", i)}
			}
			many[few].Code = "CX"
			for name, c := range map[string]struct {
				list []NewContainer
				kind fault.Kind
				says []string
			}{
				"alike":          {[]NewContainer{{Type: Unit, Code: "intro"}}, fault.Conflict, []string{"Intro", "intro"}},
				"alike of two":   {[]NewContainer{{Type: Unit, Code: "new"}, {Type: Unit, Code: "INTRO"}}, fault.Conflict, []string{"Intro", "INTRO"}},
				"alike, given":   {[]NewContainer{{Type: Unit, Code: "new"}, {Type: Unit, Code: "NEW"}}, fault.Conflict, []string{"new", "NEW"}},
				"alike in many":  {many, fault.Conflict, []string{"cx", "CX"}},
				"not ASCII":      {[]NewContainer{{Type: Unit, Code: "né"}}, fault.Invalid, []string{"né", "mariadb"}},
				"accents, alike": {[]NewContainer{{Type: Unit, Code: "íntro"}}, fault.Conflict, []string{"Intro", "íntro"}},
			} {
				_, err := f.tryCreate(c.list...)
				if !fault.Is(err, c.kind) {
					t.Errorf("%s: %v, want %s", name, err, c.kind.Code())
					continue
				}
				for _, s := range c.says {
					if !strings.Contains(err.Error(), s) {
						t.Errorf("%s: %q does not name %s", name, err, s)
					}
				}
			}
			if _, err := ByCode(t.Context(), f, f.pkg.ID, "intro"); !fault.Is(err, fault.NotFound) {
				t.Errorf("ByCode of another case: %v", err)
			}
			if got, err := publishing.Entities(t.Context(), f, f.pkg.ID); len(got) != 1 || err != nil {
				t.Errorf("%d entities, %v, want 1", len(got), err)
			}
		})
	}
}
