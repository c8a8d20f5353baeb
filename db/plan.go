package db

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Plan is how the engine means to run a statement: the rows of its EXPLAIN, cells by column name.
type Plan struct {
	SQL  string
	Rows []map[string]string
}

// explained tells Options.OnPlan how a statement will be run, with the arguments it will be run with.
func (c *conn) explained(ctx context.Context, sql string, nv []driver.NamedValue) (err error) {
	verb, _, _ := strings.Cut(strings.TrimSpace(sql), " ")
	switch strings.ToUpper(strings.TrimSpace(verb)) {
	case "SELECT", "UPDATE", "DELETE", "INSERT", "WITH":
	default:
		return nil
	}
	ask := "EXPLAIN " + sql
	if c.d.engine == SQLite {
		ask = "EXPLAIN QUERY PLAN " + sql
	}
	rows, done, err := c.open(ctx, ask, nv)
	if err != nil {
		return fmt.Errorf("explain %s: %w", sql, err)
	}
	defer func() { err = errors.Join(err, rows.Close(), done()) }()
	p := Plan{SQL: sql}
	names := rows.Columns()
	vals := make([]driver.Value, len(names))
	for {
		if err := rows.Next(vals); err == io.EOF {
			break
		} else if err != nil {
			return fmt.Errorf("explain %s: %w", sql, err)
		}
		row := make(map[string]string, len(names))
		for i, v := range vals {
			if b, ok := v.([]byte); ok {
				v = string(b)
			}
			if v != nil {
				row[names[i]] = fmt.Sprint(v)
			}
		}
		p.Rows = append(p.Rows, row)
	}
	c.d.o.OnPlan(p)
	return nil
}
