package authz

import (
	"context"
	"maps"
	"slices"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/user"
)

// admins are the people who may do everything in a scope that has the shortcut (authz.md §4.1), by user name and by e-mail
// address. It never changes.
type admins struct {
	all   []user.Admin
	by    map[string]int  // place in all
	clash map[string]bool // texts that are the name of one person and the address of another
}

func loadAdmins(ctx context.Context, q db.Querier) (*admins, error) {
	all, shared, err := user.Admins(ctx, q)
	if err != nil {
		return nil, err
	}
	return adminsOf(all, shared), nil
}

func adminsOf(all []user.Admin, shared []string) *admins {
	a := &admins{all: all, by: make(map[string]int, 2*len(all)), clash: make(map[string]bool, len(shared))}
	for i, p := range all {
		a.by[p.Username], a.by[p.Email] = i, i
	}
	for _, s := range shared {
		delete(a.by, s)
		a.clash[s] = true
	}
	return a
}

func (a *admins) equal(b *admins) bool {
	return slices.Equal(a.all, b.all) && maps.Equal(a.clash, b.clash)
}

func (a *admins) has(key string) bool {
	_, ok := a.by[key]
	return ok
}

// word says what kind of super admin a name or address is of; "" where it is of none.
func (a *admins) word(key string) string {
	switch i, ok := a.by[key]; {
	case !ok:
		return ""
	case a.all[i].Superuser:
		return "superuser"
	}
	return "staff"
}
