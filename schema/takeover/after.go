package takeover

import (
	"context"
	"fmt"
	"strings"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/schema"
)

// census is what must be the same before and after: how many rows there are in tables that are not only renamed, and which
// tables refer to which. No engine loses rows by another name, and counting them all would take longer than the names do.
type census struct {
	rows  map[string]int64 // by today's name of the table
	refer map[string]bool  // "table.column > table", in today's names
}

// grow are the tables in which steps make or merge rows.
var grow = map[string]bool{componentType: true, containerType: true, "openedx_content_draftchangelog": true,
	"openedx_content_draftchangelogrecord": true, "openedx_content_publishableentityversiondependency": true}

// copied returns the tables, by today's names, that a plan copies or in which it changes rows.
func (p *Plan) copied() map[string]bool {
	m := map[string]bool{}
	for i := range p.Steps {
		for _, st := range p.Steps[i].Statements {
			if st.data || rank(st.Effort) >= rank(Rows) {
				m[today(st.Table)] = true
			}
		}
	}
	return m
}

// takeCensus takes the census, counting the rows of some tables.
func takeCensus(ctx context.Context, d *db.DB, count map[string]bool) (*census, error) {
	c := &census{rows: map[string]int64{}, refer: map[string]bool{}}
	err := d.View(ctx, func(tx *db.Tx) error {
		s, err := look(ctx, tx)
		if err != nil {
			return err
		}
		check := checker{s: s}
		var parts []string
		for _, name := range sortedKeys(s.live) {
			for _, f := range s.live[name].Foreign {
				if check.concerns(f.Table) {
					c.refer[fmt.Sprintf("%s.%s > %s", today(name), columnToday(name, f.Column), today(f.Table))] = true
				}
			}
			if check.concerns(name) && count[today(name)] && !grow[today(name)] {
				parts = append(parts, fmt.Sprintf("SELECT '%s' AS name, COUNT(*) AS n FROM %s", today(name), d.Engine().Quote(name)))
			}
		}
		if len(parts) == 0 {
			return nil
		}
		return tx.Query(ctx, strings.Join(parts, " UNION ALL "), nil, func(r *db.Row) error {
			var name string
			var n int64
			err := r.Scan(&name, &n)
			c.rows[name] = n
			return err
		})
	})
	return c, err
}

// today returns the name that a table has now.
func today(name string) string {
	switch name {
	case midContent:
		return nowMedia
	case midLink:
		return link
	}
	for _, t := range schema.Tables() {
		if t.Was == name {
			return t.Name
		}
	}
	return name
}

func columnToday(table, column string) string {
	if column == "content_id" && today(table) == link {
		return "media_id"
	}
	return column
}

// compare returns what was lost: nothing, if all is as it should be.
func (c *census) compare(after *census) error {
	var lost []string
	for _, name := range sortedKeys(c.rows) {
		if was, is := c.rows[name], after.rows[name]; is != was {
			lost = append(lost, fmt.Sprintf("%s had %d rows and has %d", name, was, is))
		}
	}
	for _, r := range sortedKeys(c.refer) {
		if !after.refer[r] {
			lost = append(lost, "the foreign key "+r+" is gone")
		}
	}
	if len(lost) == 0 {
		return nil
	}
	return fault.Errorf(fault.Internal, "database", "%s", strings.Join(lost, "; ")).WithNext("look whether somebody wrote meanwhile; if not, restore the backup and report this")
}
