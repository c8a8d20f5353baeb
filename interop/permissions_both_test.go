package interop

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
)

// crowd is what writers choose from: people, roles, scopes.
type crowd [3][]string

// writer says what one of them was told: the last of each assignment, "True" for there.
type writer struct {
	Told    [][4]string
	Refused []string
}

// TestPermissionsAtOnce lets two processes of openedx-authz and two of Lectern's give and take back the same assignments
// at the same time on a server, and each some that only it touches. No change that a writer was told of is lost, what
// belongs to the assignments is whole, and all decide the same afterwards, those that were there throughout too.
func TestPermissionsAtOnce(t *testing.T) {
	t.Parallel()
	sqlite := func(e db.Engine) bool { return e == db.SQLite } // it has one writer at a time by itself
	onEngines(t, slices.DeleteFunc(dbtest.Engines(), sqlite), func(t *testing.T, e db.Engine) {
		url := dbtest.URL(t, e)
		d := open(t, url)
		if err := create(d); err != nil {
			t.Fatal(err)
		}
		first, second := startKind(t, url, t.TempDir(), "authz"), startKind(t, url, t.TempDir(), "authz")
		p := &pair{d, watched(t, d), first}
		p.update(t, func(ctx context.Context, tx *db.Tx) error {
			_, err := authz.SeedUnused(ctx, tx)
			return err
		})
		first.ask(t, nil, "people")
		// Nothing keeps two processes from making a user's row among the subjects twice, after which Python fails (authz.md §8).
		for _, name := range []string{"ann", "bob", "cleo"} {
			p.lectern(t, authz.Assign, "", authz.Grant{User: name, Role: "library_user", Scope: "lib:DemoX:LIB1"})
		}

		const rounds = 40
		shared := crowd{{"ann", "bob", "cleo"}, {"library_user", "course_staff"}, {"lib:OpenedX:LIB1", "lib:*", "course-v1:OpenedX+CS1+2026", "course-v1:DemoX+Later+2026"}}
		own := func(i int) crowd {
			c := shared
			c[2] = append(slices.Clone(c[2]), fmt.Sprintf("lib:Own%d:*", i), fmt.Sprintf("course-v1:Own%d+*", i))
			return c
		}
		command := func(i int) []string {
			text, err := json.Marshal(own(i))
			if err != nil {
				t.Fatal(err)
			}
			return []string{"busy", fmt.Sprint(i), fmt.Sprint(rounds), string(text)}
		}
		writers := make([]writer, 4) // the first two are Python's
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		done := make(chan struct{}, 2)
		for i := range 2 {
			other := open(t, url)
			go func() {
				writers[2+i] = busy(ctx, other, 2+i, own(2+i))
				done <- struct{}{}
			}()
		}
		second.tell(t, command(1)...)
		first.ask(t, &writers[0], command(0)...)
		second.hear(t, &writers[1], command(1)...)
		stop()
		<-done
		<-done

		p.caughtUp(t)
		fresh, err := authz.Load(t.Context(), d)
		if err != nil {
			t.Fatal(err)
		}
		for i, w := range writers {
			t.Logf("writer %d was told of %d assignments and refused %q", i, len(w.Told), w.Refused)
			if lectern := i >= 2; len(w.Told) == 0 || lectern && len(w.Refused) > 0 {
				t.Errorf("writer %d was told of %d assignments and refused %q", i, len(w.Told), w.Refused)
			}
			for _, told := range w.Told {
				if slices.Contains(shared[2], told[2]) { // others have changed it since
					continue
				}
				there, err := fresh.Assigned(authz.Exact{User: told[0], Role: told[1], Scope: told[2]})
				if err != nil {
					t.Fatal(err)
				}
				if want := told[3] == "True"; len(there) > 0 != want {
					t.Errorf("writer %d was told last that %q, and there is %v", i, told, there)
				}
			}
		}
		var list [][3]string
		for _, who := range shared[0] {
			for _, scope := range []string{"lib:OpenedX:LIB1", "lib:DemoX:*", "lib:Own1:X", "lib:Own2:X"} {
				list = append(list, [3]string{who, "content_libraries.view_library", scope})
			}
			for _, scope := range []string{"course-v1:OpenedX+CS1+2026", "course-v1:DemoX+Later+2026", "course-v1:Own0+C+R", "course-v1:Own3+C+R"} {
				list = append(list, [3]string{who, "courses.edit_course_content", scope})
			}
		}
		p.agree(t, "after the first process was busy", list)
		p.django = second
		p.agree(t, "after the second process was busy", list)

		// What Python and Lectern made of one assignment at the same moment may be there twice, once without an extended row.
		count := func(sql string) int {
			t.Helper()
			n, _, err := db.One(t.Context(), d, sql, nil, db.Value[int])
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		var got []assignment
		first.ask(t, &got, "assignments")
		bare := 0
		for _, a := range got {
			if a.Key == "" {
				bare++
			} else if want := "g," + a.Rule[0] + "," + a.Rule[1] + "," + a.Rule[2] + ","; a.Key != want || a.User == nil || "user^"+*a.User != a.Rule[0] {
				t.Errorf("what belongs to %q: %+v", a.Rule, a)
			}
		}
		t.Logf("%d assignments, %d of them without an extended row", len(got), bare)
		var all []authz.Grant
		for i := range 4 {
			c := own(i)
			for _, who := range c[0] {
				for _, role := range c[1] {
					for _, scope := range append(c[2], "lib:DemoX:LIB1") {
						all = append(all, authz.Grant{User: who, Role: role, Scope: scope})
					}
				}
			}
		}
		p.lectern(t, authz.Unassign, "", all...)
		if n := count("SELECT COUNT(*) FROM casbin_rule WHERE ptype = 'g'"); n != 0 {
			t.Errorf("%d assignments are left after taking all back", n)
		}
		if n := count("SELECT COUNT(*) FROM openedx_authz_extendedcasbinrule"); n != 0 {
			t.Errorf("%d extended rows are left after taking all back", n)
		}
		p.caughtUp(t)
		if n := p.engine.Index().Assignments(); n != 0 {
			t.Errorf("the engine still has %d assignments", n)
		}
	})
}

// busy does what permissions.py does by that name until ctx ends, with assignments in sets. Nothing may be refused.
func busy(ctx context.Context, d *db.DB, seed int, c crowd) (w writer) {
	pick := rand.New(rand.NewPCG(uint64(seed), 0))
	told := map[authz.Grant]string{}
	for ; ctx.Err() == nil; time.Sleep(10 * time.Millisecond) { // Python's changes are slower
		var set []authz.Grant
		for range 1 + pick.IntN(3) {
			set = append(set, authz.Grant{User: c[0][pick.IntN(len(c[0]))], Role: c[1][pick.IntN(len(c[1]))], Scope: c[2][pick.IntN(len(c[2]))]})
		}
		fn, said := authz.Assign, "True"
		if pick.IntN(10) >= 6 {
			fn, said = authz.Unassign, "False"
		}
		err := d.Update(context.WithoutCancel(ctx), func(tx *db.Tx) error {
			_, err := fn(context.WithoutCancel(ctx), tx, set, authz.Options{})
			return err
		})
		if err != nil {
			w.Refused = append(w.Refused, err.Error())
			continue
		}
		for _, g := range set {
			told[g] = said
		}
	}
	for g, said := range told {
		w.Told = append(w.Told, [4]string{g.User, g.Role, g.Scope, said})
	}
	return w
}
