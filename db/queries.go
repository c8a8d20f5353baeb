package db

import (
	"context"
	"errors"
	"math/bits"
	"slices"
	"strings"
)

// Querier is what *DB, *Tx and *Session have in common: one statement at a time. On a *DB each call is its own
// transaction; Query there reads from the pool of readers, so it cannot write.
type Querier interface {
	Engine() Engine
	// Exec runs a statement and returns the number of rows that matched.
	Exec(ctx context.Context, sql string, args ...any) (affected int64, err error)
	// Query runs a statement and calls scan for each row, in the database's order. An error of scan ends it and is
	// returned as it is.
	Query(ctx context.Context, sql string, args []any, scan func(*Row) error) error
}

// Queries carries the methods of Querier. It is embedded, never made by callers.
type Queries struct{ s session }

// session is what runs the statements of a Queries.
type session interface {
	kind() Engine
	exec(ctx context.Context, sql string, args []any) (int64, error)
	query(ctx context.Context, sql string, args []any, scan func(*Row) error) error
	// together runs f so that what it reads is one state and what it writes is saved as a whole.
	together(ctx context.Context, write bool, f func(Querier) error) error
}

// Engine returns the kind of database.
func (q *Queries) Engine() Engine { return q.s.kind() }

// Exec runs a statement and returns the number of rows that matched. Placeholders are ? on every engine.
func (q *Queries) Exec(ctx context.Context, sql string, args ...any) (affected int64, err error) {
	return q.s.exec(ctx, sql, args)
}

// Query runs a statement and calls scan for each row. An error of scan ends it and is returned as it is. The context is
// looked at between rows.
func (q *Queries) Query(ctx context.Context, sql string, args []any, scan func(*Row) error) error {
	return q.s.query(ctx, sql, args, scan)
}

// One runs a query that gives at most one row. found tells whether there was one; further rows are ignored.
func One[T any](ctx context.Context, q Querier, sql string, args []any, scan func(*Row) (T, error)) (v T, found bool, err error) {
	err = q.Query(ctx, sql, args, func(r *Row) error {
		var err error
		if v, err = scan(r); err != nil {
			return err
		}
		found = true
		return errStop
	})
	if errors.Is(err, errStop) {
		err = nil
	}
	return v, found, err
}

var errStop = errors.New("db: enough rows")

// Value scans a row of one column: db.One(ctx, q, "SELECT count(*) …", args, db.Value[int64]).
func Value[T any](r *Row) (v T, err error) {
	err = r.Scan(&v)
	return v, err
}

// All runs a query and collects what scan makes of each row.
func All[T any](ctx context.Context, q Querier, sql string, args []any, scan func(*Row) (T, error)) (all []T, err error) {
	err = q.Query(ctx, sql, args, func(r *Row) error {
		v, err := scan(r)
		all = append(all, v)
		return err
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// marker stands in SQL for a list of placeholders of any length.
const marker = "(?...)"

// maxIn is how many values one statement lists.
const maxIn = 512

// QueryIn runs a query whose SQL has the marker (?...) where a list of ids belongs, as in "… WHERE id IN (?...)"; where it
// has several, each stands for the same list. The ids are cut into lists of at most 512, one statement each, so the order of
// rows across lists is that of ids only by list. Lists are filled up with their last id to a power of two, so that few
// different statements arise and stay prepared: the condition must not count ids. args are the other parameters in their
// order, before and after the marker.
// Without ids nothing runs. On a *DB several lists are read in one snapshot. On PostgreSQL a list of more than 512 texts or
// int64s goes as arrays.
func QueryIn[T any](ctx context.Context, q Querier, sql string, ids []T, args []any, scan func(*Row) error) error {
	return inLists(ctx, q, false, sql, ids, args, func(q Querier, sql string, args []any) error {
		return q.Query(ctx, sql, args, scan)
	})
}

// ExecIn is QueryIn for a statement without rows; it returns the sum of the rows that matched. On a *DB several lists
// are one transaction. Of more than 512 int64s those that follow one another go as ranges.
func ExecIn[T any](ctx context.Context, q Querier, sql string, ids []T, args []any) (affected int64, err error) {
	start := func() { affected = 0 }
	err = inLists(ctx, q, true, sql, ids, args, func(q Querier, sql string, args []any) error {
		n, err := q.Exec(ctx, sql, args...)
		affected += n
		return err
	}, start)
	if err != nil {
		return 0, err
	}
	return affected, nil
}

func inLists[T any](ctx context.Context, q Querier, write bool, sql string, ids []T, args []any, run func(q Querier, sql string, args []any) error, start ...func()) error {
	texts := strings.Split(sql, marker)
	if len(texts) == 1 {
		return errors.New("db: the statement needs a " + marker)
	}
	if len(ids) == 0 {
		return nil
	}
	before, n := make([]int, len(texts)-1), 0 // how many arguments come before each list
	for i := range before {
		eachPlaceholder(texts[i], func(int) { n++ })
		before[i] = n
	}
	if n > len(args) {
		return errors.New("db: fewer arguments than placeholders before " + marker)
	}
	send := func(q Querier, texts []string, in string, values []any) error {
		all := make([]any, 0, len(args)+len(values)*len(before))
		from := 0
		for _, to := range before {
			all = append(append(all, args[from:to]...), values...)
			from = to
		}
		return run(q, strings.Join(texts, in), append(all, args[from:]...))
	}
	lists := func(q Querier) error {
		for _, f := range start {
			f()
		}
		if bare, in := beforeIn(texts); in {
			if list, ok := parts(q.Engine(), write, ids); ok {
				for _, p := range list {
					if err := send(q, bare, p.text, p.args); err != nil {
						return err
					}
				}
				return nil
			}
		}
		for list := range slices.Chunk(ids, maxIn) {
			values := make([]any, len(list))
			for i, id := range list {
				values[i] = id
			}
			values = padded(values)
			if err := send(q, texts, placeholders(len(values)), values); err != nil {
				return err
			}
		}
		return nil
	}
	if s, ok := q.(interface{ inner() session }); ok && len(ids) > maxIn {
		return s.inner().together(ctx, write, lists)
	}
	return lists(q)
}

// padded fills a list up with its last value to a power of two.
func padded(list []any) []any {
	for n := 1 << bits.Len(uint(len(list)-1)); len(list) < n; {
		list = append(list, list[len(list)-1])
	}
	return list
}

func (q *Queries) inner() session { return q.s }

// placeholders returns (?,?,…) with n placeholders.
func placeholders(n int) string { return "(" + strings.Repeat("?,", n-1) + "?)" }
