package authz

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/casbin/casbin/v2"
	"github.com/casbin/casbin/v2/model"
	"github.com/casbin/casbin/v2/util"
	"github.com/google/uuid"

	"github.com/openlectern/lectern/authz/scope"
	"github.com/openlectern/lectern/user"
)

// casbinModel is the model of authz.md §4 in casbin's words.
const casbinModel = `
[request_definition]
r = sub, act, scope
[policy_definition]
p = sub, act, scope, eft
[role_definition]
g = _, _, _
g2 = _, _
[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))
[matchers]
m = staff(r.sub, r.scope) || ((g(r.sub, p.sub, r.scope) || g(r.sub, p.sub, "*")) && keyMatch(r.scope, p.scope) && (r.act == p.act || g2(p.act, r.act)))
`

// randomWorld makes rows of every shape that decisions must get right, over few names, so that they meet.
type randomWorld struct {
	rows   [][]string
	supers []string
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

var (
	worldUsers  = []string{"user^ann", "user^Ann", "user^bo", "user^cy", "svc^ann", "user^x@example.org"}
	worldRoles  = []string{"role^r0", "role^r1", "role^r2", "role^r3", "role^r4"}
	worldActs   = []string{"act^a0", "act^a1", "act^a2", "act^a3", "act^a4"}
	worldScopes = []string{
		"lib^lib:O:L", "lib^lib:O:l", "lib^lib:o:L", "lib^lib:Ov2:L", "lib^lib:O:*", "lib^lib:Ov2:*", "lib^lib:*",
		"course-v1^course-v1:O+C+R", "course-v1^course-v1:O+C+R2", "course-v1^course-v1:Ov2+C+R", "course-v1^course-v1:O+*", "course-v1^course-v1:*",
		"ccx-v1^ccx-v1:O+C+R+ccx@1", "global^global:x", "lib^*", "course-v1^*", "course-v1^O/C/R",
	}
	worldPatterns = append([]string{"*", "lib^lib:O*", "lib^lib:O:L*", "course-v1^course-v1:O+C*", "course-v1^course-v1:O*+zz*", "ccx-v1^ccx-v1:*", "ccx-v1^*", "lib^l*", "*x"},
		worldScopes...)
)

func newRandomWorld(r *rand.Rand) *randomWorld {
	w := &randomWorld{}
	add := func(row ...string) { w.rows = append(w.rows, row) }
	subject := func() string {
		if r.IntN(5) == 0 {
			return pick(r, worldRoles)
		}
		return pick(r, worldUsers)
	}
	for range r.IntN(12) {
		sub := pick(r, worldRoles)
		if r.IntN(6) == 0 {
			sub = pick(r, worldUsers)
		}
		eft := "allow"
		switch r.IntN(12) {
		case 0:
			eft = "deny"
		case 1:
			eft = "maybe"
		}
		sc := pick(r, worldPatterns)
		if r.IntN(2) == 0 {
			sc = pick(r, []string{"lib^*", "course-v1^*"})
		}
		add("p", sub, pick(r, worldActs), sc, eft)
	}
	for range r.IntN(16) {
		add("g", subject(), pick(r, worldRoles), pick(r, worldPatterns))
	}
	for range r.IntN(5) {
		add("g2", pick(r, worldActs), pick(r, worldActs))
	}
	if r.IntN(2) == 0 {
		w.supers = append(w.supers, strings.TrimPrefix(pick(r, worldUsers), "user^"))
	}
	// Casbin refuses equal rows; they mean nothing.
	seen := map[string]bool{}
	w.rows = slices.DeleteFunc(w.rows, func(row []string) bool {
		key := strings.Join(row, ",")
		was := seen[key]
		seen[key] = true
		return was
	})
	return w
}

func (w *randomWorld) index() *Index {
	x := NewIndex(w.rows)
	var all []user.Admin
	for _, s := range w.supers {
		all = append(all, user.Admin{Username: s, Email: s + "@mail", Staff: true})
	}
	x.admins = adminsOf(all, nil)
	return x
}

func (w *randomWorld) super(sub, sc string) bool {
	s, err := scope.ParseNamespaced(sc)
	return err == nil && s.Kind().Staff() && slices.ContainsFunc(w.supers, func(name string) bool {
		return external(sub) == name || external(sub) == name+"@mail"
	})
}

func (w *randomWorld) casbin(t *testing.T) *casbin.Enforcer {
	t.Helper()
	m, err := model.NewModelFromString(casbinModel)
	if err != nil {
		t.Fatal(err)
	}
	e, err := casbin.NewEnforcer(m)
	if err != nil {
		t.Fatal(err)
	}
	e.AddNamedDomainMatchingFunc("g", "keyMatch", util.KeyMatch)
	e.AddFunction("staff", func(args ...any) (any, error) { return w.super(args[0].(string), args[1].(string)), nil })
	for _, row := range w.rows {
		values := make([]any, len(row)-1)
		for i, v := range row[1:] {
			values[i] = v
		}
		if row[0] == "p" {
			_, err = e.AddNamedPolicy("p", values...)
		} else {
			_, err = e.AddNamedGroupingPolicy(row[0], values...)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := e.BuildRoleLinks(); err != nil {
		t.Fatal(err)
	}
	return e
}

// obvious decides by the formulas of authz.md §4 word for word.
func (w *randomWorld) obvious(sub, act, sc string) bool {
	k := func(x, pat string) bool {
		before, _, glob := strings.Cut(pat, "*")
		return x == pat || glob && strings.HasPrefix(x, before)
	}
	reach := func(ptype, from, to string, domain func(string) bool) bool {
		at := map[string]bool{from: true}
		for range maxHops {
			if at[to] {
				return true
			}
			next := map[string]bool{}
			for _, row := range w.rows {
				if row[0] == ptype && at[row[1]] && (ptype == "g2" || domain(row[3])) {
					next[row[2]] = true
				}
			}
			at = next
		}
		return at[to]
	}
	g := func(role, c string) bool {
		return reach("g", sub, role, func(d string) bool { return d == c || k(c, d) })
	}
	staff := w.super(sub, sc)
	allow, deny, any := false, false, false
	for _, p := range w.rows {
		if p[0] != "p" {
			continue
		}
		any = true
		if staff || (g(p[1], sc) || g(p[1], "*")) && k(sc, p[3]) && (act == p[2] || reach("g2", p[2], act, nil)) {
			allow = allow || p[4] == "allow"
			deny = deny || p[4] == "deny"
		}
	}
	if !any {
		return staff
	}
	return allow && !deny
}

func question(r *rand.Rand) (sub, act, sc string) {
	return pick(r, worldUsers), pick(r, worldActs), pick(r, worldScopes)
}

// TestLikeCasbin compares decisions on random policies with casbin's and with the formulas.
func TestLikeCasbin(t *testing.T) {
	t.Parallel()
	allowed := 0
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 6))
		w := newRandomWorld(r)
		x, e := w.index(), w.casbin(t)
		for range 40 {
			sub, act, sc := question(r)
			got, err := x.AllowedRaw(sub, act, sc)
			if err != nil {
				t.Fatalf("%s %s %s: %v", sub, act, sc, err)
			}
			want, err := e.Enforce(sub, act, sc)
			if err != nil {
				t.Fatal(err)
			}
			if obvious := w.obvious(sub, act, sc); got != want || got != obvious {
				t.Fatalf("world %d: %s %s %s: %t, casbin says %t, the formulas %t\nsuper admins %v\n%s", seed, sub, act, sc, got, want, obvious, w.supers, dump(w.rows))
			}
			if got {
				allowed++
			}
		}
	}
	if allowed < 100 {
		t.Errorf("only %d questions were answered with yes", allowed)
	}
}

