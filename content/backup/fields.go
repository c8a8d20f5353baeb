package backup

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"
)

// The texts of field errors, as the reference's forms give them.
const (
	textRequired = "This field is required."
	textBlank    = "This field may not be blank."
	textBool     = "Must be a valid boolean."
	textInteger  = "A valid integer is required."
	textDate     = "Expected a datetime but got a date."
	textTime     = "Datetime has wrong format. Use one of these formats instead: YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z]."
	textString   = "Not a valid string."
	textNUL      = "Null characters are not allowed."
	textEmail    = "Enter a valid email address."
	textNoData   = "No data provided"
)

// form reads the fields of a table as the reference's forms do, which are more lenient than TOML: numbers pass as
// strings, strings as numbers and times (backup-format.md §4). What is wrong is added to the problems.
type form struct {
	table    map[string]any
	problems *Problems
	file     string
	section  string
}

func (f form) wrong(field, code, format string, args ...any) {
	f.problems.add(f.file, f.section, field, code, format, args...)
}

// need returns a required value.
func (f form) need(field string) (v any, ok bool) {
	if v, ok = f.table[field]; !ok {
		f.wrong(field, CodeRequired, textRequired)
	}
	return v, ok
}

// text returns a required string, trimmed; limit is the most characters, 0 for any.
func (f form) text(field string, blank bool, limit int) string {
	v, ok := f.need(field)
	if !ok {
		return ""
	}
	return f.str(field, v, blank, limit)
}

// optional returns a string that may be missing. Blank counts as missing (defect B3).
func (f form) optional(field string) string {
	v, ok := f.table[field]
	if !ok {
		return ""
	}
	return f.str(field, v, true, 0)
}

func (f form) str(field string, v any, blank bool, limit int) string {
	s, ok := asText(v)
	if !ok {
		f.wrong(field, CodeInvalid, textString)
		return ""
	}
	s = strings.TrimFunc(s, pythonSpace)
	switch {
	case s == "" && !blank:
		f.wrong(field, CodeBlank, textBlank)
	case strings.IndexByte(s, 0) >= 0:
		f.wrong(field, CodeNUL, textNUL)
	case limit > 0 && len(s) > limit && len([]rune(s)) > limit:
		f.wrong(field, CodeTooLong, "Ensure this value has at most %d characters (it has %d).", limit, len([]rune(s)))
	default:
		return s
	}
	return ""
}

// asText returns a string, or a number as one.
func asText(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case int64:
		return strconv.FormatInt(v, 10), true
	case float64:
		s := strconv.FormatFloat(v, 'g', -1, 64)
		if v == math.Trunc(v) && math.Abs(v) < 1e16 {
			s = strconv.FormatFloat(v, 'f', 1, 64)
		}
		return s, true
	}
	return "", false
}

// boolean returns a required truth value.
func (f form) boolean(field string) bool {
	v, ok := f.need(field)
	if !ok {
		return false
	}
	s := ""
	switch v := v.(type) {
	case bool:
		return v
	case int64:
		s = strconv.FormatInt(v, 10)
	case float64:
		if v == 0 || v == 1 {
			s = strconv.Itoa(int(v))
		}
	case string:
		s = strings.ToLower(strings.TrimFunc(v, pythonSpace))
	}
	switch s {
	case "t", "y", "yes", "true", "on", "1":
		return true
	case "f", "n", "no", "false", "off", "0":
		return false
	}
	f.wrong(field, CodeInvalid, textBool)
	return false
}

// integer returns a required whole number.
func (f form) integer(field string) (int64, bool) {
	v, ok := f.need(field)
	if !ok {
		return 0, false
	}
	n, ok := asInteger(v)
	if !ok {
		f.wrong(field, CodeInvalid, textInteger)
	}
	return n, ok
}

// asInteger returns a whole number, also one that is written as a string or with a fraction of zeros.
func asInteger(v any) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case float64:
		return int64(v), v == math.Trunc(v) && math.Abs(v) < 1<<53
	case string:
		s := strings.TrimFunc(v, pythonSpace)
		if whole, zeros, ok := strings.Cut(s, "."); ok && strings.Trim(zeros, "0") == "" {
			s = whole
		}
		n, err := strconv.ParseInt(s, 10, 64)
		return n, err == nil
	}
	return 0, false
}

