package cli

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/openlectern/lectern/app"
	own "github.com/openlectern/lectern/content/prune"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/modulestore/prune"
)

// splitPlan is the document of a plan for a Split database.
type splitPlan struct {
	prune.Plan
	File *string `json:"plan"` // null where nothing was written

	detail bool
}

func (d splitPlan) text(w *textWriter) {
	w.row("COURSE", "KEEP", "REMOVE", "SIZE", "GOES", "STATE")
	list := slices.Clone(d.Courses)
	slices.SortStableFunc(list, func(a, b prune.Course) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(b.Remove, a.Remove))
	})
	for _, c := range list {
		state := c.Status
		if state == "" {
			state = "pruned"
		}
		if c.Reason != "" {
			state += ": " + c.Reason
		}
		if c.Gaps > 0 {
			state += ", " + count(c.Gaps, "gap", "gaps") + " of earlier plans"
		}
		if c.Truncated {
			state += ", history is cut off"
		}
		w.row(plain(c.Key), c.Keep, c.Remove, sizeText(c.BytesKept+c.Bytes), sizeText(c.Bytes), plain(state))
	}
	if d.Loose.Keep+d.Loose.Remove > 0 {
		w.row("of no course", d.Loose.Keep, d.Loose.Remove, "", sizeText(d.Loose.Bytes), "")
	}
	w.row("definitions", d.Definitions.Keep, d.Definitions.Remove, "", sizeText(d.Definitions.Bytes), "")
	w.row("all structures", d.Keep, d.Remove, "", sizeText(d.Bytes), "with definitions")
	if d.Cuts > 0 {
		w.line("histories get %s, each with a note of what was there", count(d.Cuts, "gap", "gaps"))
	}
	for _, f := range d.Differences {
		w.line("the sources of the index do not agree on %s:", plain(f.Course))
		for _, source := range sortedKeys(f.Heads) {
			text := "does not have it"
			if heads := f.Heads[source]; heads != nil {
				text = ""
				for _, branch := range sortedKeys(heads) {
					text += branch + " " + heads[branch] + " "
				}
			}
			w.row("  "+source, text)
		}
	}
	for _, f := range d.Findings {
		w.line("%s", plain(f))
	}
	if d.SignedBy != "" {
		w.line("signed by %s", d.SignedBy)
	}
	if d.detail {
		for _, s := range d.Sources {
			state := ""
			if s.Again {
				state = "asked again when applied"
			}
			w.row("  "+s.Source, count(s.Rows, "row", "rows"), state)
		}
		for _, c := range d.Courses {
			w.line("%s stays", plain(c.Key))
			for _, why := range sortedKeys(c.Why) {
				w.row("  "+why, c.Why[why])
			}
		}
	}
	if d.File != nil {
		w.line("look at it with: lectern split prune show %s", *d.File)
		w.line("carry it out with: lectern split prune apply %s mongodb://… --archive FOLDER --write --yes", *d.File)
	}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// splitPruned is the document of a plan that was applied.
type splitPruned struct{ prune.Result }

func (d splitPruned) text(w *textWriter) {
	for _, c := range d.Courses {
		if c.Remove > 0 {
			w.line("%s: %s, %s before, %s after", plain(c.Key), count(c.Remove, "structure", "structures"), sizeText(c.BytesBefore), sizeText(c.BytesAfter))
		}
	}
	for _, c := range d.Skipped {
		w.line("%s was skipped: its heads have moved since the plan", plain(c))
	}
	w.line("removed %s and %s, %s", count(d.Remove, "structure", "structures"), count(d.Definitions, "definition", "definitions"), sizeText(d.Bytes))
	if d.Relinked > 0 {
		w.line("linked %s to their originals", count(d.Relinked, "structure", "structures"))
	}
	if d.Left+d.PutBack > 0 {
		w.line("%s stayed, %d of them put back: they are needed by now", count(d.Left+d.PutBack, "document", "documents"), d.PutBack)
	}
	var storage, reusable int64
	for _, in := range d.After {
		storage, reusable = storage+in.Storage, reusable+in.Reusable
	}
	if storage > 0 {
		w.line("on disk: %s, of which compacting can give back %s (docs/splitprune.md)", sizeText(storage), sizeText(reusable))
	}
	w.line("can be put back until %s UTC", stamp(d.Until).short())
}

