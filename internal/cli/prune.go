package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/prune"
	"github.com/openlectern/lectern/fault"
)

// prunePlan is the document of a plan.
type prunePlan struct {
	Courses  []plannedCourse `json:"courses"`
	Keep     int             `json:"keep"`   // moments
	Remove   int             `json:"remove"` // moments
	Versions int             `json:"versions"`
	Media    int             `json:"media"`
	Files    int             `json:"files"`
	Bytes    int64           `json:"bytes"`
	Made     stamp           `json:"made"`
	Policy   prune.Policy    `json:"policy"`
	Plan     *string         `json:"plan"`    // the file
	Skipped  []string        `json:"skipped"` // keys of the old store, which are passed over where it is being retired
	detail   bool
}

// plannedCourse is what a plan says of one course, library or other package.
type plannedCourse struct {
	Key      string         `json:"key"`
	Keep     []keptMoment   `json:"keep"`
	Remove   int            `json:"remove"` // moments
	Versions int            `json:"versions"`
	Media    int            `json:"media"`
	Files    int            `json:"files"`
	Bytes    int64          `json:"bytes"`
	Rows     map[string]int `json:"rows"`
}

type keptMoment struct {
	Moment string   `json:"moment"`
	At     stamp    `json:"at"`
	Why    []string `json:"why"`
}

func newPrunePlan(p *prune.Plan, path string) prunePlan {
	t := p.Totals()
	d := prunePlan{Courses: []plannedCourse{}, Keep: t.Keep, Remove: t.Remove, Versions: t.Versions, Media: t.Media, Files: t.Files,
		Bytes: t.Bytes, Made: stamp(p.Made), Policy: p.Policy}
	if path != "" {
		d.Plan = &path
	}
	d.Skipped = append([]string{}, p.Skipped...)
	for _, k := range p.Packages {
		c := plannedCourse{Key: k.Ref, Keep: make([]keptMoment, len(k.Keep)), Remove: k.Remove.Moments(), Versions: len(k.Remove.Versions),
			Media: len(k.Remove.Media), Files: k.Remove.Files, Bytes: k.Remove.Bytes, Rows: k.Remove.Rows}
		for i, m := range k.Keep {
			c.Keep[i] = keptMoment{m.Moment, stamp(m.At), m.Why}
		}
		d.Courses = append(d.Courses, c)
	}
	return d
}

func (d prunePlan) text(w *textWriter) {
	for _, key := range d.Skipped {
		w.line("passed over %s: it is of the old store", plain(key))
	}
	if len(d.Courses) == 0 {
		w.line("nothing to prune by this policy")
		return
	}
	w.row("PACKAGE", "KEEP", "REMOVE", "VERSIONS", "MEDIA", "FILES", "BYTES")
	for _, c := range d.Courses {
		w.row(c.Key, len(c.Keep), c.Remove, c.Versions, c.Media, c.Files, c.Bytes)
	}
	if len(d.Courses) > 1 {
		w.row("all", d.Keep, d.Remove, d.Versions, d.Media, d.Files, d.Bytes)
	}
	for _, c := range d.Courses {
		if !d.detail {
			break
		}
		w.line("")
		w.line("%s keeps", c.Key)
		for _, m := range c.Keep {
			w.row("  "+m.Moment, m.At.short(), strings.Join(m.Why, ", "))
		}
		w.line("%s loses rows", c.Key)
		for _, kind := range slices.Sorted(maps.Keys(c.Rows)) {
			w.row("  "+kind, c.Rows[kind])
		}
	}
	if d.Plan != nil {
		w.line("look at it with: lectern store prune show %s", *d.Plan)
		w.line("carry it out with: lectern store prune apply %s", *d.Plan)
	}
}

// pruned is the document of a plan that was applied.
type pruned struct {
	Courses  []prunedCourse `json:"courses"`
	Remove   int            `json:"remove"` // moments
	Versions int            `json:"versions"`
	Media    int            `json:"media"`
	dry      bool
}

