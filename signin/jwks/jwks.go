// Package jwks gets the public keys of another issuer of web tokens, from a file or over the network.
package jwks

import (
	"context"
	"crypto"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/signin/webtoken"
)

// Bounds of a look-up over the network.
const (
	maxSize = 1 << 20 // bytes of a set
	fresh   = time.Hour
	again   = 30 * time.Second // at least between two look-ups, whatever strangers send
	timeout = 10 * time.Second
)

// Open returns the keys at an https address, which are asked for at the first use and each hour, and when a token names an
// unknown one; or those in a file, which is read now. http is for localhost only.
func Open(from string) (webtoken.Keys, error) {
	if !strings.Contains(from, "://") {
		text, err := os.ReadFile(from)
		if err != nil {
			return nil, fault.Errorf(fault.Usage, "--lms-keys", "the file of keys cannot be read: %w", err)
		}
		set, err := webtoken.ParseSet(text)
		if err != nil {
			return nil, fault.Errorf(fault.Usage, "--lms-keys", "%s: %w", from, err).WithNext("give a JSON Web Key Set, such as the platform's JWT_PUBLIC_SIGNING_JWK_SET")
		}
		return set, nil
	}
	u, err := url.Parse(from)
	local := err == nil && (u.Hostname() == "localhost" || u.Hostname() == "127.0.0.1" || u.Hostname() == "::1")
	if err != nil || u.Host == "" || u.Scheme != "https" && (u.Scheme != "http" || !local) {
		return nil, fault.Errorf(fault.Usage, "--lms-keys", "%q is no https address", from)
	}
	return &remote{url: from, client: &http.Client{Timeout: timeout}}, nil
}

// remote is a set of keys on a server. It is safe for concurrent use.
type remote struct {
	url    string
	client *http.Client

	mu    sync.Mutex
	set   webtoken.Set // guarded by mu: nil until it was got once
	got   time.Time    // guarded by mu: when set was got
	tried time.Time    // guarded by mu: when it was last asked for
}

// Find implements [webtoken.Keys]. Keys that were got once are used while the server cannot be reached.
func (r *remote) Find(ctx context.Context, id string) ([]crypto.PublicKey, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	stale := now.Sub(r.got) > fresh || id != "" && !r.set.Has(id)
	if stale && now.Sub(r.tried) > again {
		r.tried = now
		set, err := r.get(ctx)
		switch {
		case err == nil:
			r.set, r.got = set, now
		case r.set == nil:
			return nil, fault.Errorf(fault.Unavailable, r.url, "the keys cannot be got: %w", err)
		}
	}
	if r.set == nil {
		return nil, fault.Errorf(fault.Unavailable, r.url, "the keys could not be got a moment ago")
	}
	return r.set.Find(ctx, id)
}

func (r *remote) get(ctx context.Context) (webtoken.Set, error) {
	req, err := http.NewRequestWithContext(context.WithoutCancel(ctx), http.MethodGet, r.url, nil) // others wait for it, too; the client has a limit
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	answer, err := r.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d", answer.StatusCode)
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxSize))
	if err != nil {
		return nil, err
	}
	return webtoken.ParseSet(text)
}
