package cli

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/lease"
	"github.com/openlectern/lectern/schema"
	"github.com/openlectern/lectern/schema/takeover"
)

// database is the document of the commands about databases.
type database struct {
	Engine   db.Engine        `json:"engine"`
	State    string           `json:"state"`   // of the content tables, as States.Content
	Package  string           `json:"package"` // the releases of openedx-core or openedx-learning that leave it so
	States   states           `json:"states"`
	Version  string           `json:"version"`
	Tables   map[string]int64 `json:"tables"`
	Bytes    int64            `json:"bytes"` // of the content tables and their indexes; 0 where it is not told
	Steps    []step           `json:"steps"` // of a plan, or what was done of it
	Findings []schema.Finding `json:"findings"`
	Repaired []schema.Finding `json:"repaired"` // what a repair changed, or in a dry run would
	// Of status: the tables of others that refer to content's, and who is changing the tables just now.
	References []takeover.Reference `json:"references"`
	Holder     *lease.Holder        `json:"holder"`
	// Of verify: what the content tables hold, the same before and after a take-over, and the references of content tables
	// and to them.
	Checksums   []takeover.TableSum   `json:"checksums"`
	ForeignKeys []takeover.ForeignKey `json:"foreign_keys"`

	found    *app.Database
	verified bool
	dry      bool
}

// states are the ages of the three families of tables.
type states struct {
	Content string `json:"content"`
	Catalog string `json:"catalog"`
	Authz   string `json:"authz"`
}

func newDatabase(f *app.Database) database {
	return database{
		Engine: f.Engine, State: f.Content, Package: f.Package, States: states{f.Content, f.Catalog, f.Authz}, Version: f.Version,
		Tables: f.Tables, Bytes: f.Bytes, Steps: newSteps(f.Steps), Findings: f.Findings, Repaired: f.Repaired,
		References: append([]takeover.Reference{}, f.Refer...), Holder: f.Holder, found: f,
		Checksums: append([]takeover.TableSum{}, f.Sums...), ForeignKeys: append([]takeover.ForeignKey{}, f.Foreign...),
	}
}

func (d database) text(w *textWriter) {
	w.line("%s %s", d.Engine, d.Version)
	w.line("state %s (%s): content %s, catalog %s, permissions %s", d.State, d.found.Status, d.States.Content, d.States.Catalog, d.States.Authz)
	if d.Package != "" {
		w.line("  as %s leaves it", d.Package)
	}
	if d.found.Reason != "" {
		w.line("  %s", d.found.Reason)
		w.line("  next: %s", d.found.Next)
	}
	if d.verified {
		d.verdict(w)
		return
	}
	if d.Holder != nil {
		w.line("  being changed by %s", d.Holder)
	}
	d.findings(w)
	for _, r := range d.References {
		w.line("refers to content: %s.%s to %s", plain(r.Table), plain(r.Column), r.To)
	}
	if d.Bytes > 0 {
		w.line("content takes %.1f MiB", float64(d.Bytes)/(1<<20))
	}
	empty := 0
	for _, name := range slices.Sorted(maps.Keys(d.Tables)) {
		if n := d.Tables[name]; n > 0 {
			w.row("  "+name, n)
		} else {
			empty++
		}
	}
	if empty > 0 {
		w.line("  and %s without rows", count(empty, "table", "tables"))
	}
}

// verdict lists what verifying found.
func (d database) verdict(w *textWriter) {
	if len(d.Repaired) > 0 {
		verb := "repaired"
		if d.dry {
			verb = "would repair"
		}
		for _, f := range d.Repaired {
			w.line("%s: %s: %s %s: %q becomes %q", verb, f.Code, f.Table, plain(f.Key), plain(f.Value), plain(f.Proposed))
		}
	}
	if d.found.Status == schema.Older {
		d.references(w)
	}
	for _, s := range d.Checksums {
		w.row("  "+s.Table, s.Rows, s.SHA256[:16])
	}
	if len(d.Findings) == 0 {
		w.line("all tables and rows are as they should be")
	}
	d.findings(w)
}

// references tells in a line how the foreign keys are.
func (d database) references(w *textWriter) {
	undeclared, orphans := 0, int64(0)
	for _, k := range d.ForeignKeys {
		if !k.Declared {
			undeclared++
		}
		orphans += k.Orphans
	}
	keys := count(len(d.ForeignKeys), "reference", "references")
	if undeclared == 0 && orphans == 0 {
		w.line("%s of content and to it, all declared and holding", keys)
		return
	}
	w.line("%s of content and to it, %d not declared, %s to what is not there", keys, undeclared, count(int(orphans), "row refers", "rows refer"))
}

func (d database) findings(w *textWriter) {
	for _, f := range d.Findings {
		w.line("%s: %s: %s %s: %q, should be %q", f.Severity, f.Code, f.Table, plain(f.Key), plain(f.Value), plain(f.Proposed))
		w.line("    %s", f.Next)
	}
}

