package prune

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/openlectern/lectern/content/components"
	"github.com/openlectern/lectern/content/containers"
	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
)

// Labels returns the labels of a package by the moment that they name. Labels are for packages above to keep.
type Labels func(ctx context.Context, q db.Querier, pkg publishing.PackageID) (map[string][]string, error)

// Options are choices of [Make].
type Options struct {
	Labels Labels        // nil for none
	Guard  time.Duration // media younger than that stay; 0 means media.GuardAge
}

// Make plans the pruning of packages, and leaves out those of which nothing would go. It only reads; its memory grows with
// the logs and versions of one package at a time. A policy that keeps too little by itself is fault.Usage.
func Make(ctx context.Context, tx *db.Tx, pkgs []publishing.Package, policy Policy, o Options) (*Plan, error) {
	if err := policy.Check(); err != nil {
		return nil, err
	}
	if o.Guard <= 0 {
		o.Guard = time.Duration(media.GuardAge)
	}
	p := &Plan{Format: format, Made: tx.Now(), Policy: policy, Packages: []Package{}}
	for _, pkg := range pkgs {
		m := &maker{q: tx, pkg: pkg, policy: policy, now: p.Made}
		k, err := m.plan(ctx, o)
		if err != nil {
			return nil, err
		}
		if k.Remove.Empty() {
			continue
		}
		if k.Digest, err = p.digest(k); err != nil {
			return nil, err
		}
		p.Packages = append(p.Packages, k)
	}
	return p, nil
}

// maker plans one package.
type maker struct {
	q      db.Querier
	pkg    publishing.Package
	policy Policy
	now    time.Time

	drafts, publishes []moment
	needed            map[publishing.VersionID]bool
	records           int // that go at least
}

func (m *maker) plan(ctx context.Context, o Options) (Package, error) {
	k := Package{Ref: m.pkg.Ref, UUID: m.pkg.UUID, Keep: []Kept{}, Remove: Removed{Before: m.now.Add(-o.Guard), Rows: map[string]int{}}}
	var labels map[string][]string
	if m.policy.Labelled && o.Labels != nil {
		var err error
		if labels, err = o.Labels(ctx, m.q, m.pkg.ID); err != nil {
			return k, err
		}
	}
	var err error
	if m.publishes, k.Position.Publish, err = m.logs(ctx, true, labels); err != nil {
		return k, err
	}
	if m.drafts, k.Position.Change, err = m.logs(ctx, false, labels); err != nil {
		return k, err
	}
	m.before()
	if err := m.undone(ctx); err != nil {
		return k, err
	}
	m.needed = map[publishing.VersionID]bool{}
	for _, publish := range []bool{false, true} {
		if err := m.need(ctx, publish); err != nil {
			return k, err
		}
	}
	gone, err := m.versions(ctx, &k.Remove)
	if err != nil {
		return k, err
	}
	if err := m.media(ctx, &k.Remove, gone); err != nil {
		return k, err
	}
	for _, b := range []struct {
		publish bool
		list    []moment
		gone    *IDs
	}{{false, m.drafts, &k.Remove.Drafts}, {true, m.publishes, &k.Remove.Publishes}} {
		for _, x := range b.list {
			if x.why == nil {
				*b.gone = append(*b.gone, x.log)
			} else {
				k.Keep = append(k.Keep, Kept{Name(b.publish, x.log), x.at, x.why})
			}
		}
	}
	slices.SortStableFunc(k.Keep, func(a, b Kept) int { return a.At.Compare(b.At) })
	count := func(kind string, n int) {
		if n > 0 {
			k.Remove.Rows[kind] += n
		}
	}
	count("logs", k.Remove.Moments())
	count("records", m.records)
	count("versions", len(k.Remove.Versions))
	count("media", len(k.Remove.Media))
	return k, nil
}

// logs reads the moments of a branch and lets the policy choose.
func (m *maker) logs(ctx context.Context, publish bool, labels map[string][]string) ([]moment, Entry, error) {
	heads, err := publishing.LogHeads(ctx, m.q, m.pkg.ID, publish, 0)
	if err != nil {
		return nil, Entry{}, err
	}
	list := make([]moment, len(heads))
	var last Entry
	for i, h := range heads {
		list[i] = moment{log: h.ID, at: h.At}
		last = Entry{h.ID, h.UUID}
	}
	m.policy.choose(list, publish, m.now)
	for i := range list {
		names := slices.Sorted(slices.Values(labels[Name(publish, list[i].log)]))
		for _, l := range names {
			list[i].keep("label " + l)
		}
	}
	return list, last, nil
}

// before keeps the drafts that each publish that stays was made of: what it brought out was drafted before it, not after.
func (m *maker) before() {
	byTime := make([]int, len(m.drafts))
	for i := range byTime {
		byTime[i] = i
	}
	slices.SortStableFunc(byTime, func(a, b int) int { return m.drafts[a].at.Compare(m.drafts[b].at) })
	last := make([]int, len(byTime)) // of the drafts up to a place in byTime, the last by id
	for i, d := range byTime {
		last[i] = d
		if i > 0 {
			last[i] = max(last[i-1], d)
		}
	}
	for _, p := range m.publishes {
		if p.why == nil {
			continue
		}
		n, _ := slices.BinarySearchFunc(byTime, p.at, func(d int, t time.Time) int {
			if m.drafts[d].at.After(t) {
				return 1
			}
			return -1
		})
		if n > 0 {
			m.drafts[last[n-1]].keep("before " + Name(true, p.log))
		}
	}
}

