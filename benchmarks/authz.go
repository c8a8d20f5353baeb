package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"

	"github.com/casbin/casbin/v2"
	"github.com/casbin/casbin/v2/model"
	"github.com/casbin/casbin/v2/util"
	"github.com/google/uuid"

	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/schema"
)

// casbinModel is the model of permissions (authz.md §4); as with the Python peer nobody is staff.
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
m = (g(r.sub, p.sub, r.scope) || g(r.sub, p.sub, "*")) && keyMatch(r.scope, p.scope) && (r.act == p.act || g2(p.act, r.act))
`

// Numbers of questions: to casbin so few as the peer asks.
const (
	casbinChecks = 400
	authzRounds  = 250 // how often the same questions are asked of Lectern
	authzChanges = 1000
)

type ask struct{ user, action, scope string }

// authzSite makes the rows of job 7: n assignments of library roles beside the shipped rows; and the questions, half at
// random and half about an assignment that is there.
func authzSite(n int) (rows [][]string, asks []ask) {
	rows = authz.Shipped()
	var roles, actions []string
	for _, r := range rows {
		if r[0] == "p" && r[3] == "lib^*" {
			roles, actions = append(roles, r[1]), append(actions, r[2])
		}
	}
	slices.Sort(roles)
	slices.Sort(actions)
	roles, actions = slices.Compact(roles), slices.Compact(actions)
	const orgs, libraries, globEvery = 50, 20, 20
	users := max(1, n/5)
	assignment := func(i int) []string {
		sc := fmt.Sprintf("lib^lib:Org%d:L%d", 7*i%orgs, i/3%libraries)
		if i%globEvery == 0 {
			sc = fmt.Sprintf("lib^lib:Org%d:*", 7*i%orgs)
		}
		return []string{"g", fmt.Sprintf("user^u%d", i%users), roles[i%len(roles)], sc}
	}
	for i := range n {
		rows = append(rows, assignment(i))
	}
	r := rand.New(rand.NewPCG(1, 1))
	for len(asks) < casbinChecks {
		asks = append(asks, ask{fmt.Sprintf("u%d", r.IntN(users)), actions[r.IntN(len(actions))][len("act^"):], fmt.Sprintf("lib:Org%d:L%d", r.IntN(orgs), r.IntN(libraries))})
		if a := assignment(r.IntN(n)); !strings.HasSuffix(a[3], "*") {
			asks = append(asks, ask{a[1][len("user^"):], actions[r.IntN(len(actions))][len("act^"):], a[3][len("lib^"):]})
		}
	}
	return rows, asks
}

// benchAuthz loads n assignments and checks, by Lectern and by casbin for Go in the same process (job 7); and what
// Lectern does besides: loading from SQLite, and a change.
func benchAuthz(b *bench) error {
	rows, asks := authzSite(b.n)
	var x *authz.Index
	if _, err := b.measure("authz load", b.n, func(context.Context) error {
		x = authz.NewIndex(rows)
		return nil
	}); err != nil {
		return err
	}
	yes := 0
	l, err := b.measure("authz check", authzRounds*len(asks), func(context.Context) error {
		for range authzRounds {
			yes = 0
			for _, a := range asks {
				ok, err := x.Allowed(a.user, a.action, a.scope)
				if err != nil {
					return err
				}
				if ok {
					yes++
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	l.Check = yes
	if _, err := b.measure("authz change", authzChanges, func(context.Context) error {
		y := x
		for i := range authzChanges {
			y = y.With(uuid.Nil, [][]string{{"g", fmt.Sprintf("user^u%d", i), "role^library_user", "lib^lib:New:L"}}, nil)
		}
		return nil
	}); err != nil {
		return err
	}
	if err := b.authzFromSQLite(rows); err != nil {
		return err
	}
	return b.casbin(rows, asks, yes)
}

// authzFromSQLite loads the rows from a database.
func (b *bench) authzFromSQLite(rows [][]string) error {
	d, err := db.Open(b.ctx, filepath.Join(b.dir, "authz.db"), db.Options{Create: true})
	if err != nil {
		return err
	}
	defer d.Close()
	if err := schema.Create(b.ctx, d); err != nil {
		return err
	}
	if err := d.Update(b.ctx, func(tx *db.Tx) error {
		return tx.Insert(b.ctx, "casbin_rule", []string{"ptype", "v0", "v1", "v2", "v3", "v4", "v5"}, len(rows), func(i int, v []any) {
			for j := range v {
				v[j] = ""
				if j < len(rows[i]) {
					v[j] = rows[i][j]
				}
			}
		})
	}); err != nil {
		return err
	}
	_, err = b.measure("authz load from SQLite", b.n, func(ctx context.Context) error {
		return d.View(ctx, func(tx *db.Tx) error {
			_, err := authz.Load(ctx, tx)
			return err
		})
	})
	return err
}

// casbin does the same with casbin for Go, and holds its answers to ours.
func (b *bench) casbin(rows [][]string, asks []ask, yes int) error {
	m, err := model.NewModelFromString(casbinModel)
	if err != nil {
		return err
	}
	e, err := casbin.NewEnforcer(m)
	if err != nil {
		return err
	}
	e.AddNamedDomainMatchingFunc("g", "keyMatch", util.KeyMatch)
	byType := map[string][][]string{}
	seen := map[string]bool{}
	for _, r := range rows {
		if key := strings.Join(r, ","); !seen[key] { // it refuses equal rows
			seen[key] = true
			byType[r[0]] = append(byType[r[0]], r[1:])
		}
	}
	if _, err := b.measure("casbin-go load", b.n, func(context.Context) error {
		if _, err := e.AddNamedPolicies("p", byType["p"]); err != nil {
			return err
		}
		for _, t := range []string{"g", "g2"} {
			if _, err := e.AddNamedGroupingPolicies(t, byType[t]); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return err
	}
	theirs := 0
	l, err := b.measure("casbin-go check", len(asks), func(context.Context) error {
		for _, a := range asks {
			ok, err := e.Enforce("user^"+a.user, "act^"+a.action, "lib^"+a.scope)
			if err != nil {
				return err
			}
			if ok {
				theirs++
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if l.Check = theirs; theirs != yes {
		return fmt.Errorf("casbin allows %d of %d, we allow %d", theirs, len(asks), yes)
	}
	return nil
}
