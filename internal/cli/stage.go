package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/oldcourse"
)

// stageDoc is the document of the stage of the old store's retirement.
type stageDoc struct {
	stageEntry
	// Overridden is set where the stage is that of this process, by LECTERN_LEGACY_STAGE, and not the site's.
	Overridden bool `json:"overridden"`
	// Warning is what is shown with old courses, null for nothing.
	Warning *string      `json:"warning"`
	History []stageEntry `json:"history"`
}

type stageEntry struct {
	Stage  oldcourse.Stage `json:"stage"`
	Warns  bool            `json:"warns"`
	Text   string          `json:"text"`
	Date   string          `json:"date"`
	Hidden bool            `json:"hidden"`
	Closed bool            `json:"closed"`
	At     *stamp          `json:"at"` // null where nothing was ever set
	By     *string         `json:"by"` // null for the operator of the system
}

func newStageEntry(s oldcourse.Setting) stageEntry {
	e := stageEntry{Stage: s.Stage, Warns: s.Warning, Text: s.Message, Date: s.EndsOn, Hidden: s.Hidden, Closed: s.Closed}
	if !s.At.IsZero() {
		e.At = stampOf(&s.At)
	}
	if s.By != "" {
		e.By = &s.By
	}
	return e
}

func (d stageDoc) text(w *textWriter) {
	switch {
	case d.Overridden:
		w.line("%s, by %s in this process alone", d.Stage, app.StageVariable)
	default:
		w.line("%s", d.Stage)
	}
	if d.Warning != nil {
		w.line("warning: %s", plain(*d.Warning))
	}
	if d.Hidden {
		w.line("old courses are to be left out of catalogs")
	}
	if d.Closed {
		w.line("nobody is to enrol in old courses")
	}
	for i, e := range d.History {
		if i == 0 {
			w.row("STAGE", "WARNS", "TEXT", "DATE", "SET (UTC)", "BY")
		}
		at, by := "-", "-"
		if e.At != nil {
			at = e.At.short()
		}
		if e.By != nil {
			by = *e.By
		}
		w.row(e.Stage, yesNo(e.Warns), e.Text, e.Date, at, by)
	}
}

func (c *cli) stageCommand() *cobra.Command {
	var text, date string
	var warning, hide, closed, history bool
	cmd := &cobra.Command{
		Use:   "stage [none|warn|removed]",
		Short: "Show or set at which stage the retirement of the old store is",
		Long: `Stage shows at which stage the site is with its courses of the old store, those with keys ORG/COURSE/RUN, or puts it there:

  none     nothing is said of them; so is a site that has said nothing
  warn     authoring pages show a warning, with the way to a re-run; nothing is changed under an old key here
  removed  every use of an old key is refused with the code old_mongo, whoever asks; lists, converting and what learners keep go on

Going back brings everything back, as nothing of the old store is ever written. All servers of the site go by it at once. A single
process is put at another stage by $LECTERN_LEGACY_STAGE. What each stage means for whom is in docs/oldstages.md.`,
		Args: cobra.MaximumNArgs(1),
		Example: `  lectern legacy stage warn --text "Old courses end in June. Make a re-run." --date 2027-06-30
  lectern legacy stage removed
  lectern legacy stage --history`,
		RunE: func(cmd *cobra.Command, args []string) error {
			var change app.StageChange
			flags, changes := cmd.Flags(), len(args) > 0
			if len(args) > 0 {
				s, err := oldcourse.ParseStage(args[0], args[0])
				if err != nil {
					return err
				}
				change.Stage = &s
			}
			given := func(name string) bool { changes = changes || flags.Changed(name); return flags.Changed(name) }
			if given("text") {
				change.Message = &text
			}
			if given("date") {
				change.EndsOn = &date
			}
			for name, to := range map[string]struct {
				to *(*bool)
				v  *bool
			}{"warning": {&change.Warning, &warning}, "hide": {&change.Hidden, &hide}, "close": {&change.Closed, &closed}} {
				if given(name) {
					*to.to = to.v
				}
			}
			use := reading
			if changes {
				use = writing
			}
			return c.with(cmd.Context(), use, func(a *app.App) error {
				if changes {
					set, err := a.SetLegacyStage(cmd.Context(), change)
					if err != nil || c.global.dryRun {
						return errOr(err, func() error { return c.print(c.stageOf(set, nil)) })
					}
				}
				s, err := a.LegacyStage(cmd.Context())
				if err != nil {
					return err
				}
				var past []oldcourse.Setting
				if history {
					if past, err = a.LegacyStageHistory(cmd.Context(), 100); err != nil {
						return err
					}
				}
				return c.print(c.stageOf(s, past))
			})
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&text, "text", "", "the site's own `words` for the warning; empty for the usual ones")
	fl.StringVar(&date, "date", "", "the last `day` of old courses, such as 2027-06-30")
	fl.BoolVar(&warning, "warning", true, "show a warning; --warning=false shows none")
	fl.BoolVar(&hide, "hide", false, "say that catalogs and searches are to leave old courses out")
	fl.BoolVar(&closed, "close", false, "say that nobody is to enrol in old courses any more")
	fl.BoolVar(&history, "history", false, "show the settings that there were, too")
	return cmd
}

// errOr returns the error, or what comes next.
func errOr(err error, next func() error) error {
	if err != nil {
		return err
	}
	return next()
}

func (c *cli) stageOf(s oldcourse.Setting, past []oldcourse.Setting) stageDoc {
	d := stageDoc{stageEntry: newStageEntry(s), Overridden: strings.TrimSpace(c.env.Getenv(app.StageVariable)) != "", History: make([]stageEntry, len(past))}
	if text := s.Text(); text != "" {
		d.Warning = &text
	}
	for i, p := range past {
		d.History[i] = newStageEntry(p)
	}
	return d
}
