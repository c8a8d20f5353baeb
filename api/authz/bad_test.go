package authzapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	authzapi "github.com/openlectern/lectern/api/authz"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
)

// TestBadInput sends what no client should: each gets the error that the documentation names, and changes nothing.
func TestBadInput(t *testing.T) {
	t.Parallel()
	readSeed(t)
	const long = 256
	many := func(n int) string {
		names := make([]string, n)
		for i := range names {
			names[i] = fmt.Sprintf("%q", fmt.Sprint("u", i))
		}
		return "[" + strings.Join(names, ",") + "]"
	}
	post, put, del, get := http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodGet
	q := func(pairs ...string) string {
		v := url.Values{}
		for i := 0; i+1 < len(pairs); i += 2 {
			v.Set(pairs[i], pairs[i+1])
		}
		return "?" + v.Encode()
	}
	cases := []struct {
		name, method, path, body string
		status                   int
		want                     string // the body, texts as "<text>"; "" is not compared
	}{
		{"malformed", post, "permissions/validate/me", `[{"action": `, 400, `{"detail": "<text>"}`},
		{"not JSON", post, "permissions/validate/me", `action=x`, 400, `{"detail": "<text>"}`},
		{"more than one document", post, "permissions/validate/me", `[] []`, 400, `{"detail": "<text>"}`},
		{"not a number", post, "permissions/validate/me", `[NaN]`, 400, `{"detail": "<text>"}`},
		{"not UTF-8", post, "permissions/validate/me", "[{\"action\": \"\xff\"}]", 400, `{"detail": "<text>"}`},
		{"deep", post, "permissions/validate/me", strings.Repeat("[", 100_000), 400, `{"detail": "<text>"}`},
		{"huge", post, "permissions/validate/me", `[` + strings.Repeat(" ", authzapi.MaxBody) + `]`, 413, `{"detail": "<text>"}`},
		{"NUL", post, "permissions/validate/me", `[{"action": "a\u0000b"}]`, 400, `[{"action": ["<text>"]}]`},
		{"NUL in the scope", post, "permissions/validate/me", `[{"action": "a", "scope": "lib:a:\u0000"}]`, 400, `[{"scope": ["<text>"]}]`},
		{"true", post, "permissions/validate/me", `[{"action": true}]`, 400, `[{"action": ["<text>"]}]`},
		{"list in the place of a text", post, "permissions/validate/me", `[{"action": [], "scope": {}}]`, 400, `[{"action": ["<text>"], "scope": ["<text>"]}]`},
		{"blanks only", post, "permissions/validate/me", `[{"action": "  "}]`, 400, `[{"action": ["<text>"]}]`},
		{"glob where there is none", post, "permissions/validate/me", `[{"action": "a", "scope": "course-v1:Org*"}]`, 400, `{"message": "Invalid scope format"}`},
		{"namespaced", post, "permissions/validate/me", `[{"action": "a", "scope": "lib^lib:A:*"}]`, 400, `{"message": "Invalid scope format"}`},
		{"unknown namespace", post, "permissions/validate/me", `[{"action": "a", "scope": "unit:A:B"}]`, 400, `{"message": "Invalid scope format"}`},
		{"unknown action", post, "permissions/validate/me", `[{"action": "courses.fly", "scope": "lib:*"}]`, 200, `[{"action": "courses.fly", "scope": "lib:*", "allowed": true}]`},
		{"body where none belongs", post, "users/validate/", `{"users": ["a\u0000"]}`, 400, `{"users": {"0": ["<text>"]}}`},
		{"users an object", post, "users/validate/", `{"users": {}}`, 400, `{"users": ["<text>"]}`},
		{"users null", post, "users/validate/", `{"users": null}`, 400, `{"users": ["<text>"]}`},
		{"too many users", post, "users/validate/", `{"users": ` + many(authzapi.MaxPairs+1) + `}`, 400, `{"users": ["<text>"]}`},
		{"empty body", put, "roles/users/", ``, 400, `{"role": ["<text>"], "users": ["<text>"]}`},
		{"list for an object", put, "roles/users/", `[]`, 400, `{"non_field_errors": ["<text>"]}`},
		{"number for an object", put, "roles/users/", `12`, 400, `{"non_field_errors": ["<text>"]}`},
		{"scopes a text", put, "roles/users/", `{"role": "library_user", "users": ["bob"], "scopes": "lib:*"}`, 400, `{"scopes": ["<text>"]}`},
		{"scopes with a null", put, "roles/users/", `{"role": "library_user", "users": ["bob"], "scopes": ["lib:*", null]}`, 400, `{"scopes": {"1": ["<text>"]}}`},
		{"scope null", put, "roles/users/", `{"role": "library_user", "users": ["bob"], "scope": null}`, 400, `{"scope": ["<text>"]}`},
		{"too many pairs", put, "roles/users/", `{"role": "library_user", "users": ` + many(authzapi.MaxPairs/2+1) + `, "scopes": ["lib:*", "lib:OpenedX:*"]}`, 400, `{"non_field_errors": ["<text>"]}`},
		{"CCX", put, "roles/users/", `{"role": "course_staff", "users": ["bob"], "scope": "ccx-v1:OpenedX+A+B+ccx@1"}`, 400, `{"scope": ["<text>"]}`},
		{"generic", put, "roles/users/", `{"role": "course_staff", "users": ["bob"], "scope": "global:x"}`, 400, `{"scope": ["<text>"]}`},
		{"useless namespace", put, "roles/users/", `{"role": "course_staff", "users": ["bob"], "scope": "platform:*"}`, 400, `{"scope": ["<text>"]}`},
		{"unusable namespace", put, "roles/users/", `{"role": "course_staff", "users": ["bob"], "scope": "org:X:*"}`, 400, `{"scope": ["<text>"]}`},
		{"glob of a course", put, "roles/users/", `{"role": "course_staff", "users": ["bob"], "scope": "course-v1:OpenedX+CS101+*"}`, 400, `{"scope": ["<text>"]}`},
		{"long user name", put, "roles/users/", `{"role": "library_user", "users": ["` + strings.Repeat("x", long) + `"], "scope": "lib:*"}`, 400, `{"users": {"0": ["<text>"]}}`},
		{"name that no row can hold", put, "roles/users/", `{"role": "library_user", "users": ["a,b;DROP TABLE casbin_rule"], "scope": "lib:*"}`, 207,
			`{"completed": [], "errors": [{"user_identifier": "a,b;DROP TABLE casbin_rule", "scope": "lib:*", "error": "user_not_found"}]}`},
		{"no scope", del, "roles/users/" + q("users", "bob", "role", "library_user"), "", 400, `{"scope": ["<text>"]}`},
		{"NUL in users", del, "roles/users/" + q("users", "b\x00b", "role", "library_user", "scope", "lib:*"), "", 400, `{"users": ["<text>"]}`},
		{"long scope", del, "roles/users/" + q("users", "bob", "role", "x", "scope", "lib:A:"+strings.Repeat("x", long)), "", 400, `{"scope": ["<text>"]}`},
		{"generic scope", del, "roles/users/" + q("users", "bob", "role", "x", "scope", "global:x"), "", 400, `{"scope": ["<text>"]}`},
		{"roles of all", get, "roles/" + q("scope", "global:x"), "", 400, `{"scope": ["<text>"]}`},
		{"roles of nothing", get, "roles/" + q("scope", "platform:*"), "", 400, `{"scope": ["<text>"]}`},
		{"holders of all", get, "roles/users/" + q("scope", "platform:*"), "", 200, `{"count": 0, "next": null, "previous": null, "results": []}`},
		{"holders of something", get, "roles/users/" + q("scope", "global:x"), "", 200, `{"count": 0, "next": null, "previous": null, "results": []}`},
		{"roles of a coach's course", get, "roles/" + q("scope", "ccx-v1:OpenedX+A+B+ccx@1"), "", 200, `{"count": 0, "next": null, "previous": null, "results": []}`},
		{"holders of nothing", get, "roles/users/" + q("scope", "org:X+*"), "", 400, `{"scope": ["<text>"]}`},
		{"NUL in a search", get, "users/" + q("search", "a\x00"), "", 400, `{"search": ["<text>"]}`},
		{"NUL in a list", get, "assignments/" + q("roles", "a\x00"), "", 400, `{"roles": ["<text>"]}`},
		{"NUL in a page", get, "assignments/" + q("page", "\x00"), "", 404, `{"detail": "Invalid page."}`},
		{"page past all numbers", get, "assignments/" + q("page", "99999999999999999999"), "", 404, `{"detail": "Invalid page."}`},
		{"percent signs", get, "orgs/?search=%zz%", "", 200, `{"count": 0, "next": null, "previous": null, "results": []}`},
		{"any byte", get, "orgs/?search=%ff%fe", "", 200, `{"count": 0, "next": null, "previous": null, "results": []}`},
		{"wildcard of SQL", get, "orgs/" + q("search", "%"), "", 200, `{"count": 0, "next": null, "previous": null, "results": []}`},
		{"another wildcard", get, "scopes/" + q("search", "_"), "", 200, `{"count": 0, "next": null, "previous": null, "results": []}`},
		{"wildcard of people", get, "users/" + q("search", "%"), "", 200, `{"count": 0, "next": null, "previous": null, "results": []}`},
		{"quotes", get, "assignments/" + q("search", `' OR 1=1 --`), "", 200, `{"count": 0, "next": null, "previous": null, "results": []}`},
		{"name with NUL", get, "users/a%00b/assignments/", "", 404, ""},
		{"long name", get, "users/" + strings.Repeat("x", 1000) + "/assignments/", "", 200, `{"count": 0, "next": null, "previous": null, "results": []}`},
		{"name of blanks", get, "users/%20/assignments/", "", 200, `{"count": 0, "next": null, "previous": null, "results": []}`},
		{"limit of all", get, "users/" + q("assignments_limit", "-1"), "", 400, `{"assignments_limit": ["<text>"]}`},
	}
	dbtest.OnEngines(t, func(t *testing.T, e db.Engine) {
		t.Parallel()
		s := newSite(t, dbtest.Ready(t, e, seeded), nil)
		before := s.rows(t)
		for _, c := range cases {
			var body []byte
			if c.method != get && c.method != del {
				body = []byte(c.body)
			}
			w := s.send("root", c.method, c.path, body)
			if w.Code != c.status {
				t.Errorf("%s: status %d, want %d: %s", c.name, w.Code, c.status, w.Body)
				continue
			}
			if c.want != "" {
				if diff := cmp.Diff(ordered(t, []byte(c.want)), ordered(t, w.Body.Bytes()), masks); diff != "" {
					t.Errorf("%s (-want +got):\n%s", c.name, diff)
				}
			}
			if diff := cmp.Diff(changes{}, before.changed(s.rows(t))); diff != "" {
				t.Fatalf("%s changed (-want +got):\n%s", c.name, diff)
			}
		}
	})
}

