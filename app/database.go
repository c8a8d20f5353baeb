package app

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/lease"
	"github.com/openlectern/lectern/schema"
	"github.com/openlectern/lectern/schema/inspect"
	"github.com/openlectern/lectern/schema/takeover"
)

// Database is what a database was found to be (cli.md, db status).
type Database struct {
	schema.State
	Engine   db.Engine
	Version  string                // of the server, or of the SQLite library
	Tables   map[string]int64      // rows of the tables that are Lectern's business
	Findings []schema.Finding      // of Verify; else what is noticed beside content, the Notes of State
	Repaired []schema.Finding      // of Repair: what was changed, or in a dry run would be
	Steps    []Step                // of a plan, or what was done of it
	Codes    []takeover.Code       // of a plan: proposed for keys that cannot be codes
	Bytes    int64                 // of Status: what those tables and their indexes take, as far as the engine tells
	Refer    []takeover.Reference  // of Status: tables of others that refer to content's
	Holder   *lease.Holder         // of Status: who is changing the tables just now
	Dropped  map[string]int64      // of DropOwn: the rows of the tables that are gone, or in a dry run would be
	Copied   time.Duration         // of Rehearse: how long it took to copy the tables
	Sums     []takeover.TableSum   // of Verify and Rehearse: what the content tables hold
	Foreign  []takeover.ForeignKey // of Verify: the references of content tables and to them
}

// Status looks at a database, whatever it is, and changes nothing. A SQLite file that does not exist is an empty
// database, as that is what the first command to write finds.
func Status(ctx context.Context, c Config) (*Database, error) {
	c.DryRun, c.Write = true, false
	found, err := noted(onDatabase(ctx, c, "Status", survey))
	if !errors.Is(err, db.ErrNotDatabase) {
		return found, err
	}
	return &Database{ // a finding, as any other
		State:  schema.State{Status: schema.Foreign, Reason: db.ErrNotDatabase.Error(), Next: "name a SQLite database file, or a file that does not exist yet"},
		Engine: db.SQLite, Tables: map[string]int64{}, Findings: []schema.Finding{}, Repaired: []schema.Finding{},
	}, nil
}

// survey adds what only Status tells.
func survey(ctx context.Context, d *db.DB, found *Database) error {
	s, err := takeover.Look(ctx, d)
	if err != nil {
		return err
	}
	found.Findings, found.Refer, found.Bytes = append(found.Findings, s.Findings...), s.References, s.Bytes
	found.Holder, err = lease.Held(ctx, d, takeover.LeaseName)
	return err
}

// noted completes what was found without verifying.
func noted(found *Database, err error) (*Database, error) {
	if err == nil {
		found.Findings = append(found.Findings, found.Notes...)
	}
	return found, err
}

// Init makes the tables of a new site in an empty database, and adds Lectern's own to one that Django made. A dry run
// shows what it would find afterwards only where that takes no server.
func Init(ctx context.Context, c Config) (*Database, error) {
	c.Write = true
	fresh := c.fresh()
	return noted(onDatabase(ctx, c, "Init", func(ctx context.Context, d *db.DB, _ *Database) error {
		if !c.DryRun || fresh {
			if err := schema.Create(ctx, d); err != nil {
				return err
			}
			return permissions(ctx, d)
		}
		st, err := schema.Recognize(ctx, d)
		if err == nil && !slices.Contains([]schema.Status{schema.Empty, schema.Partial, schema.Current}, st.Status) {
			err = schema.Require(ctx, d) // says why not
		}
		return err
	}))
}

// fresh reports whether c names a SQLite file that does not exist.
func (c Config) fresh() bool {
	database, _ := c.paths()
	path, ok := sqlitePath(database)
	return ok && missing(path)
}

// onDatabase opens a database for a use case of operators without asking whether it is ready, lets fn work on it and
// describes it.
func onDatabase(ctx context.Context, c Config, name string, fn func(context.Context, *db.DB, *Database) error) (found *Database, err error) {
	if c.User != "" && c.fresh() {
		return nil, noUsers(c.User)
	}
	url, _ := c.paths()
	var a App
	if c.DryRun && !c.Existing {
		if err := a.throwAway(&url); err != nil {
			return nil, err
		}
	}
	write := c.Write || a.temp != ""
	if a.DB, err = connect(ctx, url, db.Options{Create: write && !c.Existing, ReadOnly: !write, Clock: c.Clock, OnStatement: c.OnStatement}); err != nil {
		return nil, errors.Join(err, a.removeTemp())
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	if err := mayOperate(ctx, a.DB, c.User, name); err != nil {
		return nil, err
	}
	found = &Database{Engine: a.DB.Engine(), Version: a.DB.Version(), Findings: []schema.Finding{}, Repaired: []schema.Finding{}}
	if fn != nil {
		if err := fn(ctx, a.DB, found); err != nil {
			return nil, err
		}
	}
	if found.State, err = schema.Recognize(ctx, a.DB); err != nil {
		return nil, err
	}
	sizes, err := inspect.Sizes(ctx, a.DB, schema.OfContent)
	found.Tables = map[string]int64{}
	for name, s := range sizes {
		found.Tables[name] = s.Rows
	}
	return found, err
}
