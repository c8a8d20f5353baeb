package authz

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/schema"
)

// The benchmarks run on a site of a million assignments: 200,000 people with five library roles each, in 50 organizations
// of 20 libraries, every twentieth for all of an organization (the shape of the job casbin_check).
const benchSize = 1_000_000

var libraryRoles = []string{"library_admin", "library_author", "library_contributor", "library_user"}

func benchRow(i, n int) []string {
	user, round := i%(n/5), i/(n/5) // each round of a user in another organization, so that no two rows are equal
	org := (7*user + round) % 50
	sc := fmt.Sprintf("lib^lib:Org%d:L%d", org, i/3%20)
	if i%20 == 0 {
		sc = fmt.Sprintf("lib^lib:Org%d:*", org)
	}
	return []string{"g", fmt.Sprintf("user^u%d", user), "role^" + libraryRoles[(user+round)%4], sc}
}

// benchPolicy are the rows of roles: enough of the shipped ones' shape.
func benchPolicy() (rows [][]string) {
	actions := []string{"view_library", "edit_library_content", "publish_library_content", "view_library_team", "manage_library_team", "delete_library"}
	for i, r := range []string{"library_user", "library_contributor", "library_author", "library_admin"} {
		for _, a := range actions[:min(2*i+1, len(actions))] {
			rows = append(rows, []string{"p", "role^" + r, "act^content_libraries." + a, "lib^*", "allow"})
		}
	}
	return append(rows, []string{"g2", "act^content_libraries.edit_library_content", "act^content_libraries.view_library"},
		[]string{"g2", "act^content_libraries.publish_library_content", "act^content_libraries.edit_library_content"})
}

func benchSite(b testing.TB, n int) *db.DB {
	b.Helper()
	ctx := context.Background()
	d, err := db.Open(ctx, filepath.Join(b.TempDir(), "site.db"), db.Options{Create: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { d.Close() })
	if err := schema.Create(ctx, d); err != nil {
		b.Fatal(err)
	}
	policy := benchPolicy()
	if err := d.Update(ctx, func(tx *db.Tx) error {
		return tx.Insert(ctx, "casbin_rule", []string{"ptype", "v0", "v1", "v2", "v3", "v4", "v5"}, len(policy)+n, func(i int, v []any) {
			r := []string(nil)
			if i < len(policy) {
				r = policy[i]
			} else {
				r = benchRow(i-len(policy), n)
			}
			for j := range v {
				v[j] = ""
				if j < len(r) {
					v[j] = r[j]
				}
			}
		})
	}); err != nil {
		b.Fatal(err)
	}
	return d
}

func benchIndex(n int) *Index {
	b := newBuilder(n)
	for _, r := range benchPolicy() {
		b.row(r)
	}
	for i := range n {
		b.row(benchRow(i, n))
	}
	return b.index(uuid.Nil)
}

func BenchmarkLoad(b *testing.B) {
	d := benchSite(b, benchSize)
	for b.Loop() {
		x, err := Load(b.Context(), d)
		if err != nil {
			b.Fatal(err)
		}
		if x.Assignments() != benchSize {
			b.Fatalf("%d assignments", x.Assignments())
		}
	}
}

func BenchmarkReadOnly(b *testing.B) {
	d := benchSite(b, benchSize)
	for b.Loop() {
		row := make([]string, 7)
		if err := d.Query(b.Context(), "SELECT ptype, v0, v1, v2, v3, v4, v5 FROM casbin_rule ORDER BY id", nil, func(r *db.Row) error {
			return r.Scan(&row[0], &row[1], &row[2], &row[3], &row[4], &row[5], &row[6])
		}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBuild(b *testing.B) {
	for b.Loop() {
		benchIndex(benchSize)
	}
}

type benchQuestion struct{ user, action, scope string }

// benchQuestions are half random ones and half about an assignment that is there.
func benchQuestions(n, total int) []benchQuestion {
	r := rand.New(rand.NewPCG(1, 2))
	actions := []string{"view_library", "edit_library_content", "publish_library_content", "manage_library_team", "no_such_action"}
	qs := make([]benchQuestion, n)
	for i := range qs {
		q := benchQuestion{fmt.Sprintf("u%d", r.IntN(total/5)), "content_libraries." + actions[r.IntN(len(actions))], fmt.Sprintf("lib:Org%d:L%d", r.IntN(50), r.IntN(20))}
		if i%2 == 0 {
			row := benchRow(r.IntN(total), total)
			q.user, q.scope = external(row[1]), external(row[3])
		}
		qs[i] = q
	}
	// The texts of questions lie one after the other, as a request's do, so that fetching them is not what is measured.
	var all strings.Builder
	for _, q := range qs {
		all.WriteString(q.user + q.action + q.scope)
	}
	text := all.String()
	next := func(s string) string {
		cut := text[:len(s)]
		text = text[len(s):]
		return cut
	}
	for i, q := range qs {
		qs[i] = benchQuestion{next(q.user), next(q.action), next(q.scope)}
	}
	return qs
}

func BenchmarkCheck(b *testing.B) {
	x := benchIndex(benchSize)
	qs := benchQuestions(1<<16, benchSize)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		q := &qs[i&(len(qs)-1)]
		i++
		if _, err := x.Allowed(q.user, q.action, q.scope); err != nil {
			b.Fatal(err)
		}
	}
	const together = 16 // so that reading the clock is not what is measured
	times := make([]time.Duration, len(qs)/together)
	for i := range times {
		start := time.Now()
		for j := range together {
			q := &qs[i*together+j]
			_, _ = x.Allowed(q.user, q.action, q.scope)
		}
		times[i] = time.Since(start) / together
	}
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2]), "ns-p50")
	b.ReportMetric(float64(times[len(times)*99/100]), "ns-p99")
}

func BenchmarkValidate1000(b *testing.B) {
	x := benchIndex(benchSize)
	qs := benchQuestions(1000, benchSize)
	for b.Loop() {
		for i := range qs {
			if _, err := x.Allowed("u77", qs[i].action, qs[i].scope); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkWhoHasRole(b *testing.B) {
	x := benchIndex(benchSize)
	for b.Loop() {
		if _, err := x.HoldersOf("library_admin", "lib:Org7:L3"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkScopesForUser(b *testing.B) {
	x := benchIndex(benchSize)
	for b.Loop() {
		if _, err := x.ScopesFor("u77", "content_libraries.view_library"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVisibleToOne(b *testing.B) {
	x := benchIndex(benchSize)
	for b.Loop() {
		if _, err := x.Visible("u77", Filter{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVisibleToAll(b *testing.B) {
	x := benchIndex(benchSize)
	x.admins = adminsOf(nil, nil)
	x.admins.by = map[string]int{"root": 0}
	if _, err := x.Visible("root", Filter{}); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s, _ := x.Visible("root", Filter{})
		for i := range 10 {
			s.Grants(i)
		}
	}
}

func BenchmarkChange(b *testing.B) {
	x := benchIndex(benchSize)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		x = x.With(uuid.Nil, [][]string{{"g", fmt.Sprintf("user^u%d", i*7919%200000), "role^library_admin", fmt.Sprintf("lib^lib:New%d:L", i%100)}}, nil)
		i++
	}
}
