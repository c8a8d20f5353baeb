package publishing

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// Log is the head of a draft log or of a publish log.
type Log struct {
	Publish bool
	ID      int64
	UUID    uuid.UUID
	Package PackageID
	At      time.Time
	By      UserID
	Kind    Kind // KindOther for a log that another program made
	Message string
	Source  string
	Changes int // entities whose version changed; side effects do not count
}

// LogFilter narrows [Logs].
type LogFilter struct {
	Entities      []EntityID // only logs with a record of one of them; nil means any
	Changed       bool       // with Entities: only where the version of one of them changed, which leaves out side effects
	Limit         int        // at most so many; 0 means all
	Before        *Log       // only what comes after this one in the listing: a cursor
	OnlyDrafts    bool
	OnlyPublishes bool
}

// Logs returns draft and publish logs of a package, newest first: each kind by descending id, which is the order they were
// made in, both kinds together by time, at the same time publishes before drafts. A log that was given an earlier time than
// one before it stands where its id belongs. Without entities a page costs what it and the pages before it hold, however
// many logs there are.
func Logs(ctx context.Context, q db.Querier, pkg PackageID, f LogFilter) ([]Log, error) {
	var kinds [2]run
	for i, b := range [...]*branch{&published, &drafts} {
		if b.direct && f.OnlyDrafts || !b.direct && f.OnlyPublishes {
			continue
		}
		var err error
		if f.Entities == nil {
			kinds[i], err = b.page(ctx, q, pkg, f)
		} else {
			kinds[i].logs, err = b.logsOf(ctx, q, pkg, f)
		}
		if err != nil {
			return nil, fmt.Errorf("%s logs: %w", b.name, err)
		}
	}
	list := merge(kinds[0], kinds[1])
	if f.Entities != nil && f.Before != nil {
		list = list[place(list, *f.Before):]
	}
	if f.Limit > 0 && len(list) > f.Limit {
		list = list[:f.Limit]
	}
	if err := countChanges(ctx, q, list); err != nil {
		return nil, err
	}
	return list, nil
}

// run is logs of one kind by descending id, and the earliest time of those before them; zero where there are none.
type run struct {
	logs     []Log
	earliest time.Time
}

// time is the time by which the first log is sorted in among those of the other kind: no later than of any before it.
func (r *run) time() time.Time {
	if at := r.logs[0].At; r.earliest.IsZero() || at.Before(r.earliest) {
		return at
	}
	return r.earliest
}

func (r *run) pop() Log {
	l := r.logs[0]
	r.earliest, r.logs = r.time(), r.logs[1:]
	return l
}

// merge puts publishes and drafts together by time and keeps the order of each.
func merge(publishes, drafts run) []Log {
	list := make([]Log, 0, len(publishes.logs)+len(drafts.logs))
	for len(publishes.logs) > 0 && len(drafts.logs) > 0 {
		if publishes.time().Before(drafts.time()) {
			list = append(list, drafts.pop())
		} else {
			list = append(list, publishes.pop())
		}
	}
	return append(append(list, publishes.logs...), drafts.logs...)
}

// place returns where the logs behind another begin, which need not be in the list.
func place(list []Log, before Log) int {
	for i, l := range list {
		switch {
		case l.Publish == before.Publish && l.ID == before.ID:
			return i + 1
		case l.Publish == before.Publish && l.ID < before.ID:
			return i
		}
	}
	for i, l := range list { // it has none of its kind
		if l.At.Before(before.At) || l.At.Equal(before.At) && before.Publish {
			return i
		}
	}
	return len(list)
}

// page returns the next logs of a branch behind a cursor.
func (b *branch) page(ctx context.Context, q db.Querier, pkg PackageID, f LogFilter) (r run, err error) {
	sql, args := b.heads+` WHERE l.learning_package_id = ?`, []any{pkg}
	if f.Before != nil {
		of := &drafts
		if f.Before.Publish {
			of = &published
		}
		early, _, err := db.One(ctx, q, `SELECT MIN(`+of.time+`) FROM `+of.logs+` WHERE learning_package_id = ? AND id >= ?`,
			[]any{pkg, f.Before.ID}, db.Value[*time.Time])
		if err != nil || early == nil {
			return r, err
		}
		if b == of {
			r.earliest = *early
			sql += ` AND l.id < ?`
			args = append(args, f.Before.ID)
		} else {
			than := ` <= ?` // a publish comes before drafts of the same time
			if b.direct {
				than = ` < ?`
			}
			last, found, err := db.One(ctx, q, `SELECT id FROM `+b.logs+` WHERE learning_package_id = ? AND `+b.time+than+` ORDER BY id DESC LIMIT 1`,
				[]any{pkg, *early}, db.Value[int64])
			if err != nil || !found {
				return r, err
			}
			sql += ` AND l.id <= ?`
			args = append(args, last)
		}
	}
	sql += ` ORDER BY l.id DESC`
	if f.Limit > 0 {
		sql += ` LIMIT ?`
		args = append(args, f.Limit)
	}
	r.logs, err = db.All(ctx, q, sql, args, b.scanHead)
	return r, err
}

