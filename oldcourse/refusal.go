package oldcourse

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/openlectern/lectern/db"
)

// Hit is how often a kind of page of an old course was refused in a day.
type Hit struct {
	Course string
	Page   string
	Day    string // 2006-01-02, in UTC
	Hits   int64
}

// Others is the course of refusals of keys beyond those that are counted one by one.
const Others = "*"

// maxCounted bounds the keys that are counted one by one between two writings: anybody may ask for any key.
const maxCounted = 10_000

// Counter counts refusals in memory until they are written, so that a refusal costs the database nothing (DEP-43). The zero
// Counter is ready. It is safe for concurrent use.
type Counter struct {
	mu   sync.Mutex // guards hits
	hits map[Hit]int64
}

// Add counts one refusal.
func (c *Counter) Add(k Key, page string, at time.Time) {
	h := Hit{Course: k.Name(), Page: cut(page, 32), Day: at.UTC().Format(time.DateOnly)}
	if db.CheckIdentifier(h.Course, 255) != nil {
		h.Course = Others
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.hits == nil {
		c.hits = map[Hit]int64{}
	}
	if _, counted := c.hits[h]; !counted && len(c.hits) >= maxCounted {
		h.Course = Others
	}
	c.hits[h]++
}

// Take returns what was counted since it was asked last.
func (c *Counter) Take() []Hit {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]Hit, 0, len(c.hits))
	for h, n := range c.hits {
		h.Hits = n
		all = append(all, h)
	}
	c.hits = nil
	return all
}

// Back gives back what was taken and could not be written.
func (c *Counter) Back(all []Hit) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.hits == nil {
		c.hits = map[Hit]int64{}
	}
	for _, h := range all {
		n := h.Hits
		h.Hits = 0
		if _, counted := c.hits[h]; !counted && len(c.hits) >= maxCounted {
			h.Course = Others
		}
		c.hits[h] += n
	}
}

const refusalTable = "lectern_legacy_refusal"

// Write adds counts to the table: rows are only added, so that servers do not wait for each other.
func Write(ctx context.Context, tx *db.Tx, all []Hit) error {
	return tx.Insert(ctx, refusalTable, []string{"course_key", "page", "day", "hits"}, len(all), func(i int, v []any) {
		v[0], v[1], v[2], v[3] = all[i].Course, all[i].Page, all[i].Day, all[i].Hits
	})
}

// Refusals returns how often pages were refused from a day on, "" for ever, by course, page and day; at most limit rows.
func Refusals(ctx context.Context, q db.Querier, since, course string, limit int) ([]Hit, error) {
	sql, args := `SELECT course_key, page, day, SUM(hits) FROM lectern_legacy_refusal WHERE day >= ?`, []any{since}
	if course != "" {
		sql, args = sql+` AND course_key = ?`, append(args, course)
	}
	return db.All(ctx, q, sql+` GROUP BY course_key, page, day ORDER BY course_key, page, day LIMIT `+fmt.Sprint(limit), args, scanHit)
}

func scanHit(r *db.Row) (h Hit, err error) {
	err = r.Scan(&h.Course, &h.Page, &h.Day, &h.Hits)
	return h, err
}

// foldable is how many rows one call of [Fold] looks at.
const foldable = 5000

// Fold makes one row of all rows of a course, page and day, for days before one, and returns how many rows that were. Each call
// does some, so that no transaction grows large; 0 says that there is nothing left to do. Two that do it at once do not count
// twice: rows that another has taken meanwhile let the unit of work run again.
func Fold(ctx context.Context, tx *db.Tx, before string) (int, error) {
	var ids []int64
	sums := map[Hit]int64{}
	err := tx.Query(ctx, `SELECT id, course_key, page, day, hits FROM lectern_legacy_refusal WHERE day IN
		(SELECT day FROM lectern_legacy_refusal WHERE day < ? GROUP BY course_key, page, day HAVING COUNT(*) > 1)
		ORDER BY day, course_key, page, id LIMIT `+fmt.Sprint(foldable), []any{before}, func(r *db.Row) error {
		var id, n int64
		var h Hit
		err := r.Scan(&id, &h.Course, &h.Page, &h.Day, &n)
		ids = append(ids, id)
		sums[h] += n
		return err
	})
	if err != nil || len(sums) == len(ids) {
		return 0, err
	}
	taken, err := db.ExecIn(ctx, tx, `DELETE FROM lectern_legacy_refusal WHERE id IN (?...)`, ids, nil)
	if err != nil {
		return 0, err
	}
	if taken != int64(len(ids)) {
		return 0, fmt.Errorf("another server adds up refusals: %w", db.ErrRetry)
	}
	all := make([]Hit, 0, len(sums))
	for h, n := range sums {
		h.Hits = n
		all = append(all, h)
	}
	return len(ids), Write(ctx, tx, all)
}
