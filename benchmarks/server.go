package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"time"

	"github.com/openlectern/lectern/benchmarks/proc"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/schema"
)

// benchServer makes, edits and publishes the course of jobs 2 and 3 on the server whose URL a variable of the environment
// has, in a database that is gone afterwards. What each piece of work leaves behind is written by the driver alone into
// two other databases, which were the same before: in single rows, and in statements of many.
func benchServer(variable string) func(*bench) error {
	return func(b *bench) (err error) {
		s, err := b.openServer(os.Getenv(variable))
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.close()) }()
		olx := blocks(b.n, 1)
		var p publishing.Package
		var ids []publishing.EntityID
		steps := []struct {
			name string // "" is not measured
			ops  int
			at   time.Time
			run  func(context.Context, *publishing.ChangeSet) error // nil publishes everything
		}{
			{"create", b.n, firstDay, func(ctx context.Context, cs *publishing.ChangeSet) (err error) {
				ids, err = createComponents(ctx, cs, p, olx, 0)
				return err
			}},
			{"", 0, firstDay, func(ctx context.Context, cs *publishing.ChangeSet) error {
				_, err := createContainers(ctx, cs, ids, 0)
				return err
			}},
			{"", 0, firstDay, nil},
			{"edit", max(1, b.n/10), secondDay, func(ctx context.Context, cs *publishing.ChangeSet) error {
				var some []publishing.EntityID
				for i := 0; i < len(ids); i += 10 {
					some = append(some, ids[i])
				}
				return edit(ctx, cs, p, some, blocks(len(some), 2))
			}},
			{"publish", max(1, b.n/10), secondDay, nil},
		}
		for _, x := range steps {
			s.now = x.at
			work := func(ctx context.Context) error {
				return s.ours.Update(ctx, func(tx *db.Tx) (err error) {
					if p.ID == 0 {
						if p, err = newPackage(ctx, tx); err != nil {
							return err
						}
					}
					if x.run == nil {
						_, err = publishing.PublishAll(ctx, tx, p.ID, publishing.PublishMeta{})
					} else {
						_, err = publishing.Change(ctx, tx, p.ID, publishing.Meta{}, func(cs *publishing.ChangeSet) error { return x.run(ctx, cs) })
					}
					return err
				})
			}
			if err := s.step(b, x.name, x.ops, work); err != nil {
				return fmt.Errorf("%s: %w", x.name, err)
			}
		}
		return s.same(b.ctx)
	}
}

// server is three databases on a server, one for the work and two for the same rows raw.
type server struct {
	ours  *db.DB
	left  *sql.DB // the same database, by the driver alone
	raw   *sql.DB // by single rows
	bulk  *sql.DB // by many
	admin *sql.DB
	names []string
	now   time.Time
	rows  tables // what both hold
}

