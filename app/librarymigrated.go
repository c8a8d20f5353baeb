package app

import (
	"cmp"
	"context"
	"errors"

	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/migrator"
)

// LibraryMigrated is what became of a migration. In a dry run nothing of it is kept.
type LibraryMigrated struct {
	Task    string           `json:"task,omitempty"`
	Target  string           `json:"target"`
	State   string           `json:"state"`
	Sources []MigratedSource `json:"sources"`
}

// MigratedSource is what became of one source.
type MigratedSource struct {
	Source       string         `json:"source"`
	Title        string         `json:"title"`
	Failed       bool           `json:"is_failed"`
	Error        string         `json:"error,omitempty"`
	Created      int            `json:"created"`
	Updated      int            `json:"updated"`
	Restored     int            `json:"restored"`
	Unchanged    int            `json:"unchanged"`
	Skipped      int            `json:"skipped"`
	Unsupported  int            `json:"unsupported"`
	Unidentified int            `json:"unidentified"`
	Misplaced    int            `json:"misplaced"`
	Collection   string         `json:"collection,omitempty"`
	Forwarded    bool           `json:"forwarded"`
	ChangeLog    string         `json:"change_log,omitempty"`
	Blocks       []MigratedNote `json:"blocks"` // those that there is something to say of
}

// MigratedNote says why a block did not make it, or what it lacks there.
type MigratedNote struct {
	Source string `json:"source"`
	Target string `json:"target,omitempty"`
	Code   string `json:"code"`
	Reason string `json:"reason"`
}

// FailedSources returns how many of the sources failed.
func (r *LibraryMigrated) FailedSources() (n int) {
	for _, s := range r.Sources {
		if s.Failed {
			n++
		}
	}
	return n
}

// take notes what became of a source.
func (s *MigratedSource) take(d *migrator.Done, library keys.Context) {
	s.Created, s.Updated, s.Restored, s.Unchanged, s.Skipped, s.Unsupported = 0, 0, 0, 0, 0, 0
	s.Unidentified, s.Misplaced, s.Collection, s.Forwarded = d.Plan.Unidentified, d.Plan.Misplaced, d.Collection, d.Forwarded
	if d.ChangeLog != 0 {
		s.ChangeLog = publishing.LogName(false, d.ChangeLog)
	}
	for _, step := range d.Plan.Steps {
		switch step.Action {
		case migrator.Create:
			s.Created++
		case migrator.Change:
			s.Updated++
		case migrator.Restore:
			s.Restored++
		case migrator.Same:
			s.Unchanged++
		case migrator.Leave:
			s.Skipped++
		case migrator.Refuse:
			s.Unsupported++
		}
		if step.Reason != nil {
			n := MigratedNote{Source: step.Key, Code: step.Reason.Code, Reason: step.Reason.Text}
			if step.Action != migrator.Refuse {
				n.Target = targetKey(library, step.Kind, step.Type(), step.Code)
			}
			s.Blocks = append(s.Blocks, n)
		}
	}
}

// targetKey returns the key of an entity of a library; kind is the type of a container, "" of a component.
func targetKey(library keys.Context, kind, name, code string) string {
	if kind != "" {
		k, err := library.Container(kind, code)
		if err != nil {
			return ""
		}
		return k.String()
	}
	k, err := library.Usage(name, code)
	if err != nil {
		return ""
	}
	return k.String()
}

// rehearseMigration does everything in one transaction that comes to nothing.
func (a *App) rehearseMigration(ctx context.Context, r *asked) (*LibraryMigrated, error) {
	w := &migrating{App: a, r: r, out: LibraryMigrated{Target: r.Target, State: migrator.Succeeded}}
	err := a.Update(ctx, func(tx *db.Tx) error {
		w.out.Sources = nil
		for i, key := range r.keys {
			read := r.lazy[i].read
			if read == nil {
				read = func() (migrator.Source, error) { return loadSource(ctx, tx, a.Files, key) }
			}
			src, err := read()
			if err != nil {
				return err
			}
			s := MigratedSource{Source: key.String(), Title: src.Title, Blocks: []MigratedNote{}}
			done, err := r.run(src, i, a).Run(ctx, tx)
			switch {
			case fault.Is(err, fault.Refused) || fault.Is(err, fault.Conflict): // found while planning, before anything was written
				s.Failed, s.Error = true, inWords(err)
			case err != nil:
				return err
			default:
				s.take(done, r.target)
				s.ChangeLog = ""
			}
			w.out.Sources = append(w.out.Sources, s)
		}
		return nil
	})
	if err == nil && w.out.FailedSources() == len(w.out.Sources) {
		w.out.State = migrator.Failed
	}
	return &w.out, err
}

// inWords is what is wrong in words for people.
func inWords(err error) string {
	var e *fault.Error
	if errors.As(err, &e) {
		return cmp.Or(e.Error(), "unknown")
	}
	return err.Error()
}
