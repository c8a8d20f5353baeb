package user

import (
	"context"
	"fmt"

	"github.com/openlectern/lectern/db"
)

// Standing is what permissions ask of a person's account.
type Standing struct {
	User
	Retired bool    // has asked to be forgotten (authz.md §17)
	Groups  []int64 // of auth_group
}

// Admin reports whether the person may do what is the site's own business.
func (s Standing) Admin() bool { return (s.Staff || s.Superuser) && !s.Retired }

// StandingOf reads the standing of a user as it is now; NotFound when there is none with that id. tables are those that the
// database has: where that of retirement is missing nobody is retired.
func StandingOf(ctx context.Context, q db.Querier, id ID, tables map[string]bool) (s Standing, err error) {
	if s.User, err = ByID(ctx, q, id); err != nil {
		return s, err
	}
	if tables["user_api_userretirementrequest"] {
		_, s.Retired, err = db.One(ctx, q, `SELECT 1 FROM user_api_userretirementrequest WHERE user_id = ?`, []any{id}, db.Value[int])
		if err != nil {
			return s, fmt.Errorf("read the standing of user %d: %w", id, err)
		}
	}
	if tables["auth_user_groups"] {
		s.Groups, err = db.All(ctx, q, `SELECT group_id FROM auth_user_groups WHERE user_id = ? ORDER BY group_id`, []any{id}, db.Value[int64])
		if err != nil {
			return s, fmt.Errorf("read the groups of user %d: %w", id, err)
		}
	}
	return s, nil
}

// There reports whether a database with these tables has users at all.
func There(tables map[string]bool) bool { return tables["auth_user"] }