// TestUnknownIsNotAllowed asks for actions and scopes that there are not: nobody is allowed any, and none is a failure.
func TestUnknownIsNotAllowed(t *testing.T) {
	t.Parallel()
	readSeed(t)
	actions := []string{"courses.fly", "fly", "COURSES.VIEW_COURSE", "courses.%", "*", "act^courses.view_course", "view; DROP TABLE casbin_rule", "ⓐ", strings.Repeat("x", 255)}
	scopes := []string{"lib:Nobody:Nothing", "lib:OpenedX:CSPROB2", "lib:openedx:csprob", "course-v1:No+Such+Run", "course-v1:OpenedX+CS101+2024+x", "lib:Nobody:*", "course-v1:Nobody+*",
		"ccx-v1:OpenedX+A+B+ccx@1", "lib:OpenedX:%", "course-v1:" + strings.Repeat("é", 40) + "+A+B"}
	dbtest.OnEngines(t, func(t *testing.T, e db.Engine) {
		t.Parallel()
		s := newSite(t, dbtest.Ready(t, e, seeded), nil)
		for _, who := range []string{"nobody", "alice"} {
			var ask []map[string]string
			for _, a := range actions { // in scopes that there are, and without one
				ask = append(ask, map[string]string{"action": a}, map[string]string{"action": a, "scope": "lib:OpenedX:CSPROB"}, map[string]string{"action": a, "scope": "lib:*"})
			}
			for _, sc := range scopes { // of actions that there are
				ask = append(ask, map[string]string{"action": "content_libraries.view_library", "scope": sc}, map[string]string{"action": "courses.view_course", "scope": sc})
			}
			for _, q := range ask { // each by itself, as one that is no scope fails all
				body, err := json.Marshal([]any{q})
				if err != nil {
					t.Fatal(err)
				}
				w := s.send(who, http.MethodPost, "permissions/validate/me", body)
				switch {
				case w.Code >= 500:
					t.Errorf("%s asks %s: %d %s", who, body, w.Code, w.Body)
				case w.Code == 200 && strings.Contains(w.Body.String(), `"allowed":true`):
					t.Errorf("%s is allowed %s: %s", who, body, w.Body)
				case w.Code != 200 && !strings.Contains(w.Body.String(), "Invalid scope format"):
					t.Errorf("%s asks %s: %d %s", who, body, w.Code, w.Body)
				}
			}
		}
	})
}

