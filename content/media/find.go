package media

import (
	"cmp"
	"context"
	"encoding/binary"
	"slices"
	"strconv"
	"strings"

	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
)

// find fills in the media that the package has already.
func (b *batch) find(ctx context.Context, tx *db.Tx, pkg publishing.PackageID) error {
	order := b.possible(tx, pkg)
	if len(order) == 0 {
		return nil
	}
	used, err := typesIn(ctx, tx, pkg, b.types)
	if err != nil {
		return err
	}
	order = slices.DeleteFunc(order, func(i int) bool { return !used[b.wants[i].t] })
	index := make(map[identity]int, len(order))
	for _, i := range order {
		index[b.wants[i].identity] = i
	}
	// The index of the table goes by package, type, digest: ask in its order, and for as few types at a time as possible.
	slices.SortFunc(order, func(x, y int) int { return cmp.Compare(b.wants[x].t, b.wants[y].t) })
	const chunk = 500
	for part := range slices.Chunk(order, chunk) {
		digests := make([]string, len(part))
		var types []typeID
		for i, at := range part {
			digests[i] = b.wants[at].digest
			types = append(types, b.wants[at].t)
		}
		types = slices.Compact(types)
		sql := "SELECT " + columns + " FROM openedx_content_media WHERE learning_package_id = ? AND media_type_id = ? AND hash_digest IN (?...)"
		args := []any{pkg, types[0]}
		if len(types) > 1 {
			sql = "SELECT " + columns + " FROM openedx_content_media WHERE learning_package_id = ? AND media_type_id IN (" +
				joined(types) + ") AND hash_digest IN (?...)"
			args = args[:1]
		}
		err := db.QueryIn(ctx, tx, sql, digests, args, func(r *db.Row) error {
			m, t, err := scan(r)
			if err != nil {
				return err
			}
			s, ok := parseSum(m.Digest)
			if at, found := index[identity{t: t, sum: s}]; ok && found {
				m.Type = b.types[t]
				b.wants[at].media = m
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// possible returns the wants that the package may have already: all, unless the transaction has made it and knows better.
func (b *batch) possible(tx *db.Tx, pkg publishing.PackageID) []int {
	fresh, have := publishing.MadeIn(tx, pkg), tokensIn(tx, pkg)
	var list []int
	for i := range b.wants {
		if _, ok := have[b.wants[i].sum.token()]; ok || !fresh {
			list = append(list, i)
		}
	}
	return list
}

// note remembers what a package has now, if the transaction has made it.
func (b *batch) note(tx *db.Tx, pkg publishing.PackageID) {
	if !publishing.MadeIn(tx, pkg) {
		return
	}
	have := tokensIn(tx, pkg)
	for i := range b.wants {
		have[b.wants[i].sum.token()] = struct{}{}
	}
}

// token is enough of a digest to tell that no other is the same; which may well be.
func (s sum) token() uint64 { return binary.LittleEndian.Uint64(s[:]) }

type tokensKey struct{ publishing.PackageID }

// tokensIn returns the tokens of all media that a transaction has put into a package that it has made.
func tokensIn(tx *db.Tx, pkg publishing.PackageID) map[uint64]struct{} {
	return tx.Local(tokensKey{pkg}, func() any { return map[uint64]struct{}{} }).(map[uint64]struct{})
}

// typesIn returns those of the types that the package has media of: a new package needs no search for its ten thousand.
func typesIn(ctx context.Context, tx *db.Tx, pkg publishing.PackageID, types map[typeID]Type) (map[typeID]bool, error) {
	ids := make([]typeID, 0, len(types))
	for id := range types {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	used := map[typeID]bool{}
	err := db.QueryIn(ctx, tx, "SELECT t.id FROM openedx_content_mediatype t WHERE EXISTS (SELECT 1 FROM openedx_content_media m"+
		" WHERE m.learning_package_id = ? AND m.media_type_id = t.id) AND t.id IN (?...)", ids, []any{pkg}, func(r *db.Row) error {
		var id typeID
		if err := r.Scan(&id); err != nil {
			return err
		}
		used[id] = true
		return nil
	})
	return used, err
}

// joined lists ids for a statement's text.
func joined(ids []typeID) string {
	var s strings.Builder
	for i, id := range ids {
		if i > 0 {
			s.WriteByte(',')
		}
		s.WriteString(strconv.FormatInt(int64(id), 10))
	}
	return s.String()
}
