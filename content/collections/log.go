package collections

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
)

// What happened to a collection or to a member of it.
const (
	Made     Happening = "created"
	Edited   Happening = "changed" // title or description
	Deleted  Happening = "deleted"
	Restored Happening = "restored"
	Erased   Happening = "erased" // for good
	Added    Happening = "added"
	Removed  Happening = "removed"
)

// Happening is what an [Entry] tells of.
type Happening string

// Entry is a line of the log of a package's collections. Open edX's tables keep only what is now, so every change here
// also appends to lectern_collectionlog, in the same transaction. What another program changed is appended when it is
// noticed: by the next change of that collection here, or by [Reconcile].
type Entry struct {
	ID         int64
	Collection ID
	Code       string
	Kind       Happening
	Entity     publishing.EntityID // of Added and Removed
	Title      string              // after it, of the others
	Text       string              // the description after it, of the others
	Enabled    bool                // after it
	Noticed    bool                // another program did it, at about that time
	At         time.Time
	By         publishing.UserID
}

const entryColumns = `l.id, l.collection_id, l.collection_code, l.kind, COALESCE(l.entity_id, 0), l.title, l.description, l.enabled, l.noticed,
	l.logged_at, COALESCE(l.logged_by_id, 0)`

func scanEntry(r *db.Row) (e Entry, err error) {
	err = r.Scan(&e.ID, &e.Collection, &e.Code, &e.Kind, &e.Entity, &e.Title, &e.Text, &e.Enabled, &e.Noticed, &e.At, &e.By)
	return e, err
}

// appendLog writes entries to the log, which never goes back in time.
func appendLog(ctx context.Context, tx *db.Tx, pkg publishing.PackageID, list []Entry) error {
	if len(list) == 0 {
		return nil
	}
	if err := clamp(ctx, tx, pkg, list); err != nil {
		return err
	}
	cols := []string{"learning_package_id", "collection_id", "collection_code", "entity_id", "kind", "title", "description", "enabled",
		"noticed", "logged_at", "logged_by_id"}
	err := tx.Insert(ctx, "lectern_collectionlog", cols, len(list), func(i int, v []any) {
		e := &list[i]
		v[0], v[1], v[2], v[3], v[4] = int64(pkg), int64(e.Collection), e.Code, nil, string(e.Kind)
		if e.Entity != 0 {
			v[3] = int64(e.Entity)
		}
		v[5], v[6], v[7], v[8], v[9], v[10] = e.Title, e.Text, e.Enabled, e.Noticed, e.At, user(e.By)
	})
	if err != nil {
		return fmt.Errorf("log of collections: %w", err)
	}
	return nil
}

// entry tells of a collection as it is now.
func (c *Collection) entry(kind Happening, at time.Time, by publishing.UserID) Entry {
	return Entry{Collection: c.ID, Code: c.Code, Kind: kind, Title: c.Title, Text: c.Description, Enabled: c.Enabled, At: at, By: by}
}

// memberEntries tell of members of it.
func (c *Collection) memberEntries(kind Happening, list []publishing.EntityID, at time.Time, by publishing.UserID) []Entry {
	out := make([]Entry, len(list))
	for i, e := range list {
		out[i] = Entry{Collection: c.ID, Code: c.Code, Kind: kind, Entity: e, Enabled: c.Enabled, At: at, By: by}
	}
	return out
}

// History returns the log of a package's collections in order, of the one with this code or with "" of all. A collection
// that was erased is in it; another that got its code later is not told from it by the code alone.
func History(ctx context.Context, q db.Querier, pkg publishing.PackageID, code string) ([]Entry, error) {
	sql, args := `SELECT `+entryColumns+` FROM lectern_collectionlog l WHERE l.learning_package_id = ?`, []any{int64(pkg)}
	if code != "" {
		sql, args = sql+` AND l.collection_code = ?`, append(args, code)
	}
	list, err := db.All(ctx, q, sql+` ORDER BY l.id`, args, scanEntry)
	if err != nil {
		return nil, fmt.Errorf("log of collections: %w", err)
	}
	return list, nil
}

// Moment is a point in the life of a package's collections: after an entry of their log, or at a time. The zero Moment
// is now, as the log knows it.
type Moment struct {
	entry int64
	at    time.Time
}

