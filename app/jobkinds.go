package app

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"github.com/openlectern/lectern/content/prune"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/job"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/user"
)

// The kinds of jobs, named like the commands that do the same. [MigrateJob] and [RevertNamesJob] are never in the queue, and there are
// further ones of which that is so: commands name them.
const (
	ImportCourseJob   = "course import"
	ExportCourseJob   = "course export"
	ImportLibraryJob  = "library import"
	ExportLibraryJob  = "library export"
	BackupJob         = "package backup"
	BackupAllJob      = "package backup --all"
	RestorePackageJob = "package restore"
	PruneJob          = "store prune apply"
	MigrateLibraryJob = "library migrate"
	ShiftJob          = "flag set --shift"
	MigrateJob        = "db migrate"
	RevertNamesJob    = "db revert-names"
)

// jobKind is how a job is done, and what it needs.
type jobKind struct {
	run   func(ctx context.Context, a *App, x jobWork) (any, error)
	again int  // see [job.Kind]
	input bool // it is given a file
	makes bool // it makes files
}

// again is how often a job is begun again when its worker was lost, where doing it twice does no harm: an import that was
// done already finds nothing that differs, and a plan that was applied, or a move of roles, goes on where it was. A package that was restored is there; to
// restore it again would be refused, and so say that it failed, which is not so.
const again = 2

var jobKinds = map[string]jobKind{
	ImportCourseJob:   {runImport(false), again, true, false},
	ImportLibraryJob:  {runImport(true), again, true, false},
	ExportCourseJob:   {runExport, again, false, true},
	ExportLibraryJob:  {runExport, again, false, true},
	BackupJob:         {runBackup, again, false, true},
	BackupAllJob:      {runBackupAll, again, false, true},
	RestorePackageJob: {runRestore, 0, true, false},
	PruneJob:          {runPrune, again, true, false},
	MigrateLibraryJob: {runMigrateLibrary, again, false, false},
}

// A change of the flag may itself put a job into the queue, and so has to know the kinds that it is one of.
func init() { jobKinds[ShiftJob] = jobKind{runShift, again, false, false} }

// JobOptions are the arguments of a job; each kind has its own of them.
type JobOptions struct {
	Key        string `json:"key,omitempty"`         // of the course, library or package; imports and restores: "" is the archive's own
	At         string `json:"at,omitempty"`          // exports: the moment
	Format     string `json:"format,omitempty"`      // exports: "tar.gz", the default, or "zip"
	Message    string `json:"message,omitempty"`     // imports: for the history
	Lenient    bool   `json:"lenient,omitempty"`     // imports: keep broken blocks as they are
	DraftsOnly bool   `json:"drafts_only,omitempty"` // imports: publish nothing
	DropAssets bool   `json:"drop_assets,omitempty"` // imports: remove static files that the archive lacks
	Staged     bool   `json:"staged,omitempty"`      // restores: as [PackageRestore] has them, and so those that follow
	Strict     bool   `json:"strict,omitempty"`      //
	Replace    bool   `json:"replace,omitempty"`     //
	KeepAs     string `json:"keep_as,omitempty"`     //
	DeleteOld  bool   `json:"delete_old,omitempty"`  //
	Origin     string `json:"origin,omitempty"`      // backups: host name of the server
	Org        string `json:"org,omitempty"`         // moves of roles: instead of the key of a course
	To         string `json:"to,omitempty"`          // moves of roles: on, off or unset
	KeepGoing  bool   `json:"keep_going,omitempty"`  // moves of roles: as [FlagChange] has it
	// Migration is what migrations to libraries have instead of all others.
	Migration  *LibraryMigration `json:"migration,omitempty"`
	Restorable time.Duration     `json:"restorable,omitempty"` // prunes: for how long it can be undone, in nanoseconds
}

// jobArguments are what the row has.
type jobArguments struct {
	JobOptions
	System bool `json:"system,omitempty"` // it was asked for by the operator of the system, and not by a user who is gone
}

// jobWork is what a kind is given to do its work.
type jobWork struct {
	JobOptions
	id       uuid.UUID // of the job
	input    string    // file
	output   string    // folder
	progress Progress
}

// kinds are the kinds of the queue, as this store does them.
func (a *App) kinds() map[string]job.Kind {
	all := map[string]job.Kind{}
	for name, k := range jobKinds {
		all[name] = job.Kind{Again: k.again, Run: func(ctx context.Context, r *job.Run) (job.Outcome, error) {
			out, err := a.runJob(ctx, k, r)
			return out, a.folder.inside(r.Job().UUID, err)
		}}
	}
	return all
}

