package authz

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/openlectern/lectern/db"
)

// maxChainRows is how many changed rows are worth following one by one; with more of them everything is loaded anew.
const maxChainRows = 100_000

// changesBetween returns the lists of changed rows that lead from one version of the policy to another, nil where there is
// no unbroken chain of them: a writer that knows no lists has been in between.
func changesBetween(ctx context.Context, q db.Querier, from, to uuid.UUID) ([]Change, error) {
	last, found, err := db.One(ctx, q, "SELECT version, previous, delta FROM "+changeTable+" WHERE version = ?", []any{to}, scanChange)
	if err != nil || !found {
		return nil, err
	}
	if last.Previous == from { // as nearly always
		return []Change{last}, nil
	}
	previous := map[uuid.UUID]uuid.UUID{}
	err = q.Query(ctx, "SELECT version, previous FROM "+changeTable, nil, func(r *db.Row) error {
		var version, before uuid.UUID
		err := r.Scan(&version, &before)
		previous[version] = before
		return err
	})
	if err != nil {
		return nil, err
	}
	var versions []uuid.UUID
	for at := to; at != from; {
		before, ok := previous[at]
		if !ok {
			return nil, nil
		}
		delete(previous, at) // a loop ends here
		versions = append(versions, at)
		at = before
	}
	by := make(map[uuid.UUID]Change, len(versions))
	rows := 0
	err = db.QueryIn(ctx, q, "SELECT version, previous, delta FROM "+changeTable+" WHERE version IN (?...)", versions, nil, func(r *db.Row) error {
		c, err := scanChange(r)
		if rows += len(c.Added) + len(c.Removed); rows <= maxChainRows {
			by[c.Version] = c
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	chain := make([]Change, 0, len(versions))
	for _, v := range slices.Backward(versions) {
		c, ok := by[v]
		if !ok {
			return nil, nil
		}
		chain = append(chain, c)
	}
	return chain, nil
}

func scanChange(r *db.Row) (c Change, err error) {
	var text []byte
	if err := r.Scan(&c.Version, &c.Previous, &text); err != nil {
		return c, err
	}
	var d delta
	if err := json.Unmarshal(text, &d); err != nil {
		return c, fmt.Errorf("%s %s: %w", changeTable, c.Version, err)
	}
	for _, rows := range [][][]string{d.Added, d.Removed} {
		for _, row := range rows {
			if len(row) == 0 {
				return c, fmt.Errorf("%s %s: a row without a type", changeTable, c.Version)
			}
		}
	}
	c.Added, c.Removed = d.Added, d.Removed
	return c, nil
}
