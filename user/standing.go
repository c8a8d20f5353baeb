package user

import (
	"context"
	"fmt"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/schema/inspect"
)

// Standing is what permissions ask of a person's account.
type Standing struct {
	User
	Retired bool    // has asked to be forgotten (authz.md §17)
	Groups  []int64 // of auth_group
}

// Admin reports whether the person may do what is the site's own business.
func (s Standing) Admin() bool { return (s.Staff || s.Superuser) && !s.Retired }

// StandingOf reads the standing of a user as it is now; NotFound when there is none with that id. The table of retirement
// may be missing: then nobody is retired.
func StandingOf(ctx context.Context, q db.Querier, id ID) (s Standing, err error) {
	if s.User, err = ByID(ctx, q, id); err != nil {
		return s, err
	}
	names, err := inspect.Names(ctx, q)
	if err != nil {
		return s, err
	}
	if names["user_api_userretirementrequest"] {
		_, s.Retired, err = db.One(ctx, q, `SELECT 1 FROM user_api_userretirementrequest WHERE user_id = ?`, []any{id}, db.Value[int])
		if err != nil {
			return s, fmt.Errorf("read the standing of user %d: %w", id, err)
		}
	}
	if names["auth_user_groups"] {
		s.Groups, err = db.All(ctx, q, `SELECT group_id FROM auth_user_groups WHERE user_id = ? ORDER BY group_id`, []any{id}, db.Value[int64])
		if err != nil {
			return s, fmt.Errorf("read the groups of user %d: %w", id, err)
		}
	}
	return s, nil
}

// There reports whether a database has users at all: one of another kind or of no kind yet has not even the table.
func There(ctx context.Context, q db.Querier) (bool, error) {
	names, err := inspect.Names(ctx, q)
	return names["auth_user"], err
}
