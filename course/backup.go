package course

import (
	"context"
	"time"

	"github.com/openlectern/lectern/catalog"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/keys"
)

// Identity is what a learning package is as a course, beside its content: what a backup keeps of it.
type Identity struct {
	Key             keys.Course
	Root            string // ref of the root container
	Title, Language string // of the catalog; empty for a library
	Created         time.Time
}

// Of returns the course that a learning package is, nil when it is none.
func Of(ctx context.Context, q db.Querier, pkg publishing.Package) (*Course, error) {
	c, found, err := db.One(ctx, q, `SELECT `+courseColumns+` FROM lectern_course WHERE learning_package_id = ?`, []any{pkg.ID}, scanCourse)
	if err != nil || !found {
		return nil, err
	}
	c.Package = pkg
	return c, nil
}

// Identity returns what c is beside its content.
func (c *Course) Identity(ctx context.Context, q db.Querier) (Identity, error) {
	root, err := publishing.EntityByID(ctx, q, c.Root)
	if err != nil {
		return Identity{}, err
	}
	id := Identity{Key: c.Key, Root: root.Ref, Created: c.Created}
	if c.run == 0 {
		return id, nil
	}
	runs, err := catalog.Runs(ctx, q, []catalog.RunID{c.run})
	if err != nil {
		return Identity{}, err
	}
	id.Title, id.Language = runs[c.run].Title, runs[c.run].Language
	return id, nil
}

// Adopt makes a learning package the course id.Key, with root as its root container: the rows of the catalog, and that of
// the course. A key that is taken is a Conflict.
func Adopt(ctx context.Context, tx *db.Tx, pkg publishing.Package, root publishing.EntityID, id Identity) (*Course, error) {
	if err := catalogKey(id.Key); err != nil {
		return nil, err
	}
	if _, err := Find(ctx, tx, id.Key); err == nil {
		return nil, fault.Errorf(fault.Conflict, id.Key.String(), "there is a %s with this key", noun(id.Key))
	} else if !fault.Is(err, fault.NotFound) {
		return nil, err
	}
	if err := freeKey(ctx, tx, id.Key); err != nil {
		return nil, err
	}
	c := &Course{Key: id.Key, Package: pkg, Root: root, Created: id.Created}
	var run any
	if id.Key.IsCourse() {
		var err error
		if c.run, err = catalog.EnsureRun(ctx, tx, id.Key, id.Title, id.Language); err != nil {
			return nil, err
		}
		run = c.run
	}
	ids, err := tx.InsertIDs(ctx, "lectern_course",
		[]string{"learning_package_id", "course_key", "course_run_id", "root_entity_id", "created"}, 1, func(_ int, v []any) {
			v[0], v[1], v[2], v[3], v[4] = pkg.ID, id.Key.String(), run, root, c.Created
		})
	if err != nil {
		return nil, err
	}
	c.id = ids[0]
	return c, nil
}

// Replace makes another learning package the content of c, with root as its root container. What was the content stays
// a package, with its history and labels, but is no course any more.
func (c *Course) Replace(ctx context.Context, tx *db.Tx, pkg publishing.Package, root publishing.EntityID) error {
	if _, err := tx.Exec(ctx, `UPDATE lectern_course SET learning_package_id = ?, root_entity_id = ? WHERE id = ?`, pkg.ID, root, c.id); err != nil {
		return err
	}
	c.Package, c.Root = pkg, root
	return nil
}

// Packages returns which learning packages are courses or legacy libraries.
func Packages(ctx context.Context, q db.Querier) (map[publishing.PackageID]bool, error) {
	out := map[publishing.PackageID]bool{}
	err := q.Query(ctx, `SELECT learning_package_id FROM lectern_course`, nil, func(r *db.Row) error {
		var id int64
		err := r.Scan(&id)
		out[publishing.PackageID(id)] = true
		return err
	})
	return out, err
}

// DropLabels removes the labels of a learning package, for its deletion.
func DropLabels(ctx context.Context, tx *db.Tx, pkg publishing.PackageID) error {
	_, err := tx.Exec(ctx, `DELETE FROM lectern_label WHERE learning_package_id = ?`, pkg)
	return err
}
