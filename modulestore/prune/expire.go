package prune

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/openlectern/lectern/fault"
)

// ExpireOptions say which archives are over.
type ExpireOptions struct {
	After time.Duration // how much longer than undo works an archive stays
	By    string        // who does it
	Now   time.Time
	Write bool // remove them, rather than say what would be
}

// Archive is what [Expire] finds in one folder.
type Archive struct {
	Folder   string    `json:"folder"`
	Database string    `json:"database"`
	Plan     string    `json:"plan"` // digest
	Until    time.Time `json:"restorable_until"`
	Bytes    int64     `json:"bytes"` // of what was removed from the database
	State    string    `json:"state"` // one of the constants below
}

// What becomes of an archive.
const (
	ArchiveRestorable = "restorable" // undo works, or its time was over only a short while ago
	ArchiveUnfinished = "unfinished" // apply or undo was stopped in it and has to go on first
	ArchiveOver       = "over"       // it would be removed
	ArchiveExpired    = "expired"    // its documents are removed
)

// Expire removes the documents from archives whose time to restore is over (PR-10). Their ledger and audit log stay, so that undo can
// say why there is nothing to put back. A folder is an archive, or has some right in it. An archive in use ends it as fault.Conflict;
// it may be run again.
func Expire(ctx context.Context, folders []string, o ExpireOptions) (list []Archive, err error) {
	for _, folder := range folders {
		dirs, err := archivesIn(folder)
		if err != nil {
			return nil, err
		}
		for _, dir := range dirs {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			a, err := expire(dir, o)
			if err != nil {
				return nil, err
			}
			list = append(list, a)
		}
	}
	return list, nil
}

// archivesIn returns the folder itself if it is an archive, else those in it, by name.
func archivesIn(folder string) (dirs []string, err error) {
	if _, err := os.Stat(filepath.Join(folder, ledgerName)); err == nil {
		return []string{folder}, nil
	}
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fault.Errorf(fault.Unavailable, folder, "%w", err)
	}
	for _, e := range entries {
		dir := filepath.Join(folder, e.Name())
		if _, err := os.Stat(filepath.Join(dir, ledgerName)); err == nil {
			dirs = append(dirs, dir)
		}
	}
	if len(dirs) == 0 {
		return nil, fault.Errorf(fault.NotFound, folder, "there is no archive of split prune apply").WithNext("name the folder that was given to apply with --archive, or one that holds such folders")
	}
	slices.Sort(dirs)
	return dirs, nil
}

func expire(dir string, o ExpireOptions) (_ Archive, err error) {
	a, err := openArchive(dir, headLine{})
	if err != nil {
		return Archive{}, err
	}
	defer func() { err = errors.Join(err, a.close()) }()
	out := Archive{Folder: dir, Database: a.head.Database, Plan: a.head.Plan, Until: a.head.Until, State: ArchiveOver}
	for _, b := range a.batches {
		out.Bytes += b.Bytes
	}
	switch {
	case !a.expired.IsZero(): // what a killed run left goes now
	case a.unfinished():
		out.State = ArchiveUnfinished
		return out, nil
	case !o.Now.After(a.head.Until.Add(o.After)):
		out.State = ArchiveRestorable
		return out, nil
	}
	if !o.Write {
		if !a.expired.IsZero() {
			out.State = ArchiveExpired
		}
		return out, nil
	}
	out.State = ArchiveExpired
	if a.expired.IsZero() {
		if err := errors.Join(a.audit(o.By, "expire plan "+a.head.Plan, o.Now), a.write(line{Note: "expired", At: o.Now.UTC()})); err != nil {
			return out, err
		}
	}
	if err := errors.Join(os.RemoveAll(filepath.Join(dir, "dump")), os.RemoveAll(filepath.Join(dir, cutsName)), syncFolder(dir)); err != nil {
		return out, fault.Errorf(fault.Unavailable, dir, "%w", err).WithNext("run it again: it goes on")
	}
	return out, nil
}