// never is the entry before all.
const never = -1

// AfterEntry is the moment after the entry with this id; 0 is before all entries.
func AfterEntry(id int64) Moment {
	if id <= 0 {
		id = never
	}
	return Moment{entry: id}
}

// At is the moment after the last entry whose time is not after t.
func At(t time.Time) Moment { return Moment{at: t} }

// LastEntry returns the id of the log's last entry, 0 when it has none.
func LastEntry(ctx context.Context, q db.Querier, pkg publishing.PackageID) (int64, error) {
	id, _, err := db.One(ctx, q, `SELECT COALESCE(MAX(id), 0) FROM lectern_collectionlog WHERE learning_package_id = ?`, []any{int64(pkg)}, db.Value[int64])
	return id, err
}

// State is a collection as of a moment. Created and Modified of the collection are not kept.
type State struct {
	Collection
	Members []publishing.EntityID // in id order
}

// AsOf returns the collections of a package as they were at a moment, deleted ones too, in id order: a query for the
// moment where it is a time, and one over the log.
func AsOf(ctx context.Context, q db.Querier, pkg publishing.PackageID, m Moment) ([]State, error) {
	if !m.at.IsZero() {
		id, ok, err := db.One(ctx, q, `SELECT id FROM lectern_collectionlog WHERE learning_package_id = ? AND logged_at <= ? ORDER BY id DESC LIMIT 1`,
			[]any{int64(pkg), m.at.UTC()}, db.Value[int64])
		if err != nil {
			return nil, fmt.Errorf("log of collections: %w", err)
		}
		if m.entry = id; !ok {
			m.entry = never
		}
	}
	if m.entry == never {
		return nil, nil
	}
	sql, args := ` AND l.learning_package_id = ?`, []any{int64(pkg)}
	if m.entry > 0 {
		sql, args = sql+` AND l.id <= ?`, append(args, m.entry)
	}
	known, err := replay(ctx, q, sql, args, nil)
	if err != nil {
		return nil, err
	}
	return known.list(pkg), nil
}

// known is what the log says of collections.
type known map[ID]*logged

// logged is a collection by the log.
type logged struct {
	about   Entry // the last that is not of a member
	members map[publishing.EntityID]bool
}

// replay reads what the log says, by its last entry about each thing. The condition is on l; with ids it has (?...).
func replay(ctx context.Context, q db.Querier, condition string, args []any, ids []ID) (known, error) {
	sql := `SELECT ` + entryColumns + ` FROM lectern_collectionlog l JOIN (SELECT MAX(l.id) AS id FROM lectern_collectionlog l
		WHERE 1 = 1` + condition + ` GROUP BY l.collection_id, l.entity_id) m ON m.id = l.id`
	var list []Entry
	scan := func(r *db.Row) error {
		e, err := scanEntry(r)
		list = append(list, e)
		return err
	}
	var err error
	if ids == nil {
		err = q.Query(ctx, sql, args, scan)
	} else {
		err = db.QueryIn(ctx, q, sql, ids, args, scan)
	}
	if err != nil {
		return nil, fmt.Errorf("log of collections: %w", err)
	}
	k := known{}
	for _, e := range list {
		if e.Entity == 0 {
			k[e.Collection] = &logged{about: e, members: map[publishing.EntityID]bool{}}
		}
	}
	for _, e := range list {
		if c := k[e.Collection]; c != nil && e.Entity != 0 && e.Kind == Added {
			c.members[e.Entity] = true
		}
	}
	for id, c := range k {
		if c.about.Kind == Erased {
			delete(k, id)
		}
	}
	return k, nil
}

// list returns the collections in id order.
func (k known) list(pkg publishing.PackageID) []State {
	out := make([]State, 0, len(k))
	for id, c := range k {
		s := State{Collection: Collection{ID: id, Package: pkg, Code: c.about.Code, Title: c.about.Title, Description: c.about.Text, Enabled: c.about.Enabled}}
		for e := range c.members {
			s.Members = append(s.Members, e)
		}
		slices.Sort(s.Members)
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b State) int { return int(a.ID - b.ID) })
	return out
}
