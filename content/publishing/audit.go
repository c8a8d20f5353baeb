package publishing

import (
	"context"
	"fmt"
	"slices"

	"github.com/openlectern/lectern/db"
)

// StaleDigest is a pointer whose record does not hold the digest that the state below the entity has now. Writers that
// take no lock can leave such (content-model.md law 30). With Cycle the entity depends on itself, so there is no digest.
type StaleDigest struct {
	Entity     EntityID
	Ref        string
	Published  bool
	Log        int64
	Have, Want string
	Cycle      bool

	record RecordID
}

// Table is the table of the record.
func (s StaleDigest) Table() string {
	if s.Published {
		return published.record
	}
	return drafts.record
}

// StaleDigests computes the digests of all drafts and published pointers of a package again and returns those that
// differ, drafts first, each in id order. It needs memory for the package's pointers and dependencies, and five queries a
// branch at most. Pointers without a record, which older data may have, hold no digest and are left out.
func StaleDigests(ctx context.Context, q db.Querier, pkg PackageID) ([]StaleDigest, error) {
	var list []StaleDigest
	for _, b := range []*branch{&drafts, &published} {
		part, err := b.staleDigests(ctx, q, pkg)
		if err != nil {
			return nil, fmt.Errorf("%s digests: %w", b.name, err)
		}
		list = append(list, part...)
	}
	return list, nil
}

// MendDigests writes the digests that [StaleDigests] finds wrong and returns what it wrote. Cycles are left out: nothing
// follows from them. The package is locked.
func MendDigests(ctx context.Context, tx *db.Tx, pkg PackageID) ([]StaleDigest, error) {
	if err := Lock(ctx, tx, pkg); err != nil {
		return nil, err
	}
	list, err := StaleDigests(ctx, tx, pkg)
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(s StaleDigest) bool { return s.Cycle })
	for _, b := range []*branch{&drafts, &published} {
		var part []StaleDigest
		for _, s := range list {
			if s.Published == b.direct {
				part = append(part, s)
			}
		}
		if len(part) == 0 {
			continue
		}
		err := tx.UpdateRows(ctx, b.record, "id", []string{"dependencies_hash_digest"}, len(part), func(i int, v []any) {
			v[0], v[1] = int64(part[i].record), part[i].Want
		})
		if err != nil {
			return nil, fmt.Errorf("%s digests: %w", b.name, err)
		}
	}
	return list, nil
}

// pin is a pointer with what its digest comes from.
type pin struct {
	StaleDigest
	version VersionID
	deps    []int32 // among the package's pins, live ones only
	waiting int
	effects []int32
}

func (b *branch) staleDigests(ctx context.Context, q db.Querier, pkg PackageID) ([]StaleDigest, error) {
	var pins []pin
	at := map[EntityID]int32{}
	of := map[VersionID]int32{}
	err := q.Query(ctx, `SELECT e.id, e.entity_ref, p.version_id, r.id, r.`+b.log+`, r.dependencies_hash_digest
		FROM openedx_content_publishableentity e JOIN `+b.pointer+` p ON p.entity_id = e.id
		LEFT JOIN `+b.record+` r ON r.id = p.`+b.aim+` WHERE e.learning_package_id = ? ORDER BY e.id`, []any{pkg}, func(r *db.Row) error {
		var version, record, log *int64
		var digest *string
		p := pin{StaleDigest: StaleDigest{Published: b.direct}}
		if err := r.Scan(&p.Entity, &p.Ref, &version, &record, &log, &digest); err != nil {
			return err
		}
		p.version, p.record, p.Log = orZero[VersionID](version), orZero[RecordID](record), orZero[int64](log)
		if digest != nil {
			p.Have = *digest
		}
		at[p.Entity] = int32(len(pins))
		if p.version != 0 {
			of[p.version] = int32(len(pins))
		}
		pins = append(pins, p)
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = q.Query(ctx, `SELECT d.referring_version_id, d.referenced_entity_id FROM openedx_content_publishableentity e
		JOIN `+b.pointer+` p ON p.entity_id = e.id
		JOIN openedx_content_publishableentityversiondependency d ON d.referring_version_id = p.version_id
		WHERE e.learning_package_id = ?`, []any{pkg}, func(r *db.Row) error {
		var v VersionID
		var e EntityID
		if err := r.Scan(&v, &e); err != nil {
			return err
		}
		from, ok := of[v]
		to, live := at[e]
		if ok && live && pins[to].version != 0 {
			pins[from].deps = append(pins[from].deps, to)
			pins[from].waiting++
			pins[to].effects = append(pins[to].effects, from)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return compareDigests(pins), nil
}

// compareDigests computes digests from the leaves up. What is left waiting stands on a cycle or above one.
func compareDigests(pins []pin) []StaleDigest {
	order := make([]int32, 0, len(pins))
	for i := range pins {
		if pins[i].waiting == 0 {
			order = append(order, int32(i))
		}
	}
	var live []leaf
	var buf []byte
	for k := 0; k < len(order); k++ {
		p := &pins[order[k]]
		live = live[:0]
		for _, d := range p.deps {
			live = append(live, leaf{pins[d].version, pins[d].Want})
		}
		p.Want, buf = digest(live, buf)
		for _, e := range p.effects {
			if pins[e].waiting--; pins[e].waiting == 0 {
				order = append(order, e)
			}
		}
	}
	cyclic := onCycles(pins)
	var list []StaleDigest
	for i := range pins {
		p := &pins[i]
		switch {
		case cyclic[int32(i)]:
			p.Cycle = true
			list = append(list, p.StaleDigest)
		case p.waiting == 0 && p.record != 0 && p.Have != p.Want:
			list = append(list, p.StaleDigest)
		}
	}
	return list
}

// onCycles returns those that are left waiting and wait for nothing but cycles: without those above a cycle.
func onCycles(pins []pin) map[int32]bool {
	left := map[int32]bool{}
	for i := range pins {
		if pins[i].waiting > 0 {
			left[int32(i)] = true
		}
	}
	// Take away, again and again, what nothing left depends on.
	for shrunk := true; shrunk; {
		shrunk = false
		for i := range left {
			if !slices.ContainsFunc(pins[i].effects, func(e int32) bool { return left[e] }) {
				delete(left, i)
				shrunk = true
			}
		}
	}
	return left
}
