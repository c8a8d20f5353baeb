package conformance

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/openlectern/lectern/content/containers"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// final compares the state at the end of a scenario.
func (p *player) final(ctx context.Context) {
	p.end = p.readState(ctx)
	got := map[string]publishing.Pointers{}
	for _, x := range p.end.at {
		got[x.Ref] = x
	}
	if len(got) != len(p.s.Final.Entities) {
		p.Errorf("%d entities, want %d", len(got), len(p.s.Final.Entities))
	}
	branches := map[string]entity{}
	for _, want := range p.s.Final.Entities {
		branches[want.Entity] = want
		p.versions(got[want.Entity], want)
	}
	for _, want := range p.s.Final.Entities {
		x := got[want.Entity]
		p.branch("draft of "+want.Entity, false, x.Draft, want.Draft, want.DraftDigest, want.DraftLog)
		p.branch("published "+want.Entity, true, x.Published, want.Published, want.PublishedDigest, want.PublishedLog)
		if want.Rows != nil {
			p.container(ctx, x, want, branches)
		}
		if h, ok := p.s.Final.History[want.Entity]; ok {
			p.history(ctx, x.Entity, want.Entity, h)
		}
	}
	if !p.same && p.d.Engine() == db.SQLite {
		p.Error("version ids are not those of the reference, so its digests cannot be compared")
	}
	if p.same {
		for want, got := range p.sums {
			if want != got {
				p.Errorf("digest %s, want %s: version ids are the same", got, want)
			}
		}
	}
	p.listings(ctx)
}

func (p *player) branch(at string, publish bool, got publishing.Branch, want branch, digest *string, log int64) {
	if got.Exists == want.absent || got.Num != want.num {
		p.Errorf("%s: got %+v, want %+v", at, got, want)
	}
	if digest != nil {
		p.digest(at, got.Digest, *digest)
	}
	if log != 0 && got.Log != p.logs[logKey{publish, log}] || log == 0 && got.Log != 0 {
		p.Errorf("%s: log %d, want %d which is %d here", at, got.Log, log, p.logs[logKey{publish, log}])
	}
}

func (p *player) versions(x publishing.Pointers, want entity) {
	list := p.end.versions[x.Entity]
	if len(list) != len(want.Versions) {
		p.Errorf("%s: %d versions, want %d", want.Entity, len(list), len(want.Versions))
		return
	}
	slices.SortFunc(want.Versions, func(a, b version) int { return a.Num - b.Num })
	for i, w := range want.Versions {
		v := list[i]
		p.same = p.same && int64(v.ID) == w.ID
		have := p.refsOf(p.end.deps[v.ID])
		slices.Sort(have)
		slices.Sort(w.Deps)
		if v.Num != w.Num || v.Title != w.Title || !slices.Equal(have, w.Deps) {
			p.Errorf("%s: version %+v on %v, want %+v", want.Entity, v, have, w)
		}
	}
}

func (p *player) refsOf(ids []publishing.EntityID) []string {
	refs := []string{}
	for _, id := range ids {
		refs = append(refs, p.end.at[id].Ref)
	}
	return refs
}

func (p *player) container(ctx context.Context, x publishing.Pointers, want entity, all map[string]entity) {
	var ids []publishing.VersionID
	numbers := map[publishing.VersionID]int{}
	for _, v := range p.end.versions[x.Entity] {
		ids = append(ids, v.ID)
	}
	for _, list := range p.end.versions {
		for _, v := range list {
			numbers[v.ID] = v.Num
		}
	}
	lists, err := containers.Children(ctx, p.d, ids)
	p.must(err)
	for _, v := range p.end.versions[x.Entity] {
		have := []row{}
		for _, c := range lists[v.ID] {
			have = append(have, row{Ref: p.end.at[c.Entity].Ref, Pin: number(numbers[c.Pin])})
		}
		if diff := cmp.Diff(want.Rows[fmt.Sprint(v.Num)], have); diff != "" {
			p.Errorf("%s: rows of version %d (-want +got):\n%s", want.Entity, v.Num, diff)
		}
	}
	for _, side := range []struct {
		published       bool
		at              branch
		children, count any
		of              func(entity) branch
	}{
		{false, want.Draft, want.ChildrenDraft, want.CountDraft, func(e entity) branch { return e.Draft }},
		{true, want.Published, want.ChildrenPub, want.CountPublished, func(e entity) branch { return e.Published }},
	} {
		at := fmt.Sprintf("%s (published: %v)", want.Entity, side.published)
		list, err := containers.EntitiesIn(ctx, p.d, x.Entity, side.published)
		n, countErr := containers.CountChildren(ctx, p.d, x.Entity, side.published)
		if side.at.num == 0 {
			if !fault.Is(err, fault.NotFound) || !fault.Is(countErr, fault.NotFound) {
				p.Errorf("children of %s: errors %v and %v, want not found", at, err, countErr)
			}
			continue
		}
		p.must(err)
		p.must(countErr)
		// What the rows resolve to, with children left out where the reference fails for want of a row.
		expect, have := []any{}, []any{}
		for _, r := range want.Rows[fmt.Sprint(side.at.num)] {
			if r.Pin != nil {
				expect = append(expect, []any{r.Ref, float64(*r.Pin), true})
			} else if b := side.of(all[r.Ref]); b.num != 0 {
				expect = append(expect, []any{r.Ref, float64(b.num), false})
			}
		}
		for _, e := range list {
			have = append(have, []any{p.end.at[e.Entity].Ref, float64(e.Num), e.Pinned})
		}
		if _, failed := side.children.(string); !failed {
			expect = side.children.([]any)
		}
		if diff := cmp.Diff(expect, have); diff != "" {
			p.Errorf("children of %s (-want +got):\n%s", at, diff)
		}
		if want, ok := side.count.(float64); ok && n != int(want) {
			p.Errorf("children of %s: count %d, want %v", at, n, want)
		}
	}
	contains, err := publishing.ContainsUnpublished(ctx, p.d, []publishing.EntityID{x.Entity})
	p.must(err)
	if expect, _ := want.Contains.(bool); contains[x.Entity] != expect { // an error of the reference stands for false
		p.Errorf("%s: contains unpublished changes: %v, want %v", want.Entity, contains[x.Entity], want.Contains)
	}
}

