package media

import (
	"context"
	"fmt"
	"time"

	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/content/trash"
	"github.com/openlectern/lectern/db"
)

var (
	mediaRows = trash.Rows("openedx_content_media", `id int, size int, hash_digest text, has_file bool, text text, created time,
		learning_package_id int, media_type_id int`).Identified("media", "learning_package_id", "media_type_id", "hash_digest")
	trashFileRows = trash.Rows("lectern_trashfile", `id int, learning_package_id int, hash_digest text, expires time`)
)

// TrashTables are the tables that [Remove] takes rows out of and notes files in.
func TrashTables() []trash.Table { return []trash.Table{mediaRows, trashFileRows} }

// Stored is a media as a plan to remove some has to know it.
type Stored struct {
	ID      ID
	Digest  string
	Size    int64
	HasFile bool
	HasText bool
	Created time.Time
}

// EachStored calls fn for every media of a package.
func EachStored(ctx context.Context, q db.Querier, pkg publishing.PackageID, fn func(Stored)) error {
	err := q.Query(ctx, "SELECT id, hash_digest, size, has_file, created, CASE WHEN text IS NULL THEN 0 ELSE 1 END"+
		" FROM openedx_content_media WHERE learning_package_id = ? ORDER BY id", []any{pkg}, func(r *db.Row) error {
		var s Stored
		if err := r.Scan(&s.ID, &s.Digest, &s.Size, &s.HasFile, &s.Created, &s.HasText); err != nil {
			return err
		}
		fn(s)
		return nil
	})
	if err != nil {
		return fmt.Errorf("media: %w", err)
	}
	return nil
}

// Remove deletes those of the media of a package that were made before the given time; nothing may name them. Their files
// are kept from every sweep until [Expire] is told of a time after until. The package must be locked.
func Remove(ctx context.Context, tx *db.Tx, j *trash.Journal, pkg publishing.PackageID, ids []ID, before, until time.Time) (removed []ID, err error) {
	var digests []string
	seen := map[string]bool{}
	err = db.QueryIn(ctx, tx, "SELECT id, hash_digest, has_file FROM openedx_content_media WHERE learning_package_id = ? AND created <= ?"+
		" AND id IN (?...)", ids, []any{pkg, before.UTC()}, func(r *db.Row) error {
		var s Stored
		err := r.Scan(&s.ID, &s.Digest, &s.HasFile)
		removed = append(removed, s.ID)
		if s.HasFile && !seen[s.Digest] {
			seen[s.Digest] = true
			digests = append(digests, s.Digest)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("media nobody needs: %w", err)
	}
	if _, err := trash.Delete(ctx, tx, j, mediaRows, "id", removed); err != nil {
		return nil, err
	}
	have := madeIn(tx)
	for _, id := range removed {
		delete(have, id)
	}
	return removed, j.Insert(ctx, tx, trashFileRows, []string{"learning_package_id", "hash_digest", "expires"}, len(digests),
		func(i int, v []any) { v[0], v[1], v[2] = pkg, digests[i], until.UTC() })
}

// Expire gives the files of removed media up to the next sweep whose time has come, and returns how many.
func Expire(ctx context.Context, tx *db.Tx, now time.Time) (int, error) {
	n, err := tx.Exec(ctx, "DELETE FROM lectern_trashfile WHERE expires <= ?", now.UTC())
	return int(n), err
}
