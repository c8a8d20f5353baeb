package events

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/content/outbox"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
)

// TestOrder has writers of several packages, two deliverers with a database handle each, and a receiver that fails in
// every way: each event arrives, and none before an earlier one of its package has arrived.
func TestOrder(t *testing.T) {
	t.Parallel()
	each(t, func(h *house) {
		ctx := h.Context()
		r := newReceiver(h.T)
		broken := 0
		r.set(func(got) int { // called under the receiver's lock
			switch n := rand.N(12); {
			case n == 0:
				return 500
			case n == 1:
				return 302
			case n == 2:
				return -1
			case n == 3 && broken < 3: // each costs the timeout
				broken++
				return 0
			}
			return 200
		})
		h.webhook(outbox.Webhook{URL: r.URL})
		packages := []publishing.PackageID{h.pkg("a"), h.pkg("b"), h.pkg("c")}

		stop, cancel := context.WithCancel(ctx)
		defer cancel()
		var deliverers, writers sync.WaitGroup
		var attempts atomic.Int64
		for range 2 {
			d := Deliverer{
				DB: h.open(db.Options{}), Timeout: 200 * time.Millisecond, Poll: 5 * time.Millisecond, Workers: 2, Keep: -1,
				Pause:    func(int) time.Duration { return rand.N(20 * time.Millisecond) },
				OnResult: func(Result) { attempts.Add(1) },
				OnError:  func(err error) { h.Log(err) },
			}
			deliverers.Go(func() { d.Run(stop) })
		}
		real := h.open(db.Options{})
		for w := range 3 {
			writers.Go(func() {
				for i := range 12 {
					pkg := packages[(w+i)%len(packages)]
					err := real.Update(ctx, func(tx *db.Tx) error {
						if _, err := edit(ctx, tx, pkg, 1+i%3); err != nil {
							return err
						}
						if i%4 == 0 {
							_, err := publishing.PublishAll(ctx, tx, pkg, publishing.PublishMeta{})
							return err
						}
						return nil
					})
					if err != nil {
						h.Error(err)
					}
				}
			})
		}
		writers.Wait()
		all := h.events()
		want := map[int64]bool{}
		for _, e := range all {
			want[e.ID] = true
		}
		for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
			seen := map[int64]bool{}
			for _, g := range r.all() {
				seen[g.seq] = true
			}
			if len(seen) == len(want) || time.Now().After(end) {
				break
			}
		}
		cancel()
		deliverers.Wait()
		last, seen := map[string]int64{}, map[int64]bool{}
		for _, g := range r.all() {
			if !seen[g.seq] && g.seq < last[g.pkg] {
				h.Errorf("event %d of package %s arrived after %d", g.seq, g.pkg, last[g.pkg])
			}
			seen[g.seq] = true
			last[g.pkg] = max(last[g.pkg], g.seq)
			if g.body != h.document(g.seq) {
				h.Errorf("event %d arrived as %s", g.seq, g.body)
			}
		}
		if diff := cmp.Diff(want, seen); diff != "" {
			h.Errorf("arrived (-want +got):\n%s", diff)
		}
		left, err := outbox.Queue(ctx, h.d)
		if err != nil || len(left) != 0 {
			h.Errorf("left %v, %v", left, err)
		}
		if n := int(attempts.Load()); n < len(want)+3 {
			h.Errorf("%d attempts for %d events", n, len(want))
		}
	})
}

