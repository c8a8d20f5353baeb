package cli

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/keys"
)

const libraryForm = "lib:ORG:SLUG"

// createdLibrary is the document of a library that was made.
type createdLibrary struct{ app.CreatedLibrary }

func (d createdLibrary) text(w *textWriter) {
	w.line("created %s: %s", plain(d.Library), plain(d.Title))
}

func (c *cli) libraryCreateCommand() *cobra.Command {
	var title string
	cmd := &cobra.Command{
		Use:   "create " + libraryForm,
		Short: "Make an empty library",
		Long: `Create makes an empty library of the kind that Open edX keeps beside its courses, with units, subsections, sections and
collections of its own. Fill it from courses and legacy libraries with: lectern library migrate.`,
		Args:    cobra.ExactArgs(1),
		Example: `  lectern library create lib:Acme:Physics --title "Physics"`,
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := keys.ParseContext(args[0])
			if err != nil || !strings.HasPrefix(key.String(), "lib:") {
				return usage(args[0], "is not the key of a library").WithNext("write " + libraryForm)
			}
			return c.with(cmd.Context(), making, func(a *app.App) error {
				out, err := a.CreateLibrary(cmd.Context(), key, title)
				if err != nil {
					return err
				}
				return c.print(createdLibrary{*out})
			})
		},
	}
	cmd.Flags().StringVar(&title, "title", "", "`title` of the library (default its key)")
	return cmd
}

// migratedLibrary is the document of a migration.
type migratedLibrary struct {
	app.LibraryMigrated
	DryRun bool `json:"dry_run"`
}

func (d migratedLibrary) text(w *textWriter) {
	would := ""
	if d.DryRun {
		would = "would be "
	}
	for _, s := range d.Sources {
		if s.Failed {
			reason := s.Error
			if reason == "" {
				reason = "the task ended before"
			}
			w.line("%s: FAILED: %s", plain(s.Source), plain(reason))
			continue
		}
		w.line("%s → %s: %s%d created, %d updated, %d restored, %d unchanged, %d skipped, %d unsupported", plain(s.Source), plain(d.Target), would,
			s.Created, s.Updated, s.Restored, s.Unchanged, s.Skipped, s.Unsupported)
		if s.Collection != "" {
			w.line("  in the collection %s", plain(s.Collection))
		}
		if s.Unidentified > 0 {
			w.line("  %s left out, because no key can name them", count(s.Unidentified, "block", "blocks"))
		}
		if s.Misplaced > 0 {
			w.line("  %s in no container, because that of their parent does not take them", count(s.Misplaced, "block", "blocks"))
		}
		for _, b := range s.Blocks {
			w.line("  %s: %s: %s", plain(b.Source), b.Code, plain(b.Reason))
		}
	}
	w.line("%s", d.State)
}

