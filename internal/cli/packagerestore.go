package cli

import (
	"cmp"
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/content/backup"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/frugal"
)

// packageRestored is the document of a restore.
type packageRestored struct {
	*app.RestoredPackage
	Meta *backupMeta `json:"backup_metadata"`
	dry  bool
}

// backupMeta is what an archive says about its making, null when it cannot be read.
type backupMeta struct {
	backup.Meta
	CreatedAt stamp `json:"created_at"`
}

func (c *cli) packageRestored(r *app.RestoredPackage) packageRestored {
	d := packageRestored{RestoredPackage: r, dry: c.global.dryRun}
	if r.Meta != nil {
		d.Meta = &backupMeta{*r.Meta, stamp(r.Meta.CreatedAt)}
	}
	return d
}

func (d packageRestored) text(w *textWriter) {
	writeProblems(w, "error", d.Errors)
	writeProblems(w, "note", d.Warnings)
	for _, r := range d.Renamed {
		w.line("  note: %s: %q is no code: it gets the code %s", plain(r.File), r.From, plain(r.Code))
	}
	if len(d.Errors) > 0 {
		return
	}
	verb := "restored"
	if d.dry {
		verb = "would be restored"
	}
	w.line("%s %s: %s, %s, %s", plain(d.Key), verb, count(d.Containers, "container", "containers"), count(d.Components, "component", "components"),
		count(d.Collections, "collection", "collections"))
	if d.KeptAs != nil {
		w.line("  what was there is kept as %s", plain(*d.KeptAs))
	} else if d.Replaced {
		w.line("  what was there is deleted")
	}
}

// limitFlags adds the flags that bound an archive.
func limitFlags(f *pflag.FlagSet, l *backup.Limits) {
	f.Int64Var(&l.Files, "max-files", 0, "most `files` in the archive (default 900000)")
	f.Int64Var(&l.File, "max-file", 0, "most `bytes` of one file (default 50000000, of a course 2 GiB)")
	f.Int64Var(&l.Total, "max-total", 0, "most `bytes` of all files (default 64 GiB)")
}

// frugal bounds the memory of work on an archive; see there.
func (c *cli) frugal(archive string) (end func()) {
	info, err := os.Stat(archive)
	if err != nil {
		return func() {} // who opens it says so
	}
	return frugal.Begin(c.env.Getenv, info.Size())
}

