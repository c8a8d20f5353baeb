package app

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/internal/goldendb"
	"github.com/openlectern/lectern/job"
)

// old is a database of the time of Ulmo, and nothing of Lectern's in it.
func old(t *testing.T, e db.Engine) (c Config, jobs func() []Job) {
	t.Helper()
	if len(goldendb.Starts(t, e, "U")) == 0 {
		return c, nil
	}
	url := dbtest.URL(t, e)
	d, err := db.Open(t.Context(), url, db.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	goldendb.Load(t, d, "U")
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	c = Config{DB: url, Data: filepath.Join(t.TempDir(), "data")}
	return c, func() (list []Job) {
		t.Helper()
		list, err := withOld(t, c, func(a *App) ([]Job, error) { return a.Jobs(t.Context(), job.Filter{}) })
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
}

// withOld opens a database of any age for what concerns jobs.
func withOld[T any](t *testing.T, c Config, fn func(*App) (T, error)) (out T, err error) {
	t.Helper()
	c.OnlyJobs = true
	a, err := Open(t.Context(), c)
	if err != nil {
		return out, err
	}
	defer func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}()
	return fn(a)
}

// TestMigrateIsSeen migrates a database while somebody looks: the run is a job from its first step, can be cancelled by
// another process, and goes on by another job.
func TestMigrateIsSeen(t *testing.T) {
	t.Parallel()
	dbtest.OnEngines(t, func(t *testing.T, e db.Engine) {
		t.Parallel()
		c, jobs := old(t, e)
		if jobs == nil {
			return // this engine had no such sites
		}
		c.OnlyJobs = true
		if a, err := Open(t.Context(), c); !fault.Is(err, fault.Refused) {
			t.Errorf("before anything of ours is there: %v, %v", a, err)
		}
		c.OnlyJobs = false
		const stopAt = 3
		_, err := Migrate(t.Context(), c, Takeover{Progress: func(step string, n, of int) {
			if n > stopAt {
				time.Sleep(time.Second) // for who runs it to hear of it, on a machine that does much else
			}
			if n != stopAt {
				return
			}
			list := jobs()
			if len(list) != 1 || list[0].Kind != MigrateJob || list[0].Status != job.Running || !list[0].Foreground || !strings.Contains(list[0].Worker, "process") {
				t.Errorf("while it works: %+v", list)
				return
			}
			writing := c
			writing.Write, writing.Existing = true, true
			if j, err := withOld(t, writing, func(a *App) (Job, error) { return a.CancelJob(t.Context(), list[0].ID) }); err != nil || !j.Cancel {
				t.Errorf("cancel: %+v, %v", j, err)
			}
			time.Sleep(1500 * time.Millisecond) // who runs it looks every second
		}})
		if !fault.Is(err, fault.Interrupted) {
			t.Fatalf("after the cancel: %v", err)
		}
		if list := jobs(); len(list) != 1 || list[0].Status != job.Cancelled || list[0].Progress.Done < stopAt || list[0].Progress.Total <= stopAt {
			t.Errorf("cancelled: %+v", list)
		}
		if found, err := Status(t.Context(), c); err != nil || found.Lectern || found.Holder != nil {
			t.Errorf("afterwards the database is %+v, %v", found, err)
		}
		o := Takeover{}
		if o.Catalog = e == db.SQLite; !o.Catalog {
			o.To = "0003" // the rest is the same there, and takes long
		}
		if _, err := Migrate(t.Context(), c, o); err != nil {
			t.Fatal(err)
		}
		list := jobs()
		if len(list) != 2 || list[0].Status != job.Done || list[0].Progress.Done != list[0].Progress.Total {
			t.Fatalf("done: %+v", list)
		}
		log, err := withOld(t, c, func(a *App) ([]job.Line, error) { return a.JobLog(t.Context(), list[0].ID) })
		if err != nil || len(log) < 2 || !strings.HasSuffix(log[len(log)-1].Text, " is done") {
			t.Errorf("log: %v, %v", log, err)
		}
		if !o.Catalog {
			return
		}
		// What makes the other tables of Lectern's passes over those that are there.
		if _, err := Init(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if list := jobs(); len(list) != 2 {
			t.Errorf("after all tables of ours were made: %+v", list)
		}
		if found, err := Verify(t.Context(), c, VerifyOptions{}); err != nil || len(found.Findings) > 0 && found.Findings[0].Severity == "error" {
			t.Errorf("verify: %+v, %v", found.Findings, err)
		}
	})
}

// TestMigrateLost looks at the job of a run of which the process is gone: nothing is stuck, on tables of any age.
func TestMigrateLost(t *testing.T) {
	t.Parallel()
	c, jobs := old(t, db.SQLite)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	_, err := Migrate(ctx, c, Takeover{Progress: func(_ string, n, _ int) {
		if n == 2 {
			d, err := db.Open(t.Context(), c.DB, db.Options{})
			if err != nil {
				t.Error(err)
				return
			}
			// As it is when the time of a lease has run out.
			if _, err := d.Exec(t.Context(), "DELETE FROM lectern_lock WHERE name LIKE 'job %'"); err != nil {
				t.Error(err)
			}
			if err := d.Close(); err != nil {
				t.Error(err)
			}
			if list := jobs(); len(list) != 1 || list[0].Status != job.Failed || list[0].Error == nil || list[0].Error.Code != fault.Interrupted.Code() {
				t.Errorf("a job of which nobody holds the lease: %+v", list)
			}
			stop()
		}
	}})
	if err == nil {
		t.Error("it went on after it was told to end")
	}
}

// TestRevertIsSeen gives names back, which is a job, too; one that there is nothing to do for is none.
func TestRevertIsSeen(t *testing.T) {
	t.Parallel()
	c, jobs := old(t, db.SQLite)
	for range 2 {
		o := Takeover{}
		o.To = "0003"
		if _, err := Migrate(t.Context(), c, o); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := RevertNames(t.Context(), c, Takeover{}); err != nil {
		t.Fatal(err)
	}
	list := jobs()
	if len(list) != 2 || list[0].Kind != RevertNamesJob || list[0].Status != job.Done || list[1].Kind != MigrateJob {
		t.Errorf("%+v", list)
	}
	if found, err := DropOwn(t.Context(), c, Takeover{}); err != nil || found.Dropped["lectern_job"] != 2 {
		t.Errorf("dropping what is ours: %+v, %v", found, err)
	}
}
