package authz_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/user"
)

const viewLibrary = "content_libraries.view_library"

// policySite is site with the policy that a site starts with.
func policySite(d *db.DB) error {
	if err := site(d); err != nil {
		return err
	}
	ctx := context.Background()
	return d.Update(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, "INSERT INTO casbin_rule (ptype, v0, v1, v2, v3, v4, v5) VALUES ('p', 'role^library_user', 'act^"+viewLibrary+"', 'lib^*', 'allow', '', '')")
		return err
	})
}

func engineOf(t *testing.T, d *db.DB) *authz.Engine {
	t.Helper()
	e := authz.NewEngine(d)
	if err := e.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	return e
}

func assign(t *testing.T, d *db.DB, grants ...authz.Grant) authz.Change {
	t.Helper()
	var w *authz.Written
	if err := d.Update(t.Context(), func(tx *db.Tx) (err error) {
		w, err = authz.Assign(t.Context(), tx, grants, authz.Options{})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return w.Change
}

func wantAllowed(t *testing.T, e *authz.Engine, what, user string, want bool) {
	t.Helper()
	if got, err := e.Index().Allowed(user, viewLibrary, library); err != nil || got != want {
		t.Errorf("%s: %s is allowed: %t, %v; want %t", what, user, got, err, want)
	}
}

func TestEngine(t *testing.T) {
	t.Parallel()
	dbtest.EachReady(t, policySite, func(t *testing.T, d *db.DB) {
		ctx := t.Context()
		unread := authz.NewEngine(d)
		if unread.Loaded() {
			t.Error("loaded before anything was read")
		}
		here, there := engineOf(t, d), engineOf(t, d)
		policy := here.Index()
		wantAllowed(t, here, "at first", "alice", false)

		// A change of this process, and how another sees it.
		c := assign(t, d, authz.Grant{User: "alice", Role: "library_user", Scope: library})
		wantAllowed(t, here, "before the change is applied", "alice", false)
		if err := here.Apply(ctx, c); err != nil {
			t.Fatal(err)
		}
		wantAllowed(t, here, "applied", "alice", true)
		wantAllowed(t, there, "not looked", "alice", false)
		refresh(t, there)
		wantAllowed(t, there, "looked", "alice", true)
		if there.Index().Version() != c.Version || here.Index().Version() != c.Version {
			t.Errorf("versions %s and %s, want %s", here.Index().Version(), there.Index().Version(), c.Version)
		}
		if policy.Assignments() != 0 {
			t.Error("an earlier index has changed")
		}

		// Several changes at once, in the wrong order, twice, and one that this process learns of late.
		c1 := assign(t, d, authz.Grant{User: "bob", Role: "library_user", Scope: library})
		c2 := assign(t, d, authz.Grant{User: "carol", Role: "library_user", Scope: "lib:OpenedX:*"})
		c3 := assign(t, d, authz.Grant{User: "dan", Role: "library_user", Scope: "lib:*"})
		for _, c := range []authz.Change{c3, c1, c2, c3, c1, {}} {
			if err := here.Apply(ctx, c); err != nil {
				t.Fatal(err)
			}
		}
		refresh(t, there)
		for _, name := range []string{"bob", "carol", "dan"} {
			wantAllowed(t, here, "applied", name, true)
			wantAllowed(t, there, "followed", name, true)
		}
		if n := here.Index().Assignments(); n != 4 {
			t.Errorf("%d assignments, want 4", n)
		}

		// A writer that keeps no list.
		python := uuid.New()
		if err := d.Update(ctx, func(tx *db.Tx) error {
			if _, err := tx.Exec(ctx, "INSERT INTO casbin_rule (ptype, v0, v1, v2, v3, v4, v5) VALUES ('g', 'user^eve', 'role^library_user', 'lib^"+library+"', '', '', '')"); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, "UPDATE openedx_authz_policycachecontrol SET version = ?", python)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		c4 := assign(t, d, authz.Grant{User: "bob", Role: "library_user", Scope: "lib:*"})
		if c4.Previous != python {
			t.Errorf("the change follows %s, want %s", c4.Previous, python)
		}
		if err := here.Apply(ctx, c4); err != nil { // which must see that one is missing in between
			t.Fatal(err)
		}
		refresh(t, there)
		for _, e := range []*authz.Engine{here, there} {
			wantAllowed(t, e, "without a list", "eve", true)
			if n := e.Index().Assignments(); n != 6 {
				t.Errorf("%d assignments, want 6", n)
			}
		}

		// Super admins have no version.
		wantAllowed(t, here, "no admin yet", "nobody@example.org", false)
		if _, err := d.Exec(ctx, "UPDATE auth_user SET is_staff = ?, email = 'nobody@example.org' WHERE username = 'eve'", true); err != nil {
			t.Fatal(err)
		}
		refresh(t, here)
		wantAllowed(t, here, "by address", "nobody@example.org", true)
	})
}

func refresh(t *testing.T, e *authz.Engine) {
	t.Helper()
	if err := e.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestWatch: a change of another process is seen without being asked for, a database that fails shows in the staleness, and
// Watch ends with its context.
func TestWatch(t *testing.T) {
	t.Parallel()
	var broken atomic.Bool
	url := dbtest.ReadyURL(t, db.SQLite, policySite)
	d, err := db.Open(t.Context(), url, db.Options{Fault: func(string) error {
		if broken.Load() {
			return errors.New("the server is away")
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	e := authz.NewEngine(d)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		e.Watch(ctx, time.Millisecond)
		close(ended)
	}()
	until(t, "the first look", e.Loaded)
	assign(t, d, authz.Grant{User: "alice", Role: "library_user", Scope: library})
	until(t, "the change", func() bool {
		ok, _ := e.Index().Allowed("alice", viewLibrary, library)
		return ok
	})
	broken.Store(true)
	until(t, "the fault", func() bool {
		age, err := e.Staleness()
		return err != nil && age > 20*time.Millisecond
	})
	if err := e.Refresh(ctx); err == nil {
		t.Error("refreshed from a server that is away")
	}
	if ok, _ := e.Index().Allowed("alice", viewLibrary, library); !ok {
		t.Error("what was known is forgotten while the server is away")
	}
	broken.Store(false)
	until(t, "recovery", func() bool {
		age, err := e.Staleness()
		return err == nil && age < time.Second
	})
	stop()
	<-ended
	if err := e.Refresh(ctx); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("refresh after the end: %v", err)
	}
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s did not come", what)
		}
	}
}

// TestEngineUnderLoad lets readers, writers and refreshing goroutines meet: readers find at each moment a whole policy, and
// in the end all is there.
func TestEngineUnderLoad(t *testing.T) {
	t.Parallel()
	d := dbtest.Ready(t, db.SQLite, policySite)
	e := engineOf(t, d)
	const writers, rounds = 4, 12
	var done atomic.Bool
	var readers, work sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for !done.Load() {
				x := e.Index()
				seen := 0
				for i := range writers {
					for j := range rounds {
						if ok, _ := x.Allowed(people[i], viewLibrary, fmt.Sprintf("lib:O%d:L%d", i, j)); ok {
							seen++
						}
					}
				}
				if seen != x.Assignments() {
					t.Errorf("%d of %d assignments count", seen, x.Assignments())
					return
				}
			}
		})
	}
	for i := range writers {
		work.Go(func() {
			for j := range rounds {
				if err := e.Apply(t.Context(), assign(t, d, authz.Grant{User: people[i], Role: "library_user", Scope: fmt.Sprintf("lib:O%d:L%d", i, j)})); err != nil {
					t.Error(err)
				}
				if ok, _ := e.Index().Allowed(people[i], viewLibrary, fmt.Sprintf("lib:O%d:L%d", i, j)); !ok {
					t.Errorf("%s does not have what was just given", people[i])
				}
			}
		})
	}
	work.Go(func() {
		for range 30 {
			if err := e.Refresh(t.Context()); err != nil {
				t.Error(err)
			}
		}
	})
	work.Wait()
	done.Store(true)
	readers.Wait()
	if n := e.Index().Assignments(); n != writers*rounds {
		t.Errorf("%d assignments, want %d", n, writers*rounds)
	}
}

// TestOrigins: who gave a role, when and why.
func TestOrigins(t *testing.T) {
	t.Parallel()
	dbtest.EachReady(t, policySite, func(t *testing.T, d *db.DB) {
		ctx := t.Context()
		g := authz.Grant{User: "alice", Role: "library_user", Scope: library}
		old := authz.Grant{User: "bob", Role: "library_user", Scope: "lib:*"}
		if err := d.Update(ctx, func(tx *db.Tx) error {
			id, _, err := db.One(ctx, tx, "SELECT id FROM auth_user WHERE username = 'carol'", nil, db.Value[user.ID])
			if err != nil {
				return err
			}
			if _, err := authz.Assign(ctx, tx, []authz.Grant{g, old}, authz.Options{Reason: "asked for it", Actor: id}); err != nil {
				return err
			}
			_, err = tx.Exec(ctx, "DELETE FROM openedx_authz_roleassignmentaudit WHERE subject = 'user^bob'")
			return err
		}); err != nil {
			t.Fatal(err)
		}
		x := engineOf(t, d).Index()
		e, err := x.Explain("alice", viewLibrary, library)
		if err != nil {
			t.Fatal(err)
		}
		got, err := authz.Origins(ctx, d, append(e.Grants(), old, authz.Grant{User: "eve", Role: "r", Scope: "lib:*"}))
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != 3 || got[0].Grant != g || got[0].By != "carol" || got[0].Reason != "asked for it" || got[0].Since.IsZero() {
			t.Errorf("origins %+v", got)
		} else if got[1].Since.IsZero() || got[1].By != "" || !got[2].Since.IsZero() {
			t.Errorf("origins without an audit %+v", got[1:])
		}
	})
}