// logsOf returns all logs of a branch that have a record of one of some entities.
func (b *branch) logsOf(ctx context.Context, q db.Querier, pkg PackageID, f LogFilter) (list []Log, err error) {
	ids, err := logsWith(ctx, q, b, f)
	if err != nil {
		return nil, err
	}
	err = db.QueryIn(ctx, q, b.heads+` WHERE l.learning_package_id = ? AND l.id IN (?...)`, ids, []any{pkg}, func(r *db.Row) error {
		l, err := b.scanHead(r)
		list = append(list, l)
		return err
	})
	slices.SortFunc(list, func(x, y Log) int { return cmp.Compare(y.ID, x.ID) })
	return list, err
}

// logsWith returns the logs of one branch that have a record of one of the entities.
func logsWith(ctx context.Context, q db.Querier, b *branch, f LogFilter) ([]int64, error) {
	sql := `SELECT DISTINCT r.` + b.log + ` FROM ` + b.record + ` r WHERE r.entity_id IN (?...)`
	if f.Changed {
		sql += ` AND COALESCE(r.old_version_id, 0) <> COALESCE(r.new_version_id, 0)`
	}
	var ids []int64
	err := db.QueryIn(ctx, q, sql, unique(f.Entities), nil, func(r *db.Row) error {
		var id int64
		err := r.Scan(&id)
		ids = append(ids, id)
		return err
	})
	return unique(ids), err
}

// scanHead scans what b.heads selects.
func (b *branch) scanHead(r *db.Row) (Log, error) {
	var pkg int64
	var by *int64
	var kind, message, source *string
	l := Log{Publish: b.direct, Kind: KindOther}
	err := r.Scan(&l.ID, &l.UUID, &pkg, &l.At, &by, &kind, &message, &source)
	l.Package, l.By = PackageID(pkg), orZero[UserID](by)
	if kind != nil {
		l.Kind = Kind(*kind)
	}
	if message != nil {
		l.Message = *message
	}
	if source != nil {
		l.Source = *source
	}
	return l, err
}

