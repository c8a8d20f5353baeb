package db

import (
	"encoding/hex"
	"errors"
	"time"

	"github.com/google/uuid"
)

// appendTime appends t as SQLite and MySQL columns hold it (content-schema.md §1, DT): UTC, microseconds, no offset, the
// fraction omitted when it is zero. It is time.Format by hand: a bulk insert formats a time per row.
func appendTime(b []byte, t time.Time) ([]byte, error) {
	t = t.UTC()
	y, mo, d := t.Date()
	if y < 0 || y > 9999 {
		return b, errors.New("a year outside 0 to 9999 cannot be stored")
	}
	h, mi, s := t.Clock()
	b = append(b, byte('0'+y/1000), byte('0'+y/100%10), byte('0'+y/10%10), byte('0'+y%10), '-',
		byte('0'+mo/10), byte('0'+mo%10), '-', byte('0'+d/10), byte('0'+d%10), ' ',
		byte('0'+h/10), byte('0'+h%10), ':', byte('0'+mi/10), byte('0'+mi%10), ':', byte('0'+s/10), byte('0'+s%10))
	us := t.Nanosecond() / 1000
	if us == 0 {
		return b, nil
	}
	b = append(b, '.')
	for div := 100000; div > 0; div /= 10 {
		b = append(b, byte('0'+us/div%10))
	}
	return b, nil
}

// timeLayouts are what text columns hold besides our own form: other programs' offsets, T and plain dates.
var timeLayouts = [...]string{
	"2006-01-02 15:04:05.999999999", "2006-01-02 15:04:05.999999999-07:00", time.RFC3339Nano,
	"2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999-07", "2006-01-02",
}

// parseTime reads what appendTime wrote, and the other forms of timeLayouts. The result is UTC.
func parseTime(s string) (time.Time, error) {
	if t, ok := parsePlainTime(s); ok {
		return t, nil
	}
	for _, l := range timeLayouts {
		if t, err := time.Parse(l, s); err == nil {
			return t.UTC().Truncate(time.Microsecond), nil
		}
	}
	return time.Time{}, errors.New("not a time")
}

// parsePlainTime reads the form of appendTime without the cost of time.Parse.
func parsePlainTime(s string) (time.Time, bool) {
	if len(s) < 19 || len(s) > 26 || len(s) == 20 || s[4] != '-' || s[7] != '-' || s[10] != ' ' || s[13] != ':' || s[16] != ':' {
		return time.Time{}, false
	}
	num := func(from, to int) int {
		n := 0
		for i := from; i < to; i++ {
			c := s[i] - '0'
			if c > 9 {
				return -1
			}
			n = n*10 + int(c)
		}
		return n
	}
	us := 0
	if len(s) > 19 {
		if s[19] != '.' {
			return time.Time{}, false
		}
		if us = num(20, len(s)); us < 0 {
			return time.Time{}, false
		}
		for range 26 - len(s) {
			us *= 10
		}
	}
	y, mo, d, h, mi, sec := num(0, 4), num(5, 7), num(8, 10), num(11, 13), num(14, 16), num(17, 19)
	if y < 0 || mo < 1 || mo > 12 || d < 1 || d > 31 || h < 0 || h > 23 || mi < 0 || mi > 59 || sec < 0 || sec > 59 {
		return time.Time{}, false
	}
	t := time.Date(y, time.Month(mo), d, h, mi, sec, us*1000, time.UTC)
	return t, t.Day() == d // no 31 February
}

// uuidText returns u as char(32) columns hold it: lower-case digits without hyphens (content-schema.md §1, UUID).
func uuidText(u uuid.UUID) string {
	var b [32]byte
	hex.Encode(b[:], u[:])
	return string(b[:])
}

// parseUUID reads 32 digits, or 36 characters with hyphens.
func parseUUID(s string) (uuid.UUID, error) {
	if len(s) != 32 && len(s) != 36 {
		return uuid.UUID{}, errors.New("not a uuid")
	}
	return uuid.Parse(s)
}
