package job

import (
	"context"
	"fmt"

	"github.com/openlectern/lectern/db"
)

// Counts are how many jobs there are that somebody may have to look after.
type Counts struct {
	Queued, Running, Failed int
	Lost                    int // of those that run in the table: whose worker is gone, and nobody has settled them yet
}

// Count counts the jobs of all processes. It takes two small statements, and reads of jobs that have ended only those that
// failed and are still kept.
func (q *Queue) Count(ctx context.Context) (c Counts, err error) {
	at := map[Status]*int{Queued: &c.Queued, Running: &c.Running, Failed: &c.Failed}
	err = q.DB.Query(ctx, "SELECT status, COUNT(*) FROM lectern_job WHERE status IN (?, ?, ?) GROUP BY status",
		[]any{string(Queued), string(Running), string(Failed)}, func(r *db.Row) error {
			var s Status
			var n int
			err := r.Scan(&s, &n)
			*at[s] = n
			return err
		})
	if err != nil {
		return c, fmt.Errorf("count jobs: %w", err)
	}
	if c.Running == 0 {
		return c, nil
	}
	list, err := Filter{Status: []Status{Running}, Limit: mostRunning}.list(ctx, q.DB)
	if err != nil {
		return c, err
	}
	gone, err := q.gone(ctx, list)
	for i := range list {
		if j := &list[i]; gone[j.lease(j.Attempt)] {
			c.Lost++
		}
	}
	c.Running -= c.Lost
	return c, err
}

// mostRunning bounds how many running jobs are looked at.
const mostRunning = 1000