// TestContentType takes JSON, also where nothing says so, and nothing else.
func TestContentType(t *testing.T) {
	t.Parallel()
	readSeed(t)
	s := newSite(t, dbtest.Ready(t, db.SQLite, seeded), nil)
	for _, c := range []struct {
		kind   string
		status int
	}{
		{"application/json", 200}, {"application/json; charset=utf-8", 200}, {"Application/JSON", 200},
		{"text/plain", 415}, {"application/x-www-form-urlencoded", 415}, {"multipart/form-data; boundary=x", 415}, {"/", 415},
	} {
		w := s.send("bob", http.MethodPost, "permissions/validate/me", []byte(`[]`), "Content-Type", c.kind)
		if w.Code != c.status {
			t.Errorf("%s: status %d, want %d: %s", c.kind, w.Code, c.status, w.Body)
		}
	}
}

// TestGateFirst sends bodies that are no good as people who may not act: they learn nothing of what is wrong.
func TestGateFirst(t *testing.T) {
	t.Parallel()
	readSeed(t)
	s := newSite(t, dbtest.Ready(t, db.SQLite, seeded), nil)
	for _, c := range []struct {
		as, method, path, body string
		status                 int
	}{
		{"nobody", http.MethodPut, "roles/users/", `{"scope": "lib:OpenedX:CSPROB"}`, 403},
		{"nobody", http.MethodPut, "roles/users/", `{"scope": 5}`, 403},
		{"nobody", http.MethodPut, "roles/users/", `[]`, 403},
		{"nobody", http.MethodPut, "roles/users/", `{"scopes": ["nope"]}`, 403},
		{"nobody", http.MethodPut, "roles/users/", `{"scopes": [null]}`, 403},
		{"nobody", http.MethodPut, "roles/users/?scope=lib:OpenedX:CSPROB", `{}`, 403},
		{"alice", http.MethodPut, "roles/users/?scope=lib:OpenedX:CSPROB", `{}`, 400},
		{"alice", http.MethodPut, "roles/users/", `{"scopes": ["lib:OpenedX:CSPROB", "lib:OpenedX:Physics-1"], "scope": "lib:OpenedX:CSPROB"}`, 403},
		{"alice", http.MethodPut, "roles/users/", `{"scopes": ["lib:OpenedX:CSPROB", "global:x"]}`, 400},
		{"nobody", http.MethodDelete, "roles/users/?scope=lib:OpenedX:CSPROB", ``, 403},
		{"alice", http.MethodDelete, "roles/users/?scope=lib:OpenedX:Physics-1&users=bob&role=library_author", `{"scope": "lib:OpenedX:CSPROB"}`, 403},
		{"alice", http.MethodGet, "roles/users/?scope=lib:OpenedX:Physics-1", `{"scope": "lib:OpenedX:CSPROB"}`, 403},
		{"nobody", http.MethodPost, "users/validate/", `[`, 403},
		{"nobody", http.MethodGet, "users/?sort_by=age", ``, 403},
		{"nobody", http.MethodGet, "roles/?scope=nope", ``, 403},
		{"nobody", http.MethodGet, "roles/", ``, 403},
		{"alice", http.MethodGet, "roles/?scope=ccx-v1:OpenedX%2BA%2BB%2Bccx@1", ``, 403},
		{"", http.MethodPut, "roles/users/", `[`, 401},
		{"nobody", http.MethodPut, "roles/users/", `[`, 400}, // what cannot be read names no scope
	} {
		var body []byte
		if c.body != "" {
			body = []byte(c.body)
		}
		if w := s.send(c.as, c.method, c.path, body); w.Code != c.status {
			t.Errorf("%s %s %s as %s: status %d, want %d: %s", c.method, c.path, c.body, c.as, w.Code, c.status, w.Body)
		}
	}
}

