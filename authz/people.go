package authz

import (
	"context"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/user"
)

// ValidateUsers tells which of the ids, user names or e-mail addresses, are of an active person who has not asked to be
// forgotten, and which are not; both in the order and spelling of ids (authz.md §6). An id of two people is of nobody.
func ValidateUsers(ctx context.Context, q db.Querier, ids []string) (valid, invalid []string, err error) {
	who, err := user.Identify(ctx, q, ids)
	if err != nil {
		return nil, nil, err
	}
	valid, invalid = []string{}, []string{}
	for _, id := range ids {
		if p := who[id]; len(p) == 1 && p[0].Active {
			valid = append(valid, id)
		} else {
			invalid = append(invalid, id)
		}
	}
	return valid, invalid, nil
}

// SuperAdmins returns the active staff and superusers, by id; with names only those of them (authz.md §6).
func SuperAdmins(ctx context.Context, q db.Querier, names ...string) ([]user.Admin, error) {
	return user.ActiveAdmins(ctx, q, names...)
}

// manyNames is from how many names on it is cheaper to read all people than to ask for each name.
const manyNames = 2000

// Active returns the places in names, ascending, of those of active people; names of nobody are left out.
func Active(ctx context.Context, q db.Querier, names []string) ([]int, error) {
	active := make(map[string]bool, len(names))
	note := func(p user.Person) error {
		if p.Active {
			active[p.Username] = true
		}
		return nil
	}
	if len(names) > manyNames {
		if err := user.EachPerson(ctx, q, note); err != nil {
			return nil, err
		}
	} else {
		people, err := user.People(ctx, q, names)
		if err != nil {
			return nil, err
		}
		for _, p := range people {
			_ = note(p)
		}
	}
	places := make([]int, 0, len(names))
	for i, n := range names {
		if active[n] {
			places = append(places, i)
		}
	}
	return places, nil
}