// TestCommitOrder lets a transaction begin first and commit last: the id of its event is below those that were delivered
// meanwhile, and it arrives all the same. On SQLite no two transactions write at the same time.
func TestCommitOrder(t *testing.T) {
	t.Parallel()
	each(t, func(h *house) {
		ctx := h.Context()
		a, b := h.pkg("a"), h.pkg("b")
		r := newReceiver(h.T)
		h.webhook(outbox.Webhook{URL: r.URL})
		d := &Deliverer{DB: h.d}
		inside, leave, done := make(chan bool), make(chan bool), make(chan error, 1)
		var once sync.Once // the unit may run again
		go func() {
			done <- h.d.Update(ctx, func(tx *db.Tx) error {
				_, err := edit(ctx, tx, a, 1)
				once.Do(func() { inside <- true })
				<-leave
				return err
			})
		}()
		<-inside
		out := sync.OnceFunc(func() { close(leave) })
		defer out() // also where the test fails, or the database could not be given back
		if h.d.Engine() == db.SQLite {
			out()
		}
		h.edit(b, 1)
		if h.d.Engine() != db.SQLite {
			h.once(d)
			out()
		}
		if err := <-done; err != nil {
			h.Fatal(err)
		}
		h.once(d)
		all := h.events()
		want := ids(all[2:]) // without the packages' own
		if h.d.Engine() != db.SQLite {
			want[0], want[1] = want[1], want[0]
		}
		got := r.seqs()
		if h.d.Engine() == db.SQLite {
			slices.Sort(got) // both at once, of different packages
		}
		if diff := cmp.Diff(want, got); diff != "" {
			h.Errorf("arrived (-want +got):\n%s", diff)
		}
	})
}

// TestIDsFollowCommits writes to one package from several sides: ids of its events are in the order of the package's
// serial number, which is the order of commits.
func TestIDsFollowCommits(t *testing.T) {
	t.Parallel()
	each(t, func(h *house) {
		ctx := h.Context()
		pkg := h.pkg("a")
		next := 0 // in the database it is the title
		var writers sync.WaitGroup
		for range 4 {
			writers.Go(func() {
				for range 10 {
					err := h.d.Update(ctx, func(tx *db.Tx) error {
						if err := publishing.Lock(ctx, tx, pkg); err != nil {
							return err
						}
						p, err := publishing.PackageByID(ctx, tx, pkg)
						if err != nil {
							return err
						}
						title := p.Title + "x"
						_, err = publishing.UpdatePackage(ctx, tx, pkg, publishing.PackageChange{Title: &title})
						return err
					})
					if err != nil {
						h.Error(err)
					}
				}
			})
		}
		writers.Wait()
		for _, e := range h.events() {
			if n := strings.Count(e.Title, "x"); n != next {
				h.Errorf("event %d is of commit %d, want %d", e.ID, n, next)
			}
			next++
		}
		if next != 41 {
			h.Errorf("%d events", next)
		}
	})
}

// TestSentButNotMarked fails at the statement that marks an event as arrived, as a crash would: it is sent again, by
// another deliverer, when the claim has run out, and those behind it wait until then.
func TestSentButNotMarked(t *testing.T) {
	t.Parallel()
	each(t, func(h *house) {
		pkg := h.pkg("a")
		r := newReceiver(h.T)
		h.webhook(outbox.Webhook{URL: r.URL})
		h.edit(pkg, 1)
		h.edit(pkg, 1)
		crash := errors.New("crash")
		dying := &Deliverer{DB: h.open(db.Options{Clock: h.clock, Fault: func(sql string) error {
			if strings.HasPrefix(sql, "DELETE FROM lectern_delivery") {
				return crash
			}
			return nil
		}})}
		if _, err := dying.Once(h.Context()); !errors.Is(err, crash) {
			h.Fatalf("error %v", err)
		}
		d := &Deliverer{DB: h.d}
		if n := h.once(d).Sent; n != 0 {
			h.Errorf("%d sent while another has the first", n)
		}
		h.pass(d.lease() + time.Second)
		h.once(d)
		all := ids(h.events())
		if diff := cmp.Diff([]int64{all[1], all[1], all[2]}, r.seqs()); diff != "" {
			h.Errorf("arrived (-want +got):\n%s", diff)
		}
	})
}

