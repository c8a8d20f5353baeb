package prune

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openlectern/lectern/fault"
)

// TestClaims lets one holder at a time write, renews its claim while it works, and ends its work when somebody else has it.
func TestClaims(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, m := memorySite(t, 1)
		ctx, c, err := claimed(t.Context(), m, headLine{Holder: "one"}, "jo")
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := claimed(t.Context(), m, headLine{Holder: "two"}, "ann"); !fault.Is(err, fault.Conflict) {
			t.Errorf("claimed twice: %v", err)
		}
		time.Sleep(10 * claimFor)
		synctest.Wait()
		if m.claims < 40 || ctx.Err() != nil || c.check(ctx) != nil {
			t.Errorf("renewed %d times in ten minutes, %v", m.claims, ctx.Err())
		}
		m.holder = "two" // which took it while this process was stopped
		time.Sleep(claimFor)
		if err := c.end(ctx, context.Canceled); !fault.Is(err, fault.Conflict) || m.holder != "two" {
			t.Errorf("lost its claim: %v; now it is of %q", err, m.holder)
		}
		m.holder = ""
		ctx, c, err = claimed(t.Context(), m, headLine{Plan: "old"}, "jo")
		if err != nil || m.holder != "old" {
			t.Fatal(m.holder, err)
		}
		if err := c.end(ctx, nil); err != nil || m.holder != "" {
			t.Errorf("released: %q, %v", m.holder, err)
		}
	})
}
