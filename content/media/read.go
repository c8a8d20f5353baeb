package media

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// columns are what scan reads.
const columns = "id, learning_package_id, media_type_id, hash_digest, size, has_file, created, CASE WHEN text IS NULL THEN 0 ELSE 1 END"

// scan reads a row of columns, and of further ones into rest.
func scan(r *db.Row, rest ...any) (Media, typeID, error) {
	var m Media
	var t typeID
	err := r.Scan(append([]any{&m.ID, &m.Package, &t, &m.Digest, &m.Size, &m.HasFile, &m.Created, &m.HasText}, rest...)...)
	return m, t, err
}

// ByID returns the media with these ids, withText including the text of their rows. An unknown id is fault.NotFound.
func ByID(ctx context.Context, q db.Querier, ids []ID, withText bool) (map[ID]Media, error) {
	if len(ids) == 0 {
		return map[ID]Media{}, nil
	}
	stored, err := storedTypes(ctx, q)
	if err != nil {
		return nil, err
	}
	types := make(map[typeID]Type, len(stored))
	for _, t := range stored {
		types[t.id] = t.Type
	}
	sql := "SELECT " + columns + " FROM openedx_content_media WHERE id IN (?...)"
	if withText {
		sql = "SELECT " + columns + ", COALESCE(text, '') FROM openedx_content_media WHERE id IN (?...)"
	}
	out := make(map[ID]Media, len(ids))
	err = db.QueryIn(ctx, q, sql, ids, nil, func(r *db.Row) error {
		var text string
		var rest []any
		if withText {
			rest = []any{&text}
		}
		m, t, err := scan(r, rest...)
		if err != nil {
			return err
		}
		m.Type, m.Text = types[t], text
		out[m.ID] = m
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if _, ok := out[id]; !ok {
			return nil, fault.Errorf(fault.NotFound, fmt.Sprintf("media %d", id), "there is no such media")
		}
	}
	return out, nil
}

// made remembers the media that a transaction has found or made, and of which package: to check them costs no reads
// then. Nothing removes media while their package is locked.
type made map[ID]publishing.PackageID

type madeKey struct{}

func madeIn(tx *db.Tx) made {
	return tx.Local(madeKey{}, func() any { return made{} }).(made)
}

// Foreign returns one of the media that is of another package, or 0 when all are of this one. An unknown id is
// fault.NotFound.
func Foreign(ctx context.Context, tx *db.Tx, pkg publishing.PackageID, ids []ID) (ID, error) {
	have := madeIn(tx)
	var ask []ID
	for _, id := range ids {
		if _, ok := have[id]; !ok {
			ask = append(ask, id)
		}
	}
	slices.Sort(ask)
	err := db.QueryIn(ctx, tx, "SELECT id, learning_package_id FROM openedx_content_media WHERE id IN (?...)", slices.Compact(ask), nil,
		func(r *db.Row) error {
			var id, of int64
			err := r.Scan(&id, &of)
			have[ID(id)] = publishing.PackageID(of)
			return err
		})
	if err != nil {
		return 0, err
	}
	for _, id := range ids {
		switch of, ok := have[id]; {
		case !ok:
			return 0, fault.Errorf(fault.NotFound, fmt.Sprintf("media %d", id), "there is no such media")
		case of != pkg:
			return id, nil
		}
	}
	return 0, nil
}

// Open returns the bytes of a media of the package with this UUID, from the row if that has them, else from its file.
// A media without text that was read without its text is read again.
func Open(ctx context.Context, q db.Querier, files Files, pkg uuid.UUID, id ID) (io.ReadCloser, error) {
	list, err := ByID(ctx, q, []ID{id}, true)
	if err != nil {
		return nil, err
	}
	m := list[id]
	if m.HasText {
		return io.NopCloser(strings.NewReader(m.Text)), nil
	}
	if files == nil {
		return nil, fault.Errorf(fault.Internal, "media", "there is no store for files")
	}
	return files.Open(ctx, pkg, m.Digest)
}

// Read returns all bytes of a media, as [Open] finds them.
func Read(ctx context.Context, q db.Querier, files Files, pkg uuid.UUID, id ID) (b []byte, err error) {
	src, err := Open(ctx, q, files, pkg, id)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	return io.ReadAll(src)
}

// Purge removes the rows of a package, for its deletion; nothing may name them any more. Their files are left to a
// sweep, because the transaction may yet be rolled back.
func Purge(ctx context.Context, tx *db.Tx, pkg publishing.PackageID) error {
	_, err := tx.Exec(ctx, "DELETE FROM openedx_content_media WHERE learning_package_id = ?", pkg)
	return err
}

// Total is how much a package keeps: distinct contents, old versions' included, and their bytes.
type Total struct {
	Count int
	Bytes int64
}

// Totals returns how much each package keeps. Packages that keep nothing are left out.
func Totals(ctx context.Context, q db.Querier) (map[publishing.PackageID]Total, error) {
	totals := map[publishing.PackageID]Total{}
	err := q.Query(ctx, "SELECT learning_package_id, COUNT(*), CAST(SUM(size) AS DECIMAL(20)) FROM openedx_content_media GROUP BY learning_package_id", nil, func(r *db.Row) error {
		var id, n, size int64
		err := r.Scan(&id, &n, &size)
		totals[publishing.PackageID(id)] = Total{int(n), size}
		return err
	})
	return totals, err
}
