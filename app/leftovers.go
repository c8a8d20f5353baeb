package app

import (
	"context"
	"errors"
	"sync"

	"github.com/google/uuid"

	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
)

// rarely is a file store where looking for leftovers costs enough to say when it is time.
type rarely interface {
	Due(ctx context.Context, age media.Age) (bool, error)
}

// sweep removes files that writers before us left behind. A dry run does not.
func (a *App) sweep(ctx context.Context) error {
	if r, ok := a.Files.(rarely); ok {
		if due, err := r.Due(ctx, media.GuardAge); err != nil || !due {
			return err
		}
	}
	_, err := a.Sweep(ctx, media.GuardAge)
	return err
}

// make runs fn as [App.Update] does, where fn may make a learning package. When it fails, or had to run again, it takes
// away the files of packages that came to nothing: nobody else can know those packages, so nobody else counts on their
// files. Files added to a package that was there before are left to the sweep, as another writer may count on them.
func (a *App) make(ctx context.Context, fn func(*db.Tx, media.Files) error) error {
	files := &noting{Files: a.Files, seen: map[uuid.UUID]bool{}}
	err := a.Update(ctx, func(tx *db.Tx) error { return fn(tx, files) })
	sweeper, ok := a.Files.(media.Sweeper)
	if !ok || len(files.seen) == 0 {
		return err
	}
	// What was begun is cleared up also when nobody waits for it any more.
	return errors.Join(err, a.clear(context.WithoutCancel(ctx), sweeper, files.seen))
}

// clear removes all files of those of the packages that do not exist.
func (a *App) clear(ctx context.Context, files media.Sweeper, packages map[uuid.UUID]bool) error {
	exist, err := publishing.Packages(ctx, a.DB)
	if err != nil {
		return err
	}
	for _, p := range exist {
		delete(packages, p.UUID)
	}
	for id := range packages {
		all, err := files.Old(ctx, id, 0)
		if err != nil {
			return err
		}
		if _, err := files.Remove(ctx, id, all, 0); err != nil {
			return err
		}
	}
	return nil
}

// noting is a file store that notes which packages files are put for.
type noting struct {
	media.Files
	mu   sync.Mutex // guards seen
	seen map[uuid.UUID]bool
}

// Put passes the blobs on.
func (n *noting) Put(ctx context.Context, pkg uuid.UUID, blobs []media.Blob) error {
	n.mu.Lock()
	n.seen[pkg] = true
	n.mu.Unlock()
	return n.Files.Put(ctx, pkg, blobs)
}
