package flags

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/schema"
	"github.com/openlectern/lectern/user"
)

func tables(d *db.DB) error { return schema.Create(context.Background(), d) }

func course(t *testing.T, key string) Scope {
	t.Helper()
	k, err := keys.ParseCourse(key)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ForCourse(k)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func org(t *testing.T, name string) Scope {
	t.Helper()
	s, err := ForOrg(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func load(t *testing.T, d *db.DB) *State {
	t.Helper()
	var s *State
	err := d.View(t.Context(), func(tx *db.Tx) (err error) { s, err = Load(t.Context(), tx, Authoring); return err })
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func set(t *testing.T, d *db.DB, scope Scope, c Change) (o Override) {
	t.Helper()
	err := d.Update(t.Context(), func(tx *db.Tx) (err error) { o, err = Set(t.Context(), tx, Authoring, scope, c); return err })
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func everyone(t *testing.T, d *db.DB, on *bool) {
	t.Helper()
	if err := d.Update(t.Context(), func(tx *db.Tx) error { return SetEveryone(t.Context(), tx, Authoring, on) }); err != nil {
		t.Fatal(err)
	}
}

// raw adds an override as another program would.
func raw(t *testing.T, d *db.DB, s Scope, date time.Time, enabled bool, choice string) {
	t.Helper()
	table := s.table()
	err := d.Update(t.Context(), func(tx *db.Tx) error {
		return tx.Insert(t.Context(), table.name, []string{"change_date", "enabled", "waffle_flag", "override_choice", "note", table.key}, 1,
			func(_ int, v []any) {
				v[0], v[1], v[2], v[3], v[4], v[5] = date, enabled, Authoring, choice, "", s.String()
			})
	})
	if err != nil {
		t.Fatal(err)
	}
}

const (
	c1 = "course-v1:Acme+A1+2025"
	c2 = "course-v1:Acme+A2+2025"
)

func TestResolution(t *testing.T) {
	t.Parallel()
	dbtest.EachReady(t, tables, func(t *testing.T, d *db.DB) {
		check := func(want ...bool) {
			t.Helper()
			s := load(t, d)
			g := s.Everyone()
			got := []bool{g, s.Org("Acme", g), s.Course(c1, "Acme", g), s.Course(c2, "Acme", g)}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("global, org, course 1, course 2 (-want +got):\n%s", diff)
			}
		}
		on, off := true, false
		check(false, false, false, false)
		everyone(t, d, nil) // makes no row
		if load(t, d).Flag() != nil {
			t.Error("a flag that was unset has a row")
		}
		everyone(t, d, &on)
		check(true, true, true, true)
		set(t, d, org(t, "Acme"), Change{On: false})
		check(true, false, false, false)
		set(t, d, course(t, c1), Change{On: true})
		check(true, false, true, false)
		set(t, d, org(t, "Acme"), Change{Drop: true})
		check(true, true, true, true)
		everyone(t, d, &off)
		check(false, false, true, false)
		everyone(t, d, nil)
		f := load(t, d).Flag()
		if f == nil || f.Everyone != nil || !f.Superusers || f.Staff {
			t.Errorf("row made = %+v, want waffle's defaults", f)
		}
		set(t, d, course(t, c1), Change{On: false})
		set(t, d, course(t, c1), Change{Drop: true})
		check(false, false, false, false)
		want := States{Orgs: Split{[]string{}, []string{}}, Courses: Split{[]string{}, []string{}}}
		if diff := cmp.Diff(want, load(t, d).States()); diff != "" {
			t.Errorf("states (-want +got):\n%s", diff)
		}
	})
}

// The rows of an override are current by their date where the flag is asked, by id where overrides are listed.
func TestNotionsOfCurrent(t *testing.T) {
	t.Parallel()
	dbtest.EachReady(t, tables, func(t *testing.T, d *db.DB) {
		noon := time.Date(2026, 1, 2, 12, 0, 0, 123456000, time.UTC)
		raw(t, d, course(t, c1), noon, true, "on")
		raw(t, d, course(t, c1), noon.Add(-time.Hour), true, "off") // a clock that is late
		raw(t, d, course(t, c2), noon, true, "off")
		raw(t, d, course(t, c2), noon, true, "on") // the same moment: the later row
		raw(t, d, org(t, "Acme"), noon, true, "on")
		raw(t, d, org(t, "Acme"), noon.Add(time.Microsecond), true, "odd")
		raw(t, d, org(t, "Other"), noon, true, "on")
		raw(t, d, org(t, "Other"), noon.Add(time.Second), false, "on")
		s := load(t, d)
		if !s.Course(c1, "Acme", false) || !s.Course(c2, "Acme", false) {
			t.Error("the row with the latest date does not decide")
		}
		if s.Org("Acme", false) || s.Org("Other", false) || !s.Org("Acme", true) {
			t.Error("an odd or disabled row overrides something")
		}
		want := States{Orgs: Split{[]string{}, []string{}}, Courses: Split{[]string{c2}, []string{c1}}}
		if diff := cmp.Diff(want, s.States()); diff != "" {
			t.Errorf("states (-want +got):\n%s", diff)
		}
		// A row of ours is current by both.
		raw(t, d, course(t, c1), time.Now().Add(48*time.Hour), true, "off")
		o := set(t, d, course(t, c1), Change{On: true})
		if s = load(t, d); !s.Course(c1, "Acme", false) || !slices.Contains(s.States().Courses.On, c1) {
			t.Errorf("%+v is not current", o)
		}
	})
}

// Keys are one key exactly where they are to the database.
func TestLetterCase(t *testing.T) {
	t.Parallel()
	dbtest.EachReady(t, tables, func(t *testing.T, d *db.DB) {
		upper := strings.ReplaceAll(c1, "Acme", "ACME")
		set(t, d, course(t, c1), Change{On: true})
		set(t, d, org(t, "Acme"), Change{On: true})
		s := load(t, d)
		for _, c := range []struct {
			scope Scope
			fold  bool
		}{{course(t, upper), d.Engine() != db.PostgreSQL}, {org(t, "ACME"), d.Engine().MySQLFamily()}} {
			n, _, err := db.One(t.Context(), d, `SELECT COUNT(*) FROM `+c.scope.table().name+` WHERE `+c.scope.table().key+` = ?`, []any{c.scope.String()}, db.Value[int])
			if err != nil || n == 1 != c.fold {
				t.Fatalf("the database finds %d rows of %s, %v", n, c.scope, err)
			}
			if _, ok := s.Override(c.scope); ok != c.fold {
				t.Errorf("override of %s found: %v, want %v", c.scope, ok, c.fold)
			}
		}
		set(t, d, course(t, upper), Change{On: false})
		got, want := load(t, d).States().Courses, Split{[]string{}, []string{upper}}
		if d.Engine() == db.PostgreSQL {
			want.On = []string{c1}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("courses (-want +got):\n%s", diff)
		}
	})
}

func TestHistory(t *testing.T) {
	t.Parallel()
	dbtest.EachReady(t, tables, func(t *testing.T, d *db.DB) {
		var jo user.User
		err := d.Update(t.Context(), func(tx *db.Tx) (err error) {
			jo, err = user.Create(t.Context(), tx, user.New{Username: "jo", Email: "jo@example.org"})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		a := set(t, d, course(t, c1), Change{On: false, By: int64(jo.ID), Note: "pilot"})
		b := set(t, d, course(t, c1), Change{Drop: true})
		c := set(t, d, org(t, "Acme"), Change{Drop: true})
		set(t, d, course(t, c2), Change{On: true})
		if b.Enabled || b.On || !b.Changed.After(a.Changed) || !c.On {
			t.Errorf("rows without override: %+v, %+v", b, c)
		}
		got, err := History(t.Context(), d, Authoring, course(t, c1))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]Override{b, a}, got, cmp.AllowUnexported(Scope{})); diff != "" {
			t.Errorf("history (-want +got):\n%s", diff)
		}
		if all, err := History(t.Context(), d, Authoring, Scope{}); err != nil || len(all) != 4 {
			t.Errorf("history of all = %v, %v", all, err)
		}
		if none, err := History(t.Context(), d, "other.flag", course(t, c1)); err != nil || len(none) != 0 {
			t.Errorf("history of another flag = %v, %v", none, err)
		}
	})
}

func TestChanged(t *testing.T) {
	t.Parallel()
	dbtest.EachReady(t, tables, func(t *testing.T, d *db.DB) {
		on := true
		exec := func(sql string, args ...any) func() {
			return func() {
				if _, err := d.Exec(t.Context(), sql, args...); err != nil {
					t.Fatal(err)
				}
			}
		}
		for _, step := range []struct {
			name string
			do   func()
			want bool
		}{
			{"nothing", func() {}, false},
			{"everyone", func() { everyone(t, d, &on) }, true},
			{"everyone again", func() { everyone(t, d, &on) }, false},
			{"course", func() { set(t, d, course(t, c1), Change{On: true}) }, true},
			{"org", func() { set(t, d, org(t, "Acme"), Change{On: true}) }, true},
			{"percent", exec(`UPDATE waffle_flag SET percent = 12.5`), true},
			{"group", exec(`INSERT INTO auth_group (id, name) VALUES (7, 'pilots')`), false},
			{"member", exec(`INSERT INTO waffle_flag_groups (flag_id, group_id) SELECT id, 7 FROM waffle_flag`), true},
			{"no member", exec(`DELETE FROM waffle_flag_groups`), true},
			// A transaction with a lower id that commits last.
			{"late row", exec(`INSERT INTO waffle_utils_waffleflagorgoverridemodel (id, change_date, enabled, waffle_flag, override_choice, note, org)
				SELECT MAX(id) + 5, MAX(change_date), ?, 'x', 'on', '', 'Acme' FROM waffle_utils_waffleflagorgoverridemodel`, true), true},
			{"later row", exec(`INSERT INTO waffle_utils_waffleflagorgoverridemodel (id, change_date, enabled, waffle_flag, override_choice, note, org)
				SELECT MAX(id) - 1, MAX(change_date), ?, 'x', 'on', '', 'Acme' FROM waffle_utils_waffleflagorgoverridemodel`, true), true},
		} {
			s := load(t, d)
			step.do()
			got, err := s.Changed(t.Context(), d)
			if err != nil || got != step.want {
				t.Errorf("%s: changed = %v, %v; want %v", step.name, got, err, step.want)
			}
		}
	})
}

func TestSwitchesAndSamples(t *testing.T) {
	t.Parallel()
	dbtest.EachReady(t, tables, func(t *testing.T, d *db.DB) {
		ctx := t.Context()
		update := func(fn func(tx *db.Tx) error) {
			t.Helper()
			if err := d.Update(ctx, fn); err != nil {
				t.Fatal(err)
			}
		}
		switched := func() string {
			on, found, err := Switch(ctx, d, "x.y")
			return fmt.Sprint(on, found, err)
		}
		sampled := func() string {
			p, found, err := Sample(ctx, d, "x.y")
			return fmt.Sprint(p, found, err)
		}
		if got := switched() + sampled(); got != "false false <nil>0 false <nil>" {
			t.Errorf("without rows: %s", got)
		}
		update(func(tx *db.Tx) error { return SetSwitch(ctx, tx, "x.y", true) })
		update(func(tx *db.Tx) error { return SetSample(ctx, tx, "x.y", 37.54) })
		if got := switched() + sampled(); got != "true true <nil>37.5 true <nil>" {
			t.Errorf("made: %s", got)
		}
		update(func(tx *db.Tx) error { return SetSwitch(ctx, tx, "x.y", false) })
		update(func(tx *db.Tx) error { return SetSample(ctx, tx, "x.y", 100) })
		if got := switched() + sampled(); got != "false true <nil>100 true <nil>" {
			t.Errorf("set again: %s", got)
		}
		update(func(tx *db.Tx) error { _, err := RemoveSwitch(ctx, tx, "x.y"); return err })
		update(func(tx *db.Tx) error { _, err := RemoveSample(ctx, tx, "x.y"); return err })
		if got := switched() + sampled(); got != "false false <nil>0 false <nil>" {
			t.Errorf("removed: %s", got)
		}
		err := d.Update(ctx, func(tx *db.Tx) error { return SetSample(ctx, tx, "x.y", 101) })
		if !fault.Is(err, fault.Usage) {
			t.Errorf("a sample of 101 percent: %v", err)
		}
		if Drawn(0) || !Drawn(100) {
			t.Error("a sample of 0 percent is on, or of 100 off")
		}
	})
}

func TestMissingTables(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := load(t, d)
		changed, err := s.Changed(t.Context(), d)
		if changed || err != nil || s.Course(c1, "Acme", false) || s.Everyone() || s.Active(Request{}) {
			t.Errorf("a database without tables: %+v, %v", s, err)
		}
		rows, err := History(t.Context(), d, Authoring, Scope{})
		if len(rows) > 0 || err != nil {
			t.Errorf("history: %v, %v", rows, err)
		}
		for name, fn := range map[string]func(*db.Tx) error{
			"course": func(tx *db.Tx) error { _, err := Set(t.Context(), tx, Authoring, course(t, c1), Change{}); return err },
			"flag":   func(tx *db.Tx) error { on := true; return SetEveryone(t.Context(), tx, Authoring, &on) },
			"switch": func(tx *db.Tx) error { return SetSwitch(t.Context(), tx, "x", true) },
			"sample": func(tx *db.Tx) error { return SetSample(t.Context(), tx, "x", 1) },
			"gone":   func(tx *db.Tx) error { _, err := RemoveSample(t.Context(), tx, "x"); return err },
		} {
			if err := d.Update(t.Context(), fn); !fault.Is(err, fault.Refused) {
				t.Errorf("%s: %v, want refused", name, err)
			}
		}
	})
}

func TestNames(t *testing.T) {
	t.Parallel()
	d := dbtest.Ready(t, db.SQLite, tables)
	for _, name := range []string{"", strings.Repeat("x", 101), "x "} {
		err := d.Update(t.Context(), func(tx *db.Tx) error { _, err := Set(t.Context(), tx, name, org(t, "Acme"), Change{}); return err })
		if k := fault.KindOf(err); k != fault.Usage && k != fault.Invalid {
			t.Errorf("flag %q: %v", name, err)
		}
	}
	for _, name := range []string{"", "*", "course-v1:Acme+*", "a b", "Acme "} {
		if s, err := ForOrg(name); err == nil {
			t.Errorf("ForOrg(%q) = %v", name, s)
		}
	}
	lib, err := keys.ParseCourse("library-v1:Acme+L1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ForCourse(lib); !fault.Is(err, fault.Usage) {
		t.Errorf("a library: %v", err)
	}
}
