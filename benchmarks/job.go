package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
)

// job is work that one process does and measures, as one or several lines. It runs in a process of its own, so that
// memory figures are its own.
type job struct {
	name   string
	n      int  // the size to report
	double bool // also at twice the size, to see how statements grow
	once   bool // not repeated: it is about memory, and long
	run    func(*bench) error
	setup  func(*bench) error // makes what all runs share; nil for nothing
	needs  string             // variable of the environment that has the URL of a server; "" for none
}

var jobs = []job{
	{name: "keys", n: 200_000, run: benchKeys},
	{name: "authz", n: 10_000, run: benchAuthz},
	{name: "roles", n: 25_000, run: benchRoles},
	{name: "roles-mariadb", n: 25_000, needs: "LECTERN_TEST_MARIADB", run: benchRolesOn("LECTERN_TEST_MARIADB")},
	{name: "roles-mysql", n: 25_000, needs: "LECTERN_TEST_MYSQL", run: benchRolesOn("LECTERN_TEST_MYSQL")},
	{name: "roles-postgres", n: 25_000, needs: "LECTERN_TEST_POSTGRES", run: benchRolesOn("LECTERN_TEST_POSTGRES")},
	{name: "create", n: 10_000, double: true, run: benchCreate, setup: share((*bench).empty)},
	{name: "create-each", n: 1_000, run: benchCreateEach, setup: share((*bench).empty)},
	{name: "edit", n: 10_000, double: true, run: benchEdit, setup: share((*bench).course)},
	{name: "edit-each", n: 10_000, run: benchEditEach, setup: share((*bench).course)},
	{name: "outline", n: 10_000, double: true, run: benchOutline, setup: share((*bench).course)},
	{name: "demo", run: benchDemo, setup: share((*bench).empty)},
	{name: "problems", n: 10_000, double: true, run: benchProblems, setup: share((*bench).empty, (*bench).problems)},
	{name: "backup", n: 5_000, double: true, run: benchBackup, setup: share((*bench).empty, (*bench).filed)},
	{name: "scale", n: 10_000, run: benchScale, setup: share((*bench).bigCourse)},
	{name: "mariadb", n: 10_000, needs: "LECTERN_TEST_MARIADB", run: benchServer("LECTERN_TEST_MARIADB")},
	{name: "mysql", n: 10_000, needs: "LECTERN_TEST_MYSQL", run: benchServer("LECTERN_TEST_MYSQL")},
	{name: "postgres", n: 10_000, needs: "LECTERN_TEST_POSTGRES", run: benchServer("LECTERN_TEST_POSTGRES")},
	{name: "migrate", n: 50_000, run: benchMigrate, setup: share((*bench).oldSite)},
	{name: "scan", n: 1_000, run: benchScan, setup: share((*bench).oldCourses)},
	{name: "structure", n: 20_000, run: benchStructure, setup: share((*bench).oldStructure)},
	{name: "memory", n: 400, once: true, run: benchMemory, setup: share((*bench).empty, (*bench).largeArchive)},
}

// share makes a setup of functions that make something and return its path.
func share(made ...func(*bench) (string, error)) func(*bench) error {
	return func(b *bench) error {
		for _, fn := range made {
			if _, err := fn(b); err != nil {
				return err
			}
		}
		return nil
	}
}

func jobNamed(name string) (job, error) {
	i := slices.IndexFunc(jobs, func(j job) bool { return j.name == name })
	if i < 0 {
		return job{}, fmt.Errorf("no job %q", name)
	}
	return jobs[i], nil
}

// bench is one run of one job.
type bench struct {
	ctx     context.Context //nolint:containedctx // lives as long as the job
	n       int
	dir     string // of this run; gone afterwards
	cache   string // what is made once for all runs
	golden  string // the file of keys
	demo    string // the sample archive
	withRaw bool   // write the same rows raw as well
	profile string // folder of CPU profiles, "" for none

	peers     string // folder of the peers' scripts
	oldPython string // Python with the packages of Ulmo
	server    string // URL of a MariaDB server, "" for none

	statements atomic.Int64
	copies     int
	lines      []*Line
}

// inFolder runs a part of a job with a folder that is gone afterwards.
func (b *bench) inFolder(ctx context.Context, part func(*bench) error) (err error) {
	b.ctx = ctx
	if b.dir, err = os.MkdirTemp(b.cache, "run-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.keepMedia(), os.RemoveAll(b.dir)) }()
	return part(b)
}

// keepMedia moves the folders of media of this run out of its folder, to go when all runs are done. ext4 does not use
// the place of a deleted file for some minutes, and passes over all such places, one by one, whenever it makes a file:
// what a run deletes would cost the next one seconds.
func (b *bench) keepMedia() error {
	list, err := filepath.Glob(filepath.Join(b.dir, "*-media"))
	if err != nil {
		return err
	}
	for _, from := range list {
		if err := os.Rename(from, filepath.Join(b.cache, filepath.Base(b.dir)+"-"+filepath.Base(from))); err != nil {
			return err
		}
	}
	return nil
}

// print writes the lines, one JSON document each.
func (b *bench) print(out io.Writer) error {
	enc := json.NewEncoder(out)
	for _, l := range b.lines {
		if err := enc.Encode(l); err != nil {
			return err
		}
	}
	return nil
}
