package app

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/openlectern/lectern/content/collections"
	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/schema"
	"github.com/openlectern/lectern/schema/takeover"
)

// VerifyOptions say how closely Verify looks.
type VerifyOptions struct {
	All   bool // name every row, not only the first of each kind
	Files bool // read all media, rows and files, and compare sizes and digests
	Sums  bool // read all content tables and add them up; always done where the database is older
	// Before is what Verify found earlier, to compare with: its Sums and Foreign. It asks for Sums.
	Before *Database
}

// Verify compares a database with what it should be: its tables, its rows, the digests, and with Files the media. One of an
// earlier age is compared with what it should be at that age, and what stands in the way of a take-over is told. It
// changes nothing. Findings are no error here.
func Verify(ctx context.Context, c Config, o VerifyOptions) (*Database, error) {
	c.Write = false
	return onDatabase(ctx, c, "Verify", func(ctx context.Context, d *db.DB, found *Database) error {
		return verify(ctx, c, d, o, found)
	})
}

func verify(ctx context.Context, c Config, d *db.DB, o VerifyOptions, found *Database) error {
	st, err := schema.Recognize(ctx, d)
	if err != nil {
		return err
	}
	if st.Status == schema.Older {
		x, err := takeover.Examine(ctx, d, o.All)
		if err != nil {
			return err
		}
		found.Foreign, found.Findings = x.Foreign, append([]schema.Finding{}, x.Findings...)
	} else if err := verifyCurrent(ctx, c, d, o, found); err != nil {
		return err
	}
	return addUp(ctx, d, o, found, st.Status == schema.Older)
}

// addUp makes the sums of the tables, and compares with those of before.
func addUp(ctx context.Context, d *db.DB, o VerifyOptions, found *Database, older bool) (err error) {
	switch {
	case o.Before != nil:
		if found.Sums, err = takeover.ChecksumsLike(ctx, d, o.Before.Sums); err != nil {
			return err
		}
		found.Findings = append(found.Findings, takeover.Differences(o.Before.Sums, found.Sums)...)
		found.Findings = append(found.Findings, takeover.Severed(o.Before.Foreign, found.Foreign)...)
	case o.Sums || older:
		found.Sums, err = takeover.Checksums(ctx, d)
	}
	return err
}

// verifyCurrent verifies a database of today.
func verifyCurrent(ctx context.Context, c Config, d *db.DB, o VerifyOptions, found *Database) error {
	findings, err := schema.Verify(ctx, d, o.All)
	if err != nil {
		return err
	}
	found.Findings = append([]schema.Finding{}, findings...)
	var others []schema.Finding
	if found.Foreign, others, err = takeover.ForeignKeys(ctx, d, o.All, true); err != nil {
		return err
	}
	found.Findings = append(found.Findings, others...)
	if !readable(findings) {
		return nil
	}
	list, err := publishing.Packages(ctx, d)
	if err != nil {
		return err
	}
	a := auditor{d: d, o: o, found: found, logged: !slices.ContainsFunc(findings, func(f schema.Finding) bool { return f.Code == "lectern_missing" })}
	if o.Files {
		_, folder := c.paths()
		a.files = media.NewDir(folder)
	}
	for _, p := range list {
		if err := a.audit(ctx, p); err != nil {
			return fmt.Errorf("verify package %s: %w", p.Ref, err)
		}
	}
	return nil
}

// readable reports whether the tables are such that content can be read, for which those of permissions are not needed.
func readable(findings []schema.Finding) bool {
	for _, f := range findings {
		needless := slices.ContainsFunc(schema.Authz(), func(t *schema.Table) bool { return t.Name == f.Table })
		if (f.Code == "table_missing" || f.Code == "column_missing") && !needless {
			return false
		}
	}
	return true
}

// Repair makes rows right that follow from others, digests among them, in one transaction with every package locked, and
// then verifies. A dry run tells what it would change.
func Repair(ctx context.Context, c Config, o VerifyOptions) (*Database, error) {
	c.Write, c.Existing = true, true
	dry := c.DryRun
	return onDatabase(ctx, c, "Repair", func(ctx context.Context, d *db.DB, found *Database) error {
		if err := schema.Require(ctx, d); err != nil {
			return err
		}
		mend, err := schema.NewMend(ctx, d)
		if err != nil {
			return err
		}
		err = d.Update(ctx, func(tx *db.Tx) error {
			list, err := publishing.Packages(ctx, tx)
			if err != nil {
				return err
			}
			for _, p := range list {
				if err := publishing.Lock(ctx, tx, p.ID); err != nil {
					return err
				}
			}
			done, err := mend.Run(ctx, tx)
			found.Repaired = append([]schema.Finding{}, done...)
			for i := 0; err == nil && i < len(list); i++ {
				err = repairPackage(ctx, tx, list[i], found)
			}
			if err == nil && dry {
				err = errDryRun
			}
			return err
		})
		if err != nil && !errors.Is(err, errDryRun) {
			return err
		}
		return verify(ctx, c, d, o, found)
	})
}