// splitRestored is the document of a plan that was taken back.
type splitRestored struct{ prune.Undone }

func (d splitRestored) text(w *textWriter) {
	w.line("put back %s and %s, and %s", count(d.Structures, "structure", "structures"), count(d.Definitions, "definition", "definitions"), count(d.Relinked, "link", "links"))
}

// splitExpired is the document of archives whose time may be over.
type splitExpired struct {
	Archives []prune.Archive `json:"archives"`
}

func (d splitExpired) text(w *textWriter) {
	w.row("FOLDER", "DATABASE", "SIZE", "RESTORABLE UNTIL", "STATE")
	for _, a := range d.Archives {
		state := a.State
		switch a.State {
		case prune.ArchiveUnfinished:
			state = "unfinished: run apply or undo again first"
		case prune.ArchiveOver:
			state = "over: it would be removed"
		}
		w.row(plain(a.Folder), plain(a.Database), sizeText(a.Bytes), stamp(a.Until).short(), state)
	}
}

func (c *cli) splitCommand() *cobra.Command {
	s := &cobra.Command{Use: "split", Short: "Look after the Split database of an Open edX site"}
	s.AddCommand(c.family("prune", "Thin out its history by a plan that you approve",
		verb{c.splitPlanCommand(), splitPlan{}}, verb{c.splitShowCommand(), splitPlan{}}, verb{c.splitApplyCommand(), splitPruned{}}, verb{c.splitUndoCommand(), splitRestored{}}, verb{c.splitExpireCommand(), splitExpired{}}))
	return s
}

// withLMS opens the database of an LMS, if there is one, and closes it when use has ended.
func withLMS(ctx context.Context, url string, use func(prune.Registry) error) (err error) {
	if url == "" {
		return use(nil)
	}
	lms, err := app.OpenSplitLMS(ctx, url)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lms.Close()) }()
	return use(lms)
}

// splitSource are the flags that name a database.
func splitSource(cmd *cobra.Command, site *app.OldSite) {
	cmd.Flags().StringVar(&site.Database, "database", "", "`name` of the database, where SRC has several (default: the only one; of a server edxapp)")
}

