package publishing

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// graph holds what a log touches on one branch: the entities changed in it, every live entity above them, and the edges
// between direct neighbours (content-model.md §7). The branch is taken as it is when the log is complete, so the moves
// of the log, which need not be stored yet, count before the stored pointers.
//
// The reference follows each entity upwards once and so leaves out edges; here the set is complete, and since every
// node that lies on a new cycle is above a changed one, ordering the nodes finds cycles too.
type graph struct {
	b     *branch
	nodes []node
	at    map[EntityID]int32
	order []int32 // nodes, causes before effects
}

// node is an entity in a log.
type node struct {
	entity   EntityID
	old, new VersionID // of its record
	now      VersionID // where its pointer is at the end of the log
	direct   bool
	restored bool
	row      bool // the pointer row exists

	record RecordID // its stored record, 0 until it is stored
	stored bool     // versions in record and pointer row are as they should be
	aimed  bool     // the pointer row names record

	deps      []EntityID // of version now
	depsKnown bool
	apart     bool // no stored row can name it as a dependency
	leaves    []leaf
	causes    []int32 // the nodes that it depends on
	digest    string
}

// leaf is a live dependency outside the graph.
type leaf struct {
	version VersionID
	digest  string
}

func newGraph(b *branch, n int) *graph {
	return &graph{b: b, nodes: make([]node, 0, n), at: make(map[EntityID]int32, n)}
}

func (g *graph) add(n node) {
	g.at[n.entity] = int32(len(g.nodes))
	g.nodes = append(g.nodes, n)
}

// solve completes the graph of the nodes added so far.
func (g *graph) solve(ctx context.Context, q db.Querier) error {
	direct := len(g.nodes)
	if err := g.loadDeps(ctx, q, g.nodes); err != nil {
		return err
	}
	if err := g.climb(ctx, q, g.b, direct); err != nil {
		return err
	}
	for i := range g.nodes[:direct] {
		n := &g.nodes[i]
		for _, d := range n.deps {
			if j, ok := g.at[d]; ok {
				n.causes = append(n.causes, j)
			}
		}
	}
	if err := g.loadLeaves(ctx, q, direct); err != nil {
		return err
	}
	if err := g.sort(ctx, q); err != nil {
		return err
	}
	g.hash()
	return nil
}

// mirror completes the graph of a publish after which both branches are the same: then the drafts' pointers and digests,
// which are complete and stored, are those of the published branch too, and what lies beside the graph need not be
// read. The nodes hold the drafts' digests. It reports whether that sufficed; databases from before digests lack some.
func (g *graph) mirror(ctx context.Context, q db.Querier) (ok bool, err error) {
	direct := len(g.nodes)
	if err := g.climb(ctx, q, &drafts, 0); err != nil {
		return false, err
	}
	for i := range g.nodes {
		n := &g.nodes[i]
		if n.digest == "" && slices.ContainsFunc(n.causes, func(c int32) bool { return g.nodes[c].now != 0 }) {
			for _, n := range g.nodes[direct:] {
				delete(g.at, n.entity)
			}
			g.nodes = g.nodes[:direct]
			for i := range g.nodes {
				g.nodes[i].causes = nil
			}
			return false, nil
		}
	}
	return true, g.sort(ctx, q)
}

