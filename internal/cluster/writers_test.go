package cluster

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/course"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/schema"
	"github.com/openlectern/lectern/user"
)

// accepted is what a writer was told is saved, and what it does not know about.
type accepted struct {
	mu sync.Mutex // guards the rest
	// Texts of edits by block and version, and of creations by block (version 1).
	edits map[string]map[int]string
	// doubt are texts whose fate the writer was not told: "the change may or may not have been saved".
	doubt  map[string]bool
	stale  int // refused, because somebody else was first
	failed []error
}

func newAccepted() *accepted {
	return &accepted{edits: map[string]map[int]string{}, doubt: map[string]bool{}}
}

// note keeps what came of writing text to a block; unavailable says that nodes may be down.
func (a *accepted) note(out []app.BlockResult, err error, text string, unavailable bool) (gone bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case err == nil:
		for _, b := range out {
			if a.edits[b.Key] == nil {
				a.edits[b.Key] = map[int]string{}
			}
			if was, ok := a.edits[b.Key][b.Version]; ok {
				a.failed = append(a.failed, fmt.Errorf("version %d of %s was accepted twice: %s and %s", b.Version, b.Key, was, text))
			}
			a.edits[b.Key][b.Version] = text
		}
	case fault.Is(err, fault.Conflict):
		a.stale++
	case unavailable && fault.Is(err, fault.Unavailable):
		if inDoubt(err) {
			a.doubt[text] = true
		}
		return true
	default:
		a.failed = append(a.failed, fmt.Errorf("%s: %w", text, err))
	}
	return false
}

func inDoubt(err error) bool { return strings.Contains(err.Error(), "may or may not") }

// TestWriters lets a program on each node edit, create, publish and import at once. Every write that was accepted is
// there once, every other one is not, and all nodes have the same.
func TestWriters(t *testing.T) {
	dbtest.OnCluster(t, func(t *testing.T, c *dbtest.Cluster) {
		s := newSite(t, c)
		_, err := s.apps[0].Import(t.Context(), s.archive("R1", "start", units, leaves), app.ImportOptions{})
		s.must(err)
		a := newAccepted()
		marks := map[string]bool{}
		var imports [2]string
		for i := range imports {
			mark := fmt.Sprintf("import %d", i)
			imports[i], marks[mark] = s.archive("R2", mark, units, leaves), true
		}
		var wg sync.WaitGroup
		for node := range c.Nodes() {
			for w := range 2 {
				wg.Go(func() { s.write(a, node, w, 15) })
			}
			wg.Go(func() {
				for i := range 4 {
					if _, err := s.apps[node].Import(t.Context(), imports[(i+node)%2], app.ImportOptions{}); err != nil {
						t.Errorf("import on node %d: %v", node, err)
					}
				}
			})
			wg.Go(func() {
				for range 6 {
					if _, err := s.apps[node].Publish(t.Context(), courseKey("R1"), nil, ""); err != nil {
						t.Errorf("publish on node %d: %v", node, err)
					}
				}
			})
		}
		wg.Wait()
		s.settled("R1", a)
		whole(t, s.outline(0, "R2", "draft"), marks)
		whole(t, s.outline(0, "R2", "published"), marks)
		s.verified()
	})
}

// write makes n random changes through a node.
func (s *site) write(a *accepted, node, writer, n int) {
	r := rand.New(rand.NewPCG(uint64(node), uint64(writer)))
	for i := range n {
		text := fmt.Sprintf("node %d writer %d change %d", node, writer, i)
		if s.change(a, r, node, text, false) {
			return
		}
	}
}

