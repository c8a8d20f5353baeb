package prune_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/content/events"
	"github.com/openlectern/lectern/content/outbox"
	"github.com/openlectern/lectern/content/prune"
	"github.com/openlectern/lectern/db"
)

// TestWaitingEventsKeepTheirChanges prunes the logs of events that somebody still waits for.
func TestWaitingEventsKeepTheirChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t, db.SQLite, 5)
	w.do(func(tx *db.Tx) error {
		_, err := outbox.AddWebhook(w.Context(), tx, outbox.Webhook{URL: "http://127.0.0.1:1/", Secret: strings.Repeat("s", 32), Active: true})
		return err
	})
	for range 60 {
		w.step()
	}
	written := func() (out []string) {
		w.do(func(tx *db.Tx) error {
			list, err := outbox.List(w.Context(), tx, outbox.Filter{})
			if err != nil {
				return err
			}
			for _, head := range list {
				e, _, err := outbox.Get(w.Context(), tx, head.ID)
				if err != nil {
					return err
				}
				var s strings.Builder
				if err := events.Write(w.Context(), tx, &e, &s); err != nil {
					return err
				}
				out = append(out, s.String())
			}
			return nil
		})
		return out
	}
	before := written()
	plan := w.plan(prune.Policy{Last: 1})
	if r := w.apply(plan, 5); r.Moments == 0 || len(before) < 10 {
		t.Fatalf("%d moments of %d events were removed", r.Moments, len(before))
	}
	if diff := cmp.Diff(before, written()); diff != "" {
		t.Errorf("events (-before +after):\n%s", diff)
	}
}