// FuzzBody sends any bytes as bodies: the answer is 200 to 207 or 400, well-formed, and never an error of the server.
func FuzzBody(f *testing.F) {
	for _, s := range []string{
		`[]`, `{}`, `[{"action": "courses.view_course", "scope": "course-v1:OpenedX+CS101+2024"}, {"action": 5}]`,
		`{"role": "library_user", "users": ["nobody", 1e300, 5.50], "scope": "lib:OpenedX:CSPROB"}`, `{"users": ["alice", "ALICE"]}`,
		`{"role": "course_staff", "users": ["a"], "scopes": ["course-v1:*", "course-v1:OpenedX+*"]}`, "[{\"action\": \"\x00\"}]", `[1e999999999]`, `"`, `[[[`,
	} {
		f.Add(s)
	}
	readSeed(f)
	s := newSite(f, dbtest.Ready(f, db.SQLite, seeded), nil)
	f.Fuzz(func(t *testing.T, body string) {
		for _, o := range [][2]string{{http.MethodPost, "permissions/validate/me"}, {http.MethodPost, "users/validate/"}, {http.MethodPut, "roles/users/"}} {
			w := s.send("root", o[0], o[1], []byte(body))
			if w.Code >= 300 && w.Code != http.StatusBadRequest || !json.Valid(w.Body.Bytes()) {
				t.Errorf("%s %s with %q: %d %s", o[0], o[1], body, w.Code, w.Body)
			}
		}
	})
}

