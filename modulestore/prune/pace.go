package prune

import (
	"context"
	"time"
)

// pace keeps the deletes from getting in the way of others (PR-13): it rests at least as long as each delete took, longer when
// the server answers more slowly than it did at its best, and as the rate of bytes asks.
type pace struct {
	rate  int64 // bytes in a second, 0 for any
	sleep func(ctx context.Context, d time.Duration) error
	best  time.Duration
}

// maxRest bounds a rest that slowness alone asks for.
const maxRest = 30 * time.Second

func (p *pace) rest(ctx context.Context, took time.Duration, bytes int64) error {
	if p.best == 0 || took < p.best {
		p.best = took
	}
	d := took
	if p.best > 0 {
		d = time.Duration(float64(took) * float64(took) / float64(p.best))
	}
	d = min(d, maxRest)
	if p.rate > 0 {
		d = max(d, time.Duration(float64(bytes)/float64(p.rate)*float64(time.Second))-took)
	}
	return p.sleep(ctx, d)
}

// sleep waits, or stops waiting when ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