type prunedCourse struct {
	Key          string         `json:"key"`
	Remove       int            `json:"remove"`
	Versions     int            `json:"versions"`
	Media        int            `json:"media"`
	Rows         map[string]int `json:"rows"`
	Left         []leftMoment   `json:"left"`
	LeftVersions int            `json:"left_versions"`
	LeftMedia    int            `json:"left_media"`
	Restorable   stamp          `json:"restorable_until"`
}

type leftMoment struct {
	Moment string `json:"moment"`
	Why    string `json:"why"`
}

func newPruned(list []prune.Result, dry bool) pruned {
	d := pruned{Courses: []prunedCourse{}, dry: dry}
	for _, r := range list {
		c := prunedCourse{r.Ref, r.Moments, r.Versions, r.Media, r.Rows, make([]leftMoment, len(r.Left)), r.LeftVersions, r.LeftMedia, stamp(r.Restorable)}
		for i, l := range r.Left {
			c.Left[i] = leftMoment(l)
		}
		d.Courses = append(d.Courses, c)
		d.Remove += r.Moments
		d.Versions += r.Versions
		d.Media += r.Media
	}
	return d
}

func (d pruned) text(w *textWriter) {
	did := "pruned"
	if d.dry {
		did = "would be pruned"
	}
	for _, c := range d.Courses {
		w.line("%s %s: %s", c.Key, did, list(c.Remove, "moments", c.Versions, "versions", c.Media, "media"))
		for _, l := range c.Left {
			w.line("  %s stays: %s", l.Moment, l.Why)
		}
		if c.LeftVersions+c.LeftMedia > 0 {
			w.line("  needed by now, and so left: %s", list(c.LeftVersions, "versions", c.LeftMedia, "media"))
		}
		if !d.dry {
			w.line("  can be put back until %s UTC", c.Restorable.short())
		}
	}
}

// unpruned is the document of a plan that was taken back.
type unpruned struct {
	Courses []unprunedCourse `json:"courses"`
	Rows    int              `json:"rows"`
}

type unprunedCourse struct {
	Key  string `json:"key"`
	Rows int    `json:"rows"`
}

func (d unpruned) text(w *textWriter) {
	for _, c := range d.Courses {
		w.line("%s: %s put back", c.Key, count(c.Rows, "row", "rows"))
	}
}

// emptied is the document of an emptied trash.
type emptied struct {
	Plans int `json:"plans"`
	Files int `json:"files"`
}

func (d emptied) text(w *textWriter) {
	w.line("emptied the trash of %s, removed %s", count(d.Plans, "pruned package", "pruned packages"), count(d.Files, "file", "files"))
}

func (c *cli) storeCommand() *cobra.Command {
	store := &cobra.Command{Use: "store", Short: "Look after the store as a whole"}
	store.AddCommand(c.family("prune", "Thin out history by a plan that you approve",
		verb{c.prunePlanCommand(), prunePlan{}}, verb{c.pruneShowCommand(), prunePlan{}}, verb{c.pruneApplyCommand(), pruned{}},
		verb{c.pruneUndoCommand(), unpruned{}}, verb{c.pruneExpireCommand(), emptied{}}))
	return store
}