func dump(rows [][]string) string {
	var b strings.Builder
	for _, r := range rows {
		fmt.Fprintln(&b, strings.Join(r, ", "))
	}
	return b.String()
}

// TestChangesAreLikeLoading makes an index by changes and anew, and compares decisions and listings; and earlier indexes
// must not notice.
func TestChangesAreLikeLoading(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 7))
		w := &randomWorld{}
		x := w.index()
		type past struct {
			x     *Index
			rows  [][]string
			count int
		}
		var earlier []past
		for range 12 {
			var added, removed [][]string
			for _, row := range newRandomWorld(r).rows {
				if !slices.ContainsFunc(w.rows, func(o []string) bool { return slices.Equal(o, row) }) {
					added = append(added, row)
				}
			}
			w.rows = slices.DeleteFunc(slices.Clone(w.rows), func(row []string) bool {
				if r.IntN(3) == 0 {
					removed = append(removed, row)
					return true
				}
				return false
			})
			w.rows = append(w.rows, added...)
			x = x.With(uuid.New(), added, removed)
			earlier = append(earlier, past{x, slices.Clone(w.rows), x.Assignments()})
		}
		for i, p := range earlier {
			fresh := NewIndex(p.rows)
			if p.x.Assignments() != p.count || p.count != fresh.Assignments() {
				t.Fatalf("world %d: %d assignments, then %d, want %d", seed, p.count, p.x.Assignments(), fresh.Assignments())
			}
			for range 20 {
				sub, act, sc := question(r)
				got, _ := p.x.AllowedRaw(sub, act, sc)
				want, _ := fresh.AllowedRaw(sub, act, sc)
				if got != want {
					t.Fatalf("world %d after change %d: %s %s %s: %t, want %t\n%s", seed, i, sub, act, sc, got, want, dump(p.rows))
				}
			}
			for _, u := range worldUsers {
				if got, want := fmt.Sprint(p.x.AssignmentsOf(external(u))), fmt.Sprint(fresh.AssignmentsOf(external(u))); got != want {
					t.Fatalf("world %d after change %d: %s has %s, want %s\n%s", seed, i, u, got, want, dump(p.rows))
				}
			}
			for _, sc := range worldScopes {
				if got, want := fmt.Sprint(p.x.AssignmentsIn(external(sc))), fmt.Sprint(fresh.AssignmentsIn(external(sc))); got != want {
					t.Fatalf("world %d after change %d: in %s %s, want %s\n%s", seed, i, sc, got, want, dump(p.rows))
				}
			}
		}
	}
}

