package schema

import (
	"context"
	"slices"

	"github.com/openlectern/lectern/db"
)

// chain is the history of an app of the time before the merge (content-migrations.md §1.2): the migrations that did
// something, and the one that only handed its models over.
type chain struct {
	app    string
	names  []string
	gone   string
	prefix string
	tables []string // as they were called before the merge, without prefix
}

var chains = []chain{
	{"oel_publishing", before("oel_publishing"), "0011" + stub, "oel_publishing_", []string{"container", "containerversion", "draft",
		"draftchangelog", "draftchangelogrecord", "draftsideeffect", "entitylist", "entitylistrow", "learningpackage", "publishableentity",
		"publishableentityversion", "publishableentityversiondependency", "published", "publishlog", "publishlogrecord", "publishsideeffect"}},
	{"oel_components", before("oel_components"), "0005" + stub, "oel_components_",
		[]string{"component", "componenttype", "componentversion", "componentversioncontent"}},
	{"oel_contents", before("oel_contents"), "0002" + stub, "oel_contents_", []string{"content", "mediatype"}},
	{"oel_collections", before("oel_collections"), "0006" + stub, "oel_collections_", []string{"collection", "collectionpublishableentity"}},
	{"oel_units", before("oel_units"), "0002" + stub, "oel_units_", []string{"unit", "unitversion"}},
	{"oel_sections", before("oel_sections"), "0002" + stub, "oel_sections_", []string{"section", "sectionversion"}},
	{"oel_subsections", before("oel_subsections"), "0002" + stub, "oel_subsections_", []string{"subsection", "subsectionversion"}},
}

// since names the migration that made a table, where it was not the first of its app.
var since = map[string]string{
	"oel_publishing_container": "0003_containers", "oel_publishing_containerversion": "0003_containers",
	"oel_publishing_entitylist": "0003_containers", "oel_publishing_entitylistrow": "0003_containers",
	"oel_publishing_draftchangelog": "0006_draftchangelog", "oel_publishing_draftchangelogrecord": "0006_draftchangelog",
	"oel_publishing_draftsideeffect":                    "0006_draftchangelog",
	"oel_publishing_publishableentityversiondependency": "0009_dependencies_and_hashing",
	"oel_publishing_publishsideeffect":                  "0009_dependencies_and_hashing",
	"oel_collections_collectionpublishableentity":       "0003_collection_entities",
}

// needs names, for the first migration of an app or one with a parent in another app, those parents.
var needs = map[Migration][]Migration{
	{"oel_contents", "0001_initial"}:    {{"oel_publishing", "0001_initial"}},
	{"oel_components", "0001_initial"}:  {{"oel_contents", "0001_initial"}, {"oel_publishing", "0001_initial"}},
	{"oel_collections", "0001_initial"}: {{"oel_publishing", "0002_alter_learningpackage_key_and_more"}},
	{"oel_units", "0001_initial"}:       {{"oel_publishing", "0003_containers"}},
	{"oel_sections", "0001_initial"}:    {{"oel_publishing", "0005_alter_entitylistrow_options"}},
	{"oel_subsections", "0001_initial"}: {{"oel_publishing", "0005_alter_entitylistrow_options"}},
}

// before returns the migrations of an app but for the last, the one that hands over.
func before(app string) []string {
	var names []string
	for _, m := range Migrations() {
		if m.App == app {
			names = append(names, m.Name)
		}
	}
	return names[:len(names)-1]
}

// renamed returns what a table of the time before the merge was called right after it (migration 0002).
func (c *chain) renamed(table string) string { return "openedx_content_" + table }

// ledger is Django's ledger: app, then migration.
type ledger map[string]map[string]bool

// readLedger reads Django's ledger. It has no uniqueness; a row that is there twice counts once.
func readLedger(ctx context.Context, q db.Querier) (ledger, error) {
	l := ledger{}
	err := q.Query(ctx, "SELECT app, name FROM django_migrations", nil, func(r *db.Row) error {
		var app, name string
		if err := r.Scan(&app, &name); err != nil {
			return err
		}
		if l[app] == nil {
			l[app] = map[string]bool{}
		}
		l[app][name] = true
		return nil
	})
	return l, err
}

func (l ledger) has(m Migration) bool { return l[m.App][m.Name] }

// unknown returns the rows of an app that are none of names, sorted.
func (l ledger) unknown(app string, names []string) []string {
	var u []string
	for n := range l[app] {
		if !slices.Contains(names, n) {
			u = append(u, n)
		}
	}
	slices.Sort(u)
	return u
}

// applied returns how many of names are in the ledger, and the first that is missing although a later one is there.
func (l ledger) applied(app string, names []string) (n int, gap string) {
	first := ""
	for _, name := range names {
		switch {
		case !l[app][name] && first == "":
			first = name
		case l[app][name] && first != "":
			return n, first
		case l[app][name]:
			n++
		}
	}
	return n, ""
}