func (c *cli) databaseCommand() *cobra.Command {
	return c.family("db", "Make a database, see what it is, take it over, check it",
		verb{c.onDatabase(&cobra.Command{
			Use:   "init",
			Short: "Make the tables",
			Long: `Init makes the tables of a new site in an empty database: those of Open edX for content, catalog and permissions, those
of its platform that permissions are read from, and Lectern's own beside them. To a database that Open edX made it adds Lectern's own. Where all is there it does nothing, and a database
that is neither is refused and not touched. SQLite files need no init: the first command that writes makes them.`,
			Example: `  lectern db init --db postgres://lectern:secret@localhost:5432/lectern`,
		}, app.Init), database{}},
		verb{c.onDatabase(&cobra.Command{
			Use:   "status",
			Short: "Show what a database is",
			Long: `Status tells the age of the tables, why the database cannot be used if it cannot, and how many rows there are; on a
server those of large tables are its own estimate. It reads the catalogue and Django's ledger. Findings tell what differs
from what the ledger's rows make, what would stand in the way of db migrate, and what is noticed about permissions and the
platform's tables. Whatever it finds, the status is 0.`,
			Example: `  lectern db status --json`,
		}, app.Status), database{}},
		verb{c.planCommand(), database{}},
		verb{c.migrateCommand(), database{}},
		verb{c.revertCommand(), database{}},
		verb{c.dropOwnCommand(), dropOwn{}},
		verb{c.verifyCommand(), database{}},
	)
}

func (c *cli) onDatabase(cmd *cobra.Command, do func(context.Context, app.Config) (*app.Database, error)) *cobra.Command {
	cmd.Args = cobra.NoArgs
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		found, err := do(cmd.Context(), c.config(reading))
		if err != nil {
			return err
		}
		return c.print(newDatabase(found))
	}
	return cmd
}

func (c *cli) verifyCommand() *cobra.Command {
	var o app.VerifyOptions
	var repair bool
	var against string
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Compare a database with what it should be",
		Long: `Verify compares every table with its definition, looks for rows that contradict each other, and computes every digest
again. With --files it reads all media, rows and files, and compares sizes and digests. It changes nothing. The status is
1 when something is wrong; warnings and notes alone leave it 0.

A database of an earlier age is compared with what its own age asks for: foreign keys that are missing, rows that refer to
what is not there, and contents that would stand in the way of db migrate are named. Every content table is listed with
its rows and a checksum that neither db migrate nor the engine changes. Keep the document, migrate, and compare: --against
FILE fails where a table holds something else, or a foreign key is gone. A database of today is added up with --checksums.

With --repair, rows that follow from others are made right: digests, pointers to the last record of a log, side effects
that were left out, what containers depend on, the rows that say of which type something is, the tie of a course and its
run. All of it is one transaction with every package locked, and then everything is verified again. Look with
--dry-run first: it prints exactly what would change.`,
		Example: `  lectern db verify --files
  lectern db verify --repair --dry-run
  lectern db verify --repair --yes
  lectern db verify --json > before.json
  lectern db migrate --yes
  lectern db verify --against before.json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			do := app.Verify
			if repair {
				if !c.global.yes && !c.global.dryRun {
					return fault.Errorf(fault.Refused, "database", "a repair changes rows").
						WithNext("look at what would change with --dry-run, then add --yes")
				}
				do = app.Repair
			}
			if against != "" {
				var err error
				if o.Before, err = readVerified(against); err != nil {
					return err
				}
			}
			found, err := do(cmd.Context(), c.config(reading), o)
			if err != nil {
				return err
			}
			d := newDatabase(found)
			d.verified, d.dry = true, c.global.dryRun
			if err := c.print(d); err != nil {
				return err
			}
			return differences(found.Findings)
		},
	}
	cmd.Flags().BoolVar(&o.All, "all", false, "name every row, not only the first of each kind")
	cmd.Flags().BoolVar(&o.Files, "files", false, "read all media and compare sizes and digests")
	cmd.Flags().BoolVar(&o.Sums, "checksums", false, "add every content table up")
	cmd.Flags().StringVar(&against, "against", "", "compare with a `file` that an earlier verify --json wrote")
	cmd.Flags().BoolVar(&repair, "repair", false, "make rows right that follow from others; needs --yes")
	return cmd
}

// readVerified reads the document of an earlier verify.
func readVerified(path string) (*app.Database, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fault.Errorf(fault.NotFound, path, "cannot be read: %w", err).WithNext("write it with lectern db verify --json")
	}
	var doc database
	if err := json.Unmarshal(b, &doc); err != nil {
		return nil, fault.Errorf(fault.Invalid, path, "is not a document of lectern db verify: %w", err).WithNext("write it with lectern db verify --json")
	}
	if len(doc.Checksums) == 0 {
		return nil, fault.Errorf(fault.Invalid, path, "has no checksums").WithNext("write it with lectern db verify --checksums --json")
	}
	return &app.Database{Sums: doc.Checksums, Foreign: doc.ForeignKeys}, nil
}

// differences is the failure of a database with errors in it.
func differences(findings []schema.Finding) error {
	wrong := 0
	for _, f := range findings {
		if f.Severity == schema.Error {
			wrong++
		}
	}
	if wrong == 0 {
		return nil
	}
	return fault.Errorf(fault.Invalid, "database", "%s from what it should be", count(wrong, "difference", "differences")).
		WithNext("take the step that each finding names")
}
