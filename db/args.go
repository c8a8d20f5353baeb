package db

import (
	"database/sql"
	"database/sql/driver"
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// encoder turns Go values into what the engine's driver takes. It belongs to one connection and is not safe for
// concurrent use.
type encoder struct {
	engine Engine
	// The last time written and its text: the rows of one operation share one timestamp.
	lastTime time.Time
	lastText driver.Value
}

// value converts one argument. The common types cost no reflection; a value that the driver takes as it is keeps its
// interface, so that nothing is allocated.
func (e *encoder) value(v any) (driver.Value, error) {
	switch x := v.(type) {
	case nil, int64, bool, float64:
		return v, nil
	case string:
		if err := e.checkText(x); err != nil {
			return nil, err
		}
		return v, nil
	case int:
		return int64(x), nil
	case time.Time:
		return e.time(x)
	case uuid.UUID:
		return e.uuid(x), nil
	case []byte:
		if x == nil {
			return nil, nil
		}
		return v, nil
	case array:
		return x.value(e)
	case *string:
		return pointer(e, x)
	case *int64:
		return pointer(e, x)
	case *int:
		return pointer(e, x)
	case *bool:
		return pointer(e, x)
	case *time.Time:
		return pointer(e, x)
	case *uuid.UUID:
		return pointer(e, x)
	case sql.Null[int64]:
		return null(e, x)
	case sql.Null[string]:
		return null(e, x)
	case sql.Null[bool]:
		return null(e, x)
	case sql.Null[time.Time]:
		return null(e, x)
	case sql.Null[uuid.UUID]:
		return null(e, x)
	}
	return e.reflected(v)
}

func pointer[T any](e *encoder, p *T) (driver.Value, error) {
	if p == nil {
		return nil, nil
	}
	return e.value(*p)
}

func null[T any](e *encoder, n sql.Null[T]) (driver.Value, error) {
	if !n.Valid {
		return nil, nil
	}
	return e.value(n.V)
}

var uuidType = reflect.TypeFor[uuid.UUID]()

// reflected converts named types by their kind, pointers by what they point to, and everything else that says how.
func (e *encoder) reflected(v any) (driver.Value, error) {
	rv := reflect.ValueOf(v)
	switch rv.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return rv.Int(), nil
	case reflect.Pointer:
		if rv.IsNil() {
			return nil, nil
		}
		return e.value(rv.Elem().Interface())
	}
	if x, ok := v.(driver.Valuer); ok {
		dv, err := x.Value()
		if err != nil {
			return nil, err
		}
		if _, again := dv.(driver.Valuer); again {
			if _, ok := dv.(uuid.UUID); !ok {
				return nil, fmt.Errorf("db: %T gives a %T for an argument", v, dv)
			}
		}
		return e.value(dv)
	}
	switch rv.Kind() {
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if rv.Uint() > math.MaxInt64 {
			return nil, fmt.Errorf("db: %d is too large for a column", rv.Uint())
		}
		return int64(rv.Uint()), nil
	case reflect.Bool:
		return rv.Bool(), nil
	case reflect.String:
		return e.value(rv.String())
	case reflect.Float32, reflect.Float64:
		return rv.Float(), nil
	case reflect.Slice:
		if rv.Type().Elem().Kind() == reflect.Uint8 {
			return e.value(rv.Bytes())
		}
	case reflect.Array:
		if rv.Type().ConvertibleTo(uuidType) {
			return e.uuid(rv.Convert(uuidType).Interface().(uuid.UUID)), nil
		}
	}
	return nil, fmt.Errorf("db: a %T cannot be an argument", v)
}

// time converts a time: text on SQLite and the MySQL family (whose driver would write year 1 as zero), a value on
// PostgreSQL. Nanoseconds are cut, never rounded.
func (e *encoder) time(t time.Time) (driver.Value, error) {
	if e.engine == PostgreSQL {
		return t.UTC().Truncate(time.Microsecond), nil
	}
	if e.lastText != nil && t == e.lastTime {
		return e.lastText, nil
	}
	var b [26]byte
	s, err := appendTime(b[:0], t)
	if err != nil {
		return nil, fmt.Errorf("db: %w", err)
	}
	e.lastTime, e.lastText = t, string(s)
	return e.lastText, nil
}

// uuid converts a uuid: hexadecimal text, which MariaDB's native uuid columns take as well, or the native type of
// PostgreSQL.
func (e *encoder) uuid(u uuid.UUID) driver.Value {
	if e.engine == PostgreSQL {
		return [16]byte(u)
	}
	return uuidText(u)
}

// checkText refuses text that some engine would refuse or that no reader could read back: SQLite stores bytes that are
// not UTF-8 without a word, and PostgreSQL has no NUL (content-schema.md §5).
func (e *encoder) checkText(s string) error {
	if !utf8.ValidString(s) {
		return textError("it is not UTF-8")
	}
	if e.engine == PostgreSQL && strings.IndexByte(s, 0) >= 0 {
		return textError("PostgreSQL stores no NUL characters in text")
	}
	return nil
}
