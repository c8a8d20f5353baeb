package authzapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/api"
	authzapi "github.com/openlectern/lectern/api/authz"
	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/internal/golden"
	"github.com/openlectern/lectern/user"
)

// step is a line of golden/authz/rest.jsonl.
type step struct {
	Scenario string
	Step     int
	Request  struct {
		As                 *string
		Mode, Method, Path string
		Query              params
		Body               json.RawMessage
	}
	Response struct {
		Status  int
		Headers map[string]string
		JSON    json.RawMessage `json:"json"`
	}
	Differs []string
	Changes *changes
}

// changes is what a step did to the rows.
type changes struct {
	Added   [][]string `json:"added"`
	Removed [][]string `json:"removed"`
	Audit   [][]any    `json:"audit"`
}

// params are query parameters in the order they were sent.
type params [][2]string

func (p *params) UnmarshalJSON(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		value, err := d.Token()
		if err != nil {
			return err
		}
		*p = append(*p, [2]string{fmt.Sprint(key), fmt.Sprint(value)})
	}
	return nil
}

func (p params) encode() string {
	var b strings.Builder
	for i, q := range p {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(q[0]) + "=" + url.QueryEscape(q[1]))
	}
	return b.String()
}

// byHeader signs in who the header X-As names, and asks for no token but where the header X-Mode says so.
type byHeader struct{ db *db.DB }

type personKey struct{}

func (h byHeader) Authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if name := r.Header.Get("X-As"); name != "" {
			u, err := user.ByName(r.Context(), h.db, name)
			if err != nil {
				api.WriteError(w, r, err)
				return
			}
			r = r.WithContext(context.WithValue(r.Context(), personKey{}, api.Person{ID: int64(u.ID), Username: u.Username, Staff: u.Staff, Superuser: u.Superuser}))
		}
		next.ServeHTTP(w, r)
	})
}

