package events

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/openlectern/lectern/content/outbox"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/schema"
)

func setup(d *db.DB) error { return schema.Create(context.Background(), d) }

// house is a database with packages whose entities are changed, for tests that tell a story.
type house struct {
	*testing.T
	url string
	d   *db.DB
	mu  sync.Mutex // guards now
	now time.Time
}

// each runs fn on every engine.
func each(t *testing.T, fn func(h *house)) {
	t.Helper()
	for _, e := range dbtest.Engines() {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			h := &house{T: t, url: dbtest.ReadyURL(t, e, setup), now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
			h.d = h.open(db.Options{Clock: h.clock})
			fn(h)
		})
	}
}

func (h *house) clock() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

// pass lets time go by.
func (h *house) pass(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

func (h *house) open(o db.Options) *db.DB {
	h.Helper()
	d, err := db.Open(h.Context(), h.url, o)
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() {
		if err := d.Close(); err != nil {
			h.Error(err)
		}
	})
	return d
}

func (h *house) do(fn func(tx *db.Tx) error) {
	h.Helper()
	if err := h.d.Update(h.Context(), fn); err != nil {
		h.Fatal(err)
	}
}

func (h *house) pkg(ref string) (id publishing.PackageID) {
	h.Helper()
	h.do(func(tx *db.Tx) error {
		p, err := publishing.CreatePackage(h.Context(), tx, publishing.NewPackage{Ref: ref, Title: "Title of " + ref})
		id = p.ID
		return err
	})
	return id
}

// edit makes a new version of n entities of a package, which it creates if they are not there.
func edit(ctx context.Context, tx *db.Tx, pkg publishing.PackageID, n int) (*publishing.ChangeLog, error) {
	refs, list := make([]string, n), make([]publishing.NewVersion, n)
	for i := range refs {
		refs[i] = fmt.Sprintf("e%d", i)
	}
	if err := publishing.Lock(ctx, tx, pkg); err != nil {
		return nil, err
	}
	found, err := publishing.EntitiesByRef(ctx, tx, pkg, refs)
	if err != nil {
		return nil, err
	}
	var fresh []publishing.NewEntity
	for _, ref := range refs {
		if found[ref].ID == 0 {
			fresh = append(fresh, publishing.NewEntity{Ref: ref})
		}
	}
	ids, err := publishing.CreateEntities(ctx, tx, pkg, fresh)
	if err != nil {
		return nil, err
	}
	for i, ref := range refs {
		if list[i] = (publishing.NewVersion{Entity: found[ref].ID, Title: ref}); found[ref].ID == 0 {
			list[i].Entity, ids = ids[0], ids[1:]
		}
	}
	return publishing.Change(ctx, tx, pkg, publishing.Meta{}, func(c *publishing.ChangeSet) error {
		_, _, err := c.CreateVersions(ctx, list)
		return err
	})
}

func (h *house) edit(pkg publishing.PackageID, n int) {
	h.Helper()
	h.do(func(tx *db.Tx) error { _, err := edit(h.Context(), tx, pkg, n); return err })
}

func (h *house) webhook(w outbox.Webhook) (id int64) {
	h.Helper()
	w.Active = true
	h.do(func(tx *db.Tx) (err error) {
		id, err = outbox.AddWebhook(h.Context(), tx, w)
		return err
	})
	return id
}

func (h *house) events() []outbox.Event {
	h.Helper()
	list, err := outbox.List(h.Context(), h.d, outbox.Filter{})
	if err != nil {
		h.Fatal(err)
	}
	return list
}

func (h *house) once(d *Deliverer) Report {
	h.Helper()
	r, err := d.Once(h.Context())
	if err != nil {
		h.Fatal(err)
	}
	return r
}

// document returns an event as receivers get it.
func (h *house) document(id int64) string {
	h.Helper()
	var b bytes.Buffer
	err := h.d.View(h.Context(), func(tx *db.Tx) error {
		e, _, err := outbox.Get(h.Context(), tx, id)
		if err != nil {
			return err
		}
		return Write(h.Context(), tx, &e, &b)
	})
	if err != nil {
		h.Fatal(err)
	}
	return b.String()
}

// got is a request that a receiver took.
type got struct {
	seq     int64
	pkg     string
	kind    string
	body    string
	headers http.Header
}

// receiver is a webhook's other end.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex // guards the rest
	taken  []got
	answer func(got) int // the status; 0 hangs until the client goes away; -1 breaks the connection; default 200
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return // the client has gone
		}
		var doc head
		if err := json.Unmarshal(body, &doc); err != nil {
			t.Errorf("%v in %s", err, body)
		}
		seq, err := strconv.ParseInt(doc.Sequence, 10, 64)
		if err != nil || doc.ID != req.Header.Get(HeaderID) || doc.Type != req.Header.Get(HeaderType) || doc.Time != req.Header.Get(HeaderTime) {
			t.Errorf("%+v with headers %v", doc, req.Header)
		}
		g := got{seq, doc.Partition, doc.Type, string(body), req.Header}
		r.mu.Lock()
		status := http.StatusOK
		if r.answer != nil {
			status = r.answer(g)
		}
		if status == http.StatusOK {
			r.taken = append(r.taken, g)
		}
		r.mu.Unlock()
		switch status {
		case 0:
			<-req.Context().Done()
		case -1:
			panic(http.ErrAbortHandler)
		default:
			if status == http.StatusTooManyRequests {
				w.Header().Set("Retry-After", "120")
			}
			w.WriteHeader(status)
			_, _ = io.WriteString(w, "said \x00 so") // the client may have gone
		}
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) all() []got {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]got(nil), r.taken...)
}

func (r *receiver) set(answer func(got) int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = answer
}

func (r *receiver) seqs() []int64 {
	var out []int64
	for _, g := range r.all() {
		out = append(out, g.seq)
	}
	return out
}

func ids(list []outbox.Event) []int64 {
	var out []int64
	for _, e := range list {
		out = append(out, e.ID)
	}
	return out
}
