// Package app holds the use cases: what a person asks for, from opening the database to the committed result. It is the
// one place that opens transactions across packages; the command line and, later, the server are thin around it.
package app

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/openlectern/lectern/content"
	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/media/s3"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/job"
	"github.com/openlectern/lectern/schema"
	"github.com/openlectern/lectern/user"
)

// Config says which store to open and for whom (cli.md, "Everywhere").
type Config struct {
	DB    string // URL or path; default lectern.db inside Data
	Data  string // folder; default ./lectern-data
	Media string // folder of media files, or s3://bucket/prefix?…; default media inside Data, or beside a SQLite file given by DB
	// Secret is the file of the keys that sign sessions' web tokens; default secret.json beside the media folder, or
	// "<path>-secret.json" beside a SQLite file given by DB.
	Secret string
	User   string // name of the user who does it, whom history names and whose permissions count; "" is the system operator
	// Write is set by callers that change something: a new SQLite database is made, and missing lectern_* tables are
	// added. Without it the database must be ready, and is only read.
	Write bool
	// Existing is set by those of them that need something there already: then no database is made.
	Existing bool
	// OnlyJobs is set by callers that only look at jobs, or ask for their end: then the database may be of any age that has
	// the tables of jobs, as it is while its tables are changed.
	OnlyJobs bool
	// Uploads is how many bytes the files may take together that jobs of the queue were given; default [DefaultUploads]. What
	// a job was given goes when it is done, or is swept.
	Uploads int64
	// DryRun runs everything and commits nothing.
	DryRun      bool
	Clock       func() time.Time    // default time.Now
	OnStatement func(sql string)    // told every statement; may be nil
	Getenv      func(string) string // settings that are read each time; default os.Getenv
}

// DefaultData is where data live when nothing says otherwise.
const DefaultData = "lectern-data"

// DefaultUploads is the room for files that jobs were given, in bytes.
const DefaultUploads = 32 << 30

func (c Config) uploads() int64 {
	if c.Uploads > 0 {
		return c.Uploads
	}
	return DefaultUploads
}

func (c Config) paths() (database, files string) {
	data := c.Data
	if data == "" {
		data = DefaultData
	}
	database, files = c.DB, c.Media
	if database == "" {
		database = filepath.Join(data, "lectern.db")
	}
	if files == "" {
		files = filepath.Join(data, "media")
		if path, ok := sqlitePath(c.DB); ok && c.Data == "" {
			files = path + "-media"
		}
	}
	return database, files
}

// sqlitePath returns the file that a database URL names; ok is false for servers and for none.
func sqlitePath(url string) (path string, ok bool) {
	if url == "" || strings.Contains(url, "://") {
		return "", false
	}
	path, _, _ = strings.Cut(strings.TrimPrefix(url, "sqlite:"), "?")
	return path, true
}

// App is an open store. It is safe for concurrent use.
type App struct {
	content.Store
	By     publishing.UserID // whom changes are made as
	secret string            // file of keys
	actor  Actor             // whose permissions count
	gate   *gate
	jobs   *job.Queue
	folder jobFolder
	// uploads is the room for what jobs are given, in bytes.
	uploads int64
	reopen  func(context.Context) (*db.DB, error) // the database to write, where it is open to read; nil where it is not
	dryRun  bool
	env     func(string) string // may be nil
	temp    string              // folder of a throw-away database, "" otherwise
}

