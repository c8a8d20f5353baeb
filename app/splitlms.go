package app

import (
	"context"
	"errors"
	"math"
	"strings"
	"time"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/prune"
	"github.com/openlectern/lectern/modulestore/split"
	"github.com/openlectern/lectern/schema/inspect"
)

// splitHistory is the table with one row for each time that a row of the SQL index was written (modulestore.md SP-4).
const splitHistory = "split_modulestore_django_historicalsplitmodulestorecourseindex"

// naming are the tables whose rows name structures: a table, its column with the id, and what a row is. All have the columns id
// and modified.
var naming = []struct{ table, column, by string }{
	{"learning_sequences_learningcontext", "published_version", "outline"},
	{"grades_persistentcoursegrade", "course_version", "grade"},
	{"grades_persistentsubsectiongrade", "course_version", "grade"},
}

const (
	historyRows = 1000   // in a page of the history
	namingRows  = 50_000 // looked at by one statement that tells distinct structures
)

// SplitLMS reads what the database of an old site's LMS says of its structures. It is a [prune.Registry].
type SplitLMS struct{ lmsTables }

var _ prune.Registry = (*SplitLMS)(nil)

// lmsTables has the methods, which are no use cases: they only read the database that was opened.
type lmsTables struct {
	d      *db.DB
	tables map[string]bool
}

// OpenSplitLMS connects to the database of an old site's LMS, which is only read; it needs no table of ours. A database without
// the SQL index and without outlines is none of an LMS: NotFound.
func OpenSplitLMS(ctx context.Context, url string) (*SplitLMS, error) {
	d, err := connect(ctx, url, db.Options{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	tables, err := inspect.Names(ctx, d)
	if err == nil && !tables[split.MirrorTable] && !tables[naming[0].table] {
		err = fault.Errorf(fault.NotFound, "--lms", "the database has neither %s nor %s", split.MirrorTable, naming[0].table).WithNext("name the database of the LMS")
	}
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return &SplitLMS{lmsTables{d, tables}}, nil
}

// Close ends the connection.
func (l *lmsTables) Close() error { return l.d.Close() }

// Name returns what messages call the database.
func (l *lmsTables) Name() string { return l.d.Name() }

// Index returns the rows of the SQL index, nil where there is no such table.
func (l *lmsTables) Index(ctx context.Context) ([]split.Index, error) {
	if !l.tables[split.MirrorTable] {
		return nil, nil
	}
	return indexRows(ctx, l.d)
}

// History hands over the rows of the history from the newest to the first page that has none since then: they are written in the
// order of their ids, but for those of transactions at the same time.
func (l *lmsTables) History(ctx context.Context, since time.Time, each func(split.Index, bool) error) error {
	if !l.tables[splitHistory] {
		return nil
	}
	type row struct {
		x       split.Index
		deleted bool
	}
	query := `SELECT ` + strings.Join(split.MirrorColumns, ", ") + `, history_id, history_date, history_type FROM ` + splitHistory + ` WHERE history_id < ? ORDER BY history_id DESC LIMIT ?`
	for last := int64(math.MaxInt32); ; {
		var page []row
		n, before := 0, last // the transaction may be run again
		err := l.d.View(ctx, func(tx *db.Tx) error {
			page, n = page[:0], 0
			return tx.Query(ctx, query, []any{before, historyRows}, func(r *db.Row) error {
				n++
				var when time.Time
				var kind string
				x, err := indexRow(r, splitHistory, &last, &when, &kind)
				if err != nil || when.Before(since) {
					return err
				}
				if x.LastUpdate.Before(when) {
					x.LastUpdate = when
				}
				page = append(page, row{x, kind == "-"})
				return nil
			})
		})
		if err != nil {
			return err
		}
		for _, r := range page {
			if err := each(r.x, r.deleted); err != nil {
				return err
			}
		}
		if n < historyRows || len(page) == 0 {
			return nil
		}
	}
}

// Named hands over what outlines and grades name: all of them page by page, or those changed since a moment, by the index that
// the tables of grades have for it.
func (l *lmsTables) Named(ctx context.Context, since time.Time, each func(prune.Reference) error) error {
	for _, n := range naming {
		if !l.tables[n.table] {
			continue
		}
		ask := func(where string, args ...any) error {
			var found []string
			err := l.d.View(ctx, func(tx *db.Tx) error {
				found = found[:0]
				return tx.Query(ctx, `SELECT DISTINCT `+n.column+` FROM `+n.table+` WHERE `+where, args, func(r *db.Row) error {
					var text *string
					if err := r.Scan(&text); err != nil {
						return err
					}
					if text != nil {
						found = append(found, *text)
					}
					return nil
				})
			})
			if err != nil {
				return err
			}
			for _, text := range found {
				v, err := keys.ParseVersion(text)
				if err != nil {
					continue // of a course of the store before
				}
				if err := each(prune.Reference{By: n.by, Version: modulestore.ID(v)}); err != nil {
					return err
				}
			}
			return nil
		}
		if !since.IsZero() {
			if err := ask(`modified >= ?`, since.UTC()); err != nil {
				return err
			}
			continue
		}
		var first, last *int64
		err := l.d.View(ctx, func(tx *db.Tx) error {
			return tx.Query(ctx, `SELECT min(id), max(id) FROM `+n.table, nil, func(r *db.Row) error { return r.Scan(&first, &last) })
		})
		if err != nil {
			return err
		}
		if last == nil {
			continue
		}
		for from := *first; from <= *last; from += namingRows {
			if err := ask(`id >= ? AND id < ?`, from, from+namingRows); err != nil {
				return err
			}
		}
	}
	return nil
}

// indexRow reads a row of the index, or of its history, with what follows its columns.
func indexRow(r *db.Row, table string, more ...any) (split.Index, error) {
	fields, err := indexFields(r, more...)
	if err != nil {
		return split.Index{}, err
	}
	x, err := split.MirrorRow(func(name string) string { return fields[name] })
	if err != nil {
		return x, fault.Errorf(fault.Invalid, table, "the row of %s: %w", fields["course_id"], err)
	}
	return x, nil
}
