package prune

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/openlectern/lectern/content/components"
	"github.com/openlectern/lectern/content/containers"
	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/content/trash"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// tables are those that pruning takes rows out of.
func tables() []trash.Table {
	var all []trash.Table
	for _, of := range [][]trash.Table{publishing.TrashTables(), media.TrashTables(), components.TrashTables(), containers.TrashTables()} {
		all = append(all, of...)
	}
	return all
}

// run is the row of a plan that is applied to a package.
type run struct {
	id       int64
	plan     string
	created  time.Time
	expires  time.Time
	finished bool
}

// runs returns the plans applied to a package, in the order in which they were.
func runsOf(ctx context.Context, q db.Querier, pkg publishing.PackageID) ([]run, error) {
	list, err := db.All(ctx, q, `SELECT id, plan, created, expires, finished FROM lectern_prune WHERE learning_package_id = ? ORDER BY id`,
		[]any{pkg}, func(r *db.Row) (x run, err error) {
			var finished *time.Time
			err = r.Scan(&x.id, &x.plan, &x.created, &x.expires, &finished)
			x.finished = finished != nil
			return x, err
		})
	if err != nil {
		return nil, fmt.Errorf("plans applied: %w", err)
	}
	return list, nil
}

// lastRun returns the run of a plan on a package; it must be the last one there. found is false when there is none.
func lastRun(ctx context.Context, q db.Querier, pkg publishing.Package, plan string) (x run, found bool, err error) {
	list, err := runsOf(ctx, q, pkg.ID)
	if err != nil {
		return x, false, err
	}
	for i, r := range list {
		if r.plan != plan {
			continue
		}
		if i < len(list)-1 {
			return r, true, fault.Errorf(fault.Refused, pkg.Ref, "another plan was applied to it on %s, after this one", stamp(list[i+1].created)).
				WithNext("to go back, undo the later plan first; to prune more, make a new plan")
		}
		return r, true, nil
	}
	return x, false, nil
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") }

// find returns the package that a plan speaks of. Another one, or one that does not have the logs of the plan, is
// fault.Refused.
func find(ctx context.Context, q db.Querier, k *Package) (publishing.Package, error) {
	pkg, err := publishing.PackageByUUID(ctx, q, k.UUID)
	if fault.Is(err, fault.NotFound) {
		return pkg, fault.Errorf(fault.Refused, k.Ref, "the plan was made for another database, or the package is gone").
			WithNext("take it out of the plan, or make a new plan")
	}
	if err != nil {
		return pkg, err
	}
	for _, p := range []struct {
		publish bool
		last    Entry
	}{{false, k.Position.Change}, {true, k.Position.Publish}} {
		if p.last.ID == 0 {
			continue
		}
		log, err := publishing.LogByID(ctx, q, p.publish, p.last.ID)
		if err != nil && !fault.Is(err, fault.NotFound) {
			return pkg, err
		}
		if err != nil || log.Package != pkg.ID || log.UUID != p.last.UUID {
			return pkg, fault.Errorf(fault.Refused, k.Ref, "its entry %s is not the one that the plan was made for", Name(p.publish, p.last.ID)).
				WithNext("make a new plan")
		}
	}
	return pkg, nil
}

// partSize is how many characters of an account go into one row.
const partSize = 400_000

// keep stores the account of a batch.
func keep(ctx context.Context, tx *db.Tx, id int64, j *trash.Journal) error {
	if j.Empty() {
		return nil
	}
	text, err := j.Text()
	if err != nil {
		return err
	}
	last, _, err := db.One(ctx, tx, `SELECT COALESCE(MAX(batch), 0) FROM lectern_trash WHERE prune_id = ?`, []any{id}, db.Value[int64])
	if err != nil {
		return fmt.Errorf("trash: %w", err)
	}
	parts := (len(text) + partSize - 1) / partSize
	if err := tx.Insert(ctx, "lectern_trash", []string{"prune_id", "batch", "part", "data"}, parts, func(i int, v []any) {
		v[0], v[1], v[2], v[3] = id, last+1, int64(i), text[i*partSize:min((i+1)*partSize, len(text))]
	}); err != nil {
		return fmt.Errorf("trash: %w", err)
	}
	return nil
}

// Applied is a plan that was applied to a package.
type Applied struct {
	Package    uuid.UUID
	Ref        string
	Plan       string // digest of what the plan says of the package
	At         time.Time
	Restorable time.Time // until then
	Finished   bool
}
