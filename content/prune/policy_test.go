package prune

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/fault"
)

func TestChoose(t *testing.T) {
	t.Parallel()
	day := func(month, day, hour int) time.Time {
		return time.Date(2026, time.Month(month), day, hour, 0, 0, 0, time.UTC)
	}
	at := []time.Time{day(1, 30, 9), day(2, 1, 9), day(2, 2, 9), day(2, 8, 9), day(2, 9, 9), day(2, 9, 15), day(2, 10, 8), day(2, 10, 9)}
	for _, c := range []struct {
		name    string
		policy  Policy
		publish bool
		want    string
	}{
		{"nothing but now", Policy{}, false, "- - - - - - - now"},
		{"last", Policy{Last: 3}, false, "- - - - - last last now+last"},
		{"within", Policy{Within: Period{Days: 1, Hours: 1}}, false, "- - - - within within within now+within"},
		{"daily", Policy{Daily: 3}, false, "- - - daily - daily - now+daily"},
		{"weekly", Policy{Weekly: 3}, false, "- weekly - weekly - - - now+weekly"},
		{"monthly", Policy{Monthly: 5}, false, "monthly - - - - - - now+monthly"},
		{"yearly", Policy{Yearly: 2}, false, "- - - - - - - now+yearly"},
		{"drafts are not published", Policy{Published: true}, false, "- - - - - - - now"},
		{"published", Policy{Published: true, Last: 1}, true,
			"published published published published published published published now+last+published"},
	} {
		list := make([]moment, len(at))
		for i, x := range at {
			list[i] = moment{log: int64(i + 1), at: x}
		}
		c.policy.choose(list, c.publish, day(2, 10, 10))
		got := make([]string, len(list))
		for i, m := range list {
			got[i] = "-"
			if m.why != nil {
				got[i] = strings.Join(m.why, "+")
			}
		}
		if diff := cmp.Diff(c.want, strings.Join(got, " ")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestPolicyCheck(t *testing.T) {
	t.Parallel()
	for _, p := range []Policy{{}, {Published: true, Labelled: true}, {Last: -1, Daily: 5}} {
		if err := p.Check(); !fault.Is(err, fault.Usage) {
			t.Errorf("%+v: %v", p, err)
		}
	}
	if err := (Policy{Within: Period{Hours: 1}}).Check(); err != nil {
		t.Error(err)
	}
}

func TestPeriods(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Period{
		"90d": {Days: 90}, "8w": {Days: 56}, "2y6m": {Years: 2, Months: 6}, "1y2m1w3d4h": {1, 2, 10, 4}, "12h": {Hours: 12}, "0d": {},
	} {
		got, err := ParsePeriod(text)
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
		if back, err := ParsePeriod(got.String()); err != nil || back != want {
			t.Errorf("%s: printed as %s, read as %+v, %v", text, got, back, err)
		}
	}
	for _, text := range []string{"", "90", "d", "3d2w", "-1d", "1.5d", "1 d", "99999999999h", "week"} {
		if got, err := ParsePeriod(text); !fault.Is(err, fault.Usage) {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
}

func TestIDs(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]IDs{"": nil, "7": {7}, "3-5,9": {3, 4, 5, 9}, "1-2,4,6-7": {1, 2, 4, 6, 7}} {
		var got IDs
		if err := got.UnmarshalText([]byte(text)); err != nil {
			t.Errorf("%q: %v", text, err)
		}
		back, err := got.MarshalText()
		if diff := cmp.Diff(want, got); diff != "" || string(back) != text || err != nil {
			t.Errorf("%q: printed as %q, %v (-want +got):\n%s", text, back, err, diff)
		}
	}
	for _, text := range []string{"5,3", "3-1", "0", "-4", "1,,2", "a", "1-99999999999", "4,4"} {
		var got IDs
		if err := got.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}