// Open opens the store. A database that is not ours, older or newer than this program is Refused, naming the next step.
func Open(ctx context.Context, c Config) (*App, error) {
	database, where := c.paths()
	files, err := openFiles(where)
	if err != nil {
		return nil, err
	}
	a := &App{dryRun: c.DryRun, uploads: c.uploads(), secret: c.SecretFile(), actor: System(), env: c.Getenv}
	if c.DryRun && c.Write && !c.Existing {
		if err := a.throwAway(&database); err != nil {
			return nil, err
		}
	}
	d, err := connect(ctx, database, db.Options{Create: c.Write && !c.Existing, ReadOnly: !c.Write, Clock: c.Clock, OnStatement: c.OnStatement})
	if err != nil {
		return nil, errors.Join(err, a.removeTemp())
	}
	a.DB, a.Files, a.gate, a.folder = d, files, newGate(d), c.jobs()
	a.jobs = newQueue(d, a.folder)
	if !c.Write {
		a.reopen = func(ctx context.Context) (*db.DB, error) {
			return db.Open(ctx, database, db.Options{Clock: c.Clock, OnStatement: c.OnStatement})
		}
	}
	if c.DryRun {
		a.Files = forgetful{a.Files}
	}
	if err := a.ready(ctx, c); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

// New returns a store over a database that is ready, which the caller has opened and closes, without files of its own. Like
// that of [OpenAnyAge] it is nobody's.
func New(d *db.DB) *App {
	a := &App{gate: newGate(d)}
	a.DB, a.jobs = d, newQueue(d, "")
	return a
}

func (a *App) getenv(name string) string {
	if a.env == nil {
		return os.Getenv(name)
	}
	return a.env(name)
}

// openFiles returns the store of media files that a folder's path or the URL of a bucket names.
func openFiles(where string) (media.Files, error) {
	if strings.HasPrefix(where, s3.Scheme) {
		return s3.Open(where)
	}
	return media.NewDir(where), nil
}

// patience is how long a server may take to answer at all. One of another kind than the URL says may never.
const patience = 20 * time.Second

// connect opens a database, and gives up on one that does not answer.
func connect(ctx context.Context, url string, o db.Options) (*db.DB, error) {
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	d, err := db.Open(limited, url, o)
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		return nil, fault.Errorf(fault.Unavailable, "database", "the server does not answer: %w", err).
			WithNext("check that the URL names a server of that kind, and that it runs")
	}
	return d, err
}

func (a *App) ready(ctx context.Context, c Config) error {
	prepare := schema.Require
	if c.Write && (!c.DryRun || a.temp != "") {
		prepare = prepared
	}
	if c.OnlyJobs { // nothing is made beside a run that changes tables
		prepare = func(ctx context.Context, d *db.DB) error {
			err := schema.Require(ctx, d)
			if there, terr := hasJobs(ctx, d); terr == nil && there {
				return nil
			}
			return err
		}
	}
	if err := prepare(ctx, a.DB); err != nil {
		return err
	}
	if c.User == "" {
		return nil
	}
	u, err := user.ByName(ctx, a.DB, c.User)
	a.By, a.actor = publishing.UserID(u.ID), Person(u)
	return err
}

// prepared makes a database ready that commands may write to.
func prepared(ctx context.Context, d *db.DB) error {
	if err := schema.Prepare(ctx, d); err != nil {
		return err
	}
	return permissions(ctx, d)
}

// throwAway replaces a SQLite database that does not exist or is empty by one in a temporary folder, so that a dry run makes nothing.
func (a *App) throwAway(url *string) (err error) {
	path, ok := sqlitePath(*url)
	if !ok {
		return nil
	}
	if info, err := os.Stat(path); err == nil && info.Size() > 0 || err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if a.temp, err = os.MkdirTemp("", "lectern-dry-run-"); err != nil {
		return err
	}
	*url = filepath.Join(a.temp, "lectern.db")
	return nil
}

// missing reports whether there is nothing at path. What cannot be looked at is told of when it is opened.
func missing(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, os.ErrNotExist)
}

func (a *App) removeTemp() error {
	if a.temp == "" {
		return nil
	}
	return os.RemoveAll(a.temp)
}

// Close closes the database.
func (a *App) Close() error {
	var err error
	if a.DB != nil {
		a.lastRefusals()
		err = a.DB.Close()
	}
	return errors.Join(err, a.removeTemp())
}

var errDryRun = errors.New("dry run")

// Update runs fn in a transaction, as [content.Store] does; in a dry run nothing is committed.
func (a *App) Update(ctx context.Context, fn func(*db.Tx) error) error {
	if !a.dryRun {
		return a.Store.Update(ctx, fn)
	}
	err := a.Store.Update(ctx, func(tx *db.Tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		return errDryRun
	})
	if errors.Is(err, errDryRun) {
		return nil
	}
	return err
}

// forgetful is a file store for dry runs: it reads what is there, checks what is put and keeps none of it.
type forgetful struct{ media.Files }

// Put reads every blob through, so that unreadable input fails as it would, and keeps nothing.
func (forgetful) Put(ctx context.Context, _ uuid.UUID, blobs []media.Blob) error {
	for _, b := range blobs {
		if err := ctx.Err(); err != nil {
			return err
		}
		r, err := b.Open()
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, r)
		if err = errors.Join(err, r.Close()); err != nil {
			return err
		}
	}
	return nil
}