// countChanges fills in Changes.
func countChanges(ctx context.Context, q db.Querier, list []Log) error {
	for _, b := range []*branch{&drafts, &published} {
		at := map[int64]*Log{}
		var ids []int64
		for i := range list {
			if list[i].Publish == b.direct {
				at[list[i].ID] = &list[i]
				ids = append(ids, list[i].ID)
			}
		}
		err := db.QueryIn(ctx, q, `SELECT r.`+b.log+`, COUNT(*) FROM `+b.record+` r WHERE r.`+b.log+` IN (?...)
			AND COALESCE(r.old_version_id, 0) <> COALESCE(r.new_version_id, 0) GROUP BY r.`+b.log, ids, nil, func(r *db.Row) error {
			var id, n int64
			err := r.Scan(&id, &n)
			if l := at[id]; l != nil {
				l.Changes = int(n)
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("%s logs: %w", b.name, err)
		}
	}
	return nil
}

// oneLog runs b.heads with a condition, nil when it finds none.
func oneLog(ctx context.Context, q db.Querier, b *branch, where string, args ...any) (*Log, error) {
	l, ok, err := db.One(ctx, q, b.heads+where, args, b.scanHead)
	if err != nil {
		return nil, fmt.Errorf("%s log: %w", b.name, err)
	}
	if !ok {
		return nil, nil
	}
	list := []Log{l}
	if err := countChanges(ctx, q, list); err != nil {
		return nil, err
	}
	return &list[0], nil
}

// LogByUUID returns the log of a package with this UUID, of either kind, else fault.NotFound.
func LogByUUID(ctx context.Context, q db.Querier, pkg PackageID, id uuid.UUID) (Log, error) {
	for _, b := range []*branch{&drafts, &published} {
		l, err := oneLog(ctx, q, b, ` WHERE l.uuid = ? AND l.learning_package_id = ?`, id, pkg)
		if err != nil {
			return Log{}, err
		}
		if l != nil {
			return *l, nil
		}
	}
	return Log{}, fault.Errorf(fault.NotFound, id.String(), "the learning package has no such log")
}

// LogByID returns a draft log, or with publish a publish log, by its row id, else fault.NotFound.
func LogByID(ctx context.Context, q db.Querier, publish bool, id int64) (Log, error) {
	b := &drafts
	if publish {
		b = &published
	}
	l, err := oneLog(ctx, q, b, ` WHERE l.id = ?`, id)
	if err != nil {
		return Log{}, err
	}
	if l == nil {
		return Log{}, fault.Errorf(fault.NotFound, fmt.Sprintf("%s log %d", b.name, id), "does not exist")
	}
	return *l, nil
}

// Position returns the ids of the last draft change log and the last publish log of a package, 0 where it has none.
// While they stay the same nothing in the package has changed.
func Position(ctx context.Context, q db.Querier, pkg PackageID) (change, publish int64, err error) {
	for _, of := range []struct {
		sql string
		id  *int64
	}{
		{`SELECT id FROM openedx_content_draftchangelog WHERE learning_package_id = ? ORDER BY id DESC LIMIT 1`, &change},
		{`SELECT id FROM openedx_content_publishlog WHERE learning_package_id = ? ORDER BY id DESC LIMIT 1`, &publish},
	} {
		if err := q.Query(ctx, of.sql, []any{pkg}, func(r *db.Row) error { return r.Scan(of.id) }); err != nil {
			return 0, 0, fmt.Errorf("last log: %w", err)
		}
	}
	return change, publish, nil
}

// LastPublish returns the publish log of the package with the greatest id, nil when it was never published.
func LastPublish(ctx context.Context, q db.Querier, pkg PackageID) (*Log, error) {
	return oneLog(ctx, q, &published, ` WHERE l.learning_package_id = ? ORDER BY l.id DESC LIMIT 1`, pkg)
}

// LastPublishOf returns the publish log that touched the published pointer of an entity last, side effects included;
// nil when the entity was never published.
func LastPublishOf(ctx context.Context, q db.Querier, e EntityID) (*Log, error) {
	return oneLog(ctx, q, &published, ` JOIN openedx_content_publishlogrecord r ON r.publish_log_id = l.id
		JOIN openedx_content_published p ON p.publish_log_record_id = r.id WHERE p.entity_id = ?`, e)
}

// LogRecord is a record of a stored log. Direct is nil in publish records older than the column; a draft record, which
// does not store it, is direct if the version changed.
type LogRecord struct {
	ID             RecordID
	Log            int64
	Entity         EntityID
	Ref            string
	Old, New       VersionID
	OldNum, NewNum int
	Digest         string
	Direct         *bool
}

// Records returns the records of draft logs, or with publish of publish logs, by log and record id.
func Records(ctx context.Context, q db.Querier, publish bool, logs []int64) ([]LogRecord, error) {
	b, direct := &drafts, `NULL`
	if publish {
		b, direct = &published, `r.direct`
	}
	var list []LogRecord
	err := db.QueryIn(ctx, q, `SELECT r.id, r.`+b.log+`, r.entity_id, e.entity_ref, r.old_version_id, r.new_version_id,
		o.version_num, n.version_num, r.dependencies_hash_digest, `+direct+`
		FROM `+b.record+` r
		JOIN openedx_content_publishableentity e ON e.id = r.entity_id
		LEFT JOIN openedx_content_publishableentityversion o ON o.id = r.old_version_id
		LEFT JOIN openedx_content_publishableentityversion n ON n.id = r.new_version_id
		WHERE r.`+b.log+` IN (?...)`, unique(logs), nil, func(r *db.Row) error {
		var l LogRecord
		var id, e int64
		var old, now, oldNum, newNum *int64
		err := r.Scan(&id, &l.Log, &e, &l.Ref, &old, &now, &oldNum, &newNum, &l.Digest, &l.Direct)
		l.ID, l.Entity, l.Old, l.New = RecordID(id), EntityID(e), orZero[VersionID](old), orZero[VersionID](now)
		l.OldNum, l.NewNum = int(orZero[int64](oldNum)), int(orZero[int64](newNum))
		if !publish {
			changed := l.Old != l.New
			l.Direct = &changed
		}
		list = append(list, l)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s log records: %w", b.name, err)
	}
	slices.SortFunc(list, func(a, b LogRecord) int { return cmp.Or(cmp.Compare(a.Log, b.Log), cmp.Compare(a.ID, b.ID)) })
	return list, nil
}

// SideEffects returns the edges among the records of draft logs, or with publish of publish logs, by cause and effect.
func SideEffects(ctx context.Context, q db.Querier, publish bool, logs []int64) ([]SideEffect, error) {
	b := &drafts
	if publish {
		b = &published
	}
	var list []SideEffect
	err := db.QueryIn(ctx, q, `SELECT s.cause_id, s.effect_id FROM `+b.edge+` s JOIN `+b.record+` r ON r.id = s.cause_id
		WHERE r.`+b.log+` IN (?...)`, unique(logs), nil, func(r *db.Row) error {
		var cause, effect int64
		err := r.Scan(&cause, &effect)
		list = append(list, SideEffect{RecordID(cause), RecordID(effect)})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s side effects: %w", b.name, err)
	}
	slices.SortFunc(list, compareEdges)
	return list, nil
}
