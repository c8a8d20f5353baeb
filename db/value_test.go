package db_test

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/dbtest"
)

type (
	itemID   int64
	code     string
	flag     bool
	digest   []byte
	serial   uuid.UUID
	upperKey string
)

// Value stores an upperKey in upper case, to show that a Valuer is asked.
func (k upperKey) Value() (driver.Value, error) { return strings.ToUpper(string(k)), nil }

// Scan reads an upperKey back in lower case.
func (k *upperKey) Scan(src any) error {
	s, ok := src.(string)
	if !ok {
		return errors.New("not text")
	}
	*k = upperKey(strings.ToLower(s))
	return nil
}

func ptr[T any](v T) *T { return &v }

// TestRoundTrip writes and reads every type on every engine.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		create(t, d, item[d.Engine()])
		ctx := t.Context()
		u := uuid.New()
		berlin := time.FixedZone("", 2*3600)
		for _, c := range []struct {
			name    string
			column  string
			in, out any
			want    any
			text    string // what SQLite holds
		}{
			{name: "time", column: "created", in: time.Date(2025, 3, 4, 5, 6, 7, 120003000, time.UTC), out: new(time.Time), want: time.Date(2025, 3, 4, 5, 6, 7, 120003000, time.UTC), text: "2025-03-04 05:06:07.120003"},
			{name: "time without fraction", column: "created", in: time.Date(2025, 3, 4, 5, 6, 7, 0, time.UTC), out: new(time.Time), want: time.Date(2025, 3, 4, 5, 6, 7, 0, time.UTC), text: "2025-03-04 05:06:07"},
			{name: "time elsewhere, nanoseconds cut", column: "created", in: time.Date(2025, 3, 4, 1, 6, 7, 999999999, berlin), out: new(time.Time), want: time.Date(2025, 3, 3, 23, 6, 7, 999999000, time.UTC), text: "2025-03-03 23:06:07.999999"},
			{name: "early time", column: "created", in: time.Date(1001, 1, 1, 0, 0, 0, 1000, time.UTC), out: new(time.Time), want: time.Date(1001, 1, 1, 0, 0, 0, 1000, time.UTC), text: "1001-01-01 00:00:00.000001"},
			{name: "last time", column: "created", in: time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC), out: new(time.Time), want: time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC), text: "9999-12-31 23:59:59.999999"},
			{name: "time pointer", column: "created", in: ptr(time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)), out: new(*time.Time), want: ptr(time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC))},
			{name: "no time", column: "created", in: (*time.Time)(nil), out: new(*time.Time), want: (*time.Time)(nil)},
			{name: "sql.Null time", column: "created", in: sql.Null[time.Time]{}, out: ptr(sql.Null[time.Time]{Valid: true}), want: sql.Null[time.Time]{}},
			{name: "uuid", column: "uuid", in: u, out: new(uuid.UUID), want: u, text: strings.ReplaceAll(u.String(), "-", "")},
			{name: "uuid pointer", column: "uuid", in: &u, out: new(*uuid.UUID), want: &u},
			{name: "named uuid", column: "uuid", in: serial(u), out: new(serial), want: serial(u)},
			{name: "text", column: "title", in: "Zoë’s 😀 \"'`\\ title\n", out: new(string), want: "Zoë’s 😀 \"'`\\ title\n"},
			{name: "empty text is not NULL", column: "title", in: "", out: new(*string), want: ptr("")},
			{name: "null text", column: "title", in: nil, out: new(*string), want: (*string)(nil)},
			{name: "named text", column: "title", in: code("x?y"), out: new(code), want: code("x?y")},
			{name: "valuer and scanner", column: "title", in: upperKey("loud"), out: new(upperKey), want: upperKey("loud"), text: "LOUD"},
			{name: "sql.Null text", column: "title", in: sql.Null[string]{V: "v", Valid: true}, out: new(sql.Null[string]), want: sql.Null[string]{V: "v", Valid: true}},
			{name: "sql.Null of a named type", column: "title", in: sql.Null[code]{V: "v", Valid: true}, out: new(sql.Null[code]), want: sql.Null[code]{V: "v", Valid: true}},
			{name: "int", column: "num", in: 7, out: new(int), want: 7},
			{name: "uint32", column: "num", in: uint32(7), out: new(uint32), want: uint32(7)},
			{name: "unsigned into any", column: "num", in: 7, out: new(any), want: int64(7)},
			{name: "largest", column: "big", in: int64(math.MaxInt64), out: new(int64), want: int64(math.MaxInt64)},
			{name: "smallest", column: "big", in: int64(math.MinInt64), out: new(int64), want: int64(math.MinInt64)},
			{name: "named id", column: "big", in: itemID(12345678901), out: new(itemID), want: itemID(12345678901)},
			{name: "named id pointer", column: "big", in: ptr(itemID(3)), out: new(*itemID), want: ptr(itemID(3))},
			{name: "no id", column: "big", in: (*itemID)(nil), out: new(*itemID), want: (*itemID)(nil)},
			{name: "sql.Null id", column: "big", in: sql.Null[itemID]{V: 5, Valid: true}, out: new(sql.Null[itemID]), want: sql.Null[itemID]{V: 5, Valid: true}},
			{name: "true", column: "ok", in: true, out: new(bool), want: true},
			{name: "false", column: "ok", in: false, out: new(bool), want: false},
			{name: "named bool", column: "ok", in: flag(true), out: new(flag), want: flag(true)},
			{name: "null bool", column: "ok", in: nil, out: new(*bool), want: (*bool)(nil)},
			{name: "sql.Null bool", column: "ok", in: sql.Null[bool]{V: true, Valid: true}, out: new(sql.Null[bool]), want: sql.Null[bool]{V: true, Valid: true}},
			{name: "text into bytes", column: "digest", in: "abc", out: new(digest), want: digest("abc")},
			{name: "text into any", column: "digest", in: "abc", out: new(any), want: "abc"},
			{name: "null into any", column: "digest", in: nil, out: ptr(any(1)), want: nil},
		} {
			exec(t, d, "DELETE FROM item")
			exec(t, d, "INSERT INTO item (uuid, code, num) VALUES (?, 'c', 0)", uuid.New())
			if n := exec(t, d, "UPDATE item SET "+c.column+" = ? WHERE code = ?", c.in, "c"); n != 1 {
				t.Errorf("%s: %d rows set", c.name, n)
			}
			err := d.Query(ctx, "SELECT "+c.column+" FROM item", nil, func(r *db.Row) error { return r.Scan(c.out) })
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
				continue
			}
			if diff := cmp.Diff(c.want, deref(c.out)); diff != "" {
				t.Errorf("%s: wrote %v (-want +got):\n%s", c.name, c.in, diff)
			}
			if c.text != "" && d.Engine() == db.SQLite {
				if got := one[string](t, d, "SELECT "+c.column+" || '' FROM item"); got != c.text {
					t.Errorf("%s: SQLite holds %q, want %q", c.name, got, c.text)
				}
			}
			// What was written is found again by the same argument.
			if n := one[int](t, d, "SELECT count(*) FROM item WHERE "+c.column+" = ?", c.in); c.in != nil && n == 0 && !isNil(c.want) {
				t.Errorf("%s: no row where %s = %v", c.name, c.column, c.in)
			}
		}
	})
}

