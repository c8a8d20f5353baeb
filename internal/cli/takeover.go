package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/schema"
	"github.com/openlectern/lectern/schema/takeover"
)

// step is a step of a plan in the document.
type step struct {
	ID         string   `json:"id"` // the row of django_migrations
	SQL        []string `json:"sql"`
	Locks      string   `json:"locks"`      // whom it keeps waiting
	Rewrite    bool     `json:"rewrite"`    // copies a table
	Reversible bool     `json:"reversible"` // db revert-names leads back over it
	Estimate   float64  `json:"estimate"`   // seconds
	Took       float64  `json:"took"`       // seconds, of a rehearsal; 0 otherwise
}

func newSteps(list []app.Step) []step {
	out := make([]step, len(list))
	for i, s := range list {
		out[i] = step{s.ID, s.SQL, s.Locks, s.Rewrite, s.Reversible, s.Estimate.Round(10 * time.Millisecond).Seconds(),
			s.Took.Round(time.Millisecond).Seconds()}
	}
	return out
}

// plan is the database document as plan, migrate and revert-names print it.
type plan struct {
	database
	did  bool // the steps were carried out
	back bool // names were given back
	// rehearsed says that the steps were carried out on a copy.
	rehearsed bool
}

func (d plan) text(w *textWriter) {
	w.line("%s %s", d.Engine, d.Version)
	w.line("state %s (%s): content %s, catalog %s, permissions %s", d.State, d.found.Status, d.States.Content, d.States.Catalog, d.States.Authz)
	d.findings(w)
	switch {
	case len(d.Steps) == 0:
		w.line("nothing is to do")
		return
	case d.rehearsed:
		d.rehearsal(w)
		return
	case d.did:
		w.line("%s done", count(len(d.Steps), "step was", "steps were"))
		if d.found.Next != "" && !d.back {
			w.line("  next: %s", d.found.Next)
		}
		return
	}
	total := 0.0
	for _, s := range d.Steps {
		total += s.Estimate
		if len(s.SQL) == 1 {
			w.line("%s: a row in the ledger", s.ID)
			continue
		}
		kind := "metadata only"
		if s.Rewrite {
			kind = "copies a table"
		}
		back := "no way back"
		if s.Reversible {
			back = "reversible"
		}
		w.line("%s: about %s, %s, %s", s.ID, seconds(s.Estimate), kind, back)
		w.line("    locks: %s", s.Locks)
		for _, sql := range s.SQL {
			w.line("    %s;", sql)
		}
	}
	w.line("%s, about %s", count(len(d.Steps), "step", "steps"), seconds(total))
}

// rehearsal tells how it went.
func (d plan) rehearsal(w *textWriter) {
	const slow = 5 // steps named by themselves
	longest := slices.Clone(d.Steps)
	slices.SortStableFunc(longest, func(a, b step) int { return cmp.Compare(b.Took, a.Took) })
	total := 0.0
	for i, s := range longest {
		total += s.Took
		if i < slow {
			w.row("  "+s.ID, seconds(s.Took))
		}
	}
	if n := len(longest) - slow; n > 0 {
		w.line("  and %s that took less", count(n, "step", "steps"))
	}
	w.line("rehearsed %s on a copy, which is removed again: %s, and %s to copy", count(len(d.Steps), "step", "steps"), seconds(total), seconds(d.found.Copied.Seconds()))
	if len(d.Checksums) > 0 && !slices.ContainsFunc(d.Findings, func(f schema.Finding) bool { return f.Severity == schema.Error }) {
		w.line("all %s hold afterwards what they held before", count(len(d.Checksums), "table", "tables"))
	}
}

func seconds(s float64) string {
	if d := time.Duration(s * float64(time.Second)); d >= time.Minute {
		return d.Round(time.Second).String()
	}
	return fmt.Sprintf("%.1f s", s)
}

// takeoverFlags are the flags of plan and migrate.
type takeoverFlags struct {
	to, codes             string
	derive, catalog, rows bool
}

func (f *takeoverFlags) add(fs *pflag.FlagSet, codes string) {
	fs.StringVar(&f.to, "to", "", "stop after this `row` of openedx_content; 0003 is the last that revert-names leads back from")
	fs.StringVar(&f.codes, "codes", "", codes)
	fs.BoolVar(&f.derive, "derive-codes", false, "give containers whose key cannot be a code the proposed one")
	fs.BoolVar(&f.catalog, "catalog", false, "bring the tables of course identity, too, and fill them from the platform's courses")
	fs.BoolVar(&f.rows, "platform-rows", false, "write the rows of platform apps that Python's migrate would only note, where no Python will run")
}

func (f *takeoverFlags) options() takeover.Options {
	return takeover.Options{To: f.to, DeriveCodes: f.derive, Catalog: f.catalog, PlatformRows: f.rows, CodesFile: f.codes}
}

func (c *cli) planCommand() *cobra.Command {
	var f takeoverFlags
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Show how a database would be brought to today's tables",
		Long: `Plan prints every step with its exact SQL for this engine, whom it keeps waiting, whether it copies a table, how long it
may take by the number of rows, and whether there is a way back. It writes nothing. Contents that today's constraints
would refuse are listed with a proposal for each; the status is then 3, as db migrate would refuse. With --codes FILE the
proposed codes are written into a file to be edited, which db migrate reads.`,
		Example: `  lectern db plan --db mysql://lectern:secret@localhost/edxapp
  lectern db plan --codes codes.csv`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			found, err := app.PlanTakeover(cmd.Context(), c.config(reading), app.Takeover{Options: f.options()})
			if found == nil {
				return err
			}
			if f.codes != "" {
				if err := writeCodes(f.codes, found.Codes); err != nil {
					return err
				}
			}
			return errors.Join(c.print(plan{database: newDatabase(found)}), err)
		},
	}
	f.add(cmd.Flags(), "write a `file` of proposed codes")
	return cmd
}