// openServer makes the databases.
func (b *bench) openServer(at string) (s *server, err error) {
	if s, err = b.openOwn(at); err != nil {
		return s, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if err := schema.Create(b.ctx, s.ours); err != nil {
		return s, err
	}
	for _, to := range []**sql.DB{&s.raw, &s.bulk} {
		d, at, err := s.make(b, at)
		if err != nil {
			return s, err
		}
		if err := errors.Join(schema.Create(b.ctx, d), d.Close()); err != nil {
			return s, err
		}
		if *to, err = openDriver(at); err != nil {
			return s, err
		}
	}
	s.rows, err = s.read(b.ctx, s.left)
	return s, err
}

// openOwn makes the database for the work alone, without tables.
func (b *bench) openOwn(at string) (s *server, err error) {
	s = &server{now: firstDay}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.admin, err = openDriver(at); err != nil {
		return s, err
	}
	if s.ours, at, err = s.make(b, at); err == nil {
		s.left, err = openDriver(at)
	}
	return s, err
}

// make makes a database, and returns it with its URL.
func (s *server) make(b *bench, at string) (d *db.DB, place string, err error) {
	u, err := url.Parse(at)
	if err != nil {
		return nil, "", err
	}
	name := fmt.Sprintf("lectern_bench_%d_%d", os.Getpid(), len(s.names))
	more := " CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci"
	if u.Scheme == "postgres" {
		more = ""
	}
	if _, err := s.admin.ExecContext(b.ctx, "CREATE DATABASE "+name+more); err != nil {
		return nil, "", err
	}
	s.names = append(s.names, name)
	u.Path = "/" + name
	d, err = db.Open(b.ctx, u.String(), db.Options{Create: true, Clock: func() time.Time { return s.now },
		OnStatement: func(string) { b.statements.Add(1) }})
	return d, u.String(), err
}

// openDriver opens a server's database by the driver alone.
func openDriver(at string) (*sql.DB, error) {
	u, err := url.Parse(at)
	if err != nil {
		return nil, err
	}
	if u.Scheme == "postgres" {
		return sql.Open("pgx", at)
	}
	return sql.Open("mysql", u.User.String()+"@tcp("+u.Host+")"+u.Path+"?interpolateParams=true")
}

// close drops the databases.
func (s *server) close() (err error) {
	if s.ours != nil {
		err = s.ours.Close()
	}
	for _, d := range []*sql.DB{s.left, s.raw, s.bulk} {
		if d != nil {
			err = errors.Join(err, d.Close())
		}
	}
	for _, name := range s.names {
		_, derr := s.admin.Exec("DROP DATABASE " + name)
		err = errors.Join(err, derr)
	}
	if s.admin != nil {
		err = errors.Join(err, s.admin.Close())
	}
	return err
}

// step does a piece of work and writes the same rows raw. Without a name it is not measured.
func (s *server) step(b *bench, name string, ops int, work func(context.Context) error) (err error) {
	engine := string(s.ours.Engine())
	pid := proc.ServerPID(engine)
	l := new(Line)
	start := proc.TreeCPU(pid)
	if name == "" {
		err = work(b.ctx)
	} else {
		l, err = b.measure(engine+" "+name, ops, work)
	}
	if err != nil {
		return err
	}
	l.Server, l.ServerCPU = s.ours.Version(), (proc.TreeCPU(pid) - start).Seconds()
	now, err := s.read(b.ctx, s.left)
	if err != nil {
		return err
	}
	batches := s.differences(now)
	s.rows = now
	for _, x := range batches {
		l.Rows += len(x.rows)
	}
	for _, way := range []struct {
		to     *sql.DB
		insert func(*sql.DB, []batch) (spent, error)
		took   *Raw
	}{{s.raw, insertAll, &l.Raw}, {s.bulk, insertMany, &l.Bulk}} {
		start := proc.TreeCPU(pid)
		took, err := way.insert(way.to, batches)
		if err != nil {
			return fmt.Errorf("raw: %w", err)
		}
		*way.took = Raw{took.wall.Seconds(), took.cpu.Seconds(), (proc.TreeCPU(pid) - start).Seconds()}
	}
	return nil
}

// insertMany writes the batches in one transaction, new rows in statements of many.
func insertMany(d *sql.DB, batches []batch) (took spent, err error) {
	start := clock()
	tx, err := d.Begin()
	if err != nil {
		return took, err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after a commit
	for _, x := range batches {
		if x.many == nil {
			if err := each(tx, x); err != nil {
				return took, err
			}
			continue
		}
		for part := range slices.Chunk(x.rows, min(1000, 30_000/len(x.rows[0]))) { // rows, parameters
			if _, err := tx.Exec(x.many(len(part)), slices.Concat(part...)...); err != nil {
				return took, fmt.Errorf("%s: %w", x.sql, err)
			}
		}
	}
	if err := tx.Commit(); err != nil {
		return took, err
	}
	return since(start), nil
}

// same fails unless all databases hold the same rows.
func (s *server) same(ctx context.Context) error {
	for _, d := range []*sql.DB{s.raw, s.bulk} {
		got, err := s.read(ctx, d)
		if err != nil {
			return err
		}
		for _, x := range s.differences(got) {
			return fmt.Errorf("%d rows differ after raw insertion: %s", len(x.rows), x.sql)
		}
	}
	return nil
}
