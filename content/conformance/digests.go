package conformance

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/blake2b"

	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/internal/golden"
)

// digestRow is a line of golden/digests.jsonl.
type digestRow struct {
	Scenario  string
	Branch    string
	Entity    string
	Version   int
	VersionID int64 `json:"version_id"`
	Deps      []struct {
		Entity  string
		Version int
		Digest  string
	}
	Input  string
	Digest string
}

func digestRows(t *testing.T) map[string][]digestRow {
	t.Helper()
	rows := map[string][]digestRow{}
	golden.Lines(t, "digests.jsonl", func(line []byte) {
		var r digestRow
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatalf("digests.jsonl: %v", err)
		}
		if got := blake(r.Input); got != r.Digest {
			t.Errorf("digests.jsonl: %q hashes to %s, the file says %s", r.Input, got, r.Digest)
		}
		rows[r.Scenario] = append(rows[r.Scenario], r)
	})
	return rows
}

// blake is the digest function of content-model.md §8, apart from the one under test.
func blake(text string) string {
	h, err := blake2b.New(4, nil)
	if err != nil {
		panic(err)
	}
	h.Write([]byte(text))
	return hex.EncodeToString(h.Sum(nil))
}

// state is a package as it can be read: pointers of both branches, and versions with their dependencies.
type state struct {
	at       map[publishing.EntityID]publishing.Pointers
	deps     map[publishing.VersionID][]publishing.EntityID
	versions map[publishing.EntityID][]publishing.Version // in the order of their numbers
}

// input returns the text that the digest of an entity on a branch must come from, "" without live dependencies, built
// from scratch down to the leaves.
func (s *state) input(e publishing.EntityID, side func(publishing.Pointers) publishing.Branch) string {
	live := []publishing.EntityID{}
	for _, d := range s.deps[side(s.at[e]).Version] {
		if side(s.at[d]).Live() {
			live = append(live, d)
		}
	}
	slices.SortFunc(live, func(a, b publishing.EntityID) int {
		return cmp.Compare(side(s.at[a]).Version, side(s.at[b]).Version)
	})
	lines := make([]string, len(live))
	for i, d := range live {
		lines[i] = fmt.Sprintf("%d:%s", side(s.at[d]).Version, s.digest(d, side))
	}
	return strings.Join(lines, "\n")
}

func (s *state) digest(e publishing.EntityID, side func(publishing.Pointers) publishing.Branch) string {
	if in := s.input(e, side); in != "" {
		return blake(in)
	}
	return ""
}

func draftOf(p publishing.Pointers) publishing.Branch     { return p.Draft }
func publishedOf(p publishing.Pointers) publishing.Branch { return p.Published }

func (p *player) readState(ctx context.Context) *state {
	s := &state{at: map[publishing.EntityID]publishing.Pointers{}, versions: map[publishing.EntityID][]publishing.Version{}}
	packages, err := p.packages(ctx, p.d)
	p.must(err)
	var ids []publishing.VersionID
	for _, pkg := range packages {
		list, err := publishing.AllPointers(ctx, p.d, pkg.ID)
		p.must(err)
		for _, x := range list {
			s.at[x.Entity] = x
			s.versions[x.Entity], err = publishing.VersionsOf(ctx, p.d, x.Entity)
			p.must(err)
			for _, v := range s.versions[x.Entity] {
				ids = append(ids, v.ID)
			}
		}
	}
	s.deps, err = publishing.Dependencies(ctx, p.d, ids)
	p.must(err)
	return s
}

// recompute checks law 30: each stored digest is what a full recomputation gives.
func (p *player) recompute() {
	s := p.end
	for e, x := range s.at {
		if want := s.digest(e, draftOf); x.Draft.Live() && x.Draft.Digest != want {
			p.Errorf("draft of %s: digest %q, recomputed %q", x.Ref, x.Draft.Digest, want)
		}
		if want := s.digest(e, publishedOf); x.Published.Live() && x.Published.Digest != want {
			p.Errorf("published %s: digest %q, recomputed %q", x.Ref, x.Published.Digest, want)
		}
	}
}

// digests compares the rows of digests.jsonl: which dependencies count, and where version ids agree the text.
func (p *player) digests(rows []digestRow) {
	s := p.end
	byRef := map[string]publishing.EntityID{}
	for e, x := range s.at {
		byRef[x.Ref] = e
	}
	for _, r := range rows {
		side := draftOf
		if r.Branch == "published" {
			side = publishedOf
		}
		e := byRef[r.Entity]
		var want, have []string
		for _, d := range r.Deps {
			want = append(want, fmt.Sprintf("%s %d", d.Entity, d.Version))
		}
		for _, d := range s.deps[side(s.at[e]).Version] {
			if b := side(s.at[d]); b.Live() {
				have = append(have, fmt.Sprintf("%s %d", s.at[d].Ref, b.Num))
			}
		}
		slices.Sort(want)
		slices.Sort(have)
		if side(s.at[e]).Num != r.Version || !slices.Equal(want, have) {
			p.Errorf("%s %s: version %d on %v, want %d on %v", r.Branch, r.Entity, side(s.at[e]).Num, have, r.Version, want)
		}
		if in := s.input(e, side); p.same && (in != r.Input || side(s.at[e]).Digest != r.Digest) {
			p.Errorf("%s %s: digest %s of %q, want %s of %q", r.Branch, r.Entity, side(s.at[e]).Digest, in, r.Digest, r.Input)
		}
	}
}