// runJob does a job in the name of who asked for it, and with the permissions that they have now.
func (a *App) runJob(ctx context.Context, k jobKind, r *job.Run) (out job.Outcome, err error) {
	j := r.Job()
	var args jobArguments
	if err := json.Unmarshal(j.Arguments, &args); err != nil {
		return out, err
	}
	var actor Actor // nobody, where the account is gone
	switch {
	case j.By != 0:
		u, err := user.ByID(ctx, a.DB, user.ID(j.By))
		if err != nil {
			return out, err
		}
		actor = Person(u)
	case args.System:
		actor = System()
	}
	x := jobWork{JobOptions: args.JobOptions, id: j.UUID, progress: r.Progress}
	if k.input {
		if x.input, err = a.folder.input(j.UUID); err != nil {
			return out, err
		}
	}
	if k.makes {
		if x.output, err = a.folder.output(j.UUID); err != nil {
			return out, err
		}
	}
	if out.Result, err = k.run(ctx, a.As(actor), x); fault.Is(err, fault.OldMongo) {
		return job.Outcome{Result: skipped(err)}, nil // it was asked for before the old store was retired (DEP-37)
	}
	if err != nil || !k.makes {
		return out, err
	}
	out.Files, err = a.folder.made(ctx, j.UUID)
	return out, err
}

func runImport(library bool) func(context.Context, *App, jobWork) (any, error) {
	return func(ctx context.Context, a *App, x jobWork) (any, error) {
		o := ImportOptions{Library: library, Lenient: x.Lenient, DraftsOnly: x.DraftsOnly, KeepAssets: !x.DropAssets, Message: x.Message, Progress: x.progress}
		if x.Key != "" {
			var err error
			if o.Key, err = keys.ParseCourse(x.Key); err != nil {
				return nil, err
			}
		}
		result, err := a.Import(ctx, x.input, o)
		return result, err
	}
}

func runExport(ctx context.Context, a *App, x jobWork) (any, error) {
	key, err := keys.ParseCourse(x.Key)
	if err != nil {
		return nil, err
	}
	out, err := a.Export(ctx, key, filepath.Join(x.output, plainName(x.Key+"."+cmp.Or(x.Format, "tar.gz"))), x.At, x.progress)
	return out, err
}

func runBackup(ctx context.Context, a *App, x jobWork) (any, error) {
	out, err := a.Backup(ctx, x.Key, filepath.Join(x.output, plainName(x.Key+".zip")), x.Origin, x.progress)
	if out == nil {
		return nil, err
	}
	out.File = filepath.Base(out.File)
	return out, err
}

func runBackupAll(ctx context.Context, a *App, x jobWork) (any, error) {
	out, err := a.BackupAll(ctx, x.output, x.Origin, x.progress)
	if err != nil {
		return nil, err
	}
	if n := len(out.Failed); n > 0 {
		err = fault.Errorf(fault.Invalid, out.Failed[0].Key, "%d packages were not backed up, this is one of them: %s", n, out.Failed[0].Error).
			WithNext("see the reasons in the result")
	}
	return out, err
}

func runRestore(ctx context.Context, a *App, x jobWork) (any, error) {
	out, err := a.RestorePackage(ctx, x.input, PackageRestore{Key: x.Key, Staged: x.Staged, Strict: x.Strict, Replace: x.Replace, KeepAs: x.KeepAs,
		DeleteOld: x.DeleteOld, Progress: x.progress})
	return out, err
}

// runMigrateLibrary works on the task that was made with the job. However it fails, the task ends with it.
func runMigrateLibrary(ctx context.Context, a *App, x jobWork) (any, error) {
	r, err := a.mayMigrate(ctx, x.Migration)
	if err != nil {
		return nil, a.failTask(ctx, x.id, err)
	}
	r.again, r.Progress = true, x.progress
	out, err := a.migrateAs(ctx, r, x.id)
	if out == nil {
		return nil, a.failTask(ctx, x.id, err)
	}
	return out, err
}

func runPrune(ctx context.Context, a *App, x jobWork) (any, error) {
	plan, err := readPlan(x.input)
	if err != nil {
		return nil, err
	}
	out, err := a.ApplyPrune(ctx, plan, a.actor.name, x.Restorable, x.progress)
	if out == nil {
		return nil, err
	}
	doc := prunedPackages{Packages: make([]prunedPackage, len(out))}
	for i, r := range out {
		doc.Packages[i] = prunedPackage{r.Ref, r.Moments, r.Versions, r.Media, r.Restorable}
	}
	return doc, err
}

// prunedPackages is the result of a prune.
type prunedPackages struct {
	Packages []prunedPackage `json:"packages"`
}

type prunedPackage struct {
	Key        string    `json:"key"`
	Remove     int       `json:"remove"` // moments
	Versions   int       `json:"versions"`
	Media      int       `json:"media"`
	Restorable time.Time `json:"restorable_until"`
}

func readPlan(path string) (p *prune.Plan, err error) {
	f, err := os.Open(path) //nolint:gosec // of our own folder
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return prune.Read(f, filepath.Base(path))
}
