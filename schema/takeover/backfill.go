package takeover

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/openlectern/lectern/db"
)

// page is how many rows a backfill reads and writes at a time.
const page = 2000

// nameCollections gives every collection without a key fifty random letters and digits, as the reference did.
func nameCollections(p *planner) {
	p.fillIn(oldCollect, fmt.Sprintf("UPDATE %s SET _key = ? WHERE id = ? -- each row in which it is NULL", p.q(oldCollect)),
		func(ctx context.Context, tx *db.Tx) error {
			ids, err := db.All(ctx, tx, "SELECT id FROM "+oldCollect+" WHERE _key IS NULL ORDER BY id", nil, db.Value[int64])
			if err != nil {
				return err
			}
			return tx.UpdateRows(ctx, oldCollect, "id", []string{"_key"}, len(ids), func(i int, v []any) {
				v[0], v[1] = ids[i], randomKey(50)
			})
		})
}

func randomKey(n int) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	b := make([]byte, n)
	for i := 0; i < n; {
		var r [64]byte
		_, _ = rand.Read(r[:]) // never fails (crypto/rand)
		for _, x := range r {
			if x &= 63; int(x) < len(letters) && i < n {
				b[i] = letters[x]
				i++
			}
		}
	}
	return string(b)
}

// logDrafts writes the change logs that lead to today's drafts: one for each version, in the order in which they came
// to be, and one for each draft that is no longer at its last version (content-migrations.md §1.3.1).
func logDrafts(p *planner) {
	p.renumber(oldP + "draftchangelog")
	p.renumber(oldP + "draftchangelogrecord")
	p.fillIn(oldP+"draftchangelog", fmt.Sprintf("INSERT INTO %s (uuid, changed_at, changed_by_id, learning_package_id) VALUES (?, ?, ?, ?) -- each version",
		p.q(oldP+"draftchangelog")), func(ctx context.Context, tx *db.Tx) error {
		packages, err := db.All(ctx, tx, "SELECT id FROM oel_publishing_learningpackage ORDER BY _key", nil, db.Value[int64])
		for _, id := range packages {
			if err == nil {
				err = logPackage(ctx, tx, id)
			}
		}
		return err
	})
	p.step.Statements = append(p.step.Statements, Statement{Table: oldP + "draftchangelogrecord", Effort: Rows, data: true, work: nothing,
		SQL: fmt.Sprintf("INSERT INTO %s (draft_change_log_id, entity_id, old_version_id, new_version_id) VALUES (?, ?, ?, ?) -- with each",
			p.q(oldP+"draftchangelogrecord"))})
}

// nothing is the work of a statement that another one's backfill sends; it is there to be shown.
func nothing(context.Context, *db.Tx) error { return nil }

// change is one change of a draft.
type change struct {
	entity  int64
	was, is *int64 // versions
	at      time.Time
	by      *int64
}

func logPackage(ctx context.Context, tx *db.Tx, id int64) error {
	last := map[int64]int64{} // entity, its version in the last log
	for after := int64(0); ; {
		var cs []change
		err := tx.Query(ctx, `SELECT v.id, v.entity_id, v.created, v.created_by_id FROM oel_publishing_publishableentityversion v
JOIN oel_publishing_publishableentity e ON e.id = v.entity_id WHERE e.learning_package_id = ? AND v.id > ? ORDER BY v.id LIMIT ?`,
			[]any{id, after, page}, func(r *db.Row) error {
				var c change
				c.is = new(int64)
				if err := r.Scan(c.is, &c.entity, &c.at, &c.by); err != nil {
					return err
				}
				if v, ok := last[c.entity]; ok {
					c.was = &v
				}
				last[c.entity], after = *c.is, *c.is
				cs = append(cs, c)
				return nil
			})
		if err != nil || len(cs) == 0 {
			if err != nil {
				return err
			}
			break
		}
		if err := logChanges(ctx, tx, id, cs); err != nil {
			return err
		}
	}
	for after := int64(0); ; {
		var cs []change
		rows := 0
		err := tx.Query(ctx, `SELECT d.entity_id, d.version_id FROM oel_publishing_draft d
JOIN oel_publishing_publishableentity e ON e.id = d.entity_id WHERE e.learning_package_id = ? AND d.entity_id > ? ORDER BY d.entity_id LIMIT ?`,
			[]any{id, after, page}, func(r *db.Row) error {
				c := change{at: tx.Now()}
				if err := r.Scan(&c.entity, &c.is); err != nil {
					return err
				}
				rows++
				after = c.entity
				v, ok := last[c.entity]
				if ok {
					c.was = &v
				}
				if ok != (c.is != nil) || ok && v != *c.is {
					cs = append(cs, c)
				}
				return nil
			})
		if err == nil {
			err = logChanges(ctx, tx, id, cs)
		}
		if err != nil || rows == 0 {
			return err
		}
	}
}

// logChanges writes a change log with one record for each change.
func logChanges(ctx context.Context, tx *db.Tx, learningPackage int64, cs []change) error {
	if len(cs) == 0 {
		return nil
	}
	ids, err := tx.InsertIDs(ctx, oldP+"draftchangelog", []string{"uuid", "changed_at", "changed_by_id", "learning_package_id"}, len(cs),
		func(i int, v []any) { v[0], v[1], v[2], v[3] = uuid.New(), cs[i].at, cs[i].by, learningPackage })
	if err != nil {
		return err
	}
	return tx.Insert(ctx, oldP+"draftchangelogrecord", []string{"draft_change_log_id", "entity_id", "old_version_id", "new_version_id"}, len(cs),
		func(i int, v []any) { v[0], v[1], v[2], v[3] = ids[i], cs[i].entity, cs[i].was, cs[i].is })
}