// TestFaultAtEveryStatement breaks a deliverer off at each statement in turn: another, later, delivers what is left, in
// order and all of it.
func TestFaultAtEveryStatement(t *testing.T) {
	t.Parallel()
	h := &house{T: t, url: dbtest.ReadyURL(t, db.SQLite, setup), now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
	h.d = h.open(db.Options{Clock: h.clock})
	pkg := h.pkg("a")
	r := newReceiver(t)
	h.webhook(outbox.Webhook{URL: r.URL})
	crash := errors.New("crash")
	n, at := 0, 1<<30
	dying := &Deliverer{Workers: 1, Keep: -1, DB: h.open(db.Options{Clock: h.clock, Fault: func(string) error {
		if n++; n >= at {
			return crash
		}
		return nil
	}})}
	for at = 1; ; at++ {
		before := len(h.events())
		for range 3 {
			h.edit(pkg, 1)
		}
		want := ids(h.events())[before:]
		from := len(r.seqs())
		n = 0
		_, err := dying.Once(t.Context())
		if err != nil && !errors.Is(err, crash) {
			t.Fatal(err)
		}
		h.pass(time.Minute)
		h.once(&Deliverer{DB: h.d, Keep: -1})
		if got := slices.Compact(r.seqs()[from:]); !slices.Equal(got, want) {
			t.Errorf("broken off at statement %d: %v arrived, want %v", at, got, want)
		}
		if err == nil {
			break
		}
	}
	if at < 20 {
		t.Errorf("only %d statements", at)
	}
}

// TestDeadLetters lets one event fail for ever: what is behind it waits, then it is given up and the others arrive; it
// can be tried again or dropped.
func TestDeadLetters(t *testing.T) {
	t.Parallel()
	each(t, func(h *house) {
		ctx := h.Context()
		a, b := h.pkg("a"), h.pkg("b")
		r := newReceiver(h.T)
		hook := h.webhook(outbox.Webhook{URL: r.URL, Attempts: 3})
		h.edit(a, 1)
		h.edit(a, 1)
		h.edit(b, 1)
		all := ids(h.events())[2:]
		r.set(func(g got) int {
			if g.seq == all[0] {
				return 503
			}
			return 200
		})
		d := &Deliverer{DB: h.d}
		want := func(seqs ...int64) {
			h.Helper()
			if diff := cmp.Diff(seqs, r.seqs()); diff != "" {
				h.Errorf("arrived (-want +got):\n%s", diff)
			}
		}
		h.once(d)
		want(all[2])
		h.once(d) // not due yet
		if q, err := outbox.Queue(ctx, h.d); err != nil || q[hook] != (outbox.Waiting{Webhook: hook, Pending: 2}) {
			h.Errorf("waiting %+v, %v", q, err)
		}
		h.pass(2 * time.Second)
		h.once(d)
		want(all[2])
		h.pass(3 * time.Second)
		if rep := h.once(d); rep != (Report{Sent: 1, Failed: 1, Dead: 1}) {
			h.Errorf("%+v", rep)
		}
		want(all[2], all[1])
		dead, err := outbox.DeadLetters(ctx, h.d)
		if err != nil || len(dead) != 1 {
			h.Fatal(dead, err)
		}
		if x := dead[0]; x.Attempts != 3 || x.What.ID != all[0] || x.Webhook != hook || x.Error != "answered 503 Service Unavailable: said  so" {
			h.Errorf("%+v", x)
		}
		h.do(func(tx *db.Tx) error {
			n, err := outbox.Revive(ctx, tx, []int64{dead[0].ID})
			if n != 1 {
				h.Errorf("revived %d", n)
			}
			return err
		})
		r.set(nil)
		h.once(d)
		want(all[2], all[1], all[0])
		if err := h.d.Update(ctx, func(tx *db.Tx) error { _, err := outbox.Drop(ctx, tx, []int64{dead[0].ID}); return err }); err == nil {
			h.Error("dropped what is not there")
		}
	})
}

// TestRetryAfter waits as long as the receiver says.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	each(t, func(h *house) {
		r := newReceiver(h.T)
		r.set(func(got) int { return 429 })
		hook := h.webhook(outbox.Webhook{URL: r.URL})
		h.pkg("a")
		h.once(&Deliverer{DB: h.d})
		for after, want := range map[time.Duration]int{119 * time.Second: 0, 120 * time.Second: 1} {
			list, err := outbox.Due(h.Context(), h.d, hook, h.clock().Add(after), 9)
			if err != nil || len(list) != want {
				h.Errorf("after %s %v are due, %v", after, list, err)
			}
		}
	})
}

