package app

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/openlectern/lectern/course"
	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/olx"
	"github.com/openlectern/lectern/olx/archive"
)

// Exported describes a written archive.
type Exported struct {
	Course string  `json:"course"`
	At     string  `json:"at"`
	Files  int     `json:"files"`
	Bytes  int64   `json:"bytes"`
	SHA256 *string `json:"sha256"` // null for a folder
	// Skipped are the drafted blocks that the format cannot hold, because their parents are not published (olx.md §1.15).
	Skipped []string `json:"skipped"`
}

// Export writes a course to an archive: without a moment the published tree with drafts/ beside it, with one that state
// alone. The archive's time is that of the entry exported, so equal content gives equal bytes.
// progress may be nil.
func (a *App) Export(ctx context.Context, key keys.Course, path, moment string, progress Progress) (*Exported, error) {
	if err := a.mayCourse(ctx, "Export", key); err != nil {
		return nil, err
	}
	var state courseware.State
	var m course.Moment
	var modified time.Time
	progress.begin("reading the course")
	err := a.View(ctx, func(tx *db.Tx) error {
		c, at, err := a.at(ctx, tx, key, moment, "published")
		if err != nil {
			return err
		}
		both := moment == "" && !hasBranch(key)
		if both && at.Name() == "" { // never published: the drafts are all there is
			if at, err = c.Resolve(ctx, tx, "draft"); err != nil {
				return err
			}
		}
		m = at
		if modified, err = c.Time(ctx, tx, at); err != nil {
			return err
		}
		if both {
			state, err = c.LoadState(ctx, tx, a.Files)
			return err
		}
		state.Published, err = c.Load(ctx, tx, a.Files, at)
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &Exported{Course: state.Published.Key.String(), At: m.Name(), Skipped: []string{}}
	progress.begin("writing the archive")
	w, err := a.target(ctx, path, modified)
	if err != nil {
		return nil, err
	}
	if err := olx.Write(ctx, w, state, olx.WriteOptions{Key: state.Published.Key, Progress: progress.step("files"), Skipped: func(id courseware.BlockID) {
		name := id.String()
		if k, err := state.Published.Key.Usage(id.Type, id.Name); err == nil {
			name = k.String()
		}
		out.Skipped = append(out.Skipped, name)
	}}); err != nil {
		return nil, errors.Join(err, w.Discard())
	}
	written, err := w.Close()
	if err != nil {
		return nil, err
	}
	if a.dryRun && folder(path) {
		written.Bytes, written.SHA256 = written.Content, "" // as it would be
	}
	out.Files, out.Bytes = written.Files, written.Bytes
	if written.SHA256 != "" {
		out.SHA256 = &written.SHA256
	}
	return out, nil
}

// target starts the archive at path; in a dry run one that is written nowhere.
func (a *App) target(ctx context.Context, path string, modified time.Time) (*archive.Writer, error) {
	switch {
	case !a.dryRun:
		return archive.Create(ctx, path, modified)
	case strings.HasSuffix(strings.ToLower(path), ".zip"):
		return archive.NewZip(ctx, io.Discard, modified), nil
	}
	return archive.NewTarGz(ctx, io.Discard, modified), nil
}

// folder reports whether an export to path is a folder (archive.Create).
func folder(path string) bool {
	path = strings.ToLower(path)
	return !strings.HasSuffix(path, ".tar.gz") && !strings.HasSuffix(path, ".tgz") && !strings.HasSuffix(path, ".zip")
}
