package authzapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
)

// TestListingsAtOnce shows pages of the same lists to several people at once, while roles are given: each page is whole,
// in the order asked for, and everybody sees a role from when it has been given.
func TestListingsAtOnce(t *testing.T) {
	t.Parallel()
	readSeed(t)
	const people = 900
	s := large(t, dbtest.Ready(t, db.SQLite, seeded), people)
	type page struct {
		Count   int
		Results []struct{ Username, Scope string }
	}
	show := func(as, path string) (p page) {
		w := s.send(as, http.MethodGet, path, nil)
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != http.StatusOK {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
		return p
	}
	paths := []string{"assignments/?page_size=100&page=3", "assignments/?sort_by=scope&page_size=100&page=3", "users/?page=4", "assignments/?sort_by=username&order=desc"}
	first := map[string]page{}
	for _, path := range paths {
		first[path] = show("root", path)
	}
	const gifts = 10
	var wait sync.WaitGroup
	for _, path := range paths {
		wait.Go(func() {
			for range 30 {
				p := show("root", path)
				if n := len(p.Results); n != len(first[path].Results) || p.Count < first[path].Count || p.Count > first[path].Count+gifts {
					t.Errorf("%s: %d results of %d, before %d of %d", path, n, p.Count, len(first[path].Results), first[path].Count)
				}
				for i := 1; i < len(p.Results); i++ {
					if path == paths[1] && p.Results[i-1].Scope > p.Results[i].Scope {
						t.Errorf("%s: %s before %s", path, p.Results[i-1].Scope, p.Results[i].Scope)
					}
				}
			}
		})
	}
	before := first["assignments/?page_size=100&page=3"].Count
	for i := range gifts {
		body := fmt.Sprintf(`{"role": "library_user", "users": ["person%07d"], "scope": "lib:OpenedX:*"}`, i)
		if w := s.send("root", http.MethodPut, "roles/users/", []byte(body)); w.Code >= 300 {
			t.Errorf("PUT: %d %s", w.Code, w.Body)
		}
		if got := show("root", paths[0]).Count; got != before+i+1 {
			t.Errorf("%d assignments after %d more than %d", got, i+1, before)
		}
	}
	wait.Wait()
	if w := s.send("nobody", http.MethodGet, paths[0], nil); w.Code != http.StatusForbidden {
		t.Errorf("somebody who may see nothing gets %d", w.Code)
	}
	if own := show("person0000001", "assignments/?page_size=100"); own.Count == 0 || own.Count >= before {
		t.Errorf("somebody with two roles sees %d of %d", own.Count, before)
	}
}
