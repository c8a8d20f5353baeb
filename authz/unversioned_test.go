package authz_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
)

// TestEngineUnversioned changes rules without giving the policy a version, as the reference does where a person leaves: a
// running engine, which lists of changed rows lead past that, learns of it when it loads everything for no other reason.
func TestEngineUnversioned(t *testing.T) {
	t.Parallel()
	dbtest.EachReady(t, policySite, func(t *testing.T, d *db.DB) {
		var later atomic.Int64
		e := authz.NewEngine(d)
		e.SetClock(func() time.Time { return time.Now().Add(time.Duration(later.Load())) })
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			e.Watch(ctx, time.Millisecond)
		}()
		defer func() {
			stop()
			<-done
		}()
		sees := func(what, name string, want bool) {
			t.Helper()
			for end := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
				got, err := e.Index().Allowed(name, viewLibrary, library)
				if err == nil && got == want {
					return
				}
				if time.Now().After(end) {
					t.Fatalf("%s: %s is allowed: %t, %v; want %t", what, name, got, err, want)
				}
			}
		}
		assign(t, d, authz.Grant{User: "alice", Role: "library_user", Scope: library})
		sees("assigned", "alice", true)

		exec(t, d, "DELETE FROM openedx_authz_extendedcasbinrule WHERE casbin_rule_key LIKE 'g,user^alice,%'")
		exec(t, d, "DELETE FROM casbin_rule WHERE v0 = 'user^alice'")
		assign(t, d, authz.Grant{User: "bob", Role: "library_user", Scope: library})
		sees("assigned later", "bob", true)
		wantAllowed(t, e, "after a list of changed rows", "alice", true)

		later.Store(int64(time.Hour))
		sees("an hour later", "alice", false)
		wantAllowed(t, e, "an hour later", "bob", true)
	})
}
