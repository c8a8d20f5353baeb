package flags

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/openlectern/lectern/db"
)

const (
	flagTable  = "waffle_flag"
	flagUsers  = flagTable + "_users"
	flagGroups = flagTable + "_groups"
)

// Flag is waffle's row of a flag: for whom it is on where nothing overrides it.
type Flag struct {
	ID            int64
	Name          string
	Everyone      *bool   // on or off for all, whatever the rest says; nil leaves it to the rest
	Percent       float64 // of people, 0 to 99.9
	Testing       bool    // a request may choose
	Superusers    bool
	Staff         bool
	Authenticated bool
	Languages     string // codes, comma-separated
	Rollout       bool   // kept by waffle's cookies for a session only
	Users, Groups []int64
}

func readFlag(ctx context.Context, q db.Querier, name string) (*Flag, error) {
	f, found, err := db.One(ctx, q, `SELECT id, name, everyone, percent, testing, superusers, staff, authenticated, languages, rollout
		FROM waffle_flag WHERE name = ?`, []any{name}, func(r *db.Row) (f Flag, err error) {
		var percent *float64
		err = r.Scan(&f.ID, &f.Name, &f.Everyone, &percent, &f.Testing, &f.Superusers, &f.Staff, &f.Authenticated, &f.Languages, &f.Rollout)
		if percent != nil {
			f.Percent = *percent
		}
		return f, err
	})
	if err != nil || !found {
		return nil, err
	}
	return &f, nil
}

func (f *Flag) readMembers(ctx context.Context, q db.Querier) (err error) {
	if f.Users, err = db.All(ctx, q, `SELECT user_id FROM `+flagUsers+` WHERE flag_id = ? ORDER BY user_id`, []any{f.ID}, db.Value[int64]); err != nil {
		return err
	}
	f.Groups, err = db.All(ctx, q, `SELECT group_id FROM `+flagGroups+` WHERE flag_id = ? ORDER BY group_id`, []any{f.ID}, db.Value[int64])
	return err
}

// same compares two rows, their members left out.
func (f *Flag) same(g *Flag) bool {
	if f == nil || g == nil {
		return f == g
	}
	everyone := (f.Everyone == nil) == (g.Everyone == nil) && (f.Everyone == nil || *f.Everyone == *g.Everyone)
	return everyone && f.ID == g.ID && f.Name == g.Name && f.Percent == g.Percent && f.Testing == g.Testing && f.Superusers == g.Superusers &&
		f.Staff == g.Staff && f.Authenticated == g.Authenticated && f.Languages == g.Languages && f.Rollout == g.Rollout
}

// Person is what a flag looks at of who asks.
type Person struct {
	ID               int64
	Staff, Superuser bool
	Groups           []int64 // of auth_group
}

// Request is what a flag looks at of a request. The zero Request is nobody's.
type Request struct {
	Person   *Person // nil is nobody
	Language string  // code of the language the request is answered in
	Test     *bool   // what its testing parameter (dwft_NAME), header or cookie asks for; counts for flags under test only
	Kept     *bool   // what its cookie (dwf_NAME) says of an earlier draw by percentage
}

// Active reports whether the flag is on for a request, by waffle's rules in waffle's order, but for one: where a percentage
// of people has the flag, waffle draws for each request and keeps the outcome in a cookie. Here the draw follows from the
// flag's name and the person, so that one person's rights do not change from call to call, from server to server or with a
// lost cookie; nobody's is lost.
func (f *Flag) Active(r Request) bool {
	switch {
	case f.Everyone != nil:
		return *f.Everyone
	case f.Testing && r.Test != nil:
		return *r.Test
	case r.Language != "" && f.speaks(r.Language):
		return true
	}
	if p := r.Person; p != nil && (f.Authenticated || f.Staff && p.Staff || f.Superusers && p.Superuser || f.has(p)) {
		return true
	}
	switch {
	case f.Percent <= 0:
		return false
	case r.Kept != nil:
		return *r.Kept
	}
	return r.Person != nil && draw(f.Name, r.Person.ID) < f.Percent
}

// speaks reports whether a code is in the list of languages.
func (f *Flag) speaks(code string) bool {
	for list := f.Languages; list != ""; {
		var one string
		one, list, _ = strings.Cut(list, ",")
		if strings.TrimSpace(one) == code {
			return true
		}
	}
	return false
}

// has reports whether the person, or a group of the person's, was given the flag.
func (f *Flag) has(p *Person) bool {
	if _, found := slices.BinarySearch(f.Users, p.ID); found {
		return true
	}
	if len(f.Groups) == 0 {
		return false
	}
	return slices.ContainsFunc(p.Groups, func(g int64) bool { _, found := slices.BinarySearch(f.Groups, g); return found })
}

// draw returns a number of [0, 100) that is a person's for a flag.
func draw(name string, person int64) float64 {
	var room [128]byte
	sum := sha256.Sum256(strconv.AppendInt(append(append(room[:0], name...), 0), person, 10))
	return float64(binary.BigEndian.Uint64(sum[:])>>11) / (1 << 53) * 100
}

// Rules names what beside everyone the flag is on for, in words: what a person who sees it "off" should know.
func (f *Flag) Rules() []string {
	rules := []string{}
	if f.Everyone != nil {
		return rules
	}
	for _, r := range []struct {
		on   bool
		name string
	}{{f.Superusers, "superusers"}, {f.Staff, "staff"}, {f.Authenticated, "authenticated"}, {f.Testing, "testing"}} {
		if r.on {
			rules = append(rules, r.name)
		}
	}
	if f.Languages != "" {
		rules = append(rules, "languages "+f.Languages)
	}
	if f.Percent > 0 {
		rules = append(rules, "percent "+strconv.FormatFloat(f.Percent, 'f', -1, 64))
	}
	if n := len(f.Users); n > 0 {
		rules = append(rules, strconv.Itoa(n)+" users")
	}
	if n := len(f.Groups); n > 0 {
		rules = append(rules, strconv.Itoa(n)+" groups")
	}
	return rules
}

// SetEveryone turns the flag on or off for everybody, or with nil leaves it to its other rules. Where there is no row it
// makes one with waffle's defaults, for nil none.
func SetEveryone(ctx context.Context, tx *db.Tx, name string, on *bool) error {
	if on == nil {
		return write(ctx, tx, flagTable, name, "everyone", nil, nil)
	}
	return write(ctx, tx, flagTable, name, "everyone", *on, []given{
		{"percent", nil}, {"testing", false}, {"superusers", true}, {"staff", false}, {"authenticated", false}, {"languages", ""}, {"rollout", false},
	})
}

// later returns now, or what comes right after t if that is not before it.
func later(now, t time.Time) time.Time {
	if t.Before(now) {
		return now
	}
	return t.Add(time.Microsecond)
}

// round cuts what a decimal column of one digit after the point would.
func round(percent float64) float64 { return math.Round(percent*10) / 10 }
