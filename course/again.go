package course

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"strconv"

	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
)

// sum digests what an import brings and how: two imports of one sum do the same to the same course.
func (im *Import) sum() string {
	h := sha256.New()
	fmt.Fprintf(h, "1 %t %t\n", im.DraftsOnly, im.KeepAssets)
	im.published.digest(h)
	if im.drafts != im.published {
		im.drafts.digest(h)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// digest adds a wanted tree to h: every node with its title, files and children, in order.
func (t *tree) digest(h hash.Hash) {
	var line []byte
	quote := func(s string) { line = append(strconv.AppendQuote(line, s), ' ') }
	for n := range t.live() {
		line = line[:0]
		quote(n.ref)
		quote(n.title)
		line = strconv.AppendBool(line, n.container)
		for _, f := range n.files {
			line = append(line, " f"...)
			quote(f.path)
			line = append(line, f.digest...)
		}
		for _, child := range n.children {
			line = append(line, " c"...)
			quote(child)
		}
		h.Write(append(line, '\n'))
	}
	h.Write([]byte("end\n"))
}

// again reports whether the last change to a course was this very import, and how many static files that kept.
func (im *Import) again(ctx context.Context, tx *db.Tx, c *Course) (kept int, again bool, err error) {
	var digest string
	var change, publish int64
	err = tx.Query(ctx, `SELECT digest, kept, draft_change_log_id, publish_log_id FROM lectern_import WHERE learning_package_id = ?`,
		[]any{c.Package.ID}, func(r *db.Row) error { return r.Scan(&digest, &kept, &change, &publish) })
	if err != nil || digest != im.digest {
		return 0, false, err
	}
	changed, published, err := publishing.Position(ctx, tx, c.Package.ID)
	return kept, err == nil && change == changed && publish == published, err
}

// remember notes this import as the last change to a course.
func (im *Import) remember(ctx context.Context, tx *db.Tx, c *Course, kept int) error {
	change, publish, err := publishing.Position(ctx, tx, c.Package.ID)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `DELETE FROM lectern_import WHERE learning_package_id = ?`, c.Package.ID); err != nil {
		return err
	}
	return tx.Insert(ctx, "lectern_import",
		[]string{"learning_package_id", "digest", "kept", "draft_change_log_id", "publish_log_id"}, 1, func(_ int, v []any) {
			v[0], v[1], v[2], v[3], v[4] = c.Package.ID, im.digest, kept, change, publish
		})
}

// unchanged is the report of an import that finds everything as it wants it.
func (im *Import) unchanged(c *Course, kept int) *Report {
	r := &Report{Course: c.Key.String()}
	for ref := range im.drafts.nodes {
		if _, asset := refAsset(ref); asset {
			r.Assets.Unchanged++
		} else {
			r.Unchanged++
		}
	}
	r.Assets.Kept = kept
	return r
}
