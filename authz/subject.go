package authz

import (
	"context"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/user"
)

const (
	subjectTable     = "openedx_authz_subject"
	userSubjectTable = "openedx_authz_usersubject"
)

// subjectRows returns, by the id of a user, the row that stands for them among subjects. Those that are missing are made.
// Nothing keeps two rows from standing for one user; the first is taken.
func subjectRows(ctx context.Context, tx *db.Tx, users []user.ID) (map[user.ID]int64, error) {
	rows := make(map[user.ID]int64, len(users))
	err := db.QueryIn(ctx, tx, "SELECT user_id, MIN(subject_ptr_id) FROM "+userSubjectTable+" WHERE user_id IN (?...) GROUP BY user_id", users, nil, func(q *db.Row) error {
		var of user.ID
		var id int64
		err := q.Scan(&of, &id)
		rows[of] = id
		return err
	})
	if err != nil {
		return nil, err
	}
	var missing []user.ID
	for _, u := range users {
		if _, there := rows[u]; !there {
			missing = append(missing, u)
		}
	}
	ids, err := tx.InsertIDs(ctx, subjectTable, nil, len(missing), func(int, []any) {})
	if err != nil {
		return nil, err
	}
	for i, u := range missing {
		rows[u] = ids[i]
	}
	return rows, tx.Insert(ctx, userSubjectTable, []string{"subject_ptr_id", "user_id"}, len(missing), func(i int, v []any) { v[0], v[1] = ids[i], missing[i] })
}