func (p *player) listings(ctx context.Context) {
	refs := func(list []publishing.Entity, err error) []string {
		p.must(err)
		out := []string{}
		for _, e := range list {
			out = append(out, e.Ref)
		}
		slices.Sort(out)
		return out
	}
	packages, err := p.packages(ctx, p.d)
	p.must(err)
	for name, want := range p.s.Final.Unpublished {
		pkg := packages[name]
		have := [][]string{
			refs(publishing.Unpublished(ctx, p.d, pkg.ID, false)),
			refs(publishing.Unpublished(ctx, p.d, pkg.ID, true)),
			refs(publishing.UnpublishedDeletes(ctx, p.d, pkg.ID)),
		}
		expect := [][]string{want, p.s.Final.WithDeleted[name], p.s.Final.Deletes[name]}
		for _, list := range expect {
			slices.Sort(list)
		}
		if diff := cmp.Diff(expect, have); diff != "" {
			p.Errorf("unpublished, with deleted, deleted in %s (-want +got):\n%s", name, diff)
		}
	}
}

func (p *player) history(ctx context.Context, e publishing.EntityID, ref string, want history) {
	entries, err := publishing.DraftHistory(ctx, p.d, e)
	p.must(err)
	have, expect := []draftEntry{}, []draftEntry{}
	for _, x := range entries {
		have = append(have, draftEntry{number(x.OldNum), number(x.NewNum), x.Log})
	}
	for _, x := range want.Draft {
		x.Log = p.logs[logKey{false, x.Log}]
		expect = append(expect, x)
	}
	// Times are those of steps, so only logs of one step tie; these are compared in the order of ids.
	byLog := func(a, b draftEntry) int { return int(b.Log - a.Log) }
	slices.SortFunc(have, byLog)
	slices.SortFunc(expect, byLog)
	if diff := cmp.Diff(expect, have); diff != "" {
		p.Errorf("draft history of %s (-want +got):\n%s", ref, diff)
	}

	publishes, err := publishing.PublishHistory(ctx, p.d, e)
	p.must(err)
	got, wanted := []publishEntry{}, []publishEntry{}
	for _, x := range publishes {
		got = append(got, p.publishEntry(ctx, e, x))
	}
	for _, x := range want.Publish {
		x.Log = p.logs[logKey{true, x.Log}]
		for i := range x.Entries {
			x.Entries[i] = p.logs[logKey{false, x.Entries[i]}]
		}
		slices.Sort(x.Entries)
		wanted = append(wanted, x)
	}
	if diff := cmp.Diff(wanted, got); diff != "" {
		p.Errorf("publish history of %s (-want +got):\n%s", ref, diff)
	}
}

func (p *player) publishEntry(ctx context.Context, e publishing.EntityID, x publishing.Entry) publishEntry {
	out := publishEntry{Log: x.Log, Old: number(x.OldNum), New: number(x.NewNum), Direct: x.Direct, Entries: []int64{}, Contributors: []string{}}
	entries, err := publishing.PublishEntries(ctx, p.d, e, x.LogUUID)
	p.must(err)
	for _, d := range entries {
		out.Entries = append(out.Entries, d.Log)
	}
	slices.Sort(out.Entries)
	users, err := publishing.Contributors(ctx, p.d, e, x.OldNum, number(x.NewNum))
	p.must(err)
	for _, u := range users {
		for name, id := range p.users {
			if id == u {
				out.Contributors = append(out.Contributors, name)
			}
		}
	}
	if _, err := publishing.PublishEntries(ctx, p.d, e, uuid.UUID{}); !fault.Is(err, fault.NotFound) {
		p.Errorf("entries of an unknown log: %v, want not found", err)
	}
	return out
}
