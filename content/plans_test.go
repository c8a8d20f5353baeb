package content

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/openlectern/lectern/content/collections"
	"github.com/openlectern/lectern/content/components"
	"github.com/openlectern/lectern/content/containers"
	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
)

// TestPlans does everyday work beside two larger packages and holds that no statement of it reads a whole table: what
// something costs does not depend on how much else there is.
func TestPlans(t *testing.T) {
	t.Parallel()
	for _, e := range dbtest.Engines() {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			p := &planned{T: t, engine: e}
			url := dbtest.ReadyURL(t, e, create)
			p.fill(url)
			p.work(url)
		})
	}
}

type planned struct {
	*testing.T
	engine db.Engine
	doing  string
	mu     sync.Mutex
	told   map[string]bool

	pkg  publishing.Package
	leaf []publishing.EntityID
	unit []publishing.EntityID
}

const perPlan = 1500 // components a package: enough that reading all is no plan

func (p *planned) open(url string, o db.Options) *db.DB {
	p.Helper()
	d, err := db.Open(p.Context(), url, o)
	if err != nil {
		p.Fatal(err)
	}
	p.Cleanup(func() {
		if err := d.Close(); err != nil {
			p.Error(err)
		}
	})
	return d
}

func (p *planned) change(d *db.DB, fn func(cs *publishing.ChangeSet) error) {
	p.Helper()
	if err := d.Update(p.Context(), func(tx *db.Tx) error {
		_, err := publishing.Change(p.Context(), tx, p.pkg.ID, publishing.Meta{}, fn)
		return err
	}); err != nil {
		p.Fatalf("%s: %v", p.doing, err)
	}
}

func (p *planned) add(cs *publishing.ChangeSet, from, n int, text string) ([]publishing.EntityID, error) {
	ctx := p.Context()
	list := make([]components.NewComponent, n)
	files := make([]media.New, n)
	for i := range list {
		t := fmt.Sprintf("<problem>%s %d</problem>", text, from+i)
		list[i] = components.NewComponent{Type: components.Type{Namespace: "xblock.v1", Name: "problem"}, Code: fmt.Sprint("p", from+i)}
		files[i] = media.New{Type: "text/xml", Text: &t}
	}
	stored, err := media.GetOrCreate(ctx, cs.Tx(), nil, p.pkg, files, media.Options{})
	if err != nil {
		return nil, err
	}
	ids, err := components.Create(ctx, cs.Tx(), p.pkg.ID, list)
	if err != nil {
		return nil, err
	}
	versions := make([]components.NewVersion, n)
	for i := range versions {
		versions[i] = components.NewVersion{Entity: ids[i], Title: "T", Files: []components.File{{Path: "block.xml", Media: stored[i].ID}}}
	}
	_, _, err = components.CreateVersions(ctx, cs, versions)
	return ids, err
}

// part adds components in units.
func (p *planned) part(cs *publishing.ChangeSet) error {
	ctx, n := p.Context(), len(p.leaf)
	ids, err := p.add(cs, n, perPlan/15, fmt.Sprint(p.pkg.ID))
	if err != nil {
		return err
	}
	p.leaf = append(p.leaf, ids...)
	var boxes []containers.NewContainer
	for i := range len(ids) / 10 {
		boxes = append(boxes, containers.NewContainer{Type: containers.Unit, Code: fmt.Sprint("u", n/10+i)})
	}
	units, err := containers.Create(ctx, cs.Tx(), p.pkg.ID, boxes)
	if err != nil {
		return err
	}
	p.unit = append(p.unit, units...)
	var versions []containers.NewVersion
	for i, id := range units {
		v := containers.NewVersion{Entity: id, Title: "U"}
		for _, c := range ids[10*i : 10*i+10] {
			v.Children = append(v.Children, containers.Child{Entity: c})
		}
		versions = append(versions, v)
	}
	_, _, err = containers.CreateVersions(ctx, cs, versions)
	return err
}

// fill makes packages of components in units and publishes them.
func (p *planned) fill(url string) {
	d := p.open(url, db.Options{})
	ctx := p.Context()
	for _, ref := range []string{"lp:a", "lp:b", "lp:c"} {
		p.doing = "fill " + ref
		if err := d.Update(ctx, func(tx *db.Tx) (err error) {
			p.pkg, err = publishing.CreatePackage(ctx, tx, publishing.NewPackage{Ref: ref, Title: "T"})
			return err
		}); err != nil {
			p.Fatal(err)
		}
		p.leaf, p.unit = nil, nil
		for len(p.leaf) < perPlan { // in many logs, none of which is most of a table
			p.change(d, p.part)
			if err := d.Update(ctx, func(tx *db.Tx) error {
				_, err := publishing.PublishAll(ctx, tx, p.pkg.ID, publishing.PublishMeta{})
				return err
			}); err != nil {
				p.Fatal(err)
			}
		}
		for i := range 150 { // and some history
			p.change(d, func(cs *publishing.ChangeSet) error { return p.edit(cs, i, fmt.Sprint("old ", ref, i)) })
		}
	}
	p.analyze(d)
}

