package db

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Row is one row of a result. It is valid only inside the function it is given to, and not safe for concurrent use.
type Row struct {
	vals []driver.Value
	rows driver.Rows
}

// Columns returns the names of the result's columns.
func (r *Row) Columns() []string { return r.rows.Columns() }

// Scan copies the row's columns into dest, pointers to values. A destination takes what the column's Go type would be
// on any engine: *time.Time reads SQLite's text as well as a server's time and is UTC, *uuid.UUID reads text and native
// uuids, *bool reads 0 and 1, *any gives int64, float64, bool, string, []byte, time.Time or nil. Named types work by
// their kind. NULL needs a pointer to a pointer, a *sql.Null[T], a *[]byte or a *any; elsewhere it is an error.
// What was copied stays valid after the row.
func (r *Row) Scan(dest ...any) error {
	if len(dest) != len(r.vals) {
		return fmt.Errorf("db: scan of %d columns into %d destinations", len(r.vals), len(dest))
	}
	for i, d := range dest {
		if err := r.assign(i, d); err != nil {
			return fmt.Errorf("db: column %s: %w", r.rows.Columns()[i], err)
		}
	}
	return nil
}

var errNull = errors.New("is NULL")

func (r *Row) assign(i int, dest any) (err error) {
	src := r.vals[i]
	switch d := dest.(type) {
	case *int64:
		*d, err = toInt(src)
	case *string:
		*d, err = toString(src)
	case *int:
		var n int64
		n, err = toInt(src)
		*d = int(n)
	case *bool:
		*d, err = toBool(src)
	case *time.Time:
		*d, err = toTime(src)
	case *uuid.UUID:
		*d, err = toUUID(src)
	case *float64:
		*d, err = toFloat(src)
	case *[]byte:
		*d, err = toBytes(src)
	case *any:
		*d = r.natural(i)
	case **int64:
		err = toPointer(d, src, toInt)
	case **string:
		err = toPointer(d, src, toString)
	case **bool:
		err = toPointer(d, src, toBool)
	case **time.Time:
		err = toPointer(d, src, toTime)
	case **uuid.UUID:
		err = toPointer(d, src, toUUID)
	case *sql.Null[int64]:
		err = toNull(d, src, toInt)
	case *sql.Null[string]:
		err = toNull(d, src, toString)
	case *sql.Null[bool]:
		err = toNull(d, src, toBool)
	case *sql.Null[time.Time]:
		err = toNull(d, src, toTime)
	case *sql.Null[uuid.UUID]:
		err = toNull(d, src, toUUID)
	default:
		err = r.reflected(i, dest)
	}
	return err
}

func toPointer[T any](d **T, src driver.Value, conv func(driver.Value) (T, error)) error {
	if src == nil {
		*d = nil
		return nil
	}
	v, err := conv(src)
	*d = &v
	return err
}

func toNull[T any](d *sql.Null[T], src driver.Value, conv func(driver.Value) (T, error)) (err error) {
	*d = sql.Null[T]{}
	if src == nil {
		return nil
	}
	d.V, err = conv(src)
	d.Valid = err == nil
	return err
}

// reflected assigns to named types by their kind, to pointers, to sql.Null of any type and to Scanners.
func (r *Row) reflected(i int, dest any) error {
	rv := reflect.ValueOf(dest)
	if rv.Kind() != reflect.Pointer || rv.IsNil() {
		return fmt.Errorf("a %T is no destination", dest)
	}
	src, el := r.vals[i], rv.Elem()
	switch el.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n, err := toInt(src)
		if err == nil && el.OverflowInt(n) {
			err = fmt.Errorf("%d is too large for a %s", n, el.Type())
		}
		if err == nil {
			el.SetInt(n)
		}
		return err
	case reflect.Pointer:
		if src == nil {
			el.SetZero()
			return nil
		}
		p := reflect.New(el.Type().Elem())
		if err := r.assign(i, p.Interface()); err != nil {
			return err
		}
		el.Set(p)
		return nil
	case reflect.Struct:
		if el.Type().PkgPath() == "database/sql" && strings.HasPrefix(el.Type().Name(), "Null[") {
			v, valid := el.FieldByName("V"), el.FieldByName("Valid")
			el.SetZero()
			if src == nil {
				return nil
			}
			if err := r.assign(i, v.Addr().Interface()); err != nil {
				return err
			}
			valid.SetBool(true)
			return nil
		}
	}
	if s, ok := dest.(sql.Scanner); ok {
		return s.Scan(r.natural(i))
	}
	switch el.Kind() {
	case reflect.String:
		s, err := toString(src)
		el.SetString(s)
		return err
	case reflect.Bool:
		b, err := toBool(src)
		el.SetBool(b)
		return err
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		n, err := toInt(src)
		if err == nil && (n < 0 || el.OverflowUint(uint64(n))) {
			err = fmt.Errorf("%d does not fit a %s", n, el.Type())
		}
		if err == nil {
			el.SetUint(uint64(n))
		}
		return err
	case reflect.Float32, reflect.Float64:
		f, err := toFloat(src)
		el.SetFloat(f)
		return err
	case reflect.Slice:
		if el.Type().Elem().Kind() == reflect.Uint8 {
			b, err := toBytes(src)
			el.SetBytes(b)
			return err
		}
	case reflect.Array:
		if uuidType.ConvertibleTo(el.Type()) {
			u, err := toUUID(src)
			el.Set(reflect.ValueOf(u).Convert(el.Type()))
			return err
		}
	}
	return fmt.Errorf("a %T is no destination", dest)
}