// FuzzQuery sends any query to every list.
func FuzzQuery(f *testing.F) {
	for _, s := range []string{
		"", "page=last&page_size=1_0", "scope=lib:OpenedX:*&roles=,,a&search=%", "sort_by=&order=desc", "scopes=lib:*,course-v1:*&orgs=OpenedX",
		"assignments_limit=1.0&page_size=-3", "users=bob,,BOB&role=library_author&scope=lib:OpenedX:Physics-1", "scope=%00", "a=%zz&b=%C3", "search=\"a b\" 'c",
		"management_permission_only=Yes&scope_type=course",
	} {
		f.Add(s)
	}
	readSeed(f)
	s := newSite(f, dbtest.Ready(f, db.SQLite, seeded), nil)
	f.Fuzz(func(t *testing.T, raw string) {
		query := strings.Map(func(r rune) rune { // what a request line can carry
			if r <= ' ' || r == 0x7f || r == '#' {
				return '+'
			}
			return r
		}, raw)
		for _, path := range []string{"roles/", "roles/users/", "orgs/", "scopes/", "users/", "users/alice/assignments/", "assignments/", "waffle-flag-states/"} {
			w := s.send("root", http.MethodGet, path+"?"+query, nil)
			if w.Code != http.StatusOK && w.Code != http.StatusBadRequest && w.Code != http.StatusNotFound || !json.Valid(w.Body.Bytes()) {
				t.Errorf("GET %s?%s: %d %s", path, query, w.Code, w.Body)
			}
		}
		if w := s.send("root", http.MethodDelete, "roles/users/?"+query, nil); w.Code != http.StatusMultiStatus && w.Code != http.StatusBadRequest {
			t.Errorf("DELETE ?%s: %d %s", query, w.Code, w.Body)
		}
	})
}

// TestOldNames sends the fields of release 1.23 where they are asked for, and not else.
func TestOldNames(t *testing.T) {
	t.Parallel()
	readSeed(t)
	d := dbtest.Ready(t, db.SQLite, seeded)
	usual, old := newSite(t, d, nil), newSite(t, d, func(c *authzapi.Config) { c.OldNames = true })
	for path, field := range map[string]string{"users/": `"assignation_count":3`, "users/alice/assignments/": `"is_superadmin":false`} {
		if got := usual.send("root", http.MethodGet, path, nil).Body.String(); strings.Contains(got, field) {
			t.Errorf("%s: %s", path, got)
		}
		if got := old.send("root", http.MethodGet, path, nil).Body.String(); !strings.Contains(got, field) {
			t.Errorf("%s with old names: %s", path, got)
		}
	}
}
