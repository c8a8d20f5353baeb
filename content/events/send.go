package events

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/openlectern/lectern/content/outbox"
	"github.com/openlectern/lectern/db"
)

// The headers of a delivery beside Content-Type, which is that of a CloudEvent in structured mode.
const (
	HeaderID        = "Lectern-Event-Id"
	HeaderType      = "Lectern-Event-Type"
	HeaderTime      = "Lectern-Event-Time"
	HeaderAttempt   = "Lectern-Attempt"   // counts from 1
	HeaderTimestamp = "Lectern-Timestamp" // of the attempt, seconds since 1970
	HeaderSignature = "Lectern-Signature" // see Sign; absent without a secret
	contentType     = "application/cloudevents+json; charset=utf-8"
)

// Sign returns the signature of a delivery: "sha256=" and the HMAC-SHA256, in hex, of the value of the header
// Lectern-Timestamp, a full stop and the body. Receivers compare it in constant time and refuse timestamps that are old.
func Sign(secret, timestamp string, body []byte) string {
	s := newSigner(secret, timestamp)
	_, _ = s.Write(body) // a hash takes everything
	return s.sum()
}

type signer struct{ hash hash.Hash }

func newSigner(secret, timestamp string) signer {
	h := hmac.New(sha256.New, []byte(secret))
	_, _ = io.WriteString(h, timestamp+".")
	return signer{h}
}

func (s signer) Write(p []byte) (int, error) { return s.hash.Write(p) }
func (s signer) sum() string                 { return "sha256=" + hex.EncodeToString(s.hash.Sum(nil)) }

// answer is how an attempt ended.
type answer struct {
	status int           // of HTTP, 0 without an answer
	err    error         // nil if the event arrived
	after  time.Duration // not before, if the receiver said so
}

// message is one event on its way.
type message struct {
	head    head
	attempt int
	write   func(w io.Writer) error
}

// errBuild is a failure on our side, which must not count against the webhook.
var errBuild = errors.New("the event could not be read")

// post sends a message. Everything but a 2xx answer is a failure, redirects included.
func (d *Deliverer) post(ctx context.Context, w *outbox.Webhook, m message) (a answer) {
	body := &spool{}
	defer func() {
		if err := body.close(); err != nil && a.err == nil {
			a.err = fmt.Errorf("%w: %w", errBuild, err)
		}
	}()
	stamp := strconv.FormatInt(time.Now().Unix(), 10)
	sign := newSigner(w.Secret, stamp)
	if err := m.write(io.MultiWriter(body, sign)); err != nil {
		return answer{err: fmt.Errorf("%w: %w", errBuild, err)}
	}
	text, err := body.reader()
	if err != nil {
		return answer{err: fmt.Errorf("%w: %w", errBuild, err)}
	}
	ctx, cancel := context.WithTimeout(ctx, d.timeout())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, text)
	if err != nil {
		return answer{err: withoutURL(err)}
	}
	req.ContentLength = body.size
	h := req.Header
	h.Set("Content-Type", contentType)
	h.Set("User-Agent", "lectern")
	h.Set(HeaderID, m.head.ID)
	h.Set(HeaderType, m.head.Type)
	h.Set(HeaderTime, m.head.Time)
	h.Set(HeaderAttempt, strconv.Itoa(m.attempt))
	h.Set(HeaderTimestamp, stamp)
	if w.Secret != "" {
		h.Set(HeaderSignature, sign.sum())
	}
	res, err := d.client().Do(req)
	if err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("no answer within %s", d.timeout())
		}
		return answer{err: withoutURL(err)}
	}
	said, _ := io.ReadAll(io.LimitReader(res.Body, 500)) // half of an answer still says something
	_ = res.Body.Close()
	a.status = res.StatusCode
	if a.status < 200 || a.status > 299 {
		a.err = fmt.Errorf("answered %s", res.Status)
		if len(said) > 0 {
			a.err = fmt.Errorf("answered %s: %s", res.Status, said)
		}
		if s, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && s > 0 {
			a.after = min(time.Duration(min(s, 1<<20))*time.Second, maxPause)
		}
	}
	return a
}

// withoutURL takes the URL out of an error: it may hold a password, and whoever reads the error knows it.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// send makes one attempt at a claimed delivery.
func (d *Deliverer) send(ctx context.Context, w *outbox.Webhook, c *outbox.Delivery) (e outbox.Event, a answer) {
	// The claim must not run out while the attempt goes on.
	ctx, cancel := context.WithTimeout(ctx, d.lease()-leaseMargin)
	defer cancel()
	e, found, err := outbox.Get(ctx, d.DB, c.Event)
	if err != nil {
		return e, answer{err: fmt.Errorf("%w: %w", errBuild, err)}
	}
	if !found { // removed behind our back, there is nothing to tell
		return e, answer{}
	}
	return e, d.post(ctx, w, message{headOf(&e), c.Attempts, func(out io.Writer) error {
		return d.DB.View(ctx, func(tx *db.Tx) error {
			// Again, as the log may have gone meanwhile, and its changes come into the event.
			now, _, err := outbox.Get(ctx, tx, c.Event)
			if err != nil {
				return err
			}
			return Write(ctx, tx, &now, out)
		})
	}})
}

// Result is how an attempt to deliver an event ended.
type Result struct {
	Webhook int64
	Event   outbox.Event // without data, zero for a ping
	Attempt int
	Status  int           // of HTTP, 0 without an answer
	Took    time.Duration // by the clock on the wall
	Err     error         // nil if the event arrived
	Dead    bool          // given up
}

// Ping sends a webhook an event of type [PingType] now, once, and tells how that went.
func (d *Deliverer) Ping(ctx context.Context, w outbox.Webhook) Result {
	start := time.Now()
	h := pingHead(uuid.NewString(), start)
	a := d.post(ctx, &w, message{h, 1, func(out io.Writer) error {
		o := &writer{w: out}
		o.open(h)
		o.text(`,"data":{}}`)
		return o.err
	}})
	return Result{Webhook: w.ID, Attempt: 1, Status: a.status, Took: time.Since(start), Err: a.err}
}