func (c *cli) prunePlanCommand() *cobra.Command {
	var policy prune.Policy
	var within, out, guard string
	var all bool
	cmd := &cobra.Command{
		Use:   "plan [KEY…|--all] -o PLAN.json",
		Short: "Plan which moments stay and what goes, and change nothing",
		Long: `Plan writes a file that says which moments of the history stay, and why, and which go with the versions and media that
nothing else needs. Nothing is removed: look at the file, take packages out of it if you like, and apply it.

The flags add up: a moment stays when any of them keeps it. Drafts and publishes are counted by themselves; of a day, week
or month (UTC) the last one is kept. What is draft or published now always stays, with every publish and every moment that
has a label unless you say otherwise, and the drafts that a kept publish was made of.`,
		Example: `  lectern store prune plan --all --keep-within 90d --keep-weekly 8 --keep-monthly 12 -o plan.json
  lectern store prune plan ` + courses.form + ` --keep-last 10 -o plan.json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if all == (len(args) > 0) {
				return usage("--all", "name packages, or take all of them").WithNext("write: " + cmd.UseLine())
			}
			var err error
			if within != "" {
				if policy.Within, err = prune.ParsePeriod(within); err != nil {
					return withThing(err, "--keep-within")
				}
			}
			age, err := guardAge(guard)
			if err != nil {
				return err
			}
			if err := policy.Check(); err != nil {
				return err
			}
			if all {
				args = nil
			}
			return c.with(cmd.Context(), reading, func(a *app.App) error {
				plan, err := a.PlanPrune(cmd.Context(), args, policy, age)
				if err != nil {
					return err
				}
				written := ""
				if out != "" && len(plan.Packages) > 0 && !c.global.dryRun {
					if err := writePlan(plan, out); err != nil {
						return err
					}
					written = out
				}
				return c.print(newPrunePlan(plan, written))
			})
		},
	}
	f := cmd.Flags()
	f.BoolVar(&all, "all", false, "all courses, libraries and other packages")
	f.IntVar(&policy.Last, "keep-last", 0, "keep the last `N` moments")
	f.StringVar(&within, "keep-within", "", "keep what is not older than a `period` like 90d, 8w, 2y6m or 12h")
	f.IntVar(&policy.Daily, "keep-daily", 0, "keep one of each of the last `N` days")
	f.IntVar(&policy.Weekly, "keep-weekly", 0, "keep one of each of the last `N` weeks")
	f.IntVar(&policy.Monthly, "keep-monthly", 0, "keep one of each of the last `N` months")
	f.IntVar(&policy.Yearly, "keep-yearly", 0, "keep one of each of the last `N` years")
	f.BoolVar(&policy.Published, "keep-published", true, "keep every publish")
	f.BoolVar(&policy.Labelled, "keep-labelled", true, "keep every moment with a label")
	f.StringVar(&guard, "guard", "", "leave media that are younger than a `duration` (default "+time.Duration(media.GuardAge).String()+")")
	f.StringVarP(&out, "output", "o", "", "`file` to write the plan to")
	return cmd
}

// guardAge reads the age of --guard, 0 for the default.
func guardAge(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	age, err := time.ParseDuration(text)
	if err != nil || age <= 0 {
		return 0, usage("--guard", "%q is not a duration like 48h", text)
	}
	return age, nil
}

// withThing names the flag that an error is about.
func withThing(err error, thing string) error {
	var f *fault.Error
	if !errors.As(err, &f) {
		return err
	}
	named := *f
	named.Text = fmt.Sprintf("%q is %s", f.Thing, f.Text)
	named.Thing = thing
	return &named
}

// writePlan writes a plan, which takes its place when it is complete.
func writePlan(p *prune.Plan, path string) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".plan-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close(), os.Remove(f.Name()))
		}
	}()
	if err := p.Write(f); err != nil {
		return err
	}
	if err := errors.Join(f.Chmod(0o644), f.Sync()); err != nil { // for others to look at
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// readPlan reads a plan from a file.
func readPlan(path string) (p *prune.Plan, err error) {
	f, err := os.Open(path) //nolint:gosec // the user names it
	if errors.Is(err, os.ErrNotExist) {
		return nil, fault.Errorf(fault.NotFound, path, "there is no such file").WithNext("make a plan with: lectern store prune plan")
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return prune.Read(f, path)
}

func (c *cli) pruneShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "show PLAN.json",
		Short:   "Show what a plan keeps, why, and what it removes",
		Args:    cobra.ExactArgs(1),
		Example: `  lectern store prune show plan.json`,
		RunE: func(_ *cobra.Command, args []string) error {
			p, err := readPlan(args[0])
			if err != nil {
				return err
			}
			d := newPrunePlan(p, args[0])
			d.detail = true
			return c.print(d)
		},
	}
}

func (c *cli) pruneApplyCommand() *cobra.Command {
	var restorable string
	cmd := &cobra.Command{
		Use:   "apply PLAN.json",
		Short: "Carry out a plan",
		Long: `Apply removes what a plan says, in small steps beside which others can go on working. Each step asks again what is
needed: what was labelled, restored or pinned since stays, and is told. After an interruption run it again: it goes on.

What is removed lies in a trash inside the database until its time has run out, and undo puts it back.`,
		Args:    cobra.ExactArgs(1),
		Example: `  lectern store prune apply plan.json --as jo --yes`,
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := readPlan(args[0])
			if err != nil {
				return err
			}
			period, err := prune.ParsePeriod(restorable)
			if err != nil {
				return withThing(err, "--restorable")
			}
			t := p.Totals()
			if err := c.confirm(args[0], fmt.Sprintf("remove %d moments, %d versions and %d media from %s",
				t.Remove, t.Versions, t.Media, count(len(p.Packages), "package", "packages"))); err != nil {
				return err
			}
			meter, progress := c.progress()
			now := time.Now()
			return c.with(cmd.Context(), writing, func(a *app.App) error {
				var done []prune.Result
				err := a.Recorded(cmd.Context(), app.PruneJob, filepath.Base(args[0]), progress, func(ctx context.Context, progress app.Progress) (any, error) {
					var err error
					done, err = a.ApplyPrune(ctx, p, c.global.user, now.Sub(period.Before(now)), progress)
					return newPruned(done, c.global.dryRun), err
				})
				meter.end()
				if err != nil {
					return err
				}
				return c.print(newPruned(done, c.global.dryRun))
			})
		},
	}
	cmd.Flags().StringVar(&restorable, "restorable", "30d", "`period` for which undo can put everything back")
	return cmd
}

func (c *cli) pruneUndoCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "undo PLAN.json",
		Short: "Put back everything that a plan removed",
		Long: `Undo puts back what apply removed by this plan, as long as its time has not run out and no later plan was applied to the
same package. What was done since stays.`,
		Args:    cobra.ExactArgs(1),
		Example: `  lectern store prune undo plan.json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := readPlan(args[0])
			if err != nil {
				return err
			}
			return c.with(cmd.Context(), writing, func(a *app.App) error {
				d := unpruned{Courses: []unprunedCourse{}}
				err := a.Recorded(cmd.Context(), "store prune undo", filepath.Base(args[0]), nil, func(ctx context.Context, _ app.Progress) (any, error) {
					done, err := a.UndoPrune(ctx, p)
					for _, u := range done {
						d.Courses = append(d.Courses, unprunedCourse{u.Ref, u.Rows})
						d.Rows += u.Rows
					}
					return d, err
				})
				if err != nil {
					return err
				}
				return c.print(d)
			})
		},
	}
}