// time returns a required time in UTC, when an optional one.
func (f form) time(field string) time.Time {
	if v, ok := f.need(field); ok {
		return f.moment(field, v)
	}
	return time.Time{}
}

func (f form) when(field string) time.Time {
	if v, ok := f.table[field]; ok {
		return f.moment(field, v)
	}
	return time.Time{}
}

func (f form) moment(field string, v any) time.Time {
	var t time.Time
	ok := true
	switch v := v.(type) {
	case time.Time:
		t = v
	case toml.LocalDateTime:
		t = v.AsTime(time.UTC)
	case toml.LocalDate:
		f.wrong(field, CodeDate, textDate)
		return time.Time{}
	case string:
		t, ok = parseTime(v)
	default:
		ok = false
	}
	// Years outside of these are refused by some engine, or are no year at all in UTC.
	if t = t.UTC().Truncate(time.Microsecond); !ok || t.Year() < 1 || t.Year() > 9999 || t.IsZero() {
		f.wrong(field, CodeInvalid, textTime)
		return time.Time{}
	}
	return t
}

var (
	timePattern = regexp.MustCompile(`^(\d{4}-\d{2}-\d{2})(?:[Tt ](\d{2}:\d{2})(:\d{2})?(?:[.,](\d{1,9})\d*)?\s*(Z|z|[+-]\d{2}(?::?\d{2})?)?)?$`)
	email       = regexp.MustCompile(`^(?i)(?:[-!#$%&'*+/=?^_` + "`" + `{}|~0-9a-z]+(?:\.[-!#$%&'*+/=?^_` + "`" + `{}|~0-9a-z]+)*|"[^"\\\x00-\x1f]*")@` +
		`(?:localhost|(?:[\pL\pN](?:[-\pL\pN]{0,61}[\pL\pN])?\.)+[\pL\pN](?:[-\pL\pN]{0,61}[\pL\pN])|\[[0-9a-f:.]+\])$`)
)

// parseTime reads ISO 8601 as Python does: without a zone it is UTC, without a time midnight.
func parseTime(s string) (time.Time, bool) {
	m := timePattern.FindStringSubmatch(strings.TrimFunc(s, pythonSpace))
	if m == nil {
		return time.Time{}, false
	}
	clock, seconds, fraction, zone := m[2], m[3], m[4], m[5]
	if clock == "" {
		clock = "00:00"
	}
	if seconds == "" {
		seconds = ":00"
	}
	if fraction == "" {
		fraction = "0"
	}
	switch {
	case zone == "" || zone == "z":
		zone = "Z"
	case zone != "Z" && len(zone) == 3:
		zone += ":00"
	case zone != "Z" && len(zone) == 5:
		zone = zone[:3] + ":" + zone[3:]
	}
	t, err := time.Parse(time.RFC3339Nano, m[1]+"T"+clock+seconds+"."+fraction+zone)
	return t, err == nil
}

// table returns a table within another, nil when it is missing or something else.
func table(t map[string]any, name string) map[string]any {
	v, _ := t[name].(map[string]any)
	return v
}

// tables returns an array of tables; other is what else is in its place.
func tables(t map[string]any, name string) (list []map[string]any, other bool) {
	switch v := t[name].(type) {
	case nil:
		return nil, false
	case []any:
		for _, one := range v {
			m, ok := one.(map[string]any)
			if !ok {
				return nil, true
			}
			list = append(list, m)
		}
		return list, false
	case []map[string]any:
		return v, false
	}
	return nil, true
}

// unknown warns of keys that have no meaning.
func unknown(t map[string]any, warn *Problems, file, in string, known ...string) {
	var odd []string
	for name := range t {
		if !slices.Contains(known, name) {
			odd = append(odd, name)
		}
	}
	slices.Sort(odd)
	for _, name := range odd {
		warn.add(file, "", in+name, CodeIgnored, "%.100q has no meaning and is ignored", in+name)
	}
}
