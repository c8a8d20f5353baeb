package user

import (
	"context"
	"slices"

	"github.com/openlectern/lectern/db"
)

// Admin is a super admin: staff or a superuser who has not asked to be forgotten, active or not (authz.md §4.1).
type Admin struct {
	Username, Email  string
	Staff, Superuser bool
}

// Admins returns the super admins, and the texts that are the name or address of one of them and also of somebody else
// who has not asked to be forgotten: by such a text nobody can be told. It looks at every account.
func Admins(ctx context.Context, q db.Querier) (all []Admin, shared []string, err error) {
	const stays = "NOT EXISTS (SELECT 1 FROM user_api_userretirementrequest r WHERE r.user_id = u.id)"
	by := map[string]int{}
	all, err = db.All(ctx, q, "SELECT u.username, u.email, u.is_staff, u.is_superuser FROM auth_user u WHERE (u.is_staff OR u.is_superuser) AND "+stays+" ORDER BY u.id", nil,
		func(r *db.Row) (a Admin, err error) {
			err = r.Scan(&a.Username, &a.Email, &a.Staff, &a.Superuser)
			return a, err
		})
	if err != nil {
		return nil, nil, err
	}
	texts := make([]string, 0, 2*len(all))
	for _, a := range all {
		texts = append(texts, a.Username)
		if a.Email != a.Username {
			texts = append(texts, a.Email)
		}
	}
	// One statement for each column, so that the index of the column serves where it has one.
	wanted := make(map[string]bool, len(texts))
	for _, t := range texts {
		wanted[t] = true
	}
	if wanted[""] { // as many may have no address; two are enough to know
		n := 0
		err := q.Query(ctx, "SELECT u.id FROM auth_user u WHERE u.email = '' AND "+stays+" LIMIT 2", nil, func(*db.Row) error {
			n++
			return nil
		})
		if err != nil {
			return nil, nil, err
		}
		by[""] = n
	}
	texts = slices.DeleteFunc(texts, func(t string) bool { return t == "" })
	seen := map[ID]bool{}
	for _, column := range []string{"username", "email"} {
		err = db.QueryIn(ctx, q, "SELECT u.id, u.username, u.email FROM auth_user u WHERE u."+column+" IN (?...) AND "+stays, texts, nil, func(r *db.Row) error {
			var id ID
			var name, email string
			if err := r.Scan(&id, &name, &email); err != nil || seen[id] {
				return err
			}
			if !wanted[name] && !wanted[email] { // equal to the engine only
				return nil
			}
			seen[id] = true
			by[name]++
			if email != name && email != "" {
				by[email]++
			}
			return nil
		})
		if err != nil {
			return nil, nil, err
		}
	}
	for t := range wanted {
		if by[t] > 1 {
			shared = append(shared, t)
		}
	}
	slices.Sort(shared)
	return all, shared, nil
}

// ActiveAdmins returns the active accounts that are staff or superusers, by id, also those that have asked to be forgotten
// (authz.md §6); with names only theirs.
func ActiveAdmins(ctx context.Context, q db.Querier, names ...string) ([]Admin, error) {
	all, err := db.All(ctx, q, "SELECT username, email, is_staff, is_superuser FROM auth_user WHERE is_active AND (is_staff OR is_superuser) ORDER BY id", nil,
		func(r *db.Row) (a Admin, err error) {
			err = r.Scan(&a.Username, &a.Email, &a.Staff, &a.Superuser)
			return a, err
		})
	if err != nil || len(names) == 0 {
		return all, err
	}
	return slices.DeleteFunc(all, func(a Admin) bool { return !slices.Contains(names, a.Username) }), nil
}