func (c *cli) pruneExpireCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "expire",
		Short: "Empty the trash of plans whose time has run out",
		Long: `Expire removes for good what can be put back no more, and then the media files that nothing names. Run it now and then,
for example every night.`,
		Args:    cobra.NoArgs,
		Example: `  lectern store prune expire`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd.Context(), writing, func(a *app.App) error {
				var d emptied
				err := a.Recorded(cmd.Context(), "store prune expire", "trash", nil, func(ctx context.Context, _ app.Progress) (any, error) {
					gone, files, err := a.ExpirePrune(ctx)
					d = emptied{gone.Plans, files}
					return d, err
				})
				if err != nil {
					return err
				}
				return c.print(d)
			})
		},
	}
}

// confirm asks on a terminal whether to go on; elsewhere --yes must say so.
func (c *cli) confirm(thing, what string) error {
	if c.global.yes || c.global.dryRun {
		return nil
	}
	no := fault.Errorf(fault.Refused, thing, "it would %s", what).WithNext("add --yes to do it, or --dry-run to see")
	if !isTerminal(c.env.Stdin) {
		return no
	}
	fmt.Fprintf(c.env.Stderr, "This will %s. Go on? [y/N] ", what)
	answer, err := bufio.NewReader(c.env.Stdin).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if a := strings.ToLower(strings.TrimSpace(answer)); a != "y" && a != "yes" {
		return no
	}
	return nil
}
