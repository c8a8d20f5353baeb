package publishing

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/openlectern/lectern/db"
)

// Moment picks one state of all entities of a package: what is draft or published now, or was after a log or at a time.
// The zero Moment is [Draft].
type Moment struct {
	published bool
	log       int64 // 0 means now, never that nothing happened yet
	at        time.Time
}

// never is the log of a moment before all logs.
const never = -1

// Draft is the drafts as they are now.
func Draft() Moment { return Moment{} }

// Published is what is published now.
func Published() Moment { return Moment{published: true} }

// AfterChange is the drafts as they were after the draft log with this id; with an id below all others, nothing.
func AfterChange(log int64) Moment { return after(false, log) }

// AfterPublish is what was published after the publish log with this id; with an id below all others, nothing.
func AfterPublish(log int64) Moment { return after(true, log) }

func after(published bool, log int64) Moment {
	if log <= 0 {
		log = never
	}
	return Moment{published: published, log: log}
}

// DraftsAt is the drafts after the last draft log of the package whose time is not after t.
func DraftsAt(t time.Time) Moment { return Moment{at: t} }

// PublishedAt is what was published after the last publish log of the package whose time is not after t.
func PublishedAt(t time.Time) Moment { return Moment{published: true, at: t} }

// Head is the version that an entity has at a moment.
type Head struct {
	Entity  EntityID
	Ref     string
	Version VersionID
	Num     int
	Title   string
}

// Heads returns the head of every entity of the package that has a live version at the moment, in entity id order. It is
// one query over the pointers, or over the index (entity, log descending) for a moment of the past, and one that asks
// whether it was pruned, which is fault.NotFound; a time costs one more.
func Heads(ctx context.Context, q db.Querier, pkg PackageID, m Moment) ([]Head, error) {
	m, err := m.resolve(ctx, q, `learning_package_id = ?`, pkg)
	if err != nil || m.log == never {
		return nil, err
	}
	var list heads
	err = q.Query(ctx, m.query(q.Engine())+` WHERE e.learning_package_id = ?`, m.args(pkg), list.scan())
	if err != nil {
		return nil, fmt.Errorf("heads: %w", err)
	}
	return list.byEntity(), nil
}

// HeadsOf is [Heads] for some entities, in id order; those without a live version are left out. For a moment given by a
// time they must be of one package.
func HeadsOf(ctx context.Context, q db.Querier, ids []EntityID, m Moment) ([]Head, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	m, err := m.resolve(ctx, q, `learning_package_id = (SELECT learning_package_id FROM openedx_content_publishableentity WHERE id = ?)`, ids[0])
	if err != nil || m.log == never {
		return nil, err
	}
	var list heads
	err = db.QueryIn(ctx, q, m.query(q.Engine())+` WHERE e.id IN (?...)`, unique(ids), m.args(), list.scan())
	if err != nil {
		return nil, fmt.Errorf("heads: %w", err)
	}
	return list.byEntity(), nil
}

// heads collects the heads of a query, in blocks: one slice that grows would be copied many times.
type heads struct {
	blocks [][]Head // all but the last are full
	n      int
}

const headBlock = 512

func (l *heads) at(i int) *Head { return &l.blocks[i/headBlock][i%headBlock] }

// scan takes the rows of a query.
func (l *heads) scan() func(*db.Row) error {
	var h Head // not in the function: where rows are scanned to is on the heap
	var e, v int64
	return func(r *db.Row) error {
		if err := r.Scan(&e, &h.Ref, &v, &h.Num, &h.Title); err != nil {
			return err
		}
		h.Entity, h.Version = EntityID(e), VersionID(v)
		if l.n%headBlock == 0 {
			l.blocks = append(l.blocks, make([]Head, 0, min(l.n, headBlock)))
		}
		last := &l.blocks[len(l.blocks)-1]
		*last = append(*last, h)
		l.n++
		return nil
	}
}