func (c *cli) libraryMigrateCommand() *cobra.Command {
	m := app.LibraryMigration{Archives: true}
	var site app.OldSite
	cmd := &cobra.Command{
		Use:   "migrate SRC… --to " + libraryForm,
		Short: "Bring courses and legacy libraries into a library",
		Long: `Migrate copies what is published of courses (course-v1:…) and legacy libraries (library-v1:…) into a library. A source
that is no key is an archive or folder of a course or legacy library. With --from-site sources are courses and legacy libraries of
an old site, by the keys that legacy scan lists them under, read from its mongodump or server. Sources are read only.

Every component of a source goes into the library; with --level unit, subsection or section the containers up to that
level as well. What a library cannot hold, such as blocks with children, is listed with the reason, and the rest goes on.

What an earlier migration of the same source brought is known again, whatever it is called by now. With --repeat skip it
is left as it is, with update it becomes what it is in the source, with fork all is made once more beside it. What was
deleted in the library comes back, except with fork.

Each source is one transaction with one change log and one publish. A source that fails leaves nothing, the others go on,
and the command ends with status 4. --dry-run shows what would happen.`,
		Args: cobra.MinimumNArgs(1),
		Example: `  lectern library migrate library-v1:Acme+Old --to lib:Acme:Physics
  lectern library migrate course-v1:Acme+P1+2024 course-v1:Acme+P1+2025 --to lib:Acme:Physics --level unit --create-collections
  lectern library migrate course.tar.gz --to lib:Acme:Physics --repeat update --dry-run
  lectern library migrate --from-site dump/ library-v1:Acme+Old --to lib:Acme:Physics`,
		RunE: func(cmd *cobra.Command, args []string) error {
			m.Sources = args
			switch {
			case site.Source != "":
				m.Site = &site
			case site.Database != "" || site.Index != "":
				return usage("--from-site", "--database and --index are of an old site").WithNext("name it with --from-site")
			}
			meter, progress := c.progress()
			m.Progress = progress
			return c.with(cmd.Context(), writing, func(a *app.App) error {
				var out *app.LibraryMigrated
				err := a.Recorded(cmd.Context(), app.MigrateLibraryJob, m.Target, progress, func(ctx context.Context, p app.Progress) (any, error) {
					m.Progress = p
					var err error
					out, err = a.MigrateToLibrary(ctx, m)
					return out, err
				})
				meter.end()
				if out == nil {
					return err
				}
				if err = errors.Join(c.print(migratedLibrary{*out, c.global.dryRun}), err); err == nil && out.FailedSources() > 0 {
					err = ended(partly)
				}
				return err
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&m.Target, "to", "", "`key` of the library: "+libraryForm)
	f.StringVar(&site.Source, "from-site", "", "mongodump, or mongodb:// address, of the `site` that the sources are of")
	f.StringVar(&site.Database, "database", "", "`name` of the site's database, where there are several")
	f.StringVar(&site.Index, "index", "", "CSV `file` of the table split_modulestore_django_splitmodulestorecourseindex, or the address of the database with it")
	f.StringVar(&m.Level, "level", "component", "`level` up to which containers are made: component, unit, subsection or section")
	f.StringVar(&m.Repeat, "repeat", "skip", "what to do with what was migrated before: skip, fork or update")
	f.BoolVar(&m.KeepSlugs, "keep-slugs", false, "keep the ids of the source, instead of ids made of titles")
	f.StringArrayVar(&m.Collections, "collection", nil, "`code` of a collection of the library that everything joins; once for all sources, or once for each (\"\" for none)")
	f.BoolVar(&m.CreateCollections, "create-collections", false, "make a collection for each source that has none")
	f.StringVar(&m.Forward, "forward", "auto", "whether old references to a source lead here: yes, no, or auto where they lead nowhere yet")
	f.IntVar(&m.Limit, "limit", 0, "most `blocks` that the library may hold (default 1000; -1 for no limit)")
	f.StringSliceVar(&m.Types, "types", nil, "block `types` that the library takes (default all that are installed)")
	_ = cmd.MarkFlagRequired("to")
	return cmd
}

// libraryMigrations is the document of a list of migrations.
type libraryMigrations struct {
	Migrations []listedMigration `json:"migrations"`
}

type listedMigration struct {
	app.LibraryImport
	Created stamp `json:"created"`
}

func (d libraryMigrations) text(w *textWriter) {
	if len(d.Migrations) == 0 {
		w.line("no migrations yet; bring something into a library with: lectern library migrate")
		return
	}
	w.row("SOURCE", "TARGET", "STATE", "BLOCKS", "UNSUPPORTED", "LEVEL", "REPEAT", "FORWARDED", "BEGUN")
	for _, m := range d.Migrations {
		state, forwarded := m.State, "no"
		if m.Failed {
			state = "Failed"
		}
		if m.Forwarded {
			forwarded = "yes"
		}
		w.row(m.Source, m.Target, state, m.Blocks, m.Unsupported, m.Level, m.Repeat, forwarded, m.Created.short())
	}
}

func (c *cli) libraryMigrationsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "migrations [" + libraryForm + "]",
		Short: "List what was brought into libraries",
		Long: `Migrations lists what was brought into a library, or into all of them, the newest first: from where, with how many blocks,
and how it ended. A source is forwarded to the one migration that old references to it lead to.`,
		Args:    cobra.MaximumNArgs(1),
		Example: `  lectern library migrations lib:Acme:Physics`,
		RunE: func(cmd *cobra.Command, args []string) error {
			library := ""
			if len(args) == 1 {
				library = args[0]
				if key, err := keys.ParseContext(library); err != nil || !strings.HasPrefix(key.String(), "lib:") {
					return usage(library, "is not the key of a library").WithNext("write " + libraryForm)
				}
			}
			return c.with(cmd.Context(), reading, func(a *app.App) error {
				list, err := a.LibraryMigrations(cmd.Context(), library)
				if err != nil {
					return err
				}
				d := libraryMigrations{make([]listedMigration, len(list))}
				for i, m := range list {
					d.Migrations[i] = listedMigration{m, stamp(m.Created)}
				}
				return c.print(d)
			})
		},
	}
}
