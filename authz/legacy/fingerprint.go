package legacy

import (
	"context"
	"fmt"
	"hash/fnv"

	"github.com/openlectern/lectern/db"
)

// digests are what servers compute of one row: 60 bits or more of its columns, byte by byte. MD5 and SHA1 are gone from MySQL 9.
var digests = map[db.Engine]string{
	db.PostgreSQL: `hashtextextended(concat_ws(chr(31), id, user_id, org, course_id, role), 0)`,
	db.MySQL:      `CAST(CONV(LEFT(SHA2(CONCAT_WS(CHAR(31), id, user_id, org, course_id, role), 256), 15), 16, 10) AS UNSIGNED)`,
	db.MariaDB:    `CAST(CONV(LEFT(SHA2(CONCAT_WS(CHAR(31), id, user_id, org, course_id, role), 256), 15), 16, 10) AS UNSIGNED)`,
}

// Fingerprint stands for all rows of an organization, or of one course, in any order: if it is another, a row has come, gone or
// changed; rows that only share letters with them may count, too. It is a sum over digests of whole rows. A server computes it
// by itself, in one statement that answers one row however many there are; in SQLite, which has no function for it, rows are read
// one by one. Fingerprints of different engines have nothing in common. The table must be there.
func Fingerprint(ctx context.Context, q db.Querier, s Selection) (string, error) {
	where, args := s.condition()
	if digest, ok := digests[q.Engine()]; ok {
		text, _, err := db.One(ctx, q, `SELECT COUNT(*), SUM(`+digest+`) FROM student_courseaccessrole WHERE `+where, args, func(r *db.Row) (string, error) {
			var n int64
			var sum *string // null of no rows
			err := r.Scan(&n, &sum)
			if sum == nil {
				sum = new(string)
			}
			return fmt.Sprintf("%d %s", n, *sum), err
		})
		if err != nil {
			return "", fmt.Errorf("add up roles: %w", err)
		}
		return text, nil
	}
	n, sum := 0, uint64(0)
	err := q.Query(ctx, readRows+` WHERE `+where, args, func(r *db.Row) error {
		row, err := scan(r)
		n, sum = n+1, sum+row.digest()
		return err
	})
	if err != nil {
		return "", fmt.Errorf("read roles: %w", err)
	}
	return fmt.Sprintf("%d %d", n, sum), nil
}

func (r Row) digest() uint64 {
	h := fnv.New64a()
	var b [16]byte
	for i := range 8 {
		b[i], b[8+i] = byte(r.ID>>(8*i)), byte(int64(r.User)>>(8*i))
	}
	_, _ = h.Write(b[:]) // it never fails
	for _, s := range []string{r.Org, r.Course, string(r.Role)} {
		_, _ = h.Write([]byte(s))
		_, _ = h.Write([]byte{0})
	}
	// Spread, so that differences of two rows do not cancel each other in the sum.
	x := h.Sum64()
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	return x ^ x>>33
}