// byEntity returns the heads in the order of ids. The database is not asked for it: without an order it reads refs and
// ids out of one index. The ids of a package lie close together as a rule, so each head is put where it belongs; to
// compare them takes ten times as long.
func (l *heads) byEntity() []Head {
	if l.n == 0 {
		return nil
	}
	first, last := l.at(0).Entity, l.at(0).Entity
	for i := range l.n {
		first, last = min(first, l.at(i).Entity), max(last, l.at(i).Entity)
	}
	out := make([]Head, 0, l.n)
	if last-first >= 8*EntityID(l.n) {
		for _, b := range l.blocks {
			out = append(out, b...)
		}
		slices.SortFunc(out, func(a, b Head) int { return cmp.Compare(a.Entity, b.Entity) })
		return out
	}
	places := make([]int32, last-first+1) // by id: which it is of those read, counted from 1
	for i := range l.n {
		places[l.at(i).Entity-first] = int32(i + 1)
	}
	for _, i := range places {
		if i > 0 {
			out = append(out, *l.at(int(i - 1)))
		}
	}
	return out
}

// LogAt returns the id of the log that a moment given by a time means, 0 where nothing had happened yet.
func LogAt(ctx context.Context, q db.Querier, pkg PackageID, published bool, t time.Time) (int64, error) {
	m, err := Moment{published: published, at: t}.resolve(ctx, q, `learning_package_id = ?`, pkg)
	return max(m.log, 0), err
}

// resolve turns a time into the last log of the package not after it: that state really was. Without one that is never.
// A state that was pruned is refused.
func (m Moment) resolve(ctx context.Context, q db.Querier, of string, arg any) (Moment, error) {
	if m.at.IsZero() {
		if m.log > 0 {
			return m, removedLog(ctx, q, m.published, m.log, of, arg)
		}
		return m, nil
	}
	sql := `SELECT id FROM openedx_content_draftchangelog WHERE ` + of + ` AND changed_at <= ? ORDER BY id DESC LIMIT 1`
	if m.published {
		sql = `SELECT id FROM openedx_content_publishlog WHERE ` + of + ` AND published_at <= ? ORDER BY id DESC LIMIT 1`
	}
	id, ok, err := db.One(ctx, q, sql, []any{arg, m.at.UTC()}, db.Value[int64])
	if err != nil {
		return m, fmt.Errorf("log at a time: %w", err)
	}
	if !ok {
		id = never
	}
	return Moment{published: m.published, log: id}, removedSince(ctx, q, m.published, id, m.at, of, arg)
}

// args are the arguments of query, then more.
func (m Moment) args(more ...any) []any {
	if m.log == 0 {
		return more
	}
	return append([]any{m.log}, more...)
}

// query selects heads from entities e.
func (m Moment) query(e db.Engine) string {
	const columns = `SELECT e.id, e.entity_ref, v.id, v.version_num, v.title `
	switch {
	case m.log != 0 && m.published:
		return columns + `FROM openedx_content_publishableentity e
			JOIN openedx_content_publishlogrecord r ON ` + lastRecord(e, "openedx_content_publishlogrecord", "publish_log_id") + `
			JOIN openedx_content_publishableentityversion v ON v.id = r.new_version_id`
	case m.log != 0:
		return columns + `FROM openedx_content_publishableentity e
			JOIN openedx_content_draftchangelogrecord r ON ` + lastRecord(e, "openedx_content_draftchangelogrecord", "draft_change_log_id") + `
			JOIN openedx_content_publishableentityversion v ON v.id = r.new_version_id`
	case m.published:
		return columns + `FROM openedx_content_publishableentity e
			JOIN openedx_content_published p ON p.entity_id = e.id
			JOIN openedx_content_publishableentityversion v ON v.id = p.version_id`
	default:
		return columns + `FROM openedx_content_publishableentity e
			JOIN openedx_content_draft d ON d.entity_id = e.id
			JOIN openedx_content_publishableentityversion v ON v.id = d.version_id`
	}
}

// lastRecord holds for the last record r of entity e up to a log. MySQL is asked in other words than the rest: 9.7, when busy, takes the
// first record now and then where a subquery says ORDER BY … DESC LIMIT 1. The other engines take up to twice as long by MAX.
func lastRecord(e db.Engine, table, log string) string {
	if e == db.MySQL {
		return `r.entity_id = e.id AND r.` + log + ` = (SELECT MAX(x.` + log + `) FROM ` + table + ` x WHERE x.entity_id = e.id AND x.` + log + ` <= ?)`
	}
	return `r.id = (SELECT x.id FROM ` + table + ` x WHERE x.entity_id = e.id AND x.` + log + ` <= ? ORDER BY x.` + log + ` DESC LIMIT 1)`
}