func (c *cli) packageRestoreCommand() *cobra.Command {
	var o app.PackageRestore
	cmd := &cobra.Command{
		Use:   "restore FILE.zip",
		Short: "Make a learning package from an archive",
		Long: `Restore makes a learning package from an archive that this program or Open edX's lp_dump wrote, of any release. All of
it is one transaction: whatever is wrong with the archive is found first and listed with file and field, and then
nothing is changed. History begins with what was published, and then the drafts.

The package gets the archive's own key, another one with --key, or with --staged one that is made for it
(lp-restore:USER:ORG:SLUG:MILLISECONDS, as Open edX does). A key that is taken is refused, unless --replace is given:
then the archive is restored beside the package that is there and takes its key in the same transaction. The old package
is kept under the key of --keep-as, or KEY~replaced~TIME; with --delete-old --yes it is removed for good.

Keys of archives before 2026 that are no codes get one made of them, which is listed. With --strict that is an error, and
so is all else that is otherwise dropped or mended with a note; and what is published but has no draft comes back so.`,
		Args: cobra.ExactArgs(1),
		Example: `  lectern package restore tiny.zip
  lectern package restore tiny.zip --key lib:Acme:Copy --dry-run
  lectern package restore course.zip --replace`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.DeleteOld && !c.global.yes && !c.global.dryRun {
				return fault.Errorf(fault.Refused, "--delete-old", "what it deletes is gone for good").WithNext("add --yes to do it, or leave it out to keep the old package")
			}
			defer c.frugal(args[0])()
			meter, progress := c.progress()
			return c.with(cmd.Context(), making, func(a *app.App) error {
				var r *app.RestoredPackage
				err := a.Recorded(cmd.Context(), app.RestorePackageJob, cmp.Or(o.Key, filepath.Base(args[0])), progress, func(ctx context.Context, p app.Progress) (any, error) {
					o.Progress = p
					var err error
					r, err = a.RestorePackage(ctx, args[0], o)
					return r, err
				})
				meter.end()
				if err == nil || r != nil && fault.Is(err, fault.Invalid) && len(r.Errors) > 0 {
					return errors.Join(c.print(c.packageRestored(r)), err)
				}
				return err
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Key, "key", "", "`key` of the package (default the archive's own)")
	f.BoolVar(&o.Staged, "staged", false, "make a key for it; needs --as")
	f.BoolVar(&o.Strict, "strict", false, "refuse what is otherwise dropped or mended")
	f.BoolVar(&o.Replace, "replace", false, "take the place of the package that has the key")
	f.StringVar(&o.KeepAs, "keep-as", "", "`key` for the package that is replaced")
	f.BoolVar(&o.DeleteOld, "delete-old", false, "delete the package that is replaced; needs --yes")
	limitFlags(f, &o.Limits)
	return cmd
}

// packageVerified is the document of a check.
type packageVerified struct {
	*app.VerifiedPackage
	CheckedAt stamp `json:"checked_at"`
}

func (d packageVerified) text(w *textWriter) {
	writeProblems(w, "error", d.Errors)
	writeProblems(w, "note", d.Warnings)
	for _, x := range d.Differences {
		w.line("  differs: %s %s: %q in the archive, %q in %s", plain(x.Key), plain(x.Field), x.Archive, x.Found, plain(d.Against))
	}
	if d.OK() {
		w.line("%s is good: %s, %s, the same as %s", d.File, count(d.Entities, "entity", "entities"), count(d.Media, "file", "files"), plain(d.Against))
	}
	if d.SHA256 != nil {
		w.line("  sha256 %s", *d.SHA256)
	}
}

func (c *cli) packageVerifyCommand() *cobra.Command {
	var key string
	var l backup.Limits
	cmd := &cobra.Command{
		Use:   "verify FILE.zip",
		Short: "Prove that an archive restores, and as what",
		Long: `Verify restores an archive into a database of its own, which is thrown away, writes that again, and compares the two
archives: every entity, version, child, collection and byte. What is wrong, or does not come back as it is, is listed.

With --key it compares the archive with a learning package of the store instead, as that is now.`,
		Args: cobra.ExactArgs(1),
		Example: `  lectern package verify tiny.zip
  lectern package verify tiny.zip --key lib:Acme:Tiny`,
		RunE: func(cmd *cobra.Command, args []string) error {
			defer c.frugal(args[0])()
			meter, progress := c.progress()
			told := func(v *app.VerifiedPackage, err error) error {
				meter.end()
				switch {
				case err != nil && (!fault.Is(err, fault.Invalid) || v == nil || len(v.Errors) == 0):
					return err
				case err == nil && !v.OK():
					n := count(len(v.Differences), "thing differs", "things differ")
					err = fault.Errorf(fault.Invalid, args[0], "%s from %s", n, v.Against).WithNext("take another backup")
				}
				return errors.Join(c.print(packageVerified{v, stamp(v.CheckedAt)}), err)
			}
			if key == "" {
				return told(app.VerifyBackup(cmd.Context(), args[0], l, progress))
			}
			return c.with(cmd.Context(), reading, func(a *app.App) error {
				return told(a.VerifyAgainst(cmd.Context(), args[0], key, l, progress))
			})
		},
	}
	cmd.Flags().StringVar(&key, "key", "", "`key` of a package of the store to compare with")
	limitFlags(cmd.Flags(), &l)
	return cmd
}
