package publishing

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/openlectern/lectern/content/outbox"
	"github.com/openlectern/lectern/db"
)

// tell leaves an event about a package in the outbox (content-model.md §19). One about a log costs the same whatever the
// size of the log: see [WriteChanges].
func (u *unit) tell(ctx context.Context, tx *db.Tx, what outbox.Type, pkg PackageID, at time.Time, by UserID, log int64) error {
	title, err := u.title(ctx, tx, pkg)
	if err != nil {
		return err
	}
	return outbox.Append(ctx, tx, outbox.Event{Package: int64(pkg), Type: what, At: at, By: int64(by), Title: title, Log: log})
}

// title returns the title of a locked package, reading it once a transaction.
func (u *unit) title(ctx context.Context, tx *db.Tx, pkg PackageID) (string, error) {
	if t, ok := u.titles[pkg]; ok {
		return t, nil
	}
	t, _, err := db.One(ctx, tx, `SELECT title FROM openedx_content_learningpackage WHERE id = ?`, []any{pkg}, db.Value[string])
	if err != nil {
		return "", fmt.Errorf("package %d: %w", pkg, err)
	}
	u.titles[pkg] = t
	return t, nil
}

// LockedTitle returns the title of a package that the transaction has locked, for events of the packages above; it is
// read once a transaction.
func LockedTitle(ctx context.Context, tx *db.Tx, pkg PackageID) (string, error) {
	return unitOf(tx).title(ctx, tx, pkg)
}

// changesPage is how many records [WriteChanges] reads at a time.
const changesPage = 2000

// WriteChanges writes the changes of a draft log, or with publish of a publish log, as the JSON array that its event
// carries: one object a record, in id order, side effects included (content-model.md §19, law 76). It reads a page at a
// time, so memory does not grow with the log. found is false, and the array empty, if there is no such log any more.
func WriteChanges(ctx context.Context, q db.Querier, publish bool, log int64, w io.Writer) (found bool, err error) {
	// What was restored is what came back after another log had it: a record of an earlier one.
	b, direct, restored := &drafts, `NULL`, `CASE WHEN r.old_version_id IS NULL AND r.new_version_id IS NOT NULL
		AND EXISTS (SELECT 1 FROM openedx_content_draftchangelogrecord x WHERE x.entity_id = r.entity_id AND x.id < r.id) THEN 1 ELSE 0 END`
	if publish {
		b, direct, restored = &published, `r.direct`, `0`
	}
	stmt := `SELECT r.id, r.entity_id, o.version_num, r.old_version_id, n.version_num, r.new_version_id, ` + direct + `, ` + restored + `
		FROM ` + b.record + ` r
		LEFT JOIN openedx_content_publishableentityversion o ON o.id = r.old_version_id
		LEFT JOIN openedx_content_publishableentityversion n ON n.id = r.new_version_id
		WHERE r.` + b.log + ` = ? AND r.id > ? ORDER BY r.id LIMIT ?`
	if _, err := io.WriteString(w, "["); err != nil {
		return false, err
	}
	line, last := []byte(nil), int64(0)
	for rows := changesPage; rows == changesPage; {
		rows = 0
		err := q.Query(ctx, stmt, []any{log, last, changesPage}, func(r *db.Row) error {
			var entity, restored int64
			var oldNum, old, newNum, now *int64
			var direct *bool
			if err := r.Scan(&last, &entity, &oldNum, &old, &newNum, &now, &direct, &restored); err != nil {
				return err
			}
			line = line[:0]
			if found {
				line = append(line, ',')
			}
			found = true
			rows++
			line = strconv.AppendInt(append(line, `{"entity_id":`...), entity, 10)
			line = appendNumber(append(line, `,"old_version":`...), oldNum)
			line = appendNumber(append(line, `,"old_version_id":`...), old)
			line = appendNumber(append(line, `,"new_version":`...), newNum)
			line = appendNumber(append(line, `,"new_version_id":`...), now)
			line = append(line, `,"direct":`...)
			if direct == nil {
				line = append(line, `null`...)
			} else {
				line = strconv.AppendBool(line, *direct)
			}
			line = strconv.AppendBool(append(line, `,"restored":`...), restored != 0)
			_, err := w.Write(append(line, '}'))
			return err
		})
		if err != nil {
			return false, fmt.Errorf("changes of %s log %d: %w", b.name, log, err)
		}
	}
	if _, err := io.WriteString(w, "]"); err != nil || found {
		return found, err
	}
	l, err := oneLog(ctx, q, b, ` WHERE l.id = ?`, log) // a publish may have no records
	return l != nil, err
}

func appendNumber(b []byte, n *int64) []byte {
	if n == nil {
		return append(b, `null`...)
	}
	return strconv.AppendInt(b, *n, 10)
}

// freeze gives the events of a package that wait for delivery the changes of their logs, which are about to go.
func freeze(ctx context.Context, tx *db.Tx, pkg PackageID) error {
	list, err := outbox.Thawed(ctx, tx, int64(pkg))
	if err != nil {
		return err
	}
	for _, e := range list {
		var changes strings.Builder
		if _, err := WriteChanges(ctx, tx, e.Type == outbox.Published, e.Log, &changes); err != nil {
			return err
		}
		if err := outbox.Freeze(ctx, tx, e.ID, changes.String()); err != nil {
			return err
		}
	}
	return nil
}

// FreezeEvents gives the events of a package that wait for delivery the changes of their logs. Whoever removes records
// or versions of a package that stays calls it before, in the same transaction.
func FreezeEvents(ctx context.Context, tx *db.Tx, pkg PackageID) error {
	if err := Lock(ctx, tx, pkg); err != nil {
		return err
	}
	return freeze(ctx, tx, pkg)
}