func (p *planned) edit(cs *publishing.ChangeSet, i int, text string) error {
	m, err := media.GetOrCreate(p.Context(), cs.Tx(), nil, p.pkg, []media.New{{Type: "text/xml", Text: &text}}, media.Options{})
	if err != nil {
		return err
	}
	_, _, err = components.NextVersions(p.Context(), cs, []components.NextVersion{{Entity: p.leaf[i], Files: []components.File{{Path: "block.xml", Media: m[0].ID}}}})
	return err
}

// analyze tells the engine how much there is, as it finds out by itself in time.
func (p *planned) analyze(d *db.DB) {
	ctx := p.Context()
	for _, table := range []string{"publishableentity", "publishableentityversion", "publishableentityversiondependency", "draft", "published",
		"draftchangelog", "draftchangelogrecord", "draftsideeffect", "publishlog", "publishlogrecord", "publishsideeffect", "component",
		"componentversion", "componentversionmedia", "container", "containerversion", "entitylist", "entitylistrow", "media"} {
		sql := "ANALYZE TABLE openedx_content_" + table
		if p.engine == db.PostgreSQL || p.engine == db.SQLite {
			sql = "ANALYZE openedx_content_" + table
		}
		if err := d.Session(ctx, func(q *db.Session) error { return q.Query(ctx, sql, nil, func(*db.Row) error { return nil }) }); err != nil {
			p.Fatal(err)
		}
	}
}

// small are tables of a few rows, which are best read whole.
var small = regexp.MustCompile(`^openedx_content_(componenttype|containertype|mediatype|learningpackage)$|^lectern_package$|^openedx_content_collection|^sqlite_master$`)

// check complains of a plan that reads a whole table or index.
func (p *planned) check(plan db.Plan) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, row := range plan.Rows {
		table, whole := "", false
		switch p.engine {
		case db.SQLite: // SCAN x, SCAN x USING COVERING INDEX y
			table, whole = strings.CutPrefix(row["detail"], "SCAN ")
			table, _, _ = strings.Cut(table, " ")
			// What a subquery gave is read whole; what that reads has rows of its own here.
			made := func(r map[string]string) bool {
				return r["detail"] == "CO-ROUTINE "+table || r["detail"] == "MATERIALIZE "+table
			}
			whole = whole && !strings.HasPrefix(table, "CONSTANT") && !strings.HasPrefix(table, "(") && !slices.ContainsFunc(plan.Rows, made)
		case db.PostgreSQL:
			_, table, whole = strings.Cut(row["QUERY PLAN"], "Seq Scan on ")
			table, _, _ = strings.Cut(table, " ")
		default:
			table = row["table"]
			// A small table may well be read at once, whatever indexes it has.
			rows, _ := strconv.Atoi(row["rows"])
			whole = (row["type"] == "ALL" || row["type"] == "index") && !strings.HasPrefix(table, "<") && rows > 500
		}
		if m := regexp.MustCompile(`(\w+) (?:AS )?` + regexp.QuoteMeta(table) + `\b`).FindStringSubmatch(plan.SQL); whole && m != nil && strings.Contains(m[1], "_") {
			table = m[1]
		}
		if key := p.doing + table + plan.SQL; whole && !small.MatchString(table) && !p.told[key] {
			p.told[key] = true
			p.Errorf("%s: all of %s is read by\n%s\n%v", p.doing, table, plan.SQL, plan.Rows)
		}
	}
}

