package takeover

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/lease"
)

// rehearsals are counted, so that two of one process do not meet.
var rehearsals atomic.Int64

// fileStage is a copy of a SQLite file in the same folder. The copy's name says whose it is, so that what a killed process
// left can be told from the copy of one that runs, and any number can run at once.
type fileStage struct {
	place, path string                            // of the original
	copy        string                            // the copy's path
	room        func(folder string) (int64, bool) // how many bytes are free
	d           *db.DB
}

const copySuffix = "-lectern-rehearsal-"

func (s *fileStage) clear(context.Context) error {
	folder, prefix := filepath.Dir(s.path), filepath.Base(s.path)+copySuffix
	entries, err := os.ReadDir(folder)
	if err != nil {
		return fmt.Errorf("look for what a rehearsal left: %w", err)
	}
	var errs []error
	for _, e := range entries {
		// "<mark>_<number>", then perhaps "-wal" and the like.
		if rest, ours := strings.CutPrefix(e.Name(), prefix); ours {
			if mark, _, _ := strings.Cut(rest, "_"); lease.Gone(mark) {
				errs = append(errs, os.Remove(filepath.Join(folder, e.Name())))
			}
		}
	}
	return errors.Join(errs...)
}

func (s *fileStage) fill(ctx context.Context) (*db.DB, error) {
	size := int64(0)
	for _, name := range []string{s.path, s.path + "-wal"} {
		if info, err := os.Stat(name); err == nil {
			size += info.Size()
		}
	}
	// The copy, a table that is made anew in it, and the log through which that goes.
	const times, least = 3, 16 << 20
	need := times*size + least
	if free, known := s.room(filepath.Dir(s.path)); known && free < need {
		return nil, fault.Errorf(fault.Refused, s.path, "a rehearsal needs %d MiB beside it, and %d MiB are free", need>>20, free>>20).
			WithNext("make room, or rehearse with a copy of the file elsewhere: lectern db migrate --rehearse --db COPY")
	}
	s.copy = fmt.Sprintf("%s%s%s_%d", s.path, copySuffix, lease.Mark(), rehearsals.Add(1))
	if err := db.CopyFile(ctx, s.place, s.copy); err != nil {
		return nil, fmt.Errorf("copy the file: %w", err)
	}
	place, err := db.Beside(s.place, filepath.Base(s.copy))
	if err == nil {
		s.d, err = db.Open(ctx, place, db.Options{})
	}
	return s.d, err
}

func (s *fileStage) remove(context.Context) error {
	if s.copy == "" {
		return nil
	}
	var errs []error
	if s.d != nil {
		errs = append(errs, s.d.Close())
	}
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		if err := os.Remove(s.copy + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
