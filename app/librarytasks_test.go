package app

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/openlectern/lectern/content/collections"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/job"
	"github.com/openlectern/lectern/migrator"
)

// TestLibraryTasks: a task is there as soon as it was asked for, and is its owner's alone (T2, T3, T4, T5, T6), on every engine.
func TestLibraryTasks(t *testing.T) {
	t.Parallel()
	dbtest.OnEngines(t, func(t *testing.T, e db.Engine) {
		s, m := withShelf(t, e)
		ann, bob := s.person("ann", true), s.person("bob", true)
		m.CreateCollections = true
		start := func(a *App) *LibraryTask {
			t.Helper()
			task, err := a.StartLibraryTask(t.Context(), m)
			if err != nil {
				t.Fatal(err)
			}
			return task
		}
		look := func(id uuid.UUID) *LibraryTask {
			t.Helper()
			task, err := s.app.LibraryTask(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			return task
		}
		jobOf := func(id uuid.UUID) job.Job {
			t.Helper()
			j, found, err := job.WithUUID(t.Context(), s.app.DB, id)
			if err != nil || !found {
				t.Fatalf("the task %s has no job: %v", id, err)
			}
			return j
		}
		first := start(ann)
		if first.State != migrator.Pending || first.Completed != 0 || first.Total != 11 || first.Attempts != 1 || len(first.Sources) != 1 || first.Sources[0].By != "ann" {
			t.Errorf("begun: %+v", first)
		}
		if err := s.app.endLost(t.Context()); err != nil || look(first.UUID).State != migrator.Pending { // what waits is not lost
			t.Errorf("it is %s (%v)", look(first.UUID).State, err)
		}
		second := start(ann) // T4: the same user's older one is cancelled, another user's is not
		other := start(bob)
		if a, b := look(first.UUID), look(second.UUID); a.State != migrator.Canceled || !a.Sources[0].Failed || b.State != migrator.Pending {
			t.Errorf("the first is %s, the second %s", a.State, b.State)
		}
		if j := s.work(jobOf(first.UUID).ID); j.Status != job.Failed || j.Error.Code != "interrupted" {
			t.Errorf("the job of the first is %s: %+v", j.Status, j.Error)
		}
		if got := look(second.UUID); got.State != migrator.Succeeded || got.Attempts != 1 || got.Sources[0].Collection == "" || got.Sources[0].Blocks == 0 {
			t.Errorf("the second: %+v", got)
		}
		if got := look(other.UUID); got.State != migrator.Succeeded {
			t.Errorf("the other's: %+v", got)
		}
		list, count, err := ann.LibraryTasks(t.Context(), 0, 1)
		if err != nil || count != 2 || len(list) != 1 || list[0].UUID != second.UUID {
			t.Errorf("ann's: %d of %d (%v)", len(list), count, err)
		}
		if _, count, err := s.app.LibraryTasks(t.Context(), 0, 1); err != nil || count != 3 {
			t.Errorf("everybody's: %d (%v)", count, err)
		}
		if _, err := bob.LibraryTask(t.Context(), second.UUID); !fault.Is(err, fault.NotFound) {
			t.Errorf("another's: %v, want not found", err)
		}

		// Cancelled while it waits, by the one way and the other.
		third := start(ann)
		if got, err := s.app.CancelLibraryTask(t.Context(), third.UUID); err != nil || got.State != migrator.Canceled || jobOf(third.UUID).Status != job.Cancelled {
			t.Errorf("cancelled: %+v (%v), its job is %s", got, err, jobOf(third.UUID).Status)
		}
		fourth := start(ann)
		if _, err := ann.CancelJob(t.Context(), jobOf(fourth.UUID).ID); err != nil || look(fourth.UUID).State != migrator.Canceled {
			t.Errorf("%v, the task is %s", err, look(fourth.UUID).State)
		}
		if _, err := ann.RetryJob(t.Context(), jobOf(fourth.UUID).ID); !fault.Is(err, fault.Refused) { // T3
			t.Errorf("tried again: %v, want refused", err)
		}
		if got, err := s.app.CancelLibraryTask(t.Context(), second.UUID); err != nil || got.State != migrator.Succeeded {
			t.Errorf("cancelled after its end: %+v (%v)", got, err)
		}

		// The source is gone when it runs: the task says so (V4).
		m.Sources = []string{"course-v1:Acme+Gone+1"}
		gone := start(s.app.As(bob.actor))
		s.work(jobOf(gone.UUID).ID)
		if got := look(gone.UUID); got.State != migrator.Failed || !got.Sources[0].Failed || len(got.Artifacts) != 1 {
			t.Errorf("%+v", got)
		} else if a, err := bob.LibraryArtifact(t.Context(), got.Artifacts[0].UUID); err != nil || a.Name != "Error" {
			t.Errorf("%+v, %v", a, err)
		} else if _, err := ann.LibraryArtifact(t.Context(), a.UUID); !fault.Is(err, fault.NotFound) {
			t.Errorf("another's artifact: %v, want not found", err)
		}
	})
}

// TestLostTask: the task of a job whose worker was lost for good ends when somebody asks for it (T6).
func TestLostTask(t *testing.T) {
	t.Parallel()
	s, m := withShelf(t, db.SQLite)
	task, err := s.app.StartLibraryTask(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	s.update(func(tx *db.Tx) error {
		_, err := tx.Exec(t.Context(), `UPDATE lectern_job SET status = 'failed'`)
		return err
	})
	got, err := s.app.LibraryTask(t.Context(), task.UUID)
	if err != nil || got.State != migrator.Failed || len(got.Artifacts) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestStartLibraryTaskRefused: nothing is begun where something is wrong with the request (V1, V2, V3, V6).
func TestStartLibraryTaskRefused(t *testing.T) {
	t.Parallel()
	s, good := withShelf(t, db.SQLite)
	jo := s.person("jo", false)
	for name, c := range map[string]struct {
		who    *App
		change func(*LibraryMigration)
		kind   fault.Kind
	}{
		"rights":     {jo, func(*LibraryMigration) {}, fault.Denied},
		"collection": {s.app, func(m *LibraryMigration) { m.Collections = []string{"elsewhere"} }, fault.Usage},
		"target":     {s.app, func(m *LibraryMigration) { m.Target = "lib:Acme:None" }, fault.NotFound},
		"twice":      {s.app, func(m *LibraryMigration) { m.Sources = append(m.Sources, m.Sources...) }, fault.Usage},
		"folder":     {s.app, func(m *LibraryMigration) { m.Sources, m.Archives = []string{s.src}, true }, fault.Usage},
	} {
		m := good
		c.change(&m)
		if _, err := c.who.StartLibraryTask(t.Context(), m); !fault.Is(err, c.kind) {
			t.Errorf("%s: %v, want %v", name, err, c.kind)
		}
	}
	if list, count, err := s.app.LibraryTasks(t.Context(), 0, 10); err != nil || count+len(list) != 0 {
		t.Errorf("%d tasks (%v)", count, err)
	}
	if list, err := s.app.Jobs(t.Context(), job.Filter{}); err != nil || len(list) != 0 {
		t.Errorf("%d jobs (%v)", len(list), err)
	}
}

// TestCollectionGone: X1, X3 and X7. What comes after the content is of the same transaction: a collection that goes away
// meanwhile takes the source back, and the reason stays.
func TestCollectionGone(t *testing.T) {
	t.Parallel()
	dbtest.OnEngines(t, func(t *testing.T, e db.Engine) {
		s, m := withShelf(t, e)
		drop := func(code string) {
			s.update(func(tx *db.Tx) error {
				pkg, err := libraryPackage(t.Context(), tx, shelf)
				if err == nil {
					_, err = collections.Delete(t.Context(), tx, pkg.ID, code)
				}
				return err
			})
		}
		s.update(func(tx *db.Tx) error {
			pkg, err := libraryPackage(t.Context(), tx, shelf)
			if err == nil {
				_, err = collections.Create(t.Context(), tx, pkg.ID, []collections.New{{Code: "mine", Title: "Mine"}})
			}
			return err
		})
		before, gone := s.packages(), false
		m.Collections = []string{"mine"}
		m.Progress = func(step string, _, _ int) {
			if !gone && strings.HasPrefix(step, "loading") {
				gone = true
				drop("mine")
			}
		}
		out, err := s.app.MigrateToLibrary(t.Context(), m)
		if !fault.Is(err, fault.Refused) || out.State != migrator.Failed || !strings.Contains(out.Sources[0].Error, "mine") {
			t.Fatalf("%+v, %v", out, err)
		}
		list, err := s.app.LibraryMigrations(t.Context(), shelf)
		if err != nil || len(list) != 1 || !list[0].Failed || list[0].Forwarded || list[0].Blocks != 0 || len(list[0].Errors) != 1 || s.packages() != before {
			t.Errorf("%+v (%v); %d entities, %d before", list, err, s.packages(), before)
		}
		m.Collections, m.Progress = nil, nil // nothing of it is known, and nothing comes twice
		if out, err := s.app.MigrateToLibrary(t.Context(), m); err != nil || out.Sources[0].Created == 0 || out.Sources[0].Skipped != 0 {
			t.Errorf("once more: %+v (%v)", out, err)
		}
	})
}