func (c *cli) splitPlanCommand() *cobra.Command {
	var site app.OldSite
	var o prune.Options
	var out, history, pins, guard, grace, details, lms, key string
	var compat, ignoreMissing bool
	var retain int
	cmd := &cobra.Command{
		Use:   "plan SRC -o PLAN.json",
		Short: "Plan which structures stay and which go, and change nothing",
		Args:  cobra.ExactArgs(1),
		Long: `Plan reads a site's Split database, a mongodump of it or a server, and writes a file that says which structures and
definitions go. Nothing is removed.

The flags add up: a structure stays when any of them keeps it. Heads, pins, library versions that courses name, what is younger than
--guard, and deleted courses younger than --grace always stay; every version that was published unless you say otherwise. A course
whose two indexes differ, or whose head is missing, is left alone.

With --compat the plan is that of Open edX's own structures.py, to the byte, and its file is printed where no -o is given.`,
		Example: `  lectern split prune plan dump/ --keep-last 10 --keep-days 90 -o plan.json
  lectern split prune plan mongodb://reader@mongo.example/edxapp --index courseindex.csv --keep-monthly 12 -o plan.json
  lectern split prune plan mongodb://reader@mongo.example/edxapp --lms mysql://reader@mysql.example/edxapp --keep-last 10 -o plan.json
  lectern split prune plan dump/ --compat --retain 2 -o tool.json --details tool.txt`,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			site.Source = args[0]
			if !compat {
				for _, name := range []string{"retain", "ignore-missing", "details"} {
					if cmd.Flags().Changed(name) {
						return usage("--"+name, "it goes with --compat alone")
					}
				}
				if out == "" {
					return usage("--output", "a plan needs a file").WithNext("write: " + cmd.UseLine())
				}
				if o.Guard, err = hours(guard, "--guard"); err != nil {
					return err
				}
				if o.Grace, err = hours(grace, "--grace"); err != nil {
					return err
				}
				if err := o.Policy.Check(); err != nil {
					return err
				}
			}
			if key != "" {
				if compat {
					return usage("--sign", "a plan of structures.py has no place for a signature")
				}
				if o.Signer, err = prune.ReadSigner(key); err != nil {
					return err
				}
			}
			if o.Mirror, err = app.ReadSplitIndex(cmd.Context(), site.Index); err != nil {
				return err
			}
			if o.History, err = app.ReadSplitIndex(cmd.Context(), history); err != nil {
				return err
			}
			if o.Pins, err = app.ReadSplitPins(pins); err != nil {
				return err
			}
			db, done, err := app.SplitReader(cmd.Context(), site)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, done()) }()
			meter, progress := c.progress()
			defer meter.end()
			o.Progress = prune.Progress(progress)
			if compat {
				return c.planCompat(cmd.Context(), db, retain, ignoreMissing, out, details, o.Progress)
			}
			path := out
			if c.global.dryRun { // the file is the plan's own storage: it goes again
				dir, err := os.MkdirTemp("", "lectern-plan-")
				if err != nil {
					return err
				}
				defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
				path = filepath.Join(dir, "plan.json")
			}
			var p *prune.Plan
			err = withLMS(cmd.Context(), lms, func(r prune.Registry) (err error) {
				o.Registry = r
				p, err = prune.Make(cmd.Context(), db, o, path)
				return err
			})
			meter.end()
			if err != nil {
				return err
			}
			d := splitPlan{Plan: *p}
			if !c.global.dryRun {
				d.File = &out
			}
			return c.print(d)
		},
	}
	splitSource(cmd, &site)
	f := cmd.Flags()
	f.StringVarP(&out, "output", "o", "", "`file` to write the plan to")
	f.StringVar(&site.Index, "index", "", "CSV `file` of the table split_modulestore_django_splitmodulestorecourseindex, or the address of the database with it")
	f.StringVar(&history, "index-history", "", "CSV `file` of the history of that table: heads younger than --grace stay")
	f.StringVar(&lms, "lms", "", "`URL` of the LMS's database: its index, the history of that, outlines and grades keep what they name")
	f.StringVar(&key, "sign", "", "`file` with an Ed25519 key in PEM to sign the plan with, for apply --signed-by")
	f.StringVar(&pins, "pins", "", "CSV `file` of structures that stay: course,version,reason,expires")
	f.IntVar(&o.Policy.Last, "keep-last", 0, "keep the last `N` structures before each head")
	f.IntVar(&o.Policy.Days, "keep-days", 0, "keep what is younger than `N` days")
	f.IntVar(&o.Policy.Daily, "keep-daily", 0, "keep one of each of the last `N` days")
	f.IntVar(&o.Policy.Weekly, "keep-weekly", 0, "keep one of each of the last `N` weeks")
	f.IntVar(&o.Policy.Monthly, "keep-monthly", 0, "keep one of each of the last `N` months")
	f.BoolVar(&o.Policy.Published, "keep-published", true, "keep every version that was published")
	f.BoolVar(&o.Policy.Labelled, "keep-labelled", true, "keep pins with a label")
	f.StringVar(&guard, "guard", "24h", "keep everything younger than this `age`")
	f.StringVar(&grace, "grace", "90d", "keep deleted courses, and what belongs to none, for this `age`")
	f.StringArrayVar(&o.Courses, "course", nil, "prune this `course` or library alone; once for each")
	f.StringArrayVar(&o.Orgs, "org", nil, "prune the courses of this `organization` alone; once for each")
	f.StringArrayVar(&o.Ignore, "ignore", nil, "leave this `course` or structure alone; once for each")
	f.BoolVar(&o.WithoutContent, "without-content", false, "do not read the content of what stays; libraries and definitions are left alone then")
	f.BoolVar(&o.Headless, "force-headless", false, "plan for a database in which no course has a head")
	f.BoolVar(&compat, "compat", false, "make the plan of Open edX's structures.py")
	f.IntVar(&retain, "retain", 2, "with --compat: predecessors of each head to keep")
	f.BoolVar(&ignoreMissing, "ignore-missing", false, "with --compat: pass over structures that are missing")
	f.StringVar(&details, "details", "", "with --compat: `file` for its details")
	return cmd
}

// hours reads an age like 24h or 90d.
func hours(text, flag string) (time.Duration, error) {
	p, err := own.ParsePeriod(text)
	if err != nil {
		return 0, withThing(err, flag)
	}
	now := time.Now().UTC()
	if age := now.Sub(p.Before(now)); age > 0 {
		return age, nil
	}
	return 0, usage(flag, "it must be longer than nothing")
}

