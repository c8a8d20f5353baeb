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
		if _, n := m.claim.get(); n < 40 || ctx.Err() != nil || c.check(ctx) != nil {
			t.Errorf("renewed %d times in ten minutes, %v", n, ctx.Err())
		}
		m.claim.give("two") // which took it while this process was stopped
		time.Sleep(claimFor)
		if err := c.end(ctx, context.Canceled); !fault.Is(err, fault.Conflict) || holder(m) != "two" {
			t.Errorf("lost its claim: %v; now it is of %q", err, holder(m))
		}
		m.claim.give("")
		ctx, c, err = claimed(t.Context(), m, headLine{Plan: "old"}, "jo")
		if err != nil || holder(m) != "old" {
			t.Fatal(holder(m), err)
		}
		if err := c.end(ctx, nil); err != nil || holder(m) != "" {
			t.Errorf("released: %q, %v", holder(m), err)
		}
	})
}

func holder(m *memory) string {
	now, _ := m.claim.get()
	return now
}
