package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/openlectern/lectern/api"
	authzapi "github.com/openlectern/lectern/api/authz"
	apisignin "github.com/openlectern/lectern/api/signin"
	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/schema"
	"github.com/openlectern/lectern/signin"
	"github.com/openlectern/lectern/signin/keyring"
	"github.com/openlectern/lectern/user"
)

// counted is the server as `lectern serve` puts it together, without what goes on beside requests, which counts statements.
type counted struct {
	http.Handler
	tokens map[string]string
	n      atomic.Int64
}

// count returns how many statements a request takes, from who sends it to the answer.
func (c *counted) count(t *testing.T, q request) int64 {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), q.method, authzapi.Prefix+q.path, bytes.NewReader(q.body))
	r.Header.Set("Authorization", "Bearer "+c.tokens[q.as])
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	before := c.n.Load()
	c.ServeHTTP(w, r)
	if w.Code >= 300 {
		t.Fatalf("%s %s: %d %s", q.method, q.path, w.Code, w.Body)
	}
	if strings.Contains(w.Body.String(), `"error"`) {
		t.Fatalf("%s %s was not done: %s", q.method, q.path, w.Body)
	}
	return c.n.Load() - before
}

func newCounted(t *testing.T, e db.Engine, people int) *counted {
	t.Helper()
	ctx := t.Context()
	c := &counted{tokens: map[string]string{}}
	d, err := db.Open(ctx, dbtest.ReadyURL(t, e, tables), db.Options{OnStatement: func(string) { c.n.Add(1) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	err = d.Update(ctx, func(tx *db.Tx) error {
		_, err := authz.Seed(ctx, tx, true, authz.Options{})
		return err
	})
	if err == nil {
		err = fill(ctx, d, people)
	}
	if err == nil {
		err = d.Update(ctx, func(tx *db.Tx) error {
			if _, err := user.Create(ctx, tx, user.New{Username: admin, Email: "root@example.org", Staff: true, Superuser: true}); err != nil {
				return err
			}
			ids, err := user.IDs(ctx, tx, []string{admin, common})
			for name, id := range ids {
				if err == nil {
					c.tokens[name], _, err = signin.NewToken(ctx, tx, id, "", 0)
				}
			}
			return err
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	if e == db.PostgreSQL {
		if _, err := d.Exec(ctx, "ANALYZE"); err != nil {
			t.Fatal(err)
		}
	}
	store := app.New(d)
	if err := store.Engine().Refresh(ctx); err != nil {
		t.Fatal(err)
	}
	ring, err := keyring.Open(filepath.Join(t.TempDir(), "secret.json"))
	if err != nil {
		t.Fatal(err)
	}
	public := &url.URL{Scheme: "http", Host: "localhost"}
	who, err := apisignin.New(apisignin.Config{Service: signin.New(d, ring, public.String()), Public: public})
	if err != nil {
		t.Fatal(err)
	}
	permissions := authzapi.New(authzapi.Config{Store: store, Person: who.Person})
	server, err := api.New(api.Config{Auth: who, Public: public, Parts: []func(*api.Router){permissions.Mount}})
	if err != nil {
		t.Fatal(err)
	}
	server.Refresh(ctx)
	c.Handler = server
	return c
}

func tables(d *db.DB) error { return schema.Create(context.Background(), d) }

// TestStatements holds how many statements a request takes on a site of any size, who sends it included. On PostgreSQL the
// last five of a role given or taken are one round trip with COMMIT.
func TestStatements(t *testing.T) {
	t.Parallel()
	dbtest.OnEngines(t, func(t *testing.T, e db.Engine) {
		t.Parallel()
		const forgetting = 3 // statements more of one change in 64
		for _, people := range []int{600, 1200} {
			c := newCounted(t, e, people)
			o := options{people: people}
			r := rand.New(rand.NewPCG(1, 2))
			c.count(t, o.validate(r)) // notes that the token is used
			c.count(t, o.page(r))     // makes the list
			for range 5 {
				if n := c.count(t, o.validate(r)); n != 1 {
					t.Errorf("%d people: validate/me takes %d statements, want 1", people, n)
				}
				if n := c.count(t, o.page(r)); n > 3 { // with one more where everybody is read again, every two seconds
					t.Errorf("%d people: a page takes %d statements, want 2", people, n)
				}
			}
			for i := range 6 {
				give := request{admin, http.MethodPut, "roles/users/", fmt.Appendf(nil, `{"role": "library_user", "users": [%q], "scope": "lib:Org1:*"}`, personOf(100+i))}
				take := request{admin, http.MethodDelete, "roles/users/?role=library_user&scope=lib:Org1:*&users=" + personOf(100+i), nil}
				given, page, taken := c.count(t, give), c.count(t, o.page(r)), c.count(t, take)
				if i == 0 {
					continue // the database is asked for types of columns and the like
				}
				if given > 16+forgetting {
					t.Errorf("%d people: giving a role takes %d statements, want 16", people, given)
				}
				if page > 3 {
					t.Errorf("%d people: a page after a change takes %d statements, want 2", people, page)
				}
				if taken > 11+forgetting {
					t.Errorf("%d people: taking a role takes %d statements, want 11", people, taken)
				}
			}
		}
	})
}
