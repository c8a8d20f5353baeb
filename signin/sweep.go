package signin

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/openlectern/lectern/db"
)

// sweepBatch bounds the rows that one transaction of a sweep deletes.
const sweepBatch = 1000

// keepTokens is how long tokens are still listed after they have ended.
const keepTokens = 30 * 24 * time.Hour

// Sweep deletes rows that mean nothing any more: sessions, links and counts whose time is over, and tokens that ended a
// month ago. Several servers may do it at once. It returns how many rows went.
func (s *Service) Sweep(ctx context.Context) (gone int64, err error) {
	for _, o := range []struct {
		table, key, where string
		keep              time.Duration
	}{
		{"lectern_session", "id", "ends <= ?", 0},
		{"lectern_signinlink", "id", "ends <= ?", 0},
		{"lectern_signinlimit", "slot", "ends <= ?", 0},
		{"lectern_token", "id", "expires <= ?", keepTokens},
		{"lectern_token", "id", "revoked <= ?", keepTokens},
	} {
		for more := true; more; {
			var n int64
			err := s.DB.Update(ctx, func(tx *db.Tx) (err error) {
				// Ids first: the engines have no common form of a delete with a limit.
				ids, err := db.All(ctx, tx, "SELECT "+o.key+" FROM "+o.table+" WHERE "+o.where+" ORDER BY "+o.key+" LIMIT ?",
					[]any{tx.Now().Add(-o.keep), sweepBatch}, db.Value[any])
				if err != nil || len(ids) == 0 {
					n = 0
					return err
				}
				for i, id := range ids {
					if b, ok := id.([]byte); ok {
						ids[i] = string(b)
					}
				}
				n, err = db.ExecIn(ctx, tx, "DELETE FROM "+o.table+" WHERE "+o.key+" IN (?...) AND "+o.where, ids, []any{tx.Now().Add(-o.keep)})
				return err
			})
			if err != nil {
				return gone, err
			}
			gone += n
			more = n == sweepBatch
		}
	}
	return gone, nil
}

// KeepSwept sweeps now and then until ctx ends. failed is told of sweeps that failed, after which it goes on.
func (s *Service) KeepSwept(ctx context.Context, failed func(error)) {
	for {
		// Servers that started together do not sweep together.
		t := time.NewTimer(10*time.Minute + rand.N(5*time.Minute))
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-t.C:
		}
		if _, err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
			failed(err)
		}
	}
}
