package prune

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/openlectern/lectern/fault"
)

// Policy says which moments are kept. The rules add up: a moment stays when any of them keeps it. They count the moments of
// drafts and those of publishes by themselves. Of a day, week or month the last moment is kept, in UTC; weeks begin on
// Monday.
type Policy struct {
	Last      int    `json:"keep_last,omitempty"`    // this many of the newest
	Within    Period `json:"keep_within,omitzero"`   // all that are not older
	Daily     int    `json:"keep_daily,omitempty"`   // one of each of the last this many days that have one
	Weekly    int    `json:"keep_weekly,omitempty"`  // and of weeks
	Monthly   int    `json:"keep_monthly,omitempty"` // and of months
	Yearly    int    `json:"keep_yearly,omitempty"`
	Published bool   `json:"keep_published"` // every publish
	Labelled  bool   `json:"keep_labelled"`  // every moment with a label
}

// Check refuses a policy that keeps nothing by itself, and negative counts, as fault.Usage.
func (p Policy) Check() error {
	for _, n := range []int{p.Last, p.Daily, p.Weekly, p.Monthly, p.Yearly} {
		if n < 0 {
			return fault.Errorf(fault.Usage, "policy", "a count is negative")
		}
	}
	if p.Last+p.Daily+p.Weekly+p.Monthly+p.Yearly == 0 && p.Within == (Period{}) {
		return fault.Errorf(fault.Usage, "policy", "it says nothing about drafts that are neither published nor labelled").
			WithNext("say what to keep, for example: --keep-within 90d --keep-weekly 8 --keep-monthly 12")
	}
	return nil
}

// Period is a length of time of the calendar.
type Period struct{ Years, Months, Days, Hours int }

var periodText = regexp.MustCompile(`^(?:(\d{1,4})y)?(?:(\d{1,4})m)?(?:(\d{1,4})w)?(?:(\d{1,5})d)?(?:(\d{1,6})h)?$`)

// ParsePeriod reads a period like 90d, 2y6m, 8w or 12h, largest unit first.
func ParsePeriod(text string) (Period, error) {
	m := periodText.FindStringSubmatch(text)
	if m == nil || text == "" {
		return Period{}, fault.Errorf(fault.Usage, text, "not a period").WithNext("write it like 90d, 8w, 2y6m or 12h")
	}
	var n [6]int
	for i := 1; i < len(m); i++ {
		n[i], _ = strconv.Atoi("0" + m[i]) // digits, and few
	}
	return Period{Years: n[1], Months: n[2], Days: 7*n[3] + n[4], Hours: n[5]}, nil
}

// String returns the period as ParsePeriod reads it, "0d" for none.
func (p Period) String() string {
	var b strings.Builder
	for _, u := range []struct {
		n    int
		unit string
	}{{p.Years, "y"}, {p.Months, "m"}, {p.Days, "d"}, {p.Hours, "h"}} {
		if u.n > 0 {
			fmt.Fprintf(&b, "%d%s", u.n, u.unit)
		}
	}
	if b.Len() == 0 {
		return "0d"
	}
	return b.String()
}

// Before returns the time a period before t.
func (p Period) Before(t time.Time) time.Time {
	return t.AddDate(-p.Years, -p.Months, -p.Days).Add(-time.Duration(p.Hours) * time.Hour)
}

// MarshalText writes the period.
func (p Period) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads a period.
func (p *Period) UnmarshalText(text []byte) (err error) {
	*p, err = ParsePeriod(string(text))
	return err
}

// IsZero reports whether the period has no length.
func (p Period) IsZero() bool { return p == Period{} }

// moment is a log for the policy.
type moment struct {
	log int64
	at  time.Time
	why []string // it stays
}

// choose writes into the moments of one branch, oldest first, why they stay. now is when the plan is made.
func (p Policy) choose(list []moment, publish bool, now time.Time) {
	if len(list) == 0 {
		return
	}
	list[len(list)-1].keep("now")
	from := p.Within.Before(now)
	rules := []struct {
		name string
		left int
		in   func(t time.Time) string
		last string
	}{
		{"daily", p.Daily, func(t time.Time) string { return t.Format("2006-01-02") }, ""},
		{"weekly", p.Weekly, func(t time.Time) string { y, w := t.ISOWeek(); return fmt.Sprintf("%d-%d", y, w) }, ""},
		{"monthly", p.Monthly, func(t time.Time) string { return t.Format("2006-01") }, ""},
		{"yearly", p.Yearly, func(t time.Time) string { return t.Format("2006") }, ""},
	}
	for i := len(list) - 1; i >= 0; i-- {
		m := &list[i]
		if len(list)-i <= p.Last {
			m.keep("last")
		}
		if !p.Within.IsZero() && !m.at.Before(from) {
			m.keep("within")
		}
		for k := range rules {
			r := &rules[k]
			if in := r.in(m.at.UTC()); r.left > 0 && in != r.last {
				m.keep(r.name)
				r.last = in
				r.left--
			}
		}
		if publish && p.Published {
			m.keep("published")
		}
	}
}

func (m *moment) keep(why string) { m.why = append(m.why, why) }