// BenchmarkLanes delivers one event each of many packages; BenchmarkLane many of one.
func BenchmarkLanes(b *testing.B) { benchmarkDeliver(b, 5000, 1) }

func BenchmarkLane(b *testing.B) { benchmarkDeliver(b, 1, 1000) }

func benchmarkDeliver(b *testing.B, packages, each int) {
	ctx := b.Context()
	var took time.Duration
	for b.Loop() {
		d := dbtest.Ready(b, db.SQLite, setup)
		s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
		err := d.Update(ctx, func(tx *db.Tx) error {
			if _, err := outbox.AddWebhook(ctx, tx, outbox.Webhook{URL: s.URL, Active: true}); err != nil {
				return err
			}
			list := make([]outbox.Event, 0, packages*each)
			for i := range packages * each {
				list = append(list, outbox.Event{Package: int64(i % packages), Type: outbox.PackageUpdated, At: tx.Now(), Title: "T"})
			}
			return outbox.Append(ctx, tx, list...)
		})
		if err != nil {
			b.Fatal(err)
		}
		start := time.Now()
		r, err := (&Deliverer{DB: d}).Once(ctx)
		if err != nil || r.Sent != packages*each {
			b.Fatal(r, err)
		}
		took += time.Since(start)
		s.Close()
	}
	b.ReportMetric(float64(b.N*packages*each)/took.Seconds(), "events/s")
}

// TestWanted gives each webhook what it wants, from when it was added, and nothing while it is paused.
func TestWanted(t *testing.T) {
	t.Parallel()
	each(t, func(h *house) {
		ctx := h.Context()
		a, b := h.pkg("a"), h.pkg("b")
		h.edit(a, 1)
		only, some, late := newReceiver(h.T), newReceiver(h.T), newReceiver(h.T)
		h.webhook(outbox.Webhook{URL: only.URL, Package: int64(b)})
		paused := h.webhook(outbox.Webhook{URL: some.URL, Types: []outbox.Type{outbox.Published, outbox.PackageDeleted}})
		h.edit(a, 1) // 0
		publish := func(pkg publishing.PackageID) {
			h.do(func(tx *db.Tx) error {
				_, err := publishing.PublishAll(ctx, tx, pkg, publishing.PublishMeta{})
				return err
			})
		}
		publish(a)   // 1
		h.edit(b, 2) // 2
		activate := func(on bool) {
			h.do(func(tx *db.Tx) error { return outbox.Activate(ctx, tx, paused, on) })
		}
		activate(false)
		publish(b) // 3
		d := &Deliverer{DB: h.d}
		h.once(d)
		if len(some.all()) != 0 {
			h.Error("sent to a paused webhook")
		}
		activate(true)
		h.webhook(outbox.Webhook{URL: late.URL})
		publish(b) // 4
		h.do(func(tx *db.Tx) error { return publishing.DeletePackage(ctx, tx, b) })
		h.once(d)
		all := ids(h.events())[3:]
		for _, c := range []struct {
			r    *receiver
			want []int64
		}{
			{only, []int64{all[2], all[3], all[4], all[5]}},
			{some, []int64{all[1], all[4], all[5]}},
			{late, []int64{all[4], all[5]}},
		} {
			got := c.r.seqs()
			slices.Sort(got) // they are of two packages
			if diff := cmp.Diff(c.want, got); diff != "" {
				h.Errorf("arrived (-want +got):\n%s", diff)
			}
		}
		if err := h.d.Update(ctx, func(tx *db.Tx) error { return outbox.RemoveWebhook(ctx, tx, paused) }); err != nil {
			h.Error(err)
		}
	})
}

