package fields

import (
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/olx/pyjson"
)

// dateLayouts are the spellings of a date that authors use, day and month always given (olx.md §1.8.1).
var dateLayouts = layouts()

func layouts() []string {
	days := []string{
		"2006-01-02", "2006-1-2", "2006/01/02", "2006/1/2", "1/2/2006", "20060102",
		"January 2, 2006", "January 2 2006", "Jan 2, 2006", "Jan 2 2006", "2 January 2006", "2 Jan 2006", "2-Jan-2006",
		"Monday, January 2, 2006", "Mon, 2 Jan 2006", "Mon Jan 2 2006",
	}
	times := []string{"", "T15:04:05", "T15:04", " 15:04:05", " 15:04", " 3:04 PM", " 3:04PM", "T150405", "T1504"}
	zones := []string{"", "Z07:00", "Z0700", "Z07", " Z07:00", " Z0700", " MST"}
	var all []string
	for _, d := range days {
		for _, t := range times {
			for _, z := range zones {
				if t != "" || z == "" {
					all = append(all, d+t+z)
				}
			}
		}
	}
	return all
}

// parseDate reads a date as authors write it. Without a zone it is UTC.
func parseDate(s string) (time.Time, bool) {
	s = strings.TrimSpace(s)
	if len(s) > 64 {
		return time.Time{}, false
	}
	for _, layout := range dateLayouts {
		t, err := time.Parse(layout, s)
		if err != nil {
			continue
		}
		if zone, offset := t.Zone(); strings.HasSuffix(layout, "MST") && offset == 0 && zone != "UTC" && zone != "GMT" {
			return time.Time{}, false // a zone by a name that says nothing here
		}
		return t, t.Year() >= 1
	}
	return time.Time{}, false
}

// Time returns the moment that a stored value names; ok is false for null and for what is not a date.
func Time(v courseware.Value) (t time.Time, ok bool) {
	s, ok := Normal(Date, v).Text()
	if !ok {
		return time.Time{}, false
	}
	return parseDate(s)
}

func normalDate(s string) (string, bool) {
	t, ok := parseDate(s)
	if !ok {
		return "", false
	}
	return formatDate(t), true
}

func formatDate(t time.Time) string {
	if _, offset := t.Zone(); offset != 0 && offset%60 == 0 {
		return t.Format("2006-01-02T15:04:05-07:00")
	}
	return t.UTC().Format("2006-01-02T15:04:05Z")
}

// dateOfMillis reads a number of milliseconds since 1970.
func dateOfMillis(number string) (string, bool) {
	f, err := strconv.ParseFloat(number, 64)
	if err != nil || f < -62135596800e3 || f > 253402300799e3 { // the years 1 to 9999
		return "", false
	}
	return formatDate(time.UnixMilli(int64(f)).UTC()), true
}

var delta = regexp.MustCompile(`^(?:(\d+) days?)?\s?(?:(\d+) hours?)?\s?(?:(\d+) minutes?)?\s?(?:(\d+) seconds?)?$`)

// parseDelta reads a duration such as "1 day 2 hours" as whole days and the seconds beyond them. Empty is zero.
func parseDelta(s string) (seconds *big.Int, ok bool) {
	m := delta.FindStringSubmatch(s)
	if m == nil || len(s) > 100 {
		return nil, false
	}
	sum := new(big.Int)
	for i, unit := range [...]int64{86400, 3600, 60, 1} {
		if m[i+1] == "" {
			continue
		}
		n, ok := new(big.Int).SetString(m[i+1], 10)
		if !ok {
			return nil, false
		}
		sum.Add(sum, n.Mul(n, big.NewInt(unit)))
	}
	return sum, true
}

// Duration returns the length of time that a stored Timedelta names; ok is false for null, for what is not a duration, and
// for one beyond what a time.Duration holds.
func Duration(v courseware.Value) (d time.Duration, ok bool) {
	s, ok := v.Text()
	if !ok {
		return 0, false
	}
	sum, ok := parseDelta(s)
	if !ok || !sum.IsInt64() || sum.Int64() > int64((1<<63-1)/time.Second) {
		return 0, false
	}
	return time.Duration(sum.Int64()) * time.Second, true
}

func normalDelta(s string) (string, bool) {
	sum, ok := parseDelta(s)
	if !ok {
		return "", false
	}
	days, rest := new(big.Int).QuoRem(sum, big.NewInt(86400), new(big.Int))
	var parts []string
	if days.Sign() > 0 {
		parts = append(parts, days.String()+" days")
	}
	if rest.Sign() > 0 {
		parts = append(parts, rest.String()+" seconds")
	}
	return strings.Join(parts, " "), true
}

var relative = regexp.MustCompile(`^(\d{1,2}):(\d{1,2}):(\d{1,2})$`)

// parseRelative reads HH:MM:SS up to 23:59:59.
func parseRelative(s string) (time.Duration, bool) {
	m := relative.FindStringSubmatch(s)
	if m == nil {
		return 0, false
	}
	var sum int
	for i, limit := range [...]int{23, 59, 59} {
		n, _ := strconv.Atoi(m[i+1]) // one or two digits
		if n > limit {
			return 0, false
		}
		sum = sum*60 + n
	}
	return time.Duration(sum) * time.Second, true
}

func normalRelative(s string) (string, bool) {
	d, ok := parseRelative(s)
	if !ok {
		return "", false
	}
	return formatRelative(int(d / time.Second)), true
}

func relativeOfSeconds(number string) (string, bool) {
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || n != float64(int(n)) || n < 0 || n >= 86400 {
		return "", false
	}
	return formatRelative(int(n)), true
}

func formatRelative(seconds int) string {
	return time.Unix(int64(seconds), 0).UTC().Format("15:04:05")
}

// Relative returns the length of time that a stored RelativeTime names.
func Relative(v courseware.Value) (time.Duration, bool) {
	switch p := Parse(v); p.Kind {
	case pyjson.String:
		return parseRelative(p.Text)
	case pyjson.Number:
		f, err := strconv.ParseFloat(p.Text, 64)
		return time.Duration(f * float64(time.Second)), err == nil && f >= 0 && f < 86400
	}
	return 0, false
}
