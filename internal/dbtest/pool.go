package dbtest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/openlectern/lectern/db"
)

// pool hands out prepared databases of the MySQL family, which cannot copy a database. One that a test gives back is
// compared with the state after setup, table by table, and only what differs is made good, which is many times cheaper
// than making all tables again.
type pool struct {
	*server
	setup func(*db.DB) error
	seeds string           // database with copies of the tables that setup put rows into
	fresh map[string]state // the tables after setup

	mu   sync.Mutex
	free []string // guarded by mu: databases that are as setup left them
}

// state is what tells that a table is as it was.
type state struct {
	checksum int64 // of its rows, 0 for none
	next     int64 // the next AUTO_INCREMENT; MySQL says 1 or nothing of a table without rows, both are 1 here
}

func (p *pool) prepare() error {
	name, err := p.create("")
	if err != nil {
		return err
	}
	if err := run(p.url(name), p.setup); err != nil {
		return err
	}
	if p.seeds, err = p.create(""); err != nil {
		return err
	}
	p.free = append(p.free, name)
	ctx := context.Background()
	return p.admin.Session(ctx, func(c *db.Session) error {
		if p.fresh, err = states(ctx, c, name); err != nil {
			return err
		}
		for table, s := range p.fresh {
			if s.checksum == 0 {
				continue
			}
			if _, err := c.Exec(ctx, fmt.Sprintf("CREATE TABLE %s.%s AS SELECT * FROM %s.%s", p.seeds, table, name, table)); err != nil {
				return err
			}
		}
		return nil
	})
}

func (p *pool) take(func() string) (string, func() error, error) {
	p.mu.Lock()
	var name string
	if n := len(p.free); n > 0 {
		name, p.free = p.free[n-1], p.free[:n-1]
	}
	p.mu.Unlock()
	if name == "" {
		var err error
		if name, err = p.create(""); err != nil {
			return "", nil, err
		}
		if err := run(p.url(name), p.setup); err != nil {
			return "", nil, err
		}
		// Seeds that hold the time of setup become equal to the first ones.
		if err := p.reset(name); err != nil {
			return "", nil, err
		}
	}
	return p.url(name), func() error { return p.giveBack(name) }, nil
}

func (p *pool) giveBack(name string) error {
	if err := p.reset(name); err != nil {
		return errors.Join(err, p.drop(name))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free = append(p.free, name)
	return nil
}

// reset makes the tables of a database as they were after setup.
func (p *pool) reset(name string) error {
	ctx := context.Background()
	return p.admin.Session(ctx, func(c *db.Session) error {
		now, err := states(ctx, c, name)
		if err != nil {
			return err
		}
		if !slices.Equal(slices.Sorted(maps.Keys(now)), slices.Sorted(maps.Keys(p.fresh))) {
			return errors.New("the test made or dropped tables: it should not use a prepared database")
		}
		if maps.Equal(now, p.fresh) {
			return nil
		}
		if _, err := c.Exec(ctx, "SET SESSION foreign_key_checks = 0"); err != nil {
			return err
		}
		for table, s := range now {
			if s == p.fresh[table] {
				continue
			}
			if _, err := c.Exec(ctx, fmt.Sprintf("TRUNCATE TABLE %s.%s", name, table)); err != nil {
				return err
			}
			if p.fresh[table].checksum == 0 {
				continue
			}
			if _, err := c.Exec(ctx, fmt.Sprintf("INSERT INTO %s.%s SELECT * FROM %s.%s", name, table, p.seeds, table)); err != nil {
				return err
			}
		}
		return nil
	})
}

// states returns the state of every table of a database.
func states(ctx context.Context, c *db.Session, name string) (map[string]state, error) {
	if c.Engine() == db.MySQL {
		// Else it answers with numbers up to a day old.
		if _, err := c.Exec(ctx, "SET SESSION information_schema_stats_expiry = 0"); err != nil {
			return nil, err
		}
	}
	m := map[string]state{}
	var qualified []string
	err := c.Query(ctx, `SELECT table_name, COALESCE(auto_increment, 1) FROM information_schema.tables
		WHERE table_schema = ? AND table_type = 'BASE TABLE'`, []any{name}, func(r *db.Row) error {
		var table string
		var s state
		if err := r.Scan(&table, &s.next); err != nil {
			return err
		}
		m[table] = s
		qualified = append(qualified, name+"."+table)
		return nil
	})
	if err != nil || len(qualified) == 0 {
		return m, err
	}
	err = c.Query(ctx, "CHECKSUM TABLE "+strings.Join(qualified, ", "), nil, func(r *db.Row) error {
		var table string
		var sum int64
		if err := r.Scan(&table, &sum); err != nil {
			return err
		}
		table = strings.TrimPrefix(table, name+".")
		s := m[table]
		s.checksum = sum
		m[table] = s
		return nil
	})
	return m, err
}
