package conformance

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/content/publishing"
)

// newLogs returns the logs that were not there after the step before, in id order.
func (p *player) newLogs(ctx context.Context) (drafts, publishes []publishing.Log) {
	packages, err := p.packages(ctx, p.d)
	p.must(err)
	for _, pkg := range packages {
		logs, err := publishing.Logs(ctx, p.d, pkg.ID, publishing.LogFilter{})
		p.must(err)
		for _, l := range logs {
			k := logKey{l.Publish, l.ID}
			switch {
			case p.seen[k]:
				continue
			case l.Publish:
				publishes = append(publishes, l)
			default:
				drafts = append(drafts, l)
			}
			p.seen[k] = true
		}
	}
	byID := func(a, b publishing.Log) int { return int(a.ID - b.ID) }
	slices.SortFunc(drafts, byID)
	slices.SortFunc(publishes, byID)
	return drafts, publishes
}

// compareLogs compares new logs with those of the scenario, which correspond by order.
func (p *player) compareLogs(ctx context.Context, at string, got []publishing.Log, want []log) {
	slices.SortFunc(want, func(a, b log) int { return int(a.Log - b.Log) })
	if len(got) != len(want) {
		p.Fatalf("%s: logs %+v, want %+v", at, got, want)
	}
	for i := range want {
		p.compareLog(ctx, fmt.Sprintf("%s, log %d", at, want[i].Log), got[i], want[i])
	}
}

// stored is what the database has of a log.
type stored struct {
	records []publishing.LogRecord
	edges   []publishing.SideEffect
}

func (p *player) read(ctx context.Context, k logKey) stored {
	if s, ok := p.stored[k]; ok {
		return s
	}
	var s stored
	var err error
	s.records, err = publishing.Records(ctx, p.d, k.publish, []int64{k.id})
	p.must(err)
	s.edges, err = publishing.SideEffects(ctx, p.d, k.publish, []int64{k.id})
	p.must(err)
	p.stored[k] = s
	return s
}

// is reports whether a package is the one that the scenario calls by name.
func (p *player) is(ctx context.Context, id publishing.PackageID, name string) bool {
	pkg, err := p.pkg(ctx, p.d, name)
	p.must(err)
	return pkg.ID == id
}

func (p *player) compareLog(ctx context.Context, at string, got publishing.Log, want log) {
	p.logs[logKey{got.Publish, want.Log}] = got.ID
	if !p.is(ctx, got.Package, want.Pkg) || !got.At.Equal(minute(want.At)) || got.By != p.user(want.By) || got.Message != want.Message {
		p.Errorf("%s: got %+v, want %+v", at, got, want)
	}
	have := p.read(ctx, logKey{got.Publish, got.ID})
	records := have.records
	byRecord := map[publishing.RecordID]string{}
	found, wanted := map[string]record{}, map[string]record{}
	var order, wantOrder []string
	for _, r := range records {
		byRecord[r.ID] = r.Ref
		x := record{Entity: r.Ref, Old: number(r.OldNum), New: number(r.NewNum)}
		if got.Publish {
			x.Direct = r.Direct
		}
		found[r.Ref] = x
		if r.Direct != nil && *r.Direct {
			order = append(order, r.Ref)
		}
	}
	for _, r := range want.Records {
		if r.Direct != nil && *r.Direct || r.Direct == nil && !cmp.Equal(r.Old, r.New) {
			wantOrder = append(wantOrder, r.Entity)
		}
		digest := r.Digest
		r.Digest = ""
		wanted[r.Entity] = r
		for _, x := range records {
			if x.Ref == r.Entity {
				p.digest(at+", "+r.Entity, x.Digest, digest)
			}
		}
	}
	if diff := cmp.Diff(wanted, found); diff != "" {
		p.Errorf("%s: records (-want +got):\n%s", at, diff)
	}
	if diff := cmp.Diff(wantOrder, order); diff != "" {
		p.Errorf("%s: order of direct records (-want +got):\n%s", at, diff)
	}
	pairs := [][2]string{}
	for _, e := range have.edges {
		pairs = append(pairs, [2]string{byRecord[e.Cause], byRecord[e.Effect]})
	}
	full := want.Full
	if full == nil {
		full = want.Some
	}
	if diff := cmp.Diff(sortPairs(full), sortPairs(pairs)); diff != "" {
		p.Errorf("%s: side effects (-want +got):\n%s", at, diff)
	}
}

func sortPairs(list [][2]string) [][2]string {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	return list
}

// compareEvent compares a returned log with the event that the reference sent.
func (p *player) compareEvent(ctx context.Context, at string, changed any, want event) {
	var l publishing.PublishLog
	publish := false
	switch c := changed.(type) {
	case *publishing.PublishLog:
		l, publish = *c, true
	case *publishing.ChangeLog:
		l = publishing.PublishLog{ID: c.ID, UUID: c.UUID, Package: c.Package, At: c.At, By: c.By, Records: c.Records, SideEffects: c.SideEffects}
	}
	if publish != (want.Type == "entities_published") || !p.is(ctx, l.Package, want.Pkg) || l.By != p.user(want.By) ||
		!l.At.Equal(minute(want.At)) || l.ID != p.logs[logKey{publish, want.Log}] {
		p.Errorf("%s: got %+v, want %+v", at, l, want)
	}
	in := p.read(ctx, logKey{publish, l.ID})
	stored := in.records
	if diff := cmp.Diff(in.edges, l.SideEffects); diff != "" {
		p.Errorf("%s: side effects stored and returned (-stored +returned):\n%s", at, diff)
	}
	if len(stored) != len(l.Records) {
		p.Fatalf("%s: %d records stored, %d returned", at, len(stored), len(l.Records))
	}
	have, wanted := map[string]change{}, map[string]change{}
	for i, s := range stored {
		r := l.Records[i]
		if s.ID != r.ID || s.Entity != r.Entity || s.Old != r.Old || s.New != r.New || s.Digest != r.Digest || s.Direct == nil || *s.Direct != r.Direct {
			p.Errorf("%s: stored %+v, returned %+v", at, s, r)
		}
		c := change{Entity: s.Ref, Old: number(s.OldNum), New: number(s.NewNum), Restored: r.Restored}
		if publish {
			c.Direct = s.Direct
		}
		have[s.Ref] = c
	}
	for _, c := range want.Changes {
		wanted[c.Entity] = c
	}
	if diff := cmp.Diff(wanted, have); diff != "" {
		p.Errorf("%s: changes (-want +got):\n%s", at, diff)
	}
}

func (p *player) user(name *string) publishing.UserID {
	if name == nil {
		return 0
	}
	return p.users[*name]
}

// number gives a version number as the scenarios write it.
func number(n int) *int {
	if n == 0 {
		return nil
	}
	return &n
}

// digest compares a digest. It depends on version ids; where ours are others, equal ones must be equal and different
// ones different.
func (p *player) digest(at, got, want string) {
	was, ok := p.sums[want]
	of, back := p.back[got]
	if ok && was != got || back && of != want || (got == "") != (want == "") {
		p.Errorf("%s: digest %q stands for %q, and was %q for that and %q for itself before", at, got, want, was, of)
	}
	p.sums[want], p.back[got] = got, want
}
