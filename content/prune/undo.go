package prune

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/content/trash"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// Undone is what [Undo] put back.
type Undone struct {
	Ref  string
	Rows int
	// Kept counts pointers that were not turned back, because editors have moved them on since.
	Kept int
}

// Undo puts back everything that a plan removed of one of its packages, under the same ids, in one transaction. Where
// editors have worked on meanwhile, what they did stays, on top of it. A plan that was not applied is fault.NotFound; one
// whose time has run out, or after which another was applied, fault.Refused; a version number that was given again by hand
// since fault.Conflict.
func Undo(ctx context.Context, tx *db.Tx, k *Package) (*Undone, error) {
	pkg, err := find(ctx, tx, k)
	if err != nil {
		return nil, err
	}
	if err := publishing.Lock(ctx, tx, pkg.ID); err != nil {
		return nil, err
	}
	r, found, err := lastRun(ctx, tx, pkg, k.Digest)
	switch {
	case err != nil:
		return nil, err
	case !found:
		return nil, fault.Errorf(fault.NotFound, k.Ref, "the plan was not applied to it, or was undone").
			WithNext("apply it with: lectern store prune apply")
	case !r.expires.After(tx.Now()):
		return nil, fault.Errorf(fault.Refused, k.Ref, "what was removed on %s could be put back until %s", stamp(r.created), stamp(r.expires)).
			WithNext("restore a backup of the database")
	}
	batches, err := db.All(ctx, tx, `SELECT DISTINCT batch FROM lectern_trash WHERE prune_id = ? ORDER BY batch DESC`, []any{r.id}, db.Value[int64])
	if err != nil {
		return nil, fmt.Errorf("trash: %w", err)
	}
	var u trash.Undo
	known := tables()
	for _, b := range batches {
		var text strings.Builder
		if err := tx.Query(ctx, `SELECT data FROM lectern_trash WHERE prune_id = ? AND batch = ? ORDER BY part`, []any{r.id, b}, func(row *db.Row) error {
			var part string
			err := row.Scan(&part)
			text.WriteString(part)
			return err
		}); err != nil {
			return nil, fmt.Errorf("trash: %w", err)
		}
		j, err := trash.Read(text.String(), known)
		if err != nil {
			return nil, err
		}
		if err := u.Take(ctx, tx, j); errors.Is(err, db.ErrDuplicate) {
			return nil, fault.Errorf(fault.Conflict, k.Ref, "something was made since in the place of what was removed: %w", err).
				WithNext("look at what was made, for example versions with numbers given by hand")
		} else if err != nil {
			return nil, err
		}
	}
	for _, sql := range []string{`DELETE FROM lectern_trash WHERE prune_id = ?`, `DELETE FROM lectern_prune WHERE id = ?`} {
		if _, err := tx.Exec(ctx, sql, r.id); err != nil {
			return nil, fmt.Errorf("empty the trash: %w", err)
		}
	}
	return &Undone{pkg.Ref, u.Rows, u.Kept}, nil
}

// Expired is what [Expire] let go.
type Expired struct {
	Plans int // packages of plans
	Files int // that the next sweep may take
}

// Expire empties the trash of plans whose time has run out. What was pruned and by whom stays known.
func Expire(ctx context.Context, tx *db.Tx, now time.Time) (Expired, error) {
	ids, err := db.All(ctx, tx, `SELECT DISTINCT p.id FROM lectern_prune p JOIN lectern_trash t ON t.prune_id = p.id WHERE p.expires <= ?`,
		[]any{now.UTC()}, db.Value[int64])
	if err != nil {
		return Expired{}, fmt.Errorf("trash: %w", err)
	}
	if _, err := db.ExecIn(ctx, tx, `DELETE FROM lectern_trash WHERE prune_id IN (?...)`, ids, nil); err != nil {
		return Expired{}, fmt.Errorf("empty the trash: %w", err)
	}
	n, err := media.Expire(ctx, tx, now)
	return Expired{len(ids), n}, err
}

// List returns the plans that were applied to a package, first to last.
func List(ctx context.Context, q db.Querier, pkg publishing.Package) ([]Applied, error) {
	list, err := runsOf(ctx, q, pkg.ID)
	if err != nil {
		return nil, err
	}
	out := make([]Applied, len(list))
	for i, r := range list {
		out[i] = Applied{pkg.UUID, pkg.Ref, r.plan, r.created, r.expires, r.finished}
	}
	return out, nil
}
