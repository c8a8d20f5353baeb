package cli

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/flags"
	"github.com/openlectern/lectern/keys"
)

// flagState is the document of a flag, switch or sample.
type flagState struct {
	Flag      string   `json:"flag"`
	Scope     *string  `json:"scope"`     // a course key or an organization; null is everybody
	Value     *string  `json:"value"`     // on or off; null when nothing was set for this scope
	Effective string   `json:"effective"` // on or off
	Percent   *float64 `json:"percent"`   // of a sample; else null
	Rules     []string `json:"rules"`     // of a global flag: for whom it is on although it is off for everybody
	Run       *int64   `json:"run"`       // the move of roles that went with it; null without one
	Job       *int64   `json:"job"`       // the job that is to make the change; null without one
	Warnings  []string `json:"warnings"`

	moved roleRun // of that run
	end   error   // what the command ends with when it has printed this
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

func newFlagState(v app.FlagValue) flagState {
	d := flagState{Flag: v.Name, Scope: scopeOf(v.Scope), Effective: onOff(v.Effective), Percent: v.Percent, Rules: v.Rules}
	if v.Value != nil {
		value := onOff(*v.Value)
		d.Value = &value
	}
	if d.Rules == nil {
		d.Rules = []string{}
	}
	if v.Job != 0 {
		d.Job = &v.Job
	}
	d.Warnings = append([]string{}, v.Warnings...)
	return d
}

func scopeOf(s flags.Scope) *string {
	if s.Global() {
		return nil
	}
	text := s.String()
	return &text
}

func (d flagState) text(w *textWriter) {
	where, set := "everybody", "not set"
	if d.Scope != nil {
		where = *d.Scope
	}
	switch {
	case d.Percent != nil:
		w.line("%s is on %s %% of the times", plain(d.Flag), strconv.FormatFloat(*d.Percent, 'f', -1, 64))
		return
	case d.Value != nil:
		set = "set to " + *d.Value
	}
	w.line("%s is %s for %s (%s there)", plain(d.Flag), d.Effective, plain(where), set)
	for _, r := range d.Rules {
		w.line("  but on for: %s", plain(r))
	}
	for _, t := range d.Warnings {
		w.line("  warning: %s", plain(t))
	}
	if d.Job != nil {
		w.line("  job %d is to change it: lectern job show %d", *d.Job, *d.Job)
	}
	if d.moved.Status != "" {
		d.moved.text(w)
	}
}

// flagHistory is the document of a flag's history.
type flagHistory struct {
	Entries []flagEntry `json:"entries"`
}

type flagEntry struct {
	ID      int64   `json:"id"`
	At      stamp   `json:"at"`
	By      *string `json:"by"`
	Scope   string  `json:"scope"`
	Value   string  `json:"value"`
	Enabled bool    `json:"enabled"`
	Note    string  `json:"note"`
}

func (d flagHistory) text(w *textWriter) {
	if len(d.Entries) == 0 {
		w.line("no entries")
		return
	}
	w.row("ENTRY", "TIME (UTC)", "BY", "SCOPE", "VALUE", "NOTE")
	for _, e := range d.Entries {
		by, value := "-", e.Value
		if e.By != nil {
			by = *e.By
		}
		if !e.Enabled {
			value = "unset"
		}
		w.row(e.ID, e.At.short(), by, e.Scope, value, e.Note)
	}
}

// flagTarget are the flags that say which flag is meant.
type flagTarget struct {
	course, org     string
	asSwitch, share bool
}

func (t *flagTarget) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&t.course, "course", "", "`key` of the course it is for")
	f.StringVar(&t.org, "org", "", "short `name` of the organization it is for")
	f.BoolVar(&t.asSwitch, "switch", false, "it is a switch, not a flag")
	f.BoolVar(&t.share, "sample", false, "it is a sample, not a flag")
}

func (t *flagTarget) ref(name string) (f app.FlagRef, err error) {
	f.Name = name
	scoped := t.course != "" || t.org != ""
	switch {
	case t.course != "" && t.org != "":
		return f, usage("--course, --org", "a value is for one of them").WithNext("leave out one of the two")
	case t.asSwitch && t.share:
		return f, usage("--switch, --sample", "it is one of them").WithNext("leave out one of the two")
	case scoped && (t.asSwitch || t.share):
		return f, usage("--course, --org", "switches and samples are the same for everybody").WithNext("leave it out")
	case t.asSwitch:
		f.Kind = app.ASwitch
	case t.share:
		f.Kind = app.ASample
	case t.org != "":
		f.Scope, err = flags.ForOrg(t.org)
	case t.course != "":
		var key keys.Course
		if key, err = keys.ParseCourse(t.course); err != nil {
			return f, notKey(t.course, courses.one, courses.form, err)
		}
		f.Scope, err = flags.ForCourse(key)
	}
	return f, err
}

// flagVerb makes one of the commands about a flag.
func (c *cli) flagVerb(use use, cmd *cobra.Command, do func(context.Context, *app.App, app.FlagRef, []string) (document, error)) *cobra.Command {
	var t flagTarget
	t.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ref, err := t.ref(args[0])
		if err != nil {
			return err
		}
		return c.with(cmd.Context(), use, func(a *app.App) error {
			d, err := do(cmd.Context(), a, ref, args[1:])
			if err != nil {
				return err
			}
			if err := c.print(d); err != nil {
				return err
			}
			if s, ok := d.(flagState); ok {
				return s.end
			}
			return nil
		})
	}
	return cmd
}