// work does everyday things and looks at their plans.
func (p *planned) work(url string) {
	p.told = map[string]bool{}
	if p.engine == db.PostgreSQL { // it reads small tables whole where it may, whatever indexes they have
		sep := "?"
		if strings.Contains(url, "?") {
			sep = "&"
		}
		url += sep + "enable_seqscan=off"
	}
	d := p.open(url, db.Options{OnPlan: p.check})
	ctx := p.Context()
	do := func(what string, fn func(tx *db.Tx) error) {
		p.Helper()
		p.doing = what
		if err := d.Update(ctx, fn); err != nil {
			p.Errorf("%s: %v", what, err)
		}
	}
	change := func(what string, fn func(cs *publishing.ChangeSet) error) {
		p.Helper()
		p.doing = what
		p.change(d, fn)
	}
	change("create", func(cs *publishing.ChangeSet) error { _, err := p.add(cs, perPlan, 1, "new"); return err })
	change("edit", func(cs *publishing.ChangeSet) error { return p.edit(cs, 7, "next") })
	change("reorder", func(cs *publishing.ChangeSet) error {
		_, _, err := containers.NextVersions(ctx, cs, []containers.NextVersion{{Entity: p.unit[0], Children: []containers.Child{{Entity: p.leaf[20]}}, Action: containers.Append}})
		return err
	})
	change("delete", func(cs *publishing.ChangeSet) error {
		return cs.SetDrafts(ctx, []publishing.Pointer{{Entity: p.leaf[30]}})
	})
	do("publish one", func(tx *db.Tx) error {
		_, err := publishing.Publish(ctx, tx, p.pkg.ID, p.leaf[7:8], true, publishing.PublishMeta{})
		return err
	})
	do("reset one", func(tx *db.Tx) error {
		_, err := publishing.Reset(ctx, tx, p.pkg.ID, publishing.Meta{}, p.leaf[30:31])
		return err
	})
	collection := func(tx *db.Tx) error {
		made, err := collections.Create(ctx, tx, p.pkg.ID, []collections.New{{Code: "c", Title: "C"}})
		if err == nil {
			_, err = collections.Add(ctx, tx, p.pkg.ID, []collections.Members{{Collection: made[0].Collection.ID, Entities: p.leaf[:3]}}, 0)
		}
		return err
	}
	do("collection", collection)
	var logs []publishing.Log
	for what, fn := range map[string]func(tx *db.Tx) error{
		"history": func(tx *db.Tx) (err error) {
			logs, err = publishing.Logs(ctx, tx, p.pkg.ID, publishing.LogFilter{Limit: 10})
			if err == nil {
				_, err = publishing.Logs(ctx, tx, p.pkg.ID, publishing.LogFilter{Limit: 10, Before: &logs[9]})
			}
			return err
		},
		"history of one": func(tx *db.Tx) error {
			_, err := publishing.Logs(ctx, tx, p.pkg.ID, publishing.LogFilter{Entities: p.leaf[:1]})
			return err
		},
		"heads of some": func(tx *db.Tx) error {
			_, err := publishing.HeadsOf(ctx, tx, p.leaf[:5], publishing.Draft())
			return err
		},
		"heads of some then": func(tx *db.Tx) error {
			_, err := publishing.HeadsOf(ctx, tx, p.leaf[:5], publishing.AfterChange(2))
			return err
		},
		"files": func(tx *db.Tx) error {
			heads, err := publishing.HeadsOf(ctx, tx, p.leaf[:5], publishing.Published())
			if err == nil {
				_, err = components.Files(ctx, tx, []publishing.VersionID{heads[0].Version}, true)
			}
			return err
		},
		"children": func(tx *db.Tx) error {
			_, err := containers.EntitiesIn(ctx, tx, p.unit[0], false)
			return err
		},
		"parents": func(tx *db.Tx) error {
			_, err := containers.With(ctx, tx, p.leaf[0], true, true)
			return err
		},
		"component": func(tx *db.Tx) error {
			_, err := components.ByCode(ctx, tx, p.pkg.ID, components.Type{Namespace: "xblock.v1", Name: "problem"}, "p3")
			return err
		},
		"container": func(tx *db.Tx) error { _, err := containers.ByCode(ctx, tx, p.pkg.ID, "u3"); return err },
		"entity": func(tx *db.Tx) error {
			_, err := publishing.EntityByRef(ctx, tx, p.pkg.ID, "xblock.v1:problem:p3")
			return err
		},
		"asset": func(tx *db.Tx) error {
			_, err := components.LookUp(ctx, tx, "lp:c", "xblock.v1:problem:p3", 1, "block.xml")
			return err
		},
		"last publish": func(tx *db.Tx) error { _, err := publishing.LastPublish(ctx, tx, p.pkg.ID); return err },
		"position":     func(tx *db.Tx) error { _, _, err := publishing.Position(ctx, tx, p.pkg.ID); return err },
	} {
		do(what, fn)
	}
}

// TestPlansSeeScans holds that the check above can fail.
func TestPlansSeeScans(t *testing.T) {
	t.Parallel()
	url := dbtest.ReadyURL(t, db.SQLite, create)
	var plans []db.Plan
	d, err := db.Open(t.Context(), url, db.Options{OnPlan: func(p db.Plan) { plans = append(plans, p) }})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Query(context.Background(), "SELECT uuid, title FROM openedx_content_publishableentityversion WHERE version_num > ?", []any{5}, func(*db.Row) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(plans, func(p db.Plan) bool { return strings.HasPrefix(p.Rows[0]["detail"], "SCAN ") }) {
		t.Errorf("plans %v, want a scan", plans)
	}
}