// change makes one random change through a node: an edit that names the version it starts from, an edit of two blocks
// that does not, or a creation.
func (s *site) change(a *accepted, r *rand.Rand, node int, text string, unavailable bool) (gone bool) {
	ctx, on := context.Background(), s.apps[node]
	pick := func() keys.Usage {
		return usage("R1", "problem", fmt.Sprintf("p%d_%d", r.IntN(units), r.IntN(leaves)))
	}
	one := pick()
	switch r.IntN(3) {
	case 0:
		views, err := on.Blocks(ctx, []keys.Usage{one}, "draft")
		if err != nil {
			return a.note(nil, err, text, unavailable)
		}
		out, err := on.EditBlocks(ctx, []app.BlockEdit{{Key: one, OLX: problem("p", text), Base: &views[0].Version}}, text)
		return a.note(out, err, text, unavailable)
	case 1:
		two := pick()
		for two.String() == one.String() {
			two = pick()
		}
		out, err := on.EditBlocks(ctx, []app.BlockEdit{{Key: one, OLX: problem("p", text)}, {Key: two, OLX: problem("p", text)}}, text)
		return a.note(out, err, text, unavailable)
	}
	name := strings.ReplaceAll(text, " ", "_")
	parent := blockID("vertical", fmt.Sprintf("u%d", r.IntN(units)))
	out, err := on.CreateBlocks(ctx, courseKey("R1"), []app.NewBlock{{ID: blockID("problem", name), OLX: problem("p", text)}},
		course.Position{Parent: parent, Index: -1}, text)
	return a.note(out, err, text, unavailable)
}

// settled compares what the nodes have with what was accepted.
func (s *site) settled(run string, a *accepted) {
	s.Helper()
	for _, err := range a.failed {
		s.Error(err)
	}
	want := s.outline(0, run, "draft")
	for node := 1; node < s.c.Nodes(); node++ {
		if diff := cmp.Diff(want, s.outline(node, run, "draft")); diff != "" {
			s.Errorf("node %d has another draft (-0 +%d):\n%s", node, node, diff)
		}
	}
	saved := map[string]int{} // how many blocks have a version with this text
	total, accepted := 0, 0
	stored := s.versions(run)
	for key, texts := range stored {
		for version, text := range texts {
			if version == 1 && text == "start" {
				continue
			}
			total++
			saved[text]++
			if a.edits[key][version] != text && !a.doubt[text] {
				s.Errorf("version %d of %s is %q, which nobody was told was saved", version, key, text)
			}
		}
	}
	for key, texts := range a.edits {
		for version, text := range texts {
			accepted++
			if stored[key][version] != text {
				s.Errorf("version %d of %s was accepted as %q and is %q", version, key, text, stored[key][version])
			}
		}
	}
	for key := range a.edits {
		if _, ok := want[key]; !ok {
			s.Errorf("%s was accepted and is gone", key)
		}
	}
	for text, n := range saved {
		if n > 2 {
			s.Errorf("%q was saved %d times", text, n)
		}
	}
	s.Logf("%d writes of blocks accepted, %d refused as stale, %d in doubt, %d saved", accepted, a.stale, len(a.doubt), total)
	if accepted == 0 {
		s.Error("no write was accepted at all")
	}
}

// versions returns the text of every version of every problem, as the tables have it.
func (s *site) versions(run string) map[string]map[int]string {
	s.Helper()
	out := map[string]map[int]string{}
	s.must(s.apps[0].DB.Query(s.Context(), `SELECT e.entity_ref, v.version_num, m.text FROM openedx_content_learningpackage p
		JOIN openedx_content_publishableentity e ON e.learning_package_id = p.id
		JOIN openedx_content_publishableentityversion v ON v.entity_id = e.id
		JOIN openedx_content_componentversionmedia x ON x.component_version_id = v.id
		JOIN openedx_content_media m ON m.id = x.media_id
		WHERE p.package_ref = ? AND x.path = 'block.xml' AND e.entity_ref LIKE 'xblock.v1:problem:%'`, []any{courseKey(run).String()}, func(r *db.Row) error {
		var ref, text string
		var version int
		if err := r.Scan(&ref, &version, &text); err != nil {
			return err
		}
		_, text, _ = strings.Cut(text, "<p>")
		text, _, _ = strings.Cut(text, "</p>")
		key := usage(run, "problem", strings.TrimPrefix(ref, "xblock.v1:problem:")).String()
		if out[key] == nil {
			out[key] = map[int]string{}
		}
		if _, ok := out[key][version]; ok {
			s.Errorf("%s has two versions %d", key, version)
		}
		out[key][version] = text
		return nil
	}))
	return out
}

// whole checks that every block that carries a mark carries the same.
func whole(t *testing.T, outline map[string]string, marks map[string]bool) {
	t.Helper()
	seen := map[string]bool{}
	for _, text := range outline {
		for mark := range marks {
			if strings.Contains(text, mark) {
				seen[mark] = true
			}
		}
	}
	if len(seen) != 1 || len(outline) != 3+units*(1+leaves) {
		t.Errorf("%d blocks, of the imports %v; want those of one import", len(outline), seen)
	}
}