// natural returns column i as the Go value that says most, valid after the row. The MySQL driver gives text as bytes;
// the column's type tells them apart.
func (r *Row) natural(i int) any {
	switch x := r.vals[i].(type) {
	case []byte:
		if t, ok := r.rows.(driver.RowsColumnTypeDatabaseTypeName); ok {
			switch name := t.ColumnTypeDatabaseTypeName(i); {
			case name == "":
			case strings.Contains(name, "BLOB"), strings.Contains(name, "BINARY"), name == "BYTEA", name == "BIT":
			default:
				return string(x)
			}
		}
		return append([]byte{}, x...)
	case time.Time:
		return x.UTC()
	case uint64:
		if x <= math.MaxInt64 {
			return int64(x)
		}
		return x
	case float32:
		return float64(x)
	default:
		return x
	}
}

func toInt(src driver.Value) (int64, error) {
	switch x := src.(type) {
	case int64:
		return x, nil
	case uint64:
		if x > math.MaxInt64 {
			return 0, fmt.Errorf("%d is too large", x)
		}
		return int64(x), nil
	case []byte: // sums are decimal on the servers
		return strconv.ParseInt(string(x), 10, 64)
	case string:
		return strconv.ParseInt(x, 10, 64)
	case bool:
		if x {
			return 1, nil
		}
		return 0, nil
	case float64:
		if x == math.Trunc(x) && math.Abs(x) < 1<<53 {
			return int64(x), nil
		}
	}
	return 0, mismatch(src, "an integer")
}

func toString(src driver.Value) (string, error) {
	switch x := src.(type) {
	case string:
		return x, nil
	case []byte:
		return string(x), nil
	case int64:
		return strconv.FormatInt(x, 10), nil
	case uint64:
		return strconv.FormatUint(x, 10), nil
	case float64:
		return strconv.FormatFloat(x, 'g', -1, 64), nil
	case time.Time:
		b, err := appendTime(nil, x)
		return string(b), err
	}
	return "", mismatch(src, "text")
}

func toBool(src driver.Value) (bool, error) {
	switch x := src.(type) {
	case bool:
		return x, nil
	case int64:
		if x == 0 || x == 1 {
			return x == 1, nil
		}
	case []byte:
		if len(x) == 1 && x[0]|1 == '1' {
			return x[0] == '1', nil
		}
	case string:
		if x == "0" || x == "1" {
			return x == "1", nil
		}
	}
	return false, mismatch(src, "a boolean")
}

func toTime(src driver.Value) (time.Time, error) {
	switch x := src.(type) {
	case time.Time: // SQLite's driver has parsed columns declared datetime by now
		return x.UTC(), nil
	case string:
		return parseTime(x)
	case []byte:
		return parseTime(string(x))
	}
	return time.Time{}, mismatch(src, "a time")
}

func toUUID(src driver.Value) (uuid.UUID, error) {
	switch x := src.(type) {
	case string:
		return parseUUID(x)
	case []byte:
		if len(x) == 16 {
			return uuid.UUID(x), nil
		}
		return uuid.ParseBytes(x)
	case [16]byte:
		return x, nil
	}
	return uuid.UUID{}, mismatch(src, "a uuid")
}

func toFloat(src driver.Value) (float64, error) {
	switch x := src.(type) {
	case float64:
		return x, nil
	case float32:
		return float64(x), nil
	case int64:
		return float64(x), nil
	case []byte:
		return strconv.ParseFloat(string(x), 64)
	case string:
		return strconv.ParseFloat(x, 64)
	}
	return 0, mismatch(src, "a number")
}

func toBytes(src driver.Value) ([]byte, error) {
	switch x := src.(type) {
	case nil:
		return nil, nil
	case []byte:
		return append([]byte{}, x...), nil
	case string:
		return []byte(x), nil
	}
	return nil, mismatch(src, "bytes")
}

func mismatch(src driver.Value, want string) error {
	if src == nil {
		return errNull
	}
	return fmt.Errorf("is a %T, not %s", src, want)
}
