package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/content/backup"
	"github.com/openlectern/lectern/fault"
)

// packageCommand returns the commands about learning packages as a whole: what courses and libraries are stored in.
func (c *cli) packageCommand() *cobra.Command {
	return c.family("package", "Back up, verify and restore learning packages: courses and libraries as they are stored",
		verb{c.packageListCommand(), packages{}}, verb{c.packageBackupCommand(), backedUp{}},
		verb{c.packageRestoreCommand(), packageRestored{}}, verb{c.packageVerifyCommand(), packageVerified{}},
	)
}

// packages is the document of a list of learning packages.
type packages struct {
	Packages []listedPackage `json:"packages"`
}

type listedPackage struct {
	app.PackageSummary
	Created stamp `json:"created"`
	Updated stamp `json:"updated"`
}

func (d packages) text(w *textWriter) {
	if len(d.Packages) == 0 {
		w.line("no learning packages yet; bring one in with: lectern course import SRC, or lectern package restore FILE.zip")
		return
	}
	w.row("KEY", "TITLE", "ENTITIES", "MEDIA", "BYTES", "UPDATED")
	for _, p := range d.Packages {
		w.row(p.Key, p.Title, p.Entities, p.Media, p.Bytes, p.Updated.short())
	}
}

func (c *cli) packageListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the learning packages",
		Long: `List shows every learning package: courses, legacy libraries, libraries of Open edX, and packages that a restore kept.
Entities are the components and containers, deleted ones included; media the distinct contents of all versions.`,
		Args:    cobra.NoArgs,
		Example: `  lectern package list`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd.Context(), reading, func(a *app.App) error {
				list, err := a.Packages(cmd.Context())
				if err != nil {
					return err
				}
				d := packages{make([]listedPackage, len(list))}
				for i, p := range list {
					d.Packages[i] = listedPackage{p, stamp(p.Created), stamp(p.Updated)}
				}
				return c.print(d)
			})
		},
	}
}

// backedUp is the document of a backup. With --all it has the packages instead of the fields of one.
type backedUp struct {
	*oneBackup
	MadeAt   stamp               `json:"made_at"`
	Folder   string              `json:"folder,omitempty"`
	Packages *[]oneBackup        `json:"packages,omitempty"`
	Failed   *[]app.FailedBackup `json:"failed,omitempty"`
	Skipped  *[]string           `json:"skipped,omitempty"`
}

type oneBackup struct {
	app.BackedUp
	MadeAt stamp `json:"made_at"`
}

func (d backedUp) text(w *textWriter) {
	if d.oneBackup != nil {
		d.oneBackup.text(w)
	}
	if d.Packages == nil {
		return
	}
	for _, p := range *d.Packages {
		p.text(w)
	}
	for _, f := range *d.Failed {
		w.line("NOT backed up %s: %s", plain(f.Key), plain(f.Error))
	}
	for _, key := range *d.Skipped {
		w.line("passed over %s: it is of the old store", plain(key))
	}
	w.line("%s in %s, listed in %s", count(len(*d.Packages), "package", "packages"), d.Folder, app.ManifestName)
}

func (d oneBackup) text(w *textWriter) {
	w.line("%s: %s, %s, %d bytes, in %s", plain(d.Key), count(d.Entities, "entity", "entities"), count(d.Media, "file", "files"), d.Bytes, d.File)
	writeProblems(w, "note", d.Warnings)
	if d.SHA256 != nil {
		w.line("  sha256 %s", *d.SHA256)
	}
}

// writeProblems lists problems, or what is odd.
func writeProblems(w *textWriter, what string, list []backup.Problem) {
	for _, p := range list {
		w.line("  %s: %s", what, plain(p.String()))
	}
}

func (c *cli) packageBackupCommand() *cobra.Command {
	var out, origin string
	var all bool
	cmd := &cobra.Command{
		Use:   "backup KEY -o FILE.zip | backup --all -o FOLDER",
		Short: "Write a learning package to an archive",
		Long: `Backup writes a learning package, as it is in one moment, to a .zip of the format that Open edX's lp_dump writes and its
lp_load reads. The archive takes its place when it is complete. Equal content gives equal bytes, but for the time.

An archive holds what is drafted and what is published, with all files, and the collections; not the history before
that, nor labels or people. Courses hold things for which the format has no room: those lie beside the rest in the
folder lectern/ of the archive, and only Lectern can restore them. What another program would lose is listed.

With --all every package is written to an archive of its own in a folder, and at last manifest.json with the counts and
digests of all. A folder without manifest.json is not complete.`,
		Args: cobra.MaximumNArgs(1),
		Example: `  lectern package backup lib:Acme:Tiny -o tiny.zip
  lectern package backup course-v1:ORG+COURSE+RUN -o course.zip
  lectern package backup --all -o backups`,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case all == (len(args) == 1):
				return usage("package backup", "it takes either the key of a package or --all").WithNext("see what there is with: lectern package list")
			case out == "":
				return usage("--output", "a backup needs a place to go").WithNext("name it with -o FILE.zip, or with --all -o FOLDER")
			}
			meter, progress := c.progress()
			return c.with(cmd.Context(), reading, func(a *app.App) error {
				if all {
					var m *app.Manifest
					err := a.Recorded(cmd.Context(), app.BackupAllJob, "all packages", progress, func(ctx context.Context, p app.Progress) (any, error) {
						var err error
						m, err = a.BackupAll(ctx, out, origin, p)
						return m, err
					})
					meter.end()
					if err != nil {
						return err
					}
					return c.backedUpAll(out, m)
				}
				var b *app.BackedUp
				err := a.Recorded(cmd.Context(), app.BackupJob, args[0], progress, func(ctx context.Context, p app.Progress) (any, error) {
					var err error
					b, err = a.Backup(ctx, args[0], out, origin, p)
					return b, err
				})
				meter.end()
				if err != nil {
					return err
				}
				return c.print(backedUp{oneBackup: &oneBackup{*b, stamp(b.MadeAt)}, MadeAt: stamp(b.MadeAt)})
			})
		},
	}
	f := cmd.Flags()
	f.StringVarP(&out, "output", "o", "", "`path` to write to: a .zip, with --all a folder")
	f.BoolVar(&all, "all", false, "back up every package, into a folder")
	f.StringVar(&origin, "origin", "", "`host` name of the server, to be told in the archive")
	return cmd
}

// backedUpAll prints a manifest, and fails if a package did.
func (c *cli) backedUpAll(folder string, m *app.Manifest) error {
	list := make([]oneBackup, len(m.Packages))
	for i, p := range m.Packages {
		list[i] = oneBackup{p, stamp(p.MadeAt)}
	}
	if err := c.print(backedUp{Folder: folder, MadeAt: stamp(m.MadeAt), Packages: &list, Failed: &m.Failed, Skipped: &m.Skipped}); err != nil {
		return err
	}
	if n := len(m.Failed); n > 0 {
		return fault.Errorf(fault.Invalid, folder, "%s not backed up, such as %s", count(n, "package was", "packages were"), m.Failed[0].Key).
			WithNext("see the reasons in the document and in " + app.ManifestName)
	}
	return nil
}