// loadDeps reads the dependencies of nodes where they are not known.
func (g *graph) loadDeps(ctx context.Context, q db.Querier, nodes []node) error {
	by := map[VersionID]*node{}
	var list []VersionID
	for i := range nodes {
		if n := &nodes[i]; !n.depsKnown && n.now != 0 {
			by[n.now] = n
			list = append(list, n.now)
		}
		nodes[i].depsKnown = true
	}
	err := db.QueryIn(ctx, q, `SELECT referring_version_id, referenced_entity_id
		FROM openedx_content_publishableentityversiondependency WHERE referring_version_id IN (?...)`, list, nil, func(r *db.Row) error {
		var v, e int64
		err := r.Scan(&v, &e)
		if n := by[VersionID(v)]; n != nil {
			n.deps = append(n.deps, EntityID(e))
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("dependencies: %w", err)
	}
	return nil
}

// climb adds every live entity above the nodes by the pointers stored on branch b, level by level, each level in the
// order of entity ids. The causes of the first skip nodes are left to the caller: their pointers are not stored yet.
func (g *graph) climb(ctx context.Context, q db.Querier, b *branch, skip int) error {
	type up struct {
		child, parent EntityID
		version       VersionID
		digest        string
	}
	for level := 0; level < len(g.nodes); {
		var ask []int64
		for i := level; i < len(g.nodes); i++ {
			if !g.nodes[i].apart {
				ask = append(ask, int64(g.nodes[i].entity))
			}
		}
		level = len(g.nodes)
		var found []up
		err := db.QueryIn(ctx, q, b.parents, ask, nil, func(r *db.Row) error {
			var child, parent, version int64
			var digest *string
			err := r.Scan(&child, &parent, &version, &digest)
			u := up{child: EntityID(child), parent: EntityID(parent), version: VersionID(version)}
			if digest != nil {
				u.digest = *digest
			}
			found = append(found, u)
			return err
		})
		if err != nil {
			return fmt.Errorf("what depends on them: %w", err)
		}
		slices.SortFunc(found, func(a, b up) int {
			return cmp.Or(cmp.Compare(a.parent, b.parent), cmp.Compare(a.child, b.child))
		})
		for _, f := range found {
			i, ok := g.at[f.parent]
			if !ok {
				i = int32(len(g.nodes))
				g.add(node{entity: f.parent, old: f.version, new: f.version, now: f.version, row: true, digest: f.digest})
			}
			if int(i) >= skip {
				g.nodes[i].causes = append(g.nodes[i].causes, g.at[f.child])
			}
		}
	}
	return nil
}

// loadLeaves reads version and digest of the dependencies that are not in the graph.
func (g *graph) loadLeaves(ctx context.Context, q db.Querier, direct int) error {
	by := map[VersionID]*node{}
	var list []VersionID
	for i := range g.nodes {
		n := &g.nodes[i]
		if n.now == 0 || i < direct && len(n.causes) == len(n.deps) {
			continue
		}
		by[n.now] = n
		list = append(list, n.now)
	}
	err := db.QueryIn(ctx, q, g.b.leaves, list, nil, func(r *db.Row) error {
		var v, e int64
		var at *int64
		var digest *string
		if err := r.Scan(&v, &e, &at, &digest); err != nil {
			return err
		}
		n := by[VersionID(v)]
		if n == nil || at == nil {
			return nil
		}
		if _, ok := g.at[EntityID(e)]; ok {
			return nil
		}
		l := leaf{version: VersionID(*at)}
		if digest != nil {
			l.digest = *digest
		}
		n.leaves = append(n.leaves, l)
		return nil
	})
	if err != nil {
		return fmt.Errorf("dependencies: %w", err)
	}
	return nil
}

// sort orders the nodes so that causes come before effects, and refuses cycles.
func (g *graph) sort(ctx context.Context, q db.Querier) error {
	waiting := make([]int32, len(g.nodes))
	effects := make([][]int32, len(g.nodes))
	g.order = make([]int32, 0, len(g.nodes))
	for i := range g.nodes {
		n := &g.nodes[i]
		waiting[i] = int32(len(n.causes))
		for _, c := range n.causes {
			effects[c] = append(effects[c], int32(i))
		}
		if waiting[i] == 0 {
			g.order = append(g.order, int32(i))
		}
	}
	for k := 0; k < len(g.order); k++ {
		for _, e := range effects[g.order[k]] {
			if waiting[e]--; waiting[e] == 0 {
				g.order = append(g.order, e)
			}
		}
	}
	if len(g.order) == len(g.nodes) {
		return nil
	}
	// Follow causes from any node left over: all of its causes left over lead into a cycle.
	left := func(i int32) bool { return waiting[i] > 0 }
	at := int32(slices.IndexFunc(waiting, func(w int32) bool { return w > 0 }))
	seen := map[int32]bool{}
	for !seen[at] {
		seen[at] = true
		at = g.nodes[at].causes[slices.IndexFunc(g.nodes[at].causes, left)]
	}
	e, err := EntityByID(ctx, q, g.nodes[at].entity)
	if err != nil {
		return err
	}
	return fault.Errorf(fault.Invalid, e.Ref, "would contain itself: a %s version of it depends, directly or not, on itself", g.b.name)
}

// report returns the log's records, in id order, and its side effects.
func (g *graph) report() ([]Record, []SideEffect) {
	records := make([]Record, len(g.nodes))
	var edges []SideEffect
	for i := range g.nodes {
		n := &g.nodes[i]
		records[i] = Record{ID: n.record, Entity: n.entity, Old: n.old, New: n.new, Digest: n.digest, Direct: n.direct, Restored: n.restored}
		for _, c := range n.causes {
			edges = append(edges, SideEffect{g.nodes[c].record, n.record})
		}
	}
	slices.SortFunc(records, func(a, b Record) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(edges, compareEdges)
	return records, edges
}

// writeEdges stores the side effects.
func (g *graph) writeEdges(ctx context.Context, tx *db.Tx) error {
	var causes, effects []RecordID
	for i := range g.nodes {
		for _, c := range g.nodes[i].causes {
			causes = append(causes, g.nodes[c].record)
			effects = append(effects, g.nodes[i].record)
		}
	}
	if len(causes) == 0 {
		return nil
	}
	err := tx.Insert(ctx, g.b.edge, []string{"cause_id", "effect_id"}, len(causes), func(i int, v []any) {
		v[0], v[1] = int64(causes[i]), int64(effects[i])
	})
	if err != nil {
		return fmt.Errorf("%s side effects: %w", g.b.name, err)
	}
	return nil
}
