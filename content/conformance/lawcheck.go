package conformance

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/content/publishing"
)

// picture describes all that can be read of a package, but not its log, which only grows.
func (w *walk) picture(ctx context.Context, h *home) string {
	pointers, err := publishing.AllPointers(ctx, w.d, h.ID)
	w.must(err)
	logs, err := publishing.Logs(ctx, w.d, h.ID, publishing.LogFilter{})
	w.must(err)
	return fmt.Sprintf("%+v\n%+v\n", pointers, logs)
}

// check compares a package with its model, and the logs that an operation wrote with those of the model.
func (w *walk) check(ctx context.Context, h *home, drafts, publishes []entry) {
	w.Helper()
	w.readVersions(ctx, h)
	w.checkLogs(ctx, h, false, &h.drafts, drafts)
	w.checkLogs(ctx, h, true, &h.publ, publishes)
	pointers, err := publishing.AllPointers(ctx, w.d, h.ID)
	w.must(err)
	got, want := map[string][4]any{}, map[string][4]any{}
	for _, p := range pointers {
		got[p.Ref] = [4]any{p.Draft.Exists, p.Draft.Num, p.Published.Exists, p.Published.Num}
	}
	for ref, t := range h.m.entities {
		want[ref] = [4]any{t.draft.row, t.draft.num, t.published.row, t.published.num}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		w.Errorf("%s: draft row and number, published row and number (-want +got):\n%s", h.Ref, diff)
	}
	w.checkDigests(ctx, h, pointers)
	w.checkAims(ctx, h, pointers)
	w.checkListings(ctx, h)
}

// readVersions checks that versions and dependencies never change (law 4), and learns the new ones.
func (w *walk) readVersions(ctx context.Context, h *home) {
	for ref, t := range h.m.entities {
		list, err := publishing.VersionsOf(ctx, w.d, h.ids[ref])
		w.must(err)
		if len(list) != len(t.versions) {
			w.Errorf("%s: %d versions, want %d", ref, len(list), len(t.versions))
		}
		if h.versions[ref] == nil {
			h.versions[ref] = map[int]publishing.Version{}
		}
		var fresh []publishing.VersionID
		for _, v := range list {
			if old, known := h.versions[ref][v.Num]; known && old != v {
				w.Errorf("%s: version was %+v and is %+v", ref, old, v)
			} else if !known {
				h.versions[ref][v.Num] = v
				fresh = append(fresh, v.ID)
			}
		}
		deps, err := publishing.Dependencies(ctx, w.d, fresh)
		w.must(err)
		for _, v := range list {
			if list, ok := deps[v.ID]; ok {
				h.deps[v.ID] = list
			}
			names := []string{}
			for _, e := range h.deps[v.ID] {
				names = append(names, h.refs[e])
			}
			slices.Sort(names)
			if !slices.Equal(names, t.versions[v.Num]) {
				w.Errorf("%s %d depends on %q, want %q", ref, v.Num, names, t.versions[v.Num])
			}
		}
	}
}

// checkLogs compares the logs that are new with those of the model; a draft log without moves must not be there (laws 8
// and 11).
func (w *walk) checkLogs(ctx context.Context, h *home, publish bool, past *[]moment, want []entry) {
	if !publish {
		want = slices.DeleteFunc(want, func(e entry) bool { return len(e.moves) == 0 })
	}
	logs, err := publishing.Logs(ctx, w.d, h.ID, publishing.LogFilter{OnlyDrafts: !publish, OnlyPublishes: publish})
	w.must(err)
	slices.SortFunc(logs, func(a, b publishing.Log) int { return int(a.ID - b.ID) })
	if len(logs) != len(*past)+len(want) {
		w.Fatalf("%s: %d logs (publish: %v), want %d and %d new; after these operations:\n%s", h.Ref, len(logs), publish, len(*past), len(want), w.done())
	}
	for i, m := range *past {
		if logs[i] != m.log {
			w.Errorf("a log was %+v and is %+v", m.log, logs[i])
		}
	}
	s := onDraft
	if publish {
		s = onPublished
	}
	for i, e := range want {
		l := logs[len(logs)-len(want)+i]
		if !l.At.Equal(w.now()) {
			w.Errorf("log at %v, want %v", l.At, w.now())
		}
		w.checkLog(ctx, l, e)
		m := moment{log: l}
		if i == len(want)-1 { // the state between two logs of one operation is not known here
			m.heads = h.m.heads(s)
		}
		*past = append(*past, m)
	}
}

func (w *walk) checkLog(ctx context.Context, l publishing.Log, want entry) {
	records, err := publishing.Records(ctx, w.d, l.Publish, []int64{l.ID})
	w.must(err)
	got, order, names := map[string]move{}, []string{}, map[publishing.RecordID]string{}
	changes := 0
	for _, r := range records {
		names[r.ID] = r.Ref
		got[r.Ref] = move{r.OldNum, r.NewNum, *r.Direct}
		if *r.Direct {
			order = append(order, r.Ref)
		}
		if r.Old != r.New {
			changes++
		}
	}
	if len(got) != len(records) {
		w.Errorf("an entity has two records in a log: %+v", records) // laws 9 and 39
	}
	if diff := cmp.Diff(want.moves, got); diff != "" {
		w.Errorf("log %d (publish: %v): records (-want +got):\n%s", l.ID, l.Publish, diff)
	}
	if !slices.Equal(order, want.order) {
		w.Errorf("log %d (publish: %v): direct records of %q, want %q", l.ID, l.Publish, order, want.order)
	}
	if l.Changes != changes {
		w.Errorf("log %d (publish: %v) counts %d changes, want %d", l.ID, l.Publish, l.Changes, changes)
	}
	edges, err := publishing.SideEffects(ctx, w.d, l.Publish, []int64{l.ID})
	w.must(err)
	pairs := [][2]string{}
	for _, e := range edges {
		pairs = append(pairs, [2]string{names[e.Cause], names[e.Effect]})
	}
	if diff := cmp.Diff(sortPairs(want.edges), sortPairs(pairs)); diff != "" {
		w.Errorf("log %d (publish: %v): side effects (-want +got):\n%s", l.ID, l.Publish, diff)
	}
}

