package media

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
)

// find fills in the media that the package has already.
func (b *batch) find(ctx context.Context, tx *db.Tx, pkg publishing.PackageID) error {
	used, err := typesIn(ctx, tx, pkg, b.types)
	if err != nil {
		return err
	}
	index := make(map[identity]int, len(b.wants))
	var order []int
	for i := range b.wants {
		if used[b.wants[i].t] {
			index[b.wants[i].identity] = i
			order = append(order, i)
		}
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