// TestLongLists fills one subject and one scope with many thousand assignments and empties them again, beside a map.
func TestLongLists(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(8, 8))
	x := NewIndex(nil)
	there := map[string]bool{}
	key := func(row []string) string { return strings.Join(row[1:], " ") }
	for step := range 60 {
		var added, removed [][]string
		for range 300 {
			row := []string{"g", "user^busy", "role^r" + fmt.Sprint(r.IntN(3)), fmt.Sprintf("lib^lib:O:L%d", r.IntN(3000))}
			if r.IntN(2) == 0 {
				row = []string{"g", fmt.Sprintf("user^u%d", r.IntN(3000)), "role^r0", "lib^lib:*"}
			}
			if step < 40 {
				added = append(added, row)
			} else {
				removed = append(removed, row)
			}
		}
		for _, row := range removed {
			delete(there, key(row))
		}
		for _, row := range added {
			there[key(row)] = true
		}
		x = x.With(uuid.Nil, added, removed)
		if x.Assignments() != len(there) {
			t.Fatalf("step %d: %d assignments, want %d", step, x.Assignments(), len(there))
		}
		of, err := x.AssignmentsOf("busy")
		if err != nil {
			t.Fatal(err)
		}
		in, err := x.Assigned(Exact{Scope: "lib:*"})
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]bool{}
		for _, g := range append(of, in...) {
			got["user^"+g.User+" role^"+g.Role+" lib^"+g.Scope] = true
		}
		if len(got) != len(of)+len(in) || len(got) != len(there) {
			t.Fatalf("step %d: %d and %d listed, want %d", step, len(of), len(in), len(there))
		}
		for k := range got {
			if !there[k] {
				t.Fatalf("step %d: %s is not there", step, k)
			}
		}
	}
}
