package user

import (
	"context"
	"strings"

	"github.com/openlectern/lectern/db"
)

// Person is what lists of people say of one: the account, the name from the profile, and whether they have asked to be
// forgotten (authz.md §6, §12).
type Person struct {
	ID               ID
	Username, Email  string
	Name             string // of the profile, "" without one
	Staff, Superuser bool
	Active           bool
	Retired          bool // any retirement request counts
}

const selectPerson = `SELECT u.id, u.username, u.email, p.name, u.is_staff, u.is_superuser, u.is_active, r.user_id
	FROM auth_user u LEFT JOIN auth_userprofile p ON p.user_id = u.id LEFT JOIN user_api_userretirementrequest r ON r.user_id = u.id`

// selectFew is selectPerson for a few people, of any site: PostgreSQL would join the whole of the tables for sixteen names on a site
// of some thousand people, which took it ten times as long.
const selectFew = `SELECT u.id, u.username, u.email, (SELECT p.name FROM auth_userprofile p WHERE p.user_id = u.id), u.is_staff, u.is_superuser, u.is_active,
	(SELECT r.user_id FROM user_api_userretirementrequest r WHERE r.user_id = u.id) FROM auth_user u`

func scanPerson(r *db.Row) (p Person, err error) {
	var name *string
	var retired *int64
	err = r.Scan(&p.ID, &p.Username, &p.Email, &name, &p.Staff, &p.Superuser, &p.Active, &retired)
	if name != nil {
		p.Name = *name
	}
	p.Retired = retired != nil
	return p, err
}

// EachPerson calls fn for every person, in no order.
func EachPerson(ctx context.Context, q db.Querier, fn func(Person) error) error {
	return q.Query(ctx, selectPerson, nil, func(r *db.Row) error {
		p, err := scanPerson(r)
		if err != nil {
			return err
		}
		return fn(p)
	})
}

// People returns the people of these names, compared by bytes on every engine; names of nobody are absent.
func People(ctx context.Context, q db.Querier, names []string) (map[string]Person, error) {
	found := make(map[string]Person, len(names))
	wanted := make(map[string]bool, len(names))
	for _, n := range names {
		wanted[n] = true
	}
	err := db.QueryIn(ctx, q, selectFew+` WHERE u.username IN (?...)`, storable(names), nil, func(r *db.Row) error {
		p, err := scanPerson(r)
		if wanted[p.Username] {
			found[p.Username] = p
		}
		return err
	})
	return found, err
}

// Identify returns who is meant by each of the ids, user names or e-mail addresses, compared by bytes: usually one
// person, two where one has the other's name as address, nobody where it is absent. Those who have retired are nobody.
func Identify(ctx context.Context, q db.Querier, ids []string) (map[string][]Person, error) {
	return identify(ctx, q, ids, "", func(s string) string { return s })
}

// IdentifyFold is [Identify] without regard to case. It reads the whole table, so it is for what Identify has not found.
func IdentifyFold(ctx context.Context, q db.Querier, ids []string) (map[string][]Person, error) {
	return identify(ctx, q, ids, "LOWER", strings.ToLower)
}

func identify(ctx context.Context, q db.Querier, ids []string, function string, fold func(string) string) (map[string][]Person, error) {
	byFold := make(map[string][]string, len(ids))
	for _, id := range ids {
		byFold[fold(id)] = append(byFold[fold(id)], id)
	}
	folded := make([]string, 0, len(byFold))
	for _, id := range ids {
		if f := fold(id); byFold[f][0] == id {
			folded = append(folded, f)
		}
	}
	folded = storable(folded)
	found := make(map[string][]Person, len(ids))
	seen := map[string]map[ID]bool{} // who is noted for an id already: by the other column
	note := func(p Person, value string) {
		for _, id := range byFold[fold(value)] {
			if seen[id] == nil {
				seen[id] = map[ID]bool{}
			}
			if !seen[id][p.ID] {
				seen[id][p.ID] = true
				found[id] = append(found[id], p)
			}
		}
	}
	// By each column for itself, so that its index serves where it has one; those by name come first.
	sql := selectFew + " WHERE " + function + "(u.username) IN (?...) UNION ALL " + selectFew + " WHERE " + function + "(u.email) IN (?...)"
	var people []Person
	err := db.QueryIn(ctx, q, sql, folded, nil, func(r *db.Row) error {
		p, err := scanPerson(r)
		if err != nil || p.Retired {
			return err
		}
		people = append(people, p)
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, p := range people {
		note(p, p.Username)
	}
	for _, p := range people {
		note(p, p.Email)
	}
	return found, nil
}

// storable leaves out what no row can hold, as some engines refuse to be asked for it.
func storable(names []string) []string {
	out := make([]string, 0, len(names))
	for _, n := range names {
		if n != "" && db.CheckIdentifier(n, maxEmail) == nil {
			out = append(out, n)
		}
	}
	return out
}
