package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/schema"
	"github.com/openlectern/lectern/schema/takeover"
)

// renamed is the last row of the ledger by which tables only get new names.
const renamed = "0003_rename_content_to_media"

// serverDatabase is the database on a server that is filled and migrated; the peer's scripts drop none of another name.
const serverDatabase = "lectern_bench_migrate"

// benchMigrate takes a site over that the packages of Ulmo have made: n components of four versions each (job 8).
func benchMigrate(b *bench) error {
	from, err := b.oldSite()
	if err != nil {
		return err
	}
	path, err := b.fresh(from)
	if err != nil {
		return err
	}
	if err := b.takeOver("sqlite", "sqlite:"+path); err != nil || b.server == "" {
		return err
	}
	at, err := onServer(b.server)
	if err != nil {
		return err
	}
	if err := b.emptyDatabase(); err != nil {
		return err
	}
	if err := b.fill(at); err != nil {
		return err
	}
	return b.takeOver("mysql", at)
}

// oldSite returns the path of a database that the old packages have made and filled.
func (b *bench) oldSite() (string, error) {
	name := fmt.Sprintf("old-site-%d.db", b.n)
	path := filepath.Join(b.cache, name)
	if _, err := os.Stat(path); err == nil || !errors.Is(err, os.ErrNotExist) {
		return path, err
	}
	made := filepath.Join(b.dir, name)
	if err := b.fill("sqlite:" + made); err != nil {
		return "", err
	}
	return path, os.Rename(made, path)
}

// fill has the old packages make their tables in an empty database and fill them.
func (b *bench) fill(at string) error {
	cmd := exec.CommandContext(b.ctx, b.oldPython, filepath.Join(b.peers, "migrate.py"), "--phase", "old", "--n", strconv.Itoa(b.n), "--db", at)
	cmd.Stderr = os.Stderr
	if out, err := cmd.Output(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return nil
}

// onServer returns the URL of the database on a server that is filled and migrated.
func onServer(server string) (string, error) {
	u, err := url.Parse(server)
	if err != nil {
		return "", err
	}
	u.Path = "/" + serverDatabase
	return u.String(), nil
}

// emptyDatabase makes that database anew.
func (b *bench) emptyDatabase() (err error) {
	d, err := db.Open(b.ctx, b.server, db.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	for _, sql := range []string{"DROP DATABASE IF EXISTS " + serverDatabase,
		"CREATE DATABASE " + serverDatabase + " CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci"} {
		if _, err := d.Exec(b.ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

// takeOver measures the take-over of a database, and apart from it the part that only renames.
func (b *bench) takeOver(engine, at string) (err error) {
	d, err := db.Open(b.ctx, at, db.Options{OnStatement: func(string) { b.statements.Add(1) }})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	names := &Line{Job: "migrate names " + engine, N: b.n, Ops: b.n}
	_, err = b.measure("migrate "+engine, b.n, func(ctx context.Context) error {
		start, sent := clock(), b.statements.Load()
		_, err := takeover.Migrate(ctx, d, takeover.Options{}, takeover.Run{Done: func(s takeover.Step, _, _ int) {
			if s.App == "openedx_content" && s.Name == renamed {
				took := since(start)
				names.Seconds, names.CPU, names.Peak = took.wall.Seconds(), took.cpu.Seconds(), peak()
				names.Statements = int(b.statements.Load() - sent)
			}
		}})
		return err
	})
	if err != nil {
		return err
	}
	b.lines = append(b.lines, names)
	st, err := schema.Recognize(b.ctx, d)
	if err == nil && (st.Content != "C14" || names.Seconds == 0) {
		err = fmt.Errorf("after the take-over the database is %s: %s", st.Content, cmp.Or(st.Reason, "not from before the new names"))
	}
	return err
}