// checkDigests recomputes every digest (laws 27, 28 and 30).
func (w *walk) checkDigests(ctx context.Context, h *home, pointers []publishing.Pointers) {
	s := &state{at: map[publishing.EntityID]publishing.Pointers{}, deps: h.deps}
	for _, p := range pointers {
		s.at[p.Entity] = p
	}
	for _, p := range pointers {
		if want := s.digest(p.Entity, draftOf); p.Draft.Live() && p.Draft.Digest != want {
			w.Errorf("draft of %s: digest %q, recomputed %q", p.Ref, p.Draft.Digest, want)
		}
		if want := s.digest(p.Entity, publishedOf); p.Published.Live() && p.Published.Digest != want {
			w.Errorf("published %s: digest %q, recomputed %q", p.Ref, p.Published.Digest, want)
		}
	}
}

// checkAims checks that pointers name the entity's record in its latest log, and that it agrees (laws 15, 16 and 41).
func (w *walk) checkAims(ctx context.Context, h *home, pointers []publishing.Pointers) {
	for _, b := range []struct {
		publish bool
		past    []moment
		of      func(publishing.Pointers) publishing.Branch
	}{{false, h.drafts, draftOf}, {true, h.publ, publishedOf}} {
		var ids []int64
		for _, m := range b.past {
			ids = append(ids, m.log.ID)
		}
		records, err := publishing.Records(ctx, w.d, b.publish, ids)
		w.must(err)
		last := map[publishing.EntityID]publishing.LogRecord{}
		for _, r := range records {
			last[r.Entity] = r
		}
		for _, p := range pointers {
			if at, r := b.of(p), last[p.Entity]; at.Log != r.Log || at.Exists && at.Version != r.New {
				w.Errorf("%s (publish: %v) is %+v, its last record %+v", p.Ref, b.publish, at, r)
			}
		}
	}
}

// checkListings compares the listings of what is unpublished (law 31 among them).
func (w *walk) checkListings(ctx context.Context, h *home) {
	refs := func(list []publishing.Entity, err error) []string {
		w.must(err)
		out := []string{}
		for _, e := range list {
			out = append(out, e.Ref)
		}
		return out
	}
	want := [][]string{{}, {}, {}}
	contains := map[publishing.EntityID]bool{}
	for _, ref := range h.m.refs {
		t := h.m.entities[ref]
		if t.draft.num != t.published.num && t.draft.num != 0 {
			want[0] = append(want[0], ref)
		}
		if t.draft.num != t.published.num && t.draft.row {
			want[1] = append(want[1], ref)
		}
		if t.draft.num == 0 && t.published.num != 0 {
			want[2] = append(want[2], ref)
		}
		contains[h.ids[ref]] = h.m.contains(ref)
	}
	got := [][]string{
		refs(publishing.Unpublished(ctx, w.d, h.ID, false)),
		refs(publishing.Unpublished(ctx, w.d, h.ID, true)),
		refs(publishing.UnpublishedDeletes(ctx, w.d, h.ID)),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		w.Errorf("unpublished, with deleted, deleted (-want +got):\n%s", diff)
	}
	have, err := publishing.ContainsUnpublished(ctx, w.d, h.entities(h.m.refs))
	w.must(err)
	if diff := cmp.Diff(contains, have); diff != "" {
		w.Errorf("contains unpublished changes (-want +got):\n%s", diff)
	}
}

// past reads every moment again (law 45), by log and by time.
func (w *walk) past(ctx context.Context) {
	for _, h := range w.pkgs {
		for i, m := range append(slices.Clone(h.drafts), h.publ...) {
			if m.heads == nil {
				continue
			}
			at, when := publishing.AfterChange(m.log.ID), publishing.DraftsAt(m.log.At)
			if m.log.Publish {
				at, when = publishing.AfterPublish(m.log.ID), publishing.PublishedAt(m.log.At)
			}
			for _, moment := range []publishing.Moment{at, when} {
				heads, err := publishing.Heads(ctx, w.d, h.ID, moment)
				w.must(err)
				got := map[string]int{}
				for _, x := range heads {
					got[x.Ref] = x.Num
				}
				if !maps.Equal(got, m.heads) {
					w.Errorf("%s after log %+v: %v, want %v", h.Ref, m.log, got, m.heads)
				}
			}
			if i > 3 && w.d.Engine() != "sqlite" {
				break // each is three queries
			}
		}
		for _, now := range []struct {
			m    publishing.Moment
			want map[string]int
		}{{publishing.Draft(), h.m.heads(onDraft)}, {publishing.Published(), h.m.heads(onPublished)}} {
			heads, err := publishing.HeadsOf(ctx, w.d, h.entities(h.m.refs), now.m)
			w.must(err)
			got := map[string]int{}
			for _, x := range heads {
				got[x.Ref] = x.Num
			}
			if !maps.Equal(got, now.want) {
				w.Errorf("%s now: %v, want %v", h.Ref, got, now.want)
			}
		}
	}
	if w.Failed() {
		w.Log(strings.TrimSpace(w.done()))
	}
}
