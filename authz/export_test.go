package authz

import "time"

// SetClock gives an engine that is not used yet another clock.
func (e *Engine) SetClock(now func() time.Time) { e.now = now }