// repairPackage does what takes more than SQL.
func repairPackage(ctx context.Context, tx *db.Tx, p publishing.Package, found *Database) error {
	digests, err := publishing.MendDigests(ctx, tx, p.ID)
	for _, s := range digests {
		found.Repaired = append(found.Repaired, digestFinding(p, s))
	}
	if err != nil {
		return err
	}
	unlogged, err := collections.Reconcile(ctx, tx, p.ID)
	if err != nil {
		return err
	}
	list, err := collectionFindings(ctx, tx, p, unlogged)
	found.Repaired = append(found.Repaired, list...)
	return err
}

// auditor looks at what takes more than SQL, package by package.
type auditor struct {
	d     *db.DB
	o     VerifyOptions
	files media.Files
	// logged says that there is a log of collections to compare with.
	logged bool
	found  *Database
	count  map[string]int // findings by code
}

// mostNamed is how many findings of a kind are named unless all are asked for.
const mostNamed = 20

func (a *auditor) add(f schema.Finding) {
	if a.count == nil {
		a.count = map[string]int{}
	}
	if a.count[f.Code]++; a.o.All || a.count[f.Code] <= mostNamed {
		a.found.Findings = append(a.found.Findings, f)
		return
	}
	// The last finding of the kind counts the others.
	if n := a.count[f.Code] - mostNamed; n == 1 {
		f.Key, f.Value, f.Proposed, f.Next = "", "1 more", "", "lectern db verify --all names them"
		a.found.Findings = append(a.found.Findings, f)
		return
	}
	for i := len(a.found.Findings) - 1; i >= 0; i-- {
		if l := &a.found.Findings[i]; l.Code == f.Code {
			l.Value = fmt.Sprintf("%d more", a.count[f.Code]-mostNamed)
			return
		}
	}
}

func (a *auditor) audit(ctx context.Context, p publishing.Package) error {
	return a.d.View(ctx, func(tx *db.Tx) error {
		stale, err := publishing.StaleDigests(ctx, tx, p.ID)
		if err != nil {
			return err
		}
		for _, s := range stale {
			a.add(digestFinding(p, s))
		}
		if a.logged {
			unlogged, err := collections.Unlogged(ctx, tx, p.ID)
			if err != nil {
				return err
			}
			list, err := collectionFindings(ctx, tx, p, unlogged)
			if err != nil {
				return err
			}
			for _, f := range list {
				a.add(f)
			}
		}
		if a.files == nil {
			return nil
		}
		return media.Audit(ctx, tx, a.files, p, func(w media.Wrong) error {
			a.add(mediaFinding(p, w))
			return nil
		})
	})
}

func digestFinding(p publishing.Package, s publishing.StaleDigest) schema.Finding {
	moment := "c"
	if s.Published {
		moment = "p"
	}
	f := schema.Finding{Code: "digest", Severity: schema.Error, Table: s.Table(), Key: fmt.Sprintf("%s %s %s%d", p.Ref, s.Ref, moment, s.Log),
		Value: s.Have, Proposed: s.Want, Next: "run lectern db verify --repair", Repairable: true}
	if s.Cycle {
		f.Code, f.Value, f.Proposed, f.Repairable = "cycle", "depends on itself", "no circle", false
		f.Next = "make a new version of it that does not hold what holds it"
	}
	return f
}

func collectionFindings(ctx context.Context, tx *db.Tx, p publishing.Package, list []collections.Entry) ([]schema.Finding, error) {
	var ids []publishing.EntityID
	for _, e := range list {
		ids = append(ids, e.Entity)
	}
	refs, err := publishing.EntitiesByID(ctx, tx, ids)
	if err != nil {
		return nil, err
	}
	out := make([]schema.Finding, len(list))
	for i, e := range list {
		out[i] = schema.Finding{Code: "collection_log", Severity: schema.Info, Table: collections.LogTable, Key: p.Ref + " " + e.Code,
			Value: "not logged", Proposed: string(e.Kind), Repairable: true,
			Next: "nothing has to be done: the next change of the collection logs it, and so does lectern db verify --repair"}
		if e.Entity != 0 {
			out[i].Proposed = string(e.Kind) + " " + refs[e.Entity].Ref
		}
	}
	return out, nil
}

func mediaFinding(p publishing.Package, w media.Wrong) schema.Finding {
	f := schema.Finding{Code: w.Code, Severity: schema.Error, Table: w.Table(), Key: p.Ref + " " + w.Digest + " " + w.Type.String(),
		Value: w.Have, Proposed: w.Want, Next: "put the file back from a backup of the media folder"}
	if w.Code == media.WrongUnnamed {
		f.Severity, f.Key, f.Value, f.Proposed = schema.Info, p.Ref, fmt.Sprintf("%d files", w.Files), "0 files"
		f.Next = "nothing has to be done: later writers remove what no row names"
	}
	return f
}
