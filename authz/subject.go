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
// Nothing keeps two rows from standing for one user, which two processes make that meet there; openedx-authz then fails
// for the user, so they are made one: the first (authz.md §8).
func subjectRows(ctx context.Context, tx *db.Tx, users []user.ID) (map[user.ID]int64, error) {
	rows := make(map[user.ID]int64, len(users))
	instead := map[int64]int64{} // of a further row of a user, the first
	err := db.QueryIn(ctx, tx, "SELECT user_id, subject_ptr_id FROM "+userSubjectTable+" WHERE user_id IN (?...) ORDER BY subject_ptr_id", users, nil, func(q *db.Row) error {
		var of user.ID
		var id int64
		err := q.Scan(&of, &id)
		if first, there := rows[of]; there {
			instead[id] = first
		} else {
			rows[of] = id
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := unite(ctx, tx, instead); err != nil {
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

// unite deletes subjects and lets what named them name others.
func unite(ctx context.Context, tx *db.Tx, instead map[int64]int64) error {
	if len(instead) == 0 {
		return nil
	}
	further := sortedKeys(instead)
	var ids, subjects []int64
	err := db.QueryIn(ctx, tx, "SELECT id, subject_id FROM "+extendedTable+" WHERE subject_id IN (?...)", further, nil, func(q *db.Row) error {
		var id, subject int64
		err := q.Scan(&id, &subject)
		ids, subjects = append(ids, id), append(subjects, instead[subject])
		return err
	})
	if err != nil {
		return err
	}
	err = tx.UpdateRows(ctx, extendedTable, "id", []string{"subject_id"}, len(ids), func(i int, v []any) { v[0], v[1] = ids[i], subjects[i] })
	if err != nil {
		return err
	}
	return dropRows(ctx, tx, "subject_id", subjectTable, userSubjectTable, "subject_ptr_id", further)
}