func (c *cli) flagCommand() *cobra.Command {
	const scopes = `
A value may be for one course (--course), for one organization (--org) or, with neither, for everybody. A course's counts
before its organization's, and that before everybody's.`
	var note string
	var shift, noShift, keepGoing, background bool
	change := func(ctx context.Context, a *app.App, ref app.FlagRef, change app.FlagChange) (document, error) {
		change.Note, change.KeepGoing = note, keepGoing
		if shift || noShift {
			change.Shift = &shift
		}
		meter, progress := c.progress()
		change.Background, change.Progress = background, progress
		v, err := a.SetFlag(ctx, ref, change)
		meter.end()
		d := newFlagState(v)
		if v.Run != nil {
			if !c.global.dryRun {
				d.Run = &v.Run.ID
			}
			d.moved = newRoleRun(*v.Run, c.global.dryRun)
			d.end = partial(*v.Run)
		}
		return d, err
	}
	get := c.flagVerb(reading, &cobra.Command{
		Use: "get NAME", Short: "Show what a flag is", Args: cobra.ExactArgs(1),
		Long:    `Get shows what was set for a scope, and what a flag is there in effect.` + scopes,
		Example: `  lectern flag get authz.enable_course_authoring --course course-v1:ORG+COURSE+RUN`,
	}, func(ctx context.Context, a *app.App, ref app.FlagRef, _ []string) (document, error) {
		v, err := a.Flag(ctx, ref)
		return newFlagState(v), err
	})
	set := c.flagVerb(making, &cobra.Command{
		Use: "set NAME on|off", Short: "Turn a flag on or off", Args: cobra.ExactArgs(2),
		Long: `Set turns a flag on or off. For a course or organization it adds to the history; nothing of that is ever altered.
A sample takes a percentage as well.` + scopes + `

With the authoring flag of a course or organization roles move, in the same step, where --shift is given or
$LECTERN_AUTHZ_AUTOMATIC_MIGRATION is true: the platform's own role rows become assignments where it is turned on, and go back
where it is turned off. If a role cannot move the flag stays as it was, and a run tells why (lectern authz runs); with
--keep-going the rest moves, and the command ends with status 4. More roles than $LECTERN_AUTHZ_ONE_STEP (50000; 10000 in a
Galera cluster) move in batches, and the flag is turned in between; a command that is stopped before that has changed nothing.

Other programs may keep everybody's value, switches and samples in mind for some minutes; those of courses and organizations
they see at once.`,
		Example: `  lectern flag set authz.enable_course_authoring on --org ORG --note 'pilot'`,
	}, func(ctx context.Context, a *app.App, ref app.FlagRef, args []string) (document, error) {
		to, err := flagChange(ref, args[0])
		if err != nil {
			return nil, err
		}
		return change(ctx, a, ref, to)
	})
	unset := c.flagVerb(making, &cobra.Command{
		Use: "unset NAME", Short: "Take away what a flag was set to", Args: cobra.ExactArgs(1),
		Long: `Unset takes away what was set for a course or organization, by an entry of its own in the history, or for everybody,
which leaves a flag to its other rules (staff, percentage and so on). A switch or sample is removed.` + scopes,
		Example: `  lectern flag unset authz.enable_course_authoring --course course-v1:ORG+COURSE+RUN`,
	}, func(ctx context.Context, a *app.App, ref app.FlagRef, _ []string) (document, error) {
		return change(ctx, a, ref, app.FlagChange{Unset: true})
	})
	for _, cmd := range []*cobra.Command{set, unset} {
		f := cmd.Flags()
		f.StringVar(&note, "note", "", "`text` for the history")
		f.BoolVar(&shift, "shift", false, "move roles with the authoring flag, in the same step")
		f.BoolVar(&noShift, "no-shift", false, "move no roles, whatever $"+app.AutomaticMigration+" says")
		f.BoolVar(&keepGoing, "keep-going", false, "change the flag though some roles cannot move")
		f.BoolVar(&background, "background", false, "leave the move of very many roles to a server, as a job")
		cmd.MarkFlagsMutuallyExclusive("shift", "no-shift")
		cmd.MarkFlagsMutuallyExclusive("background", "no-shift")
	}
	history := c.flagVerb(reading, &cobra.Command{
		Use: "history NAME", Short: "List what a flag was set to, newest first", Args: cobra.ExactArgs(1),
		Long: `History lists what was set for a course or organization, with neither for all of them. What everybody has, switches
and samples have no history.`,
		Example: `  lectern flag history authz.enable_course_authoring --org ORG`,
	}, func(ctx context.Context, a *app.App, ref app.FlagRef, _ []string) (document, error) {
		rows, err := a.FlagHistory(ctx, ref)
		d := flagHistory{make([]flagEntry, len(rows))}
		for i, r := range rows {
			d.Entries[i] = flagEntry{r.ID, stamp(r.At), r.Name, r.Scope.String(), onOff(r.On), r.Enabled, r.Note}
		}
		return d, err
	})
	return c.family("flag", "Read and set feature flags of the platform", verb{get, flagState{}}, verb{set, flagState{}},
		verb{unset, flagState{}}, verb{history, flagHistory{}})
}

// flagChange reads what a flag is to be set to.
func flagChange(ref app.FlagRef, text string) (to app.FlagChange, err error) {
	switch text {
	case "on":
		to.On, to.Percent = true, 100
		return to, nil
	case "off":
		return to, nil
	}
	if ref.Kind == app.ASample {
		if to.Percent, err = strconv.ParseFloat(text, 64); err == nil && to.Percent >= 0 && to.Percent <= 100 {
			return to, nil
		}
		return to, usage(text, "a sample is on, off, or a percentage from 0 to 100")
	}
	return to, fault.Errorf(fault.Usage, text, "a flag is on or off")
}
