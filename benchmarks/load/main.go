// Load sends requests to a `lectern serve` that it starts on a database it makes, from a few connections at once for a
// few seconds, and prints how many were answered in a second and how long they took: what may I (validate/me), a page of
// everybody's assignments, and both mixed with roles given and taken.
//
//	go build -o /tmp/lectern ./cmd/lectern && go run ./benchmarks/load -lectern /tmp/lectern [-people 5000]
//
// With -python it sends the same to the published packages of Open edX under gunicorn (benchmarks/peers/load_app), on a
// database with the same rows, after it has held some answers of both against each other.
//
// Clients and server share the machine, so the figures are what all get done together.
package main

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/openlectern/lectern/benchmarks/proc"
)

type options struct {
	lectern, python, app, postgres, write string
	people, workers                       int
	seconds, peerSeconds                  float64
}

func main() {
	var o options
	flag.StringVar(&o.lectern, "lectern", "", "the program")
	flag.StringVar(&o.python, "python", "", "Python with the packages of venv.sh's vauthz; without it there is no peer")
	flag.StringVar(&o.app, "app", "benchmarks/peers/load_app", "folder of the peer's site")
	flag.StringVar(&o.postgres, "postgres", "", "URL of a server where databases may be made, to measure there after SQLite")
	flag.StringVar(&o.write, "write", "", "file to write the tables into, between its markers")
	flag.IntVar(&o.people, "people", 5000, "people, with two assignments each")
	flag.IntVar(&o.workers, "workers", 4, "connections at once")
	flag.Float64Var(&o.seconds, "seconds", 5, "how long each kind of request is sent to Lectern, at most 60")
	flag.Float64Var(&o.peerSeconds, "peer-seconds", 10, "how long to the peer, at most 600")
	flag.Parse()
	if err := run(context.Background(), o); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	if o.lectern == "" || o.seconds <= 0 || o.seconds > 60 || o.peerSeconds <= 0 || o.peerSeconds > 600 || o.workers < 1 || o.workers > 256 || o.people < 50 {
		return errors.New("name the program with -lectern; -seconds is up to 60, -peer-seconds up to 600, -workers up to 256, -people at least 50")
	}
	all, err := o.onSQLite(ctx)
	if err != nil {
		return err
	}
	if o.postgres != "" {
		more, err := o.onPostgreSQL(ctx)
		if err != nil {
			return err
		}
		all = append(all, more...)
	}
	text := o.table(all)
	fmt.Print(text)
	if o.write == "" {
		return nil
	}
	return writeInto(o.write, text)
}

func (o options) onSQLite(ctx context.Context) (all []result, err error) {
	work, err := os.MkdirTemp("", "lectern-load-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	return o.both(ctx, "SQLite", work, filepath.Join(work, "lectern.db"), filepath.Join(work, "django.db"), 0)
}

func (o options) onPostgreSQL(ctx context.Context) (all []result, err error) {
	admin, err := sql.Open("pgx", o.postgres)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, admin.Close()) }()
	u, err := url.Parse(o.postgres)
	if err != nil {
		return nil, err
	}
	var places []string
	for _, side := range []string{"lectern", "django"} {
		name := fmt.Sprintf("lectern_bench_%d_load_%s", os.Getpid(), side)
		if _, err := admin.ExecContext(ctx, "CREATE DATABASE "+name); err != nil {
			return nil, err
		}
		defer func() {
			_, derr := admin.Exec("DROP DATABASE " + name)
			err = errors.Join(err, derr)
		}()
		u.Path = "/" + name
		places = append(places, u.String())
	}
	work, err := os.MkdirTemp("", "lectern-load-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	return o.both(ctx, "PostgreSQL", work, places[0], places[1], proc.ServerPID("postgres"))
}

// load is a kind of requests.
type load struct {
	name string
	next func(*rand.Rand) request
}

// result is what a kind of requests came to. Those of the peer, and that of Lectern at a multiple of its rate, are empty
// without one.
type result struct {
	database, name string
	ours, peer     measure
	paced          measure
}

// times is the aim: so many times the requests of the peer, in the same time.
const times = 30

// both measures Lectern and the peer on two databases with the same rows. dbPID is the process of the database server.
func (o options) both(ctx context.Context, database, work, place, peerPlace string, dbPID int) (all []result, err error) {
	ours, err := startLectern(ctx, o, work, place)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, ours.stop()) }()
	var peer *side
	if o.python != "" {
		if peer, err = startDjango(ctx, o, work, peerPlace); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, peer.stop()) }()
		if err := same(ctx, o, ours, peer); err != nil {
			return nil, fmt.Errorf("%s: %w", database, err)
		}
	}
	for _, l := range []load{{"validate/me, 3 questions", o.validate}, {"assignments/, page of 10", o.page}, {"mixed: 88 + 10 + 2 writes", o.mixed}} {
		r := result{database: database, name: l.name}
		if r.ours, err = drive(ctx, o, ours, l.next, pace{seconds: o.seconds}, dbPID); err != nil {
			return nil, fmt.Errorf("%s: %w", l.name, err)
		}
		if peer != nil {
			if r.peer, err = drive(ctx, o, peer, l.next, pace{seconds: o.peerSeconds}, dbPID); err != nil {
				return nil, fmt.Errorf("%s: %w", l.name, err)
			}
			if r.paced, err = drive(ctx, o, ours, l.next, pace{seconds: o.seconds, rate: times * r.peer.rate()}, dbPID); err != nil {
				return nil, fmt.Errorf("%s: %w", l.name, err)
			}
		}
		fmt.Fprintf(os.Stderr, "%s, %s: %s\n", database, l.name, time.Now().Format(time.TimeOnly))
		all = append(all, r)
	}
	return all, nil
}
