package authzapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
)

// TestManyPeople lists more people than are read for each request: the order and the pages are the same, and what a page
// shows is what the database has at that moment.
func TestManyPeople(t *testing.T) {
	t.Parallel()
	readSeed(t)
	d := dbtest.Ready(t, db.SQLite, seeded)
	s := large(t, d, 700)
	type listed struct {
		Username string
		FullName string `json:"full_name"`
	}
	for _, path := range []string{"users/?sort_by=full_name", "assignments/?order=desc"} {
		all, _ := pages[listed](t, s, "root", path)
		if n := len(all); n < 700 {
			t.Fatalf("%s: %d results", path, n)
		}
		inOrder := slices.IsSortedFunc(all, func(a, b listed) int {
			c := strings.Compare(strings.ToLower(a.FullName), strings.ToLower(b.FullName))
			if strings.Contains(path, "desc") {
				c = -c
			}
			return c
		})
		if !inOrder {
			t.Errorf("%s is not in order: %v", path, all)
		}
	}
	first := func(path string) listed {
		t.Helper()
		w := s.send("root", http.MethodGet, path, nil)
		var page struct {
			Count   int
			Results []listed
		}
		if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil || len(page.Results) == 0 {
			t.Fatalf("%s: %d %s", path, w.Code, w.Body)
		}
		return page.Results[0]
	}
	exec := func(sql string, args ...any) {
		t.Helper()
		if _, err := d.Exec(t.Context(), sql, args...); err != nil {
			t.Fatal(err)
		}
	}
	const last = "users/?sort_by=username&order=desc"
	who := first(last)
	exec("UPDATE auth_userprofile SET name = 'Renamed' WHERE user_id = (SELECT id FROM auth_user WHERE username = ?)", who.Username)
	if got := first(last); got.FullName != "Renamed" {
		t.Errorf("after a change of name: %v", got)
	}
	exec("UPDATE auth_user SET is_active = ? WHERE username = ?", false, who.Username)
	if got := first(last); got.Username == who.Username {
		t.Errorf("%v is not active any more and still listed", got)
	}
}

// TestStatements counts statements: how many there are does not follow how many people, scopes or assignments there are,
// but for one more for each batch.
func TestStatements(t *testing.T) {
	t.Parallel()
	readSeed(t)
	dbtest.OnEngines(t, func(t *testing.T, e db.Engine) {
		t.Parallel()
		var count atomic.Int64
		d, err := db.Open(t.Context(), dbtest.ReadyURL(t, e, seeded), db.Options{OnStatement: func(string) { count.Add(1) }})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = d.Close() })
		s := large(t, d, 400)
		during := func(as, method, path, body string) int64 {
			t.Helper()
			var b []byte
			if body != "" {
				b = []byte(body)
			}
			before := count.Load()
			if w := s.send(as, method, path, b); w.Code >= 300 {
				t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
			}
			return count.Load() - before
		}
		people := func(from, n int) string {
			list := make([]string, n)
			for i := range list {
				list[i] = fmt.Sprintf("person%07d", from+i)
			}
			return strings.Join(list, ",")
		}
		give := func(from, n int) int64 {
			return during("root", http.MethodPut, "roles/users/", fmt.Sprintf(`{"role": "library_user", "users": [%s],
				"scopes": ["lib:*", "lib:OpenedX:*", "lib:OpenedX:CSPROB", "lib:Org-2:misc"]}`, `"`+strings.ReplaceAll(people(from, n), ",", `","`)+`"`))
		}
		take := func(from, n int) int64 {
			return during("root", http.MethodDelete, "roles/users/?role=library_user&scope=lib:*&users="+people(from, n), "")
		}
		few, many := give(0, 2), give(10, 380)
		if many > few+30 {
			t.Errorf("giving 8 roles takes %d statements, giving 1,520 takes %d", few, many)
		}
		few, many = take(0, 2), take(10, 380)
		if many > few+15 {
			t.Errorf("taking 2 roles takes %d statements, taking 380 takes %d", few, many)
		}
		for _, path := range []string{"assignments/", "users/?assignments_limit=10", "roles/users/?scope=lib:OpenedX:CSPROB", "scopes/", "orgs/", "roles/?scope=lib:OpenedX:*"} {
			few, many := during("root", http.MethodGet, path+sep(path)+"page_size=1", ""), during("root", http.MethodGet, path+sep(path)+"page_size=100", "")
			if many > few+1 || many > 8 {
				t.Errorf("%s takes %d statements for one line and %d for 100", path, few, many)
			}
		}
	})
}

func sep(path string) string {
	if strings.Contains(path, "?") {
		return "&"
	}
	return "?"
}