func (c *cli) migrateCommand() *cobra.Command {
	var f takeoverFlags
	var t app.Takeover
	var rehearse bool
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Bring a database to today's tables, in place",
		Long: `Migrate brings the content tables, and those of permissions where there are any, of an Open edX database of any supported
age to today's, in place, without losing a row. It checks everything before the first write. Make a backup first: later
than openedx_content 0003 there is no other way back.

It can be stopped at any moment, by Ctrl-C or lectern job cancel, and goes on where it was when it is started again. One
run at a time: a row in lectern_lock says whose, and lectern job list how far it is. What others have locked it waits for
briefly and tries again, so that a site does not queue behind it. Running Python services of before openedx-core 0.43 cannot work after it.

With --rehearse all of it happens on a copy: a file beside that of SQLite, a database beside one of MySQL or MariaDB, a
schema beside that of PostgreSQL, which the user needs the right to make. It tells how long each step took, checks that
every table holds what it held, verifies what came out, and removes the copy. Nothing of the database itself is written.
The status is 1 when something was not as it should be.`,
		Example: `  lectern db migrate --rehearse
  lectern db migrate --db mysql://lectern:secret@localhost/edxapp --yes
  lectern db migrate --codes codes.csv --derive-codes --yes`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			t.Options = f.options()
			if f.codes != "" {
				var err error
				if t.Codes, err = readCodes(f.codes); err != nil {
					return err
				}
			}
			if rehearse {
				return c.rehearse(cmd.Context(), t)
			}
			// What would be refused is told before anybody is asked.
			found, err := app.PlanTakeover(cmd.Context(), c.config(reading), t)
			if err != nil || len(found.Steps) == 0 || c.global.dryRun {
				if found == nil {
					return err
				}
				return errors.Join(c.print(plan{database: newDatabase(found)}), err)
			}
			if err := c.confirm("database", fmt.Sprintf("change the tables of the database in %s; make a backup first", count(len(found.Steps), "step", "steps"))); err != nil {
				return err
			}
			meter, progress := c.progress()
			t.Progress, t.Note = progress, c.note
			warned := found.Findings
			found, err = app.Migrate(cmd.Context(), c.config(writing), t)
			meter.end()
			if found == nil || err != nil {
				return err
			}
			found.Findings = warned
			return c.print(plan{database: newDatabase(found), did: true})
		},
	}
	f.add(cmd.Flags(), "`file` of the codes that are chosen, as db plan --codes writes it")
	cmd.Flags().BoolVar(&rehearse, "rehearse", false, "carry it out on a copy, and remove that again")
	waitFlags(cmd.Flags(), &t)
	return cmd
}

// rehearse migrates a copy.
func (c *cli) rehearse(ctx context.Context, t app.Takeover) error {
	meter, progress := c.progress()
	t.Progress, t.Note = progress, c.note
	found, err := app.Rehearse(ctx, c.config(reading), t)
	meter.end()
	if found == nil {
		return err
	}
	if err := errors.Join(c.print(plan{database: newDatabase(found), rehearsed: err == nil}), err); err != nil {
		return err
	}
	return differences(found.Findings)
}

func waitFlags(fs *pflag.FlagSet, t *app.Takeover) {
	fs.DurationVar(&t.LockTimeout, "lock-timeout", 5*time.Second, "how long one attempt waits for what others have locked")
	fs.BoolVar(&t.Wait, "wait", false, "wait for another run to end instead of being refused")
}

func (c *cli) revertCommand() *cobra.Command {
	var t app.Takeover
	cmd := &cobra.Command{
		Use:   "revert-names",
		Short: "Give the tables their names of before the merge again",
		Long: `Revert-names takes back what the rows 0002 and 0003 of openedx_content stand for: the tables, an index and a column get
their old names, and the rows go, with those of platform apps that follow them. No table of the platform is touched. It
works as long as no later row is there, which db migrate --to 0003 sees to; past that it refuses.`,
		Example: `  lectern db migrate --to 0003 --yes
  lectern db revert-names --yes`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dry := c.config(reading)
			dry.DryRun = true
			found, err := app.RevertNames(cmd.Context(), dry, t)
			if err != nil || len(found.Steps) == 0 || c.global.dryRun {
				if found == nil {
					return err
				}
				return errors.Join(c.print(plan{database: newDatabase(found), back: true}), err)
			}
			if err := c.confirm("database", "give the content tables their old names"); err != nil {
				return err
			}
			t.Note = c.note
			if found, err = app.RevertNames(cmd.Context(), c.config(writing), t); err != nil {
				return err
			}
			return c.print(plan{database: newDatabase(found), did: true, back: true})
		},
	}
	waitFlags(cmd.Flags(), &t)
	return cmd
}

// note tells of what keeps a command waiting.
func (c *cli) note(text string) {
	if !c.global.quiet && (!c.global.json || isTerminal(c.env.Stderr)) {
		fmt.Fprintln(c.env.Stderr, text)
	}
}

func readCodes(path string) (list []takeover.Code, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fault.Errorf(fault.NotFound, path, "cannot be read: %w", err).WithNext("write it with lectern db plan --codes")
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return takeover.ReadCodes(f, path)
}

// writeCodes writes a file of proposed codes, the whole or nothing.
func writeCodes(path string, list []takeover.Code) error {
	var b strings.Builder
	if err := takeover.WriteCodes(io.Writer(&b), list); err != nil {
		return err
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o666); err != nil {
		return fault.Errorf(fault.Unavailable, path, "cannot be written: %w", err).WithNext("name a file in a folder that can be written")
	}
	return nil
}