// runs returns for each log the place among them of the next one that stays.
func runs(list []moment) (next map[int64]int) {
	next = make(map[int64]int, len(list))
	at := 0
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].why != nil {
			at = i
		}
		next[list[i].log] = at
	}
	return next
}

// undone keeps the drafts before a moment that takes all back that came since the moment before it that stays: made one, the
// two would be a change of nothing.
func (m *maker) undone(ctx context.Context) error {
	next := runs(m.drafts)
	net := map[int]bool{} // whether what is made one with a moment changes anything
	var entity publishing.EntityID
	var first, last publishing.VersionID
	at := -1
	end := func() {
		if at >= 0 && first != last {
			net[at] = true
		}
	}
	err := publishing.EachRecord(ctx, m.q, m.pkg.ID, false, func(e publishing.EntityID, log int64, old, now publishing.VersionID) {
		if run := next[log]; e != entity || run != at {
			end()
			entity, first, at = e, old, run
		}
		last = now
	})
	if err != nil {
		return err
	}
	end()
	for i := range m.drafts {
		if m.drafts[i].why != nil && i > 0 && m.drafts[i-1].why == nil && !net[i] {
			m.drafts[i-1].keep("undone by " + Name(false, m.drafts[i].log))
		}
	}
	return nil
}

// need notes the versions that the records of a branch name once they are made one.
func (m *maker) need(ctx context.Context, publish bool) error {
	list := m.drafts
	if publish {
		list = m.publishes
	}
	next := runs(list)
	var entity publishing.EntityID
	var last publishing.VersionID
	at, n := -1, 0
	end := func() {
		if n > 0 {
			m.needed[last] = true
			m.records += n - 1
		}
	}
	err := publishing.EachRecord(ctx, m.q, m.pkg.ID, publish, func(e publishing.EntityID, log int64, old, now publishing.VersionID) {
		if run := next[log]; e != entity || run != at {
			end()
			entity, at, n = e, run, 0
			m.needed[old] = true
		}
		last = now
		n++
	})
	end()
	return err
}

// versions finds the versions that nothing needs, and returns a function that says whether one is of them.
func (m *maker) versions(ctx context.Context, r *Removed) (func(publishing.VersionID) bool, error) {
	use, err := containers.Uses(ctx, m.q, m.pkg.ID)
	if err != nil {
		return nil, err
	}
	gone := map[publishing.VersionID]bool{}
	var follow []publishing.VersionID // needed, whose pins are needed
	err = publishing.EachVersion(ctx, m.q, m.pkg.ID, func(v publishing.VersionID, last, current bool) {
		if last || current || m.needed[v] {
			follow = append(follow, v)
		} else {
			gone[v] = true
		}
	})
	if err != nil {
		return nil, err
	}
	lists := map[int64]bool{} // that stay
	for len(follow) > 0 {
		v := follow[len(follow)-1]
		follow = follow[:len(follow)-1]
		l, ok := use.List[v]
		if !ok || lists[l] {
			continue
		}
		lists[l] = true
		for _, pin := range use.Pins[l] {
			if gone[pin] {
				delete(gone, pin)
				follow = append(follow, pin)
			}
		}
	}
	r.Versions = sorted(gone)
	dropped := map[int64]bool{}
	for v := range gone {
		if l, ok := use.List[v]; ok && !lists[l] && !dropped[l] {
			dropped[l] = true
			r.Rows["lists"]++
			if n := use.Rows[l]; n > 0 {
				r.Rows["children"] += n
			}
		}
	}
	n, err := publishing.CountDependencies(ctx, m.q, of[publishing.VersionID](r.Versions))
	if n > 0 {
		r.Rows["dependencies"] = n
	}
	return func(v publishing.VersionID) bool { return gone[v] }, err
}

// media finds the media that no version has that stays, and what they weigh.
func (m *maker) media(ctx context.Context, r *Removed, gone func(publishing.VersionID) bool) error {
	used := map[media.ID]bool{}
	each := func(v publishing.VersionID, id media.ID) {
		if gone(v) {
			r.Rows["files"]++
		} else {
			used[id] = true
		}
	}
	if err := components.EachFile(ctx, m.q, m.pkg.ID, each); err != nil {
		return err
	}
	if err := containers.EachFile(ctx, m.q, m.pkg.ID, each); err != nil {
		return err
	}
	files := map[string]int64{} // that nothing which stays has
	kept := map[string]bool{}
	err := media.EachStored(ctx, m.q, m.pkg.ID, func(s media.Stored) {
		if used[s.ID] || s.Created.After(r.Before) {
			kept[s.Digest] = kept[s.Digest] || s.HasFile
			return
		}
		r.Media = append(r.Media, int64(s.ID))
		if s.HasText {
			r.Bytes += s.Size
		}
		if s.HasFile {
			files[s.Digest] = s.Size
		}
	})
	for digest, size := range files {
		if !kept[digest] {
			r.Files++
			r.Bytes += size
		}
	}
	return err
}

// Sort puts packages in the order of plans: by ref.
func Sort(pkgs []publishing.Package) {
	slices.SortFunc(pkgs, func(a, b publishing.Package) int { return cmp.Compare(a.Ref, b.Ref) })
}