func (c *cli) planCompat(ctx context.Context, db prune.Reader, retain int, ignore bool, out, details string, progress prune.Progress) error {
	g, err := prune.ReadGraph(ctx, db, progress)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	p, err := prune.Compat(g, retain, ignore, &text)
	if err != nil {
		return err
	}
	if details != "" && !c.global.dryRun {
		if err := os.WriteFile(details, text.Bytes(), 0o600); err != nil {
			return fault.Errorf(fault.Unavailable, details, "%w", err)
		}
	}
	plan, err := p.Text()
	if err != nil {
		return err
	}
	if out != "" && !c.global.dryRun {
		if err := os.WriteFile(out, plan, 0o600); err != nil {
			return fault.Errorf(fault.Unavailable, out, "%w", err)
		}
		return nil
	}
	_, err = io.Copy(c.env.Stdout, bytes.NewReader(append(plan, '\n')))
	return err
}

func (c *cli) splitShowCommand() *cobra.Command {
	return &cobra.Command{
		Use: "show PLAN.json", Short: "Show what a plan keeps, why, and what goes", Args: cobra.ExactArgs(1),
		Example: `  lectern split prune show plan.json`,
		RunE: func(_ *cobra.Command, args []string) error {
			p, err := prune.Open(args[0])
			if err != nil {
				return err
			}
			return c.print(splitPlan{Plan: *p, File: &args[0], detail: true})
		},
	}
}

func (c *cli) splitApplyCommand() *cobra.Command {
	var site app.OldSite
	var o prune.ApplyOptions
	var write, compat bool
	var restorable, lms, signers string
	cmd := &cobra.Command{
		Use:   "apply PLAN.json mongodb://… --archive FOLDER --write",
		Short: "Carry out a plan on a server",
		Args:  cobra.ExactArgs(2),
		Long: `Apply removes what a plan says from a foreign database, so it asks for --write and --yes. Before each batch is deleted it is
copied into the archive, and the heads of all courses are asked for before and after: a course that has moved since the plan is skipped,
and what became needed in between is put back. After an interruption run it again with the same archive: it goes on.

SIGUSR1 makes it pause before the next batch, and go on.`,
		Example: `  lectern split prune apply plan.json mongodb://writer@mongo.example/edxapp --archive pruned-1/ --write --yes`,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			site.Source = args[1]
			if o.Archive == "" {
				return usage("--archive", "what is removed needs a folder").WithNext("write: " + cmd.UseLine())
			}
			if o.Restorable, err = hours(restorable, "--restorable"); err != nil {
				return err
			}
			if signers != "" {
				if compat {
					return usage("--signed-by", "a plan of structures.py has no signature")
				}
				if o.SignedBy, err = prune.ReadVerifiers(signers); err != nil {
					return err
				}
			}
			var plan *prune.Plan
			var tool *prune.CompatPlan
			what := ""
			if compat {
				if tool, err = readTool(args[0]); err != nil {
					return err
				}
				what = fmt.Sprintf("remove %d structures and link %d anew", len(tool.Delete), len(tool.UpdateParents))
			} else {
				if plan, err = prune.Open(args[0]); err != nil {
					return err
				}
				if err := plan.CheckSigner(o.SignedBy); err != nil {
					return err
				}
				what = fmt.Sprintf("remove %d structures and %d definitions", plan.Remove, plan.Definitions.Remove)
			}
			if !write || c.global.dryRun {
				return fault.Errorf(fault.Refused, site.String(), "it would %s from a database that is not Lectern's", what).WithNext("add --write and --yes to do it")
			}
			if err := c.confirm(site.String(), what); err != nil {
				return err
			}
			db, done, err := app.SplitDatabase(cmd.Context(), site)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, done()) }()
			meter, progress := c.progress()
			defer meter.end()
			pause, end := pauses()
			defer end()
			o.Progress, o.Pause, o.By = prune.Progress(progress), pause, c.who()
			var r *prune.Result
			err = withLMS(cmd.Context(), lms, func(lms prune.Registry) (err error) {
				if o.Registry = lms; compat {
					r, err = prune.ApplyCompat(cmd.Context(), db, tool, o)
				} else {
					r, err = prune.Apply(cmd.Context(), db, plan, o)
				}
				return err
			})
			meter.end()
			if err != nil {
				return err
			}
			return c.print(splitPruned{*r})
		},
	}
	splitSource(cmd, &site)
	f := cmd.Flags()
	f.StringVar(&o.Archive, "archive", "", "`folder` for what is removed; the same one to go on")
	f.BoolVar(&write, "write", false, "write to a database that is not Lectern's")
	f.StringVar(&lms, "lms", "", "`URL` of the LMS's database, which is asked again beside each batch; needed where the plan was made with it")
	f.StringVar(&signers, "signed-by", "", "`file` with the public keys in PEM of those who may sign plans: refuse any other plan")
	f.BoolVar(&compat, "compat", false, "PLAN.json is one of structures.py, or of plan --compat")
	f.StringVar(&restorable, "restorable", "30d", "`period` for which undo can put everything back")
	f.Int64Var(&o.Rate, "rate", 0, "delete at most so many `bytes` a second (default: by how fast the server answers)")
	f.IntVar(&o.Batch, "batch", 200, "delete `N` documents at once, at most 1000")
	return cmd
}

