package prune

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/modulestore"
)

func states(t *testing.T, folders []string, o ExpireOptions) string {
	t.Helper()
	list, err := Expire(t.Context(), folders, o)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, a := range list {
		if a.Database != "memory/edxapp" || len(a.Plan) != 64 || a.Bytes == 0 && a.State != ArchiveUnfinished {
			t.Errorf("%+v", a)
		}
		out = append(out, a.State)
	}
	return strings.Join(out, " ")
}

// TestExpire removes archives whose time is over, and no others; undo says why it cannot any more (PR-10).
func TestExpire(t *testing.T) {
	t.Parallel()
	s, m := memorySite(t, 1)
	s.chain(12)
	s.now = s.now.AddDate(1, 0, 0)
	_, archive := s.pruned(m, Options{Policy: Policy{Last: 5}}) // restorable for an hour
	all := t.TempDir()
	one, two := filepath.Join(all, "1"), filepath.Join(all, "2")
	if err := os.Rename(archive, one); err != nil {
		t.Fatal(err)
	}
	s.now = s.now.Add(2 * time.Hour)
	_, archive = s.pruned(m, Options{Policy: Policy{Last: 1}})
	if err := os.Rename(archive, two); err != nil {
		t.Fatal(err)
	}
	before := content(m)
	exists := func(path ...string) bool {
		_, err := os.Stat(filepath.Join(path...))
		return err == nil
	}
	for _, c := range []struct {
		folders []string
		after   time.Duration
		write   bool
		want    string
	}{
		{[]string{all}, 0, false, "over restorable"},
		{[]string{all}, 24 * time.Hour, true, "restorable restorable"},
		{[]string{two, one}, 0, false, "restorable over"},
		{[]string{all}, 0, true, "expired restorable"},
		{[]string{all}, 0, true, "expired restorable"},
		{[]string{all}, 24 * time.Hour, false, "expired restorable"},
	} {
		if got := states(t, c.folders, ExpireOptions{After: c.after, By: "jo", Now: s.now, Write: c.write}); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
	if exists(one, "dump") || exists(one, cutsName) || !exists(one, ledgerName) || !exists(two, "dump") || !exists(two, cutsName) {
		t.Error("the files are not those of one expired archive and one that is not")
	}
	if log, err := os.ReadFile(filepath.Join(one, "audit.log")); err != nil || strings.Count(string(log), " jo memory/edxapp: expire plan ") != 1 {
		t.Errorf("audit log: %v\n%s", err, log)
	}
	_, err := Undo(t.Context(), m, one, "jo", s.now, nil)
	if !fault.Is(err, fault.Refused) || !strings.Contains(err.Error(), "expired") {
		t.Errorf("undo after expire: %v", err)
	}
	if len(content(m)) != len(before) {
		t.Error("a refused undo changed the database")
	}
	if _, err := Undo(t.Context(), m, two, "jo", s.now, nil); err != nil {
		t.Errorf("undo of the other: %v", err)
	}
	if _, err := Expire(t.Context(), []string{t.TempDir()}, ExpireOptions{}); !fault.Is(err, fault.NotFound) {
		t.Errorf("an empty folder: %v", err)
	}
	if err := os.RemoveAll(filepath.Join(one, "dump")); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(one, "dump"), 0o700); err != nil { // killed in the midst of it
		t.Fatal(err)
	}
	if states(t, []string{one}, ExpireOptions{Now: s.now, Write: true}); exists(one, "dump") {
		t.Error("what a killed run left is still there")
	}
}

// TestUnfinishedStays keeps archives in which apply or undo has to go on.
func TestUnfinishedStays(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ call, what string }{{"delete", "apply"}, {"insert", "undo"}} {
		s, m := memorySite(t, 1)
		s.chain(12)
		s.now = s.now.AddDate(1, 0, 0)
		dir := t.TempDir()
		path, archive := filepath.Join(dir, "plan.json"), filepath.Join(dir, "archive")
		if _, err := Make(t.Context(), m, Options{Policy: Policy{Last: 1}, Now: s.now}, path); err != nil {
			t.Fatal(err)
		}
		p, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		kill := func(call string) error {
			if call == c.call && (c.what == "undo" || len(m.docs[modulestore.CollectionStructures]) < 10) {
				return errKilled
			}
			return nil
		}
		o := ApplyOptions{Archive: archive, Batch: 3, By: "jo", Now: func() time.Time { return s.now }, Sleep: noSleep, Restorable: time.Hour}
		if c.what == "apply" {
			m.hook = kill
		}
		if _, err = Apply(t.Context(), m, p, o); (err != nil) != (c.what == "apply") {
			t.Fatal(err)
		}
		if c.what == "undo" {
			m.hook = kill
			if _, err := Undo(t.Context(), m, archive, "jo", s.now, nil); err == nil {
				t.Fatal("undo was not killed")
			}
		}
		m.hook = nil
		s.now = s.now.AddDate(1, 0, 0)
		over := ExpireOptions{By: "jo", Now: s.now, Write: true}
		if got := states(t, []string{archive}, over); got != ArchiveUnfinished {
			t.Errorf("%s was killed: %s", c.what, got)
		}
	}
}
