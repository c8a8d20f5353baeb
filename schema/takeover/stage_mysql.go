package takeover

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/openlectern/lectern/db"
)

// databaseStage is a database on the same server of the MySQL family.
type databaseStage struct {
	serverStage
}

const databaseExists = "SELECT 1 FROM information_schema.schemata WHERE schema_name = ?"

func (s *databaseStage) drop() string { return "DROP DATABASE IF EXISTS " + s.d.Engine().Quote(s.name) }

func (s *databaseStage) clear(ctx context.Context) error {
	return s.clearBy(ctx, databaseExists, s.drop())
}

func (s *databaseStage) remove(ctx context.Context) error {
	return s.removeBy(ctx, databaseExists, s.drop())
}

func (s *databaseStage) fill(ctx context.Context) (*db.DB, error) {
	q := s.d.Engine().Quote
	defaults, _, err := db.One(ctx, s.d, `SELECT CONCAT('CHARACTER SET ', default_character_set_name, ' COLLATE ', default_collation_name)
FROM information_schema.schemata WHERE schema_name = DATABASE()`, nil, db.Value[string])
	if err != nil {
		return nil, err
	}
	right := fmt.Sprintf("let somebody who may run GRANT ALL ON %s.* for this user, or rehearse with a copy of the database", q(s.name))
	if err := s.make(ctx, "CREATE DATABASE "+q(s.name)+" "+defaults, right); err != nil {
		return nil, err
	}
	live, err := look(ctx, s.d)
	if err != nil {
		return nil, err
	}
	tables := concerned(live.live)
	columns, err := s.plainColumns(ctx)
	if err != nil {
		return nil, err
	}
	creates := map[string]string{}
	for _, t := range tables {
		text, _, err := db.One(ctx, s.d, "SHOW CREATE TABLE "+q(t), nil, func(r *db.Row) (text string, err error) {
			var name string
			err = r.Scan(&name, &text)
			return text, err
		})
		if err != nil {
			return nil, err
		}
		creates[t] = lessForeign(text, tables)
	}
	err = s.copy.Session(ctx, func(c *db.Session) error {
		// Rows are taken as they are, those too that refer to nothing or that this mode would not let in.
		if _, err := c.Exec(ctx, "SET SESSION foreign_key_checks = 0, unique_checks = 0, sql_mode = 'NO_AUTO_VALUE_ON_ZERO'"); err != nil {
			return err
		}
		for _, t := range tables {
			if _, err := c.Exec(ctx, creates[t]); err != nil {
				return fmt.Errorf("make a copy of table %s: %w", t, err)
			}
		}
		for _, t := range tables {
			list := strings.Join(columns[t], ", ")
			if _, err := c.Exec(ctx, fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM %s.%s", q(t), list, list, q(s.from), q(t))); err != nil {
				return fmt.Errorf("copy table %s: %w", t, err)
			}
		}
		return nil
	})
	return s.copy, err
}

// plainColumns returns the quoted columns of each table but for those that are computed.
func (s *databaseStage) plainColumns(ctx context.Context) (map[string][]string, error) {
	columns := map[string][]string{}
	err := s.d.Query(ctx, `SELECT table_name, column_name FROM information_schema.columns
WHERE table_schema = DATABASE() AND COALESCE(generation_expression, '') = '' ORDER BY table_name, ordinal_position`, nil, func(r *db.Row) error {
		var table, column string
		err := r.Scan(&table, &column)
		columns[table] = append(columns[table], s.d.Engine().Quote(column))
		return err
	})
	return columns, err
}

var foreignLine = regexp.MustCompile(`^\s*CONSTRAINT .* FOREIGN KEY \(.*\) REFERENCES (.+?) \(`)

// lessForeign takes the foreign keys to tables that are not copied out of what SHOW CREATE TABLE gives: an item a line.
func lessForeign(create string, copied []string) string {
	lines := strings.Split(create, "\n")
	end := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, ")") })
	if end < 1 {
		return create
	}
	var items []string
	for _, l := range lines[1:end] {
		l = strings.TrimSuffix(l, ",")
		m := foreignLine.FindStringSubmatch(l)
		if m == nil || slices.Contains(copied, strings.Trim(m[1], "`")) {
			items = append(items, l)
		}
	}
	return lines[0] + "\n" + strings.Join(items, ",\n") + "\n" + strings.Join(lines[end:], "\n")
}
