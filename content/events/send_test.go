package events

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/openlectern/lectern/content/outbox"
	"github.com/openlectern/lectern/db"
)

// TestLongEvent sends the event of a change of many entities, which does not stay in memory, signed.
func TestLongEvent(t *testing.T) {
	t.Parallel()
	each(t, func(h *house) {
		const n = 12_000
		pkg := h.pkg("a")
		r := newReceiver(h.T)
		h.webhook(outbox.Webhook{URL: r.URL, Secret: "pepper"})
		h.edit(pkg, n)
		if rep := h.once(&Deliverer{DB: h.d}); rep.Sent != 1 {
			h.Fatalf("%+v", rep)
		}
		g := r.all()[0]
		var doc struct {
			Data struct {
				Log struct{ Changes []map[string]any } `json:"change_log"`
			}
		}
		if err := json.Unmarshal([]byte(g.body), &doc); err != nil || len(doc.Data.Log.Changes) != n || len(g.body) <= inMemory {
			h.Errorf("%d bytes, %d changes, %v", len(g.body), len(doc.Data.Log.Changes), err)
		}
		if s := g.headers.Get(HeaderSignature); s != Sign("pepper", g.headers.Get(HeaderTimestamp), []byte(g.body)) || !strings.HasPrefix(s, "sha256=") {
			h.Errorf("signature %q", s)
		}
		if s := g.headers.Get("Content-Type"); s != contentType {
			h.Errorf("content type %q", s)
		}
		size, _, err := db.One(h.Context(), h.d, `SELECT COALESCE(MAX(LENGTH(data)), 0) FROM lectern_event`, nil, db.Value[int])
		if err != nil || size != 0 {
			h.Errorf("the row has %d bytes of data, %v", size, err)
		}
	})
}

// TestStop ends a deliverer while a receiver takes its time: what is being sent is finished and noted, the rest stays.
func TestStop(t *testing.T) {
	t.Parallel()
	each(t, func(h *house) {
		pkg := h.pkg("a")
		r := newReceiver(h.T)
		h.webhook(outbox.Webhook{URL: r.URL})
		for range 3 {
			h.edit(pkg, 1)
		}
		ctx, cancel := context.WithCancel(h.Context())
		defer cancel()
		r.set(func(got) int {
			cancel()
			time.Sleep(50 * time.Millisecond)
			return 200
		})
		rep := (&Deliverer{DB: h.d}).Run(ctx)
		q, err := outbox.Queue(h.Context(), h.d)
		if rep.Sent != 1 || len(r.all()) != 1 || err != nil || q[1].Pending != 2 {
			h.Errorf("%+v, %d arrived, waiting %v, %v", rep, len(r.all()), q, err)
		}
		r.set(nil)
		if n := h.once(&Deliverer{DB: h.d}).Sent; n != 2 {
			h.Errorf("then %d were sent", n)
		}
	})
}

// TestPing tries a webhook that answers, one that does not, and one that is not there.
func TestPing(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	d := &Deliverer{Timeout: 100 * time.Millisecond}
	if res := d.Ping(t.Context(), outbox.Webhook{URL: r.URL}); res.Err != nil || res.Status != 200 || r.all()[0].kind != PingType {
		t.Errorf("%+v", res)
	}
	r.set(func(got) int { return 0 })
	if res := d.Ping(t.Context(), outbox.Webhook{URL: r.URL}); res.Err == nil || res.Err.Error() != "no answer within 100ms" {
		t.Errorf("%+v", res)
	}
	r.Close()
	if res := d.Ping(t.Context(), outbox.Webhook{URL: r.URL + "/?token=x"}); res.Err == nil || strings.Contains(res.Err.Error(), "token") {
		t.Errorf("%+v", res)
	}
}

// TestPause: attempts before an event is given up take about a day.
func TestPause(t *testing.T) {
	t.Parallel()
	var sum time.Duration
	for n := 1; n < DefaultAttempts; n++ {
		p := Pause(n)
		if p < 800*time.Millisecond || p > 72*time.Minute {
			t.Errorf("pause %d is %s", n, p)
		}
		sum += p
	}
	if sum < 20*time.Hour || sum > 28*time.Hour {
		t.Errorf("%s in all", sum)
	}
}

// TestSpool keeps texts of any length and leaves no file.
func TestSpool(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, inMemory, inMemory + 1, 3*inMemory + 7} {
		s := &spool{}
		for at := 0; at < size; at += 100_001 {
			if _, err := s.Write([]byte(strings.Repeat("x", min(100_001, size-at)))); err != nil {
				t.Fatal(err)
			}
		}
		r, err := s.reader()
		if err != nil {
			t.Fatal(err)
		}
		n, buf := 0, make([]byte, 4096)
		for {
			k, err := r.Read(buf)
			n += k
			if err != nil {
				break
			}
		}
		if n != size || s.size != int64(size) {
			t.Errorf("%d bytes of %d", n, size)
		}
		if err := s.close(); err != nil {
			t.Error(err)
		}
		if s.file != nil {
			if _, err := os.Stat(s.file.Name()); !os.IsNotExist(err) {
				t.Errorf("left %s", s.file.Name())
			}
		}
	}
}