// verified looks for damage in the database.
func (s *site) verified() {
	s.Helper()
	for node := range s.c.Nodes() {
		findings, err := schema.Verify(s.Context(), s.apps[node].DB, false)
		s.must(err)
		for _, f := range findings {
			s.Errorf("node %d: %+v", node, f)
		}
	}
}

// TestSameKey makes things of one name on all nodes at once: one wins, and the others are told.
func TestSameKey(t *testing.T) {
	dbtest.OnCluster(t, func(t *testing.T, c *dbtest.Cluster) {
		s := newSite(t, c)
		source := s.archive("R1", "start", units, leaves)
		at := func(fn func(node int) error) (won int) {
			errs := make([]error, c.Nodes())
			var wg sync.WaitGroup
			for node := range errs {
				wg.Go(func() { errs[node] = fn(node) })
			}
			wg.Wait()
			for node, err := range errs {
				switch {
				case err == nil:
					won++
				case !fault.Is(err, fault.Conflict):
					t.Errorf("node %d: %v", node, err)
				}
			}
			return won
		}
		for i := range 8 {
			if won := at(func(node int) error {
				_, err := s.apps[node].AddUser(t.Context(), user.New{Username: fmt.Sprintf("user%d", i), Email: fmt.Sprintf("%d@example.org", i)})
				return err
			}); won != 1 {
				t.Errorf("user %d was made %d times", i, won)
			}
		}
		made := make([]int, c.Nodes())
		if won := at(func(node int) error {
			r, err := s.apps[node].Import(t.Context(), source, app.ImportOptions{})
			if err == nil {
				made[node] = r.Created
			}
			return err
		}); won != c.Nodes() {
			t.Errorf("%d of %d imports of one course succeeded", won, c.Nodes())
		}
		if all := made[0] + made[1] + made[2]; all != 3+units*(1+leaves) {
			t.Errorf("the imports made %v blocks, want all of them once", made)
		}
		if won := at(func(node int) error {
			_, err := s.apps[node].Rerun(t.Context(), courseKey("R1"), courseKey("Again"), "", "", nil)
			return err
		}); won != 1 {
			t.Errorf("a re-run was made %d times", won)
		}
		whole(t, s.outline(1, "Again", "draft"), map[string]bool{"start": true})
		s.verified()
	})
}

// TestReadsOwnWrites writes through one node and reads at once through another, as programs behind a load balancer do.
func TestReadsOwnWrites(t *testing.T) {
	dbtest.OnCluster(t, func(t *testing.T, c *dbtest.Cluster) {
		s := newSite(t, c)
		_, err := s.apps[0].Import(t.Context(), s.archive("R1", "start", units, leaves), app.ImportOptions{})
		s.must(err)
		key := usage("R1", "problem", "p0_0")
		for i := range 60 {
			writer, reader := s.apps[i%3], s.apps[(i+1)%3]
			text := fmt.Sprintf("write %d", i)
			out, err := writer.EditBlocks(t.Context(), []app.BlockEdit{{Key: key, OLX: problem("p", text)}}, "")
			s.must(err)
			if i%2 == 0 {
				_, err = writer.Publish(t.Context(), courseKey("R1"), nil, "")
				s.must(err)
			}
			for _, moment := range []string{"draft", "published"} {
				views, err := reader.Blocks(t.Context(), []keys.Usage{key}, moment)
				s.must(err)
				if moment == "published" && i%2 == 1 {
					continue
				}
				if views[0].Version != out[0].Version || !strings.Contains(views[0].OLX, text) {
					t.Errorf("after writing version %d on node %d, node %d reads %s version %d", out[0].Version, i%3, (i+1)%3, moment, views[0].Version)
				}
			}
		}
	})
}

var errTimeout = errors.New("it took too long")

// within fails when fn takes longer than limit.
func within(limit time.Duration, fn func() error) error {
	done := make(chan error, 1)
	go func() { done <- fn() }()
	select {
	case err := <-done:
		return err
	case <-time.After(limit):
		return errTimeout
	}
}
