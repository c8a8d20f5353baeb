package conversion

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// Conversion is one course or library with what it was made of.
type Conversion struct {
	ID      int64 // of the row; set by [Save]
	Package publishing.PackageID
	// Source is the key that the old site knew it by, Store the kind of the store that it was in.
	Source, Store string
	// Target is its key here.
	Target string
	// Digest is of what was read, Options of how it was to be converted; each 64 hexadecimal digits. Where both are what they
	// were there is nothing to do.
	Digest, Options string
	// Change and Publish are the last logs of the package when it was converted.
	Change, Publish int64
	// Report is JSON, for people and programs; nothing here reads it.
	Report json.RawMessage
	At     time.Time
	By     publishing.UserID // 0 for nobody known
}

// Key tells of something that had another key in the old store.
type Key struct {
	Old, New string
	View     string // "draft", "published" or "both"
	Reason   string // why New is not what Old would give by itself; "" as a rule
}

const columns = `id, learning_package_id, source_key, store, target_key, digest, options, draft_change_log_id, publish_log_id, report, created, created_by_id`

func scan(r *db.Row) (c Conversion, err error) {
	var report string
	var by *int64
	err = r.Scan(&c.ID, &c.Package, &c.Source, &c.Store, &c.Target, &c.Digest, &c.Options, &c.Change, &c.Publish, &report, &c.At, &by)
	if c.Report = json.RawMessage(report); by != nil {
		c.By = publishing.UserID(*by)
	}
	return c, err
}

// Save remembers a conversion and its keys in place of what was remembered of the package, at the transaction's clock. Its
// logs are those that the package has now. A key that is longer than the columns, 500 characters for an old one and 255 for
// a new one, is fault.Invalid (CV-5). Memory does not grow with the number of keys.
func Save(ctx context.Context, tx *db.Tx, c Conversion, keys iter.Seq[Key]) (Conversion, error) {
	var err error
	if c.Change, c.Publish, err = publishing.Position(ctx, tx, c.Package); err != nil {
		return c, err
	}
	for _, sql := range []string{
		`DELETE FROM lectern_conversion_key WHERE conversion_id IN (SELECT id FROM lectern_conversion WHERE learning_package_id = ?)`,
		`DELETE FROM lectern_conversion WHERE learning_package_id = ?`,
	} {
		if _, err := tx.Exec(ctx, sql, c.Package); err != nil {
			return c, fmt.Errorf("conversion: %w", err)
		}
	}
	if c.Report == nil {
		c.Report = json.RawMessage("{}")
	}
	var by any
	if c.By != 0 {
		by = c.By
	}
	c.At = tx.Now()
	ids, err := tx.InsertIDs(ctx, "lectern_conversion", []string{"learning_package_id", "source_key", "store", "target_key", "digest", "options",
		"draft_change_log_id", "publish_log_id", "report", "created", "created_by_id"}, 1, func(_ int, v []any) {
		v[0], v[1], v[2], v[3], v[4], v[5] = c.Package, c.Source, c.Store, c.Target, c.Digest, c.Options
		v[6], v[7], v[8], v[9], v[10] = c.Change, c.Publish, string(c.Report), c.At, by
	})
	if err != nil {
		return c, fmt.Errorf("conversion: %w", err)
	}
	c.ID = ids[0]
	const batch = 2000
	part := make([]Key, 0, batch)
	for k := range keys {
		if n := len([]rune(k.Old)); n > 500 || len([]rune(k.New)) > 255 {
			return c, fault.Errorf(fault.Invalid, k.Old, "the key is too long to be kept: %d characters, and %d of its new one", n, len([]rune(k.New)))
		}
		if part = append(part, k); len(part) == batch {
			if err := saveKeys(ctx, tx, c.ID, part); err != nil {
				return c, err
			}
			part = part[:0]
		}
	}
	return c, saveKeys(ctx, tx, c.ID, part)
}

func saveKeys(ctx context.Context, tx *db.Tx, id int64, keys []Key) error {
	if len(keys) == 0 {
		return nil
	}
	err := tx.Insert(ctx, "lectern_conversion_key", []string{"conversion_id", "old_key", "new_key", "branches", "reason"}, len(keys), func(i int, v []any) {
		v[0], v[1], v[2], v[3], v[4] = id, keys[i].Old, keys[i].New, keys[i].View, keys[i].Reason
	})
	if err != nil {
		return fmt.Errorf("conversion: %w", err)
	}
	return nil
}

// Find returns the conversion that made the course or library of a key; ok is false where none did.
func Find(ctx context.Context, q db.Querier, target string) (c Conversion, ok bool, err error) {
	return db.One(ctx, q, `SELECT `+columns+` FROM lectern_conversion WHERE target_key = ?`, []any{target}, scan)
}

// Of returns what was made of a source, ordered by target.
func Of(ctx context.Context, q db.Querier, source string) ([]Conversion, error) {
	return sorted(db.All(ctx, q, `SELECT `+columns+` FROM lectern_conversion WHERE source_key = ?`, []any{source}, scan))
}

// List returns all conversions, ordered by target.
func List(ctx context.Context, q db.Querier) ([]Conversion, error) {
	return sorted(db.All(ctx, q, `SELECT `+columns+` FROM lectern_conversion`, nil, scan))
}

// Targets returns what was made of each of these sources, of those that anything was made of: the least by key of several.
func Targets(ctx context.Context, q db.Querier, sources []string) (map[string]string, error) {
	made := make(map[string]string, len(sources))
	err := db.QueryIn(ctx, q, `SELECT source_key, target_key FROM lectern_conversion WHERE source_key IN (?...)`, sources, nil, func(r *db.Row) error {
		var source, target string
		if err := r.Scan(&source, &target); err != nil {
			return err
		}
		if first, has := made[source]; !has || target < first {
			made[source] = target
		}
		return nil
	})
	return made, err
}

// sorted orders by bytes, as not every engine's ORDER BY does.
func sorted(list []Conversion, err error) ([]Conversion, error) {
	slices.SortFunc(list, func(a, b Conversion) int { return strings.Compare(a.Target, b.Target) })
	return list, err
}

// Keys hands over the keys of a conversion in the order in which they were saved, one at a time. An error of fn ends it.
// It runs one query, which stays open meanwhile.
func Keys(ctx context.Context, q db.Querier, id int64, fn func(Key) error) error {
	err := q.Query(ctx, `SELECT old_key, new_key, branches, reason FROM lectern_conversion_key WHERE conversion_id = ? ORDER BY id`, []any{id},
		func(r *db.Row) error {
			var k Key
			if err := r.Scan(&k.Old, &k.New, &k.View, &k.Reason); err != nil {
				return err
			}
			return fn(k)
		})
	if err != nil {
		return fmt.Errorf("keys of a conversion: %w", err)
	}
	return nil
}

// Edited reports whether the package was changed since it was converted.
func (c *Conversion) Edited(ctx context.Context, q db.Querier) (bool, error) {
	change, publish, err := publishing.Position(ctx, q, c.Package)
	return change != c.Change || publish != c.Publish, err
}
