package app

import (
	"context"

	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/authz/scope"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/user"
)

// NamedResult is what became of one name in one scope, of a role that was given to people or taken from them by names that
// may be nobody's.
type NamedResult struct {
	Name   string // as it was asked for: a user name or an e-mail address
	Scope  string
	People int // who answer to the name. Only where it is one was anything done
	// Outcome is what was done: [authz.Added] or [authz.Removed] for the first of several results about the same person and
	// scope only, as the role was there, or was not, for the others; [authz.Failed] also where there is not one person.
	Outcome authz.Outcome
}

// GiveRole gives people a role in each of the scopes, for those who manage the teams in question by assignments. All is one transaction in
// which each pair stands or falls by itself. The results are in the order of scopes, and in each of names.
func (a *App) GiveRole(ctx context.Context, role string, names []string, scopes []scope.Scope) ([]NamedResult, error) {
	keys := make([]string, len(scopes))
	for i, s := range scopes {
		keys[i] = s.Key()
	}
	if err := a.mayTeams("GiveRole", keys...); err != nil {
		return nil, err
	}
	return a.changeByName(ctx, authz.Assign, user.Identify, role, names, keys)
}

// TakeRole takes a role in a scope from people, for those who manage the team by assignments. A name that finds nobody as it is written is
// tried without regard to case. The results are in the order of names.
func (a *App) TakeRole(ctx context.Context, role string, names []string, s scope.Scope) ([]NamedResult, error) {
	if err := a.mayTeams("TakeRole", s.Key()); err != nil {
		return nil, err
	}
	return a.changeByName(ctx, authz.Unassign, identifyLoosely, role, names, []string{s.Key()})
}

// changeTeam is how the policy is changed by grants.
type changeTeam func(context.Context, *db.Tx, []authz.Grant, authz.Options) (*authz.Written, error)

// identify finds the people who answer to names.
type identify func(context.Context, db.Querier, []string) (map[string][]user.Person, error)

func (a *App) changeByName(ctx context.Context, change changeTeam, who identify, role string, names, scopes []string) ([]NamedResult, error) {
	if tables, err := a.guard().tables(ctx); err != nil {
		return nil, err
	} else if !tables[authz.NewestTable] {
		return nil, noPermissions(a.DB.Name())
	}
	var results []NamedResult
	var asked []int // places of results of which the policy was asked
	var w *authz.Written
	err := a.Update(ctx, func(tx *db.Tx) error {
		found, err := who(ctx, tx, names)
		if err != nil {
			return err
		}
		results, asked = make([]NamedResult, 0, len(scopes)*len(names)), asked[:0]
		var grants []authz.Grant
		for _, s := range scopes {
			for _, n := range names {
				if people := found[n]; len(people) == 1 {
					grants = append(grants, authz.Grant{User: people[0].Username, Role: role, Scope: s})
					asked = append(asked, len(results))
				}
				results = append(results, NamedResult{Name: n, Scope: s, People: len(found[n])})
			}
		}
		w, err = change(ctx, tx, grants, a.options(TeamChange{KeepGoing: true}))
		return err
	})
	if err != nil {
		return nil, err
	}
	again := map[authz.Outcome]authz.Outcome{authz.Added: authz.Present, authz.Removed: authz.Absent}
	seen := map[authz.Grant]bool{}
	for i, at := range asked {
		r := w.Results[i]
		out := r.Outcome
		if was, changed := again[out]; changed && seen[r.Grant] {
			out = was
		}
		seen[r.Grant] = true
		results[at].Outcome = out
	}
	// It is saved. Where it cannot be shown here, the next look at the database, half a second later, does it.
	_ = a.show(ctx, w.Change)
	return results, nil
}

// identifyLoosely finds people by name or address, first as written, those it has not found without regard to case.
func identifyLoosely(ctx context.Context, q db.Querier, ids []string) (map[string][]user.Person, error) {
	found, err := user.Identify(ctx, q, ids)
	if err != nil {
		return nil, err
	}
	var rest []string
	for _, id := range ids {
		if len(found[id]) == 0 {
			rest = append(rest, id)
		}
	}
	if len(rest) == 0 {
		return found, nil
	}
	loose, err := user.IdentifyFold(ctx, q, rest)
	for id, who := range loose {
		found[id] = who
	}
	return found, err
}

func noPermissions(database string) error {
	return fault.Errorf(fault.Refused, database, "the database does not have today's tables of permissions").
		WithNext("see what is missing: lectern db status")
}