func (byHeader) CSRF(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Mode") == "csrf" && r.Method != http.MethodGet {
			api.WriteError(w, r, api.Problemf(http.StatusForbidden, "CSRF Failed: CSRF cookie not set."))
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (byHeader) Person(ctx context.Context) (api.Person, bool) {
	p, ok := ctx.Value(personKey{}).(api.Person)
	return p, ok
}

// nobodysAccount is what the server asks for elsewhere.
type nobodysAccount struct{}

func (nobodysAccount) Account(context.Context, api.Person, string) (app.Account, error) {
	return app.Account{}, nil
}

// site is a server on a database.
type site struct {
	db     *db.DB
	engine *authz.Engine
	*api.Server
}

func newSite(tb testing.TB, d *db.DB, change func(*authzapi.Config)) *site {
	tb.Helper()
	store := app.New(d)
	s := &site{db: d, engine: store.Engine()}
	if err := s.engine.Refresh(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	auth := byHeader{d}
	config := authzapi.Config{Store: store, Person: auth.Person, Log: slog.New(slog.NewTextHandler(tb.Output(), nil))}
	if change != nil {
		change(&config)
	}
	var err error
	s.Server, err = api.New(api.Config{Store: nobodysAccount{}, Auth: auth, Parts: []func(*api.Router){authzapi.New(config).Mount},
		Public: &url.URL{Scheme: "http", Host: "testserver"}})
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// send sends one request; a body that is nil is none.
func (s *site) send(as, method, path string, body []byte, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, authzapi.Prefix+path, bytes.NewReader(body))
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if as != "" {
		r.Header.Set("X-As", as)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// TestGoldenREST sends every request of golden/authz/rest.jsonl and compares the answer, the headers and what changed with
// what the reference did, or, where the specification asks for something else, with that.
func TestGoldenREST(t *testing.T) {
	t.Parallel()
	readSeed(t)
	var scenarios [][]step
	golden.Lines(t, "authz/rest.jsonl", func(line []byte) {
		var s step
		if err := json.Unmarshal(line, &s); err != nil {
			t.Fatal(err)
		}
		if n := len(scenarios); n == 0 || scenarios[n-1][0].Scenario != s.Scenario {
			scenarios = append(scenarios, nil)
		}
		n := len(scenarios) - 1
		scenarios[n] = append(scenarios[n], s)
	})
	dbtest.OnEngines(t, func(t *testing.T, e db.Engine) {
		// Scenarios that only read share one database, with and without the filters.
		var reading []step
		for _, list := range scenarios {
			if slices.ContainsFunc(list, func(s step) bool { return s.Request.Method == http.MethodPut || s.Request.Method == http.MethodDelete }) {
				t.Run(list[0].Scenario, func(t *testing.T) {
					t.Parallel()
					replay(t, e, list)
				})
				continue
			}
			reading = append(reading, list...)
		}
		t.Run("reading", func(t *testing.T) {
			t.Parallel()
			replay(t, e, reading)
		})
	})
}

func replay(t *testing.T, e db.Engine, list []step) {
	t.Helper()
	d := dbtest.Ready(t, e, seeded)
	filtered, usual := newSite(t, d, func(c *authzapi.Config) { c.OfferedOnly = true }), newSite(t, d, nil)
	apart := "" // the scenario that has gone another way than the reference's
	for i := range list {
		s := &list[i]
		site := usual
		if s.Request.Mode == "filters" {
			site = filtered
		}
		if err := site.engine.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		before := site.rows(t)
		as := ""
		if s.Request.As != nil {
			as = *s.Request.As
		}
		path := s.Request.Path
		if len(s.Request.Query) > 0 {
			path += "?" + s.Request.Query.encode()
		}
		body := []byte(s.Request.Body)
		if string(body) == "null" {
			body = nil
		}
		w := site.send(as, s.Request.Method, path, body, "X-Mode", s.Request.Mode)
		want := s.wanted(t)
		if apart == s.Scenario {
			want = site.since(t, s)
		}
		name := fmt.Sprintf("%s/%d %s %s as %s %s", s.Scenario, s.Step, s.Request.Method, path, as, body)
		if w.Code != want.status {
			t.Errorf("%s: status %d, want %d: %s", name, w.Code, want.status, w.Body)
			continue
		}
		for _, h := range []string{"Allow", "WWW-Authenticate"} {
			if got := w.Header().Get(h); got != want.headers[h] {
				t.Errorf("%s: %s: %q, want %q", name, h, got, want.headers[h])
			}
		}
		if diff := cmp.Diff(ordered(t, want.body), ordered(t, w.Body.Bytes()), masks); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if want.same != nil {
			other := site.send(as, s.Request.Method, s.Request.Path+"?"+want.same.encode(), body)
			if diff := cmp.Diff(results(t, other.Body.Bytes()), results(t, w.Body.Bytes())); diff != "" {
				t.Errorf("%s: not as with %s (-want +got):\n%s", name, want.same.encode(), diff)
			}
		}
		if len(s.Differs) > 0 && len(want.changes.Removed) > 0 {
			apart = s.Scenario
		}
		if diff := cmp.Diff(want.changes, before.changed(site.rows(t))); diff != "" {
			t.Errorf("%s changed (-want +got):\n%s", name, diff)
		}
	}
}

// answer is what is wanted of a step.
type answer struct {
	status  int
	headers map[string]string
	body    []byte
	changes changes
	same    params // a query that must give the same list
}

// since returns what is wanted of a step after one that changed more than it did in the reference: a person who has lost
// everything may do nothing, anybody else gets some answer.
func (site *site) since(t *testing.T, s *step) answer {
	t.Helper()
	u, err := user.ByName(t.Context(), site.db, *s.Request.As)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{status: s.Response.Status, headers: s.Response.Headers, body: anything}
	left := slices.ContainsFunc(site.rows(t).grants, func(g []string) bool { return g[0] == "user^"+u.Username })
	if !left && !u.Staff && !u.Superuser {
		a.status, a.body = http.StatusForbidden, []byte(`{"detail": "You do not have permission to perform this action."}`)
	}
	return a
}

// results returns count and results of a page.
func results(t *testing.T, text []byte) any {
	t.Helper()
	var page struct {
		Count   int
		Results any
	}
	if err := json.Unmarshal(text, &page); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return page
}

// allowed is the header Allow by path below the prefix; the reference leaves it out where it fails.
func allowed(path string) string {
	switch path {
	case "permissions/validate/me", "users/validate/":
		return "POST, OPTIONS"
	case "roles/users/":
		return "GET, PUT, DELETE, HEAD, OPTIONS"
	}
	return "GET, HEAD, OPTIONS"
}

// wanted returns what the reference answered, or for a step marked as different what the rules of authz.md §15 ask for.
func (s *step) wanted(t *testing.T) answer {
	t.Helper()
	a := answer{status: s.Response.Status, headers: s.Response.Headers, body: s.Response.JSON}
	if s.Changes != nil {
		a.changes = *s.Changes
	}
	if len(s.Differs) == 0 {
		return a
	}
	a.headers = map[string]string{"Allow": allowed(s.Request.Path)}
	a.body = nil
	rule := s.Differs[0] + " " + s.Request.Method + " " + s.Request.Path
	switch {
	case s.Response.Status == http.StatusInternalServerError && (blank(s, "sort_by") || blank(s, "order")):
		a.status, a.body = http.StatusOK, anything
		a.same = slices.DeleteFunc(slices.Clone(s.Request.Query), func(p [2]string) bool { return p[1] == "" })
	case s.Response.Status == http.StatusInternalServerError && s.Request.Path == "permissions/validate/me":
		a.status, a.body = http.StatusBadRequest, []byte(`{"message": "Invalid scope format"}`)
	case s.Response.Status == http.StatusInternalServerError:
		a.status, a.body = http.StatusBadRequest, []byte(`{"scope": ["<text>"]}`)
	case rule == "D9 GET users/":
		a.status, a.body = http.StatusOK, anything
		for _, p := range s.Request.Query {
			if p[0] == "search" {
				p[1] = strings.ToLower(p[1])
			}
			a.same = append(a.same, p)
		}
	case rule == "D8 DELETE roles/users/", rule == "D9 DELETE roles/users/":
		a.status = http.StatusMultiStatus
		a.changes, a.body = s.taken(t)
	default:
		t.Fatalf("%s: no rule for %s", s.Scenario, rule)
	}
	return a
}

// anything stands for a body that is compared elsewhere.
var anything = []byte(`"<anything>"`)

func blank(s *step, name string) bool {
	for _, p := range s.Request.Query {
		if p[0] == name && p[1] == "" {
			return true
		}
	}
	return false
}

// taken returns what a DELETE must remove and answer by the rules: the rows of each person named, names compared without
// regard to case.
func (s *step) taken(t *testing.T) (changes, []byte) {
	t.Helper()
	query := map[string]string{}
	for _, p := range s.Request.Query {
		query[p[0]] = p[1]
	}
	column := func(table, column string) (values []any) {
		for _, tb := range seed.tables {
			if tb.name == table {
				at := slices.Index(tb.columns, column)
				for _, r := range tb.rows {
					values = append(values, r[at])
				}
			}
		}
		return values
	}
	var actor any
	people := map[string]string{} // subject by what it answers to
	emails, ids := column("auth_user", "email"), column("auth_user", "id")
	for i, name := range column("auth_user", "username") {
		for _, u := range strings.Split(query["users"], ",") {
			if strings.EqualFold(u, name.(string)) || strings.EqualFold(u, emails[i].(string)) {
				people[u] = "user^" + name.(string)
			}
		}
		if name == *s.Request.As {
			actor = float64(ids[i].(int64))
		}
	}
	c := changes{Added: [][]string{}, Removed: [][]string{}}
	type line struct {
		User   string `json:"user_identifier"`
		Status string `json:"status,omitempty"`
		Error  string `json:"error,omitempty"`
	}
	said := struct {
		Completed []line `json:"completed"`
		Errors    []line `json:"errors"`
	}{[]line{}, []line{}}
	gone := map[string]bool{}
	subjects, roles, scopes := column("casbin_rule", "v0"), column("casbin_rule", "v1"), column("casbin_rule", "v2")
	for _, u := range strings.Split(query["users"], ",") {
		at := slices.IndexFunc(subjects, func(sub any) bool { return sub == people[u] })
		for ; at >= 0 && at < len(subjects); at++ {
			_, scope, _ := strings.Cut(scopes[at].(string), "^")
			if subjects[at] == people[u] && roles[at] == "role^"+query["role"] && scope == query["scope"] {
				break
			}
		}
		switch {
		case people[u] == "":
			said.Errors = append(said.Errors, line{User: u, Error: "user_not_found"})
		case at < 0 || at == len(subjects) || gone[people[u]]:
			said.Errors = append(said.Errors, line{User: u, Error: "user_does_not_have_role"})
		default:
			gone[people[u]] = true
			row := []string{people[u], roles[at].(string), scopes[at].(string)}
			c.Removed = append(c.Removed, row)
			c.Audit = append(c.Audit, []any{"deleted", row[0], row[1], row[2], actor})
			said.Completed = append(said.Completed, line{User: u, Status: "role_removed"})
		}
	}
	body, err := json.Marshal(said)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Removed) == 0 {
		c = changes{}
	}
	return c, body
}

// object is a JSON object with its keys in their order.
type object []member

type member struct {
	Key   string
	Value any
}

// ordered reads JSON so that the order of keys is compared, too.
func ordered(t *testing.T, text []byte) any {
	t.Helper()
	if len(text) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	v, err := readOrdered(d)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

func readOrdered(d *json.Decoder) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('['):
		list := []any{}
		for d.More() {
			v, err := readOrdered(d)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err = d.Token()
		return list, err
	case json.Delim('{'):
		o := object{}
		for d.More() {
			key, err := d.Token()
			if err != nil {
				return nil, err
			}
			v, err := readOrdered(d)
			if err != nil {
				return nil, err
			}
			o = append(o, member{key.(string), v})
		}
		_, err = d.Token()
		return o, err
	}
	return token, nil
}

// masks lets any text stand where the transcript has none, and anything where the test says so.
var masks = cmp.FilterValues(func(a, b any) bool {
	is := func(x, y any) bool {
		_, text := y.(string)
		return x == "<text>" && text || x == "<anything>"
	}
	return is(a, b) || is(b, a)
}, cmp.Comparer(func(any, any) bool { return true }))

// rows are what steps may change.
type rows struct {
	grants [][]string
	audit  [][]any
}

func (s *site) rows(t *testing.T) (all rows) {
	t.Helper()
	err := s.db.Query(t.Context(), "SELECT v0, v1, v2 FROM casbin_rule WHERE ptype = 'g' ORDER BY id", nil, func(r *db.Row) error {
		g := make([]string, 3)
		all.grants = append(all.grants, g)
		return r.Scan(&g[0], &g[1], &g[2])
	})
	if err != nil {
		t.Fatal(err)
	}
	err = s.db.Query(t.Context(), "SELECT operation, subject, role, scope, actor_id FROM openedx_authz_roleassignmentaudit ORDER BY id", nil, func(r *db.Row) error {
		var op, subject, role, scope string
		var actor *int64
		err := r.Scan(&op, &subject, &role, &scope, &actor)
		var who any
		if actor != nil {
			who = float64(*actor) // as JSON has it
		}
		all.audit = append(all.audit, []any{op, subject, role, scope, who})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// changed returns what is different in rows read later.
func (r rows) changed(later rows) changes {
	var c changes
	has := func(list [][]string, g []string) bool {
		return slices.ContainsFunc(list, func(o []string) bool { return slices.Equal(o, g) })
	}
	added, removed := [][]string{}, [][]string{}
	for _, g := range later.grants {
		if !has(r.grants, g) {
			added = append(added, g)
		}
	}
	for _, g := range r.grants {
		if !has(later.grants, g) {
			removed = append(removed, g)
		}
	}
	if audit := later.audit[len(r.audit):]; len(added)+len(removed)+len(audit) > 0 {
		c = changes{added, removed, audit}
	}
	return c
}
