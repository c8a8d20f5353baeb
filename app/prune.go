package app

import (
	"context"
	"slices"
	"time"

	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/prune"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/course"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// PlanPrune plans the pruning of the packages with these refs, the keys of courses and libraries; nil means all.
func (a *App) PlanPrune(ctx context.Context, refs []string, policy prune.Policy, guard time.Duration) (plan *prune.Plan, err error) {
	for _, ref := range refs {
		if err := a.NotOld(ctx, "PlanPrune", ref); err != nil {
			return nil, err
		}
	}
	if err := a.may(ctx, "PlanPrune"); err != nil {
		return plan, err
	}
	passed, err := a.passedOver(ctx)
	if err != nil {
		return nil, err
	}
	var skipped []string
	err = a.View(ctx, func(tx *db.Tx) error {
		var pkgs []publishing.Package
		skipped = nil
		if refs == nil {
			if pkgs, err = publishing.Packages(ctx, tx); err != nil {
				return err
			}
			pkgs = slices.DeleteFunc(pkgs, func(p publishing.Package) bool {
				if !passed(p.Ref) {
					return false
				}
				skipped = append(skipped, p.Ref)
				return true
			})
		}
		seen := map[publishing.PackageID]bool{}
		for _, ref := range refs {
			p, err := publishing.PackageByRef(ctx, tx, ref)
			if fault.Is(err, fault.NotFound) {
				return fault.Errorf(fault.NotFound, ref, "there is no such course or library").WithNext("see what there is with: lectern course list")
			}
			if err != nil {
				return err
			}
			if !seen[p.ID] {
				seen[p.ID] = true
				pkgs = append(pkgs, p)
			}
		}
		prune.Sort(pkgs)
		if plan, err = prune.Make(ctx, tx, pkgs, policy, prune.Options{Labels: course.LabelledMoments, Guard: guard}); err == nil {
			plan.Skipped = skipped
		}
		return err
	})
	return plan, err
}

// ApplyPrune carries out a plan in the name of by, package after package. In a dry run each package is one transaction that
// is given up.
func (a *App) ApplyPrune(ctx context.Context, plan *prune.Plan, by string, restorable time.Duration, progress Progress) ([]prune.Result, error) {
	if err := a.may(ctx, "ApplyPrune"); err != nil {
		return nil, err
	}
	approval := prune.Approval{By: by, Restorable: restorable, Labels: course.LabelledMoments, Progress: progress}
	out := []prune.Result{}
	for i := range plan.Packages {
		k := &plan.Packages[i]
		var r *prune.Result
		var err error
		if a.dryRun {
			err = a.Update(ctx, func(tx *db.Tx) (err error) {
				within := func(_ context.Context, fn func(*db.Tx) error) error { return fn(tx) }
				r, err = prune.Apply(ctx, within, plan, k, approval)
				return err
			})
		} else {
			r, err = prune.Apply(ctx, a.Update, plan, k, approval)
		}
		if err != nil {
			return out, err
		}
		out = append(out, *r)
	}
	return out, nil
}

// UndoPrune puts back what a plan removed, all of its packages in one transaction.
func (a *App) UndoPrune(ctx context.Context, plan *prune.Plan) (out []prune.Undone, err error) {
	if err := a.may(ctx, "UndoPrune"); err != nil {
		return out, err
	}
	err = a.Update(ctx, func(tx *db.Tx) error {
		out = []prune.Undone{}
		for i := range plan.Packages {
			u, err := prune.Undo(ctx, tx, &plan.Packages[i])
			if err != nil {
				return err
			}
			out = append(out, *u)
		}
		return nil
	})
	return out, err
}

// ExpirePrune empties the trash of plans whose time has run out and removes the files that nothing names then; it returns
// how many files went.
func (a *App) ExpirePrune(ctx context.Context) (gone prune.Expired, files int, err error) {
	if err := a.may(ctx, "ExpirePrune"); err != nil {
		return gone, files, err
	}
	err = a.Update(ctx, func(tx *db.Tx) (err error) {
		gone, err = prune.Expire(ctx, tx, tx.Now())
		return err
	})
	if err == nil {
		files, err = a.Sweep(ctx, media.GuardAge)
	}
	return gone, files, err
}