// isNil tells whether v stands for NULL, which equals nothing.
func isNil(v any) bool {
	switch rv := reflect.ValueOf(v); rv.Kind() {
	case reflect.Invalid:
		return true
	case reflect.Pointer:
		return rv.IsNil()
	case reflect.Struct:
		valid := rv.FieldByName("Valid")
		return valid.IsValid() && !valid.Bool()
	}
	return false
}

func deref(p any) any { return reflect.ValueOf(p).Elem().Interface() }

// TestScanErrors shows what a destination refuses.
func TestScanErrors(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		create(t, d, item[d.Engine()])
		exec(t, d, "INSERT INTO item (uuid, code, num, big) VALUES (?, 'c', 300, -1)", uuid.New())
		for _, c := range []struct {
			column string
			dest   []any
		}{
			{"title", []any{new(string)}}, // NULL
			{"created", []any{new(time.Time)}},
			{"ok", []any{new(bool)}},
			{"big", []any{new(uint64)}},
			{"num", []any{new(int8)}},
			{"num", []any{new(bool)}},
			{"code", []any{new(int)}},
			{"code", []any{new(time.Time)}},
			{"code", []any{new(uuid.UUID)}},
			{"code", []any{new(struct{})}},
			{"code", []any{""}},
			{"code", []any{}},
			{"code", []any{new(string), new(string)}},
		} {
			err := d.Query(t.Context(), "SELECT "+c.column+" FROM item", nil, func(r *db.Row) error { return r.Scan(c.dest...) })
			if err == nil {
				t.Errorf("scan of %s into %T: no error", c.column, c.dest)
			}
		}
	})
}

// TestTextRefused shows text that the engine cannot keep, refused before it is sent.
func TestTextRefused(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		create(t, d, item[d.Engine()])
		ctx := t.Context()
		for _, c := range []struct {
			name, text string
			refused    bool
		}{
			{"NUL", "a\x00b", d.Engine() == db.PostgreSQL},
			{"not UTF-8", "a\xffb", true},
		} {
			check := func(err error) {
				t.Helper()
				if c.refused != errors.Is(err, db.ErrText) || c.refused != fault.Is(err, fault.Invalid) || !c.refused && err != nil {
					t.Errorf("%s: %v, want refused: %v", c.name, err, c.refused)
				}
			}
			exec(t, d, "DELETE FROM item")
			_, err := d.Exec(ctx, "INSERT INTO item (uuid, code, num, title) VALUES (?, 'c', 0, ?)", uuid.New(), c.text)
			check(err)
			if err == nil {
				if got := one[string](t, d, "SELECT title FROM item"); got != c.text {
					t.Errorf("%s: wrote %q, read %q", c.name, c.text, got)
				}
			}
			exec(t, d, "DELETE FROM item")
			check(d.Update(ctx, func(tx *db.Tx) error {
				return tx.Insert(ctx, "item", []string{"uuid", "code", "num", "title"}, 600, func(i int, v []any) {
					v[0], v[1], v[2], v[3] = uuid.New(), fmt.Sprint(i), 0, c.text
				})
			}))
			if n := one[int](t, d, "SELECT count(*) FROM item"); (n == 0) != c.refused {
				t.Errorf("%s: %d rows after it", c.name, n)
			}
		}
	})
}

// TestArgumentErrors shows values that are no arguments.
func TestArgumentErrors(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		create(t, d, counter)
		for _, args := range [][]any{
			{struct{}{}}, {[]int{1}}, {make(chan int)}, {uint64(math.MaxUint64)}, {time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC)}, {}, {1, 2},
		} {
			if d.Engine() == db.PostgreSQL && len(args) == 1 {
				if _, ok := args[0].(time.Time); ok {
					continue // PostgreSQL has years before Christ; the column's type refuses it
				}
			}
			if _, err := d.Exec(t.Context(), "UPDATE counter SET n = ?", args...); err == nil {
				t.Errorf("arguments %v: no error", args)
			}
		}
	})
}
