package authzapi_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"testing"

	authzapi "github.com/openlectern/lectern/api/authz"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
)

// large makes a site with people who have two roles each, besides those of the seed.
func large(b testing.TB, d *db.DB, people int) *site {
	b.Helper()
	const first = 1000
	err := d.Update(b.Context(), func(tx *db.Tx) error {
		err := tx.Insert(b.Context(), "auth_user", []string{"id", "password", "is_superuser", "username", "first_name", "last_name", "email", "is_staff", "is_active", "date_joined"},
			people, func(i int, v []any) {
				v[0], v[1], v[2], v[3], v[4], v[5] = first+i, "!", false, fmt.Sprintf("person%07d", i), "", ""
				v[6], v[7], v[8], v[9] = fmt.Sprintf("person%07d@example.org", i), false, true, tx.Now()
			})
		if err != nil {
			return err
		}
		err = tx.Insert(b.Context(), "auth_userprofile", []string{"user_id", "name"}, people, func(i int, v []any) {
			v[0], v[1] = first+i, fmt.Sprintf("%c Person %d", 'A'+i*7%26, i)
		})
		if err != nil {
			return err
		}
		return tx.Insert(b.Context(), "casbin_rule", []string{"ptype", "v0", "v1", "v2", "v3", "v4", "v5"}, 2*people, func(i int, v []any) {
			v[0], v[1], v[2], v[3] = "g", fmt.Sprintf("user^person%07d", i/2), "role^course_staff", fmt.Sprintf("course-v1^course-v1:Org%d+C%d+R", i%7, i%101)
			if i%2 == 1 {
				v[2], v[3] = "role^library_author", fmt.Sprintf("lib^lib:Org%d:L%d", i%7, i%53)
			}
			v[4], v[5], v[6] = "", "", ""
		})
	})
	if err != nil {
		b.Fatal(err)
	}
	return newSite(b, d, func(c *authzapi.Config) { c.Log = slog.New(slog.DiscardHandler) })
}

func benchmark(b *testing.B, s *site, as, method, path string, body []byte) {
	b.Helper()
	b.ReportAllocs()
	for b.Loop() {
		if w := s.send(as, method, path, body); w.Code >= 300 {
			b.Fatal(w.Code, w.Body)
		}
	}
}

func BenchmarkREST(b *testing.B) {
	readSeed(b)
	s := large(b, dbtest.Ready(b, db.SQLite, seeded), 5000)
	for _, q := range []string{
		"assignments/", "assignments/?sort_by=scope", "assignments/?search=person00012", "assignments/?scopes=course-v1:Org1%2BC1%2BR", "assignments/?page=500",
		"users/", "users/person0000001/assignments/", "roles/users/?scope=course-v1:Org1%2BC1%2BR", "roles/?scope=lib:OpenedX:CSPROB", "scopes/", "orgs/", "waffle-flag-states/",
	} {
		b.Run("GET "+q, func(b *testing.B) { benchmark(b, s, "root", http.MethodGet, q, nil) })
	}
	for _, n := range []int{2, 1000} {
		var body bytes.Buffer
		for i := range n {
			fmt.Fprintf(&body, `%c{"action": "courses.view_course", "scope": "course-v1:Org%d+C%d+R"}`, "[,"[min(i, 1)], i%7, i%101)
		}
		body.WriteByte(']')
		b.Run(fmt.Sprintf("POST validate %d", n), func(b *testing.B) {
			benchmark(b, s, "person0000001", http.MethodPost, "permissions/validate/me", body.Bytes())
		})
	}
}