func readTool(path string) (p *prune.CompatPlan, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fault.Errorf(fault.NotFound, path, "%w", err).WithNext("make a plan with: lectern split prune plan --compat")
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return prune.ReadCompat(f, path)
}

func (c *cli) splitUndoCommand() *cobra.Command {
	var site app.OldSite
	var write bool
	cmd := &cobra.Command{
		Use:   "undo FOLDER mongodb://… --write",
		Short: "Put back everything that is in an archive",
		Long: `Undo puts back what apply removed with this archive, as long as its time has not run out. What is there again stays as it is.
It may be run again after an interruption.`,
		Args: cobra.ExactArgs(2), Example: `  lectern split prune undo pruned-1/ mongodb://writer@mongo.example/edxapp --write`,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			site.Source = args[1]
			if !write || c.global.dryRun {
				return fault.Errorf(fault.Refused, site.String(), "it would write to a database that is not Lectern's").WithNext("add --write to do it")
			}
			db, done, err := app.SplitDatabase(cmd.Context(), site)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, done()) }()
			meter, progress := c.progress()
			defer meter.end()
			u, err := prune.Undo(cmd.Context(), db, args[0], c.who(), time.Now(), prune.Progress(progress))
			meter.end()
			if err != nil {
				return err
			}
			return c.print(splitRestored{*u})
		},
	}
	splitSource(cmd, &site)
	cmd.Flags().BoolVar(&write, "write", false, "write to a database that is not Lectern's")
	return cmd
}

func (c *cli) splitExpireCommand() *cobra.Command {
	var o prune.ExpireOptions
	var after string
	cmd := &cobra.Command{
		Use:   "expire FOLDER…",
		Short: "Remove the archives whose time to restore is over",
		Long: `Expire removes the documents from archives that apply made, once the time of apply's --restorable is over, and that of --after. What was
pruned can not be put back from then on. The ledger and the audit log of each archive stay. An archive in which apply or undo was stopped
stays too, until that has gone on to its end. FOLDER is an archive, or has some right in it.`,
		Args: cobra.MinimumNArgs(1),
		Example: `  lectern split prune expire pruned-1/ --dry-run
  lectern split prune expire /backup/pruned/ --after 60d --yes`,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if after != "" {
				if o.After, err = hours(after, "--after"); err != nil {
					return err
				}
			}
			o.By, o.Now = c.who(), time.Now()
			list, err := prune.Expire(cmd.Context(), args, o)
			if err != nil {
				return err
			}
			over := 0
			for _, a := range list {
				if a.State == prune.ArchiveOver {
					over++
				}
			}
			if !c.global.dryRun {
				if over > 0 {
					if err := c.confirm(args[0], "remove what was pruned in "+count(over, "archive", "archives")+" for good"); err != nil {
						return err
					}
				}
				o.Write = true
				if list, err = prune.Expire(cmd.Context(), args, o); err != nil {
					return err
				}
			}
			return c.print(splitExpired{list})
		},
	}
	cmd.Flags().StringVar(&after, "after", "", "`period` for which an archive stays when undo does not work any more")
	return cmd
}

// who is the name that goes into audit logs.
func (c *cli) who() string { return cmp.Or(c.global.user, c.env.Getenv("USER"), "operator") }