// TestDeletedPackage reads events whose logs are gone: those that waited say what they would have said before.
func TestDeletedPackage(t *testing.T) {
	t.Parallel()
	each(t, func(h *house) {
		ctx := h.Context()
		lost := h.pkg("lost")
		h.edit(lost, 1)
		remove := func(pkg publishing.PackageID) {
			h.do(func(tx *db.Tx) error { return publishing.DeletePackage(ctx, tx, pkg) })
		}
		remove(lost) // nobody listens
		r := newReceiver(h.T)
		h.webhook(outbox.Webhook{URL: r.URL})
		pkg := h.pkg("a")
		h.edit(pkg, 2)
		d := &Deliverer{DB: h.d}
		r.set(func(got) int { return 500 })
		h.once(d) // the first waits in its lane
		h.do(func(tx *db.Tx) error {
			_, err := publishing.PublishAll(ctx, tx, pkg, publishing.PublishMeta{})
			return err
		})
		var before []string
		all := h.events()
		for _, e := range all {
			before = append(before, h.document(e.ID))
		}
		remove(pkg)
		all = h.events()
		before = append(before, h.document(all[len(all)-1].ID))
		r.set(nil)
		h.pass(time.Minute)
		h.once(d)
		var bodies []string
		for _, g := range r.all() {
			bodies = append(bodies, g.body)
		}
		if diff := cmp.Diff(before[3:], bodies); diff != "" {
			h.Errorf("arrived (-want +got):\n%s", diff)
		}
		if doc := h.document(all[1].ID); !strings.Contains(doc, `"changes":[],"gone":true`) {
			h.Errorf("an event whose log is gone: %s", doc)
		}
		if !strings.Contains(bodies[3], `publishing.lp_deleted.v1`) || !strings.Contains(bodies[3], `"title":"Title of a"`) {
			h.Errorf("last: %s", bodies[3])
		}
	})
}

// TestRollback: what is rolled back leaves no event.
func TestRollback(t *testing.T) {
	t.Parallel()
	each(t, func(h *house) {
		pkg := h.pkg("a")
		stop := errors.New("stop")
		err := h.d.Update(h.Context(), func(tx *db.Tx) error {
			if _, err := edit(h.Context(), tx, pkg, 3); err != nil {
				return err
			}
			return stop
		})
		if !errors.Is(err, stop) || len(h.events()) != 1 {
			h.Errorf("%v, events %+v", err, h.events())
		}
	})
}

// TestSweep removes delivered events when they are old, and none that waits or is dead.
func TestSweep(t *testing.T) {
	t.Parallel()
	each(t, func(h *house) {
		ctx := h.Context()
		pkg := h.pkg("a")
		r := newReceiver(h.T)
		h.webhook(outbox.Webhook{URL: r.URL, Attempts: 1, Types: []outbox.Type{outbox.DraftsChanged}})
		h.edit(pkg, 1)
		d := &Deliverer{DB: h.d, Keep: time.Hour}
		r.set(func(got) int { return 500 })
		h.once(d) // dead
		r.set(nil)
		h.edit(pkg, 1)
		h.pass(2 * time.Hour)
		h.edit(pkg, 1)
		if rep := h.once(d); rep.Sent != 2 || rep.Swept != 2 { // the package's own and the second edit
			h.Errorf("%+v", rep)
		}
		if all := h.events(); len(all) != 2 {
			h.Errorf("left %+v", all)
		}
		h.do(func(tx *db.Tx) error { _, err := outbox.Drop(ctx, tx, nil); return err })
		if n := h.once(d).Swept; n != 1 {
			h.Errorf("swept %d", n)
		}
	})
}
