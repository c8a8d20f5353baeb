package app

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/openlectern/lectern/authz/legacy"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/job"
	"github.com/openlectern/lectern/sample"
)

// start puts a job into the queue and does it.
func (s *site) start(a *App, n NewJob) Job {
	s.t.Helper()
	j, err := a.StartJob(s.t.Context(), n)
	if err != nil {
		s.t.Fatalf("%s: %v", n.Kind, err)
	}
	return s.work(j.ID)
}

func (s *site) work(id int64) Job {
	s.t.Helper()
	trouble := func(err error) { s.t.Error(err) }
	if err := s.app.WorkJobs(s.t.Context(), JobWorker{Once: true, Trouble: trouble}); err != nil {
		s.t.Fatal(err)
	}
	j, err := s.app.Job(s.t.Context(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	return j
}

func (s *site) made(a *App, j Job, name string) []byte {
	s.t.Helper()
	f, about, err := a.JobFile(s.t.Context(), j.ID, name)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(f)
	if err != nil || int64(len(b)) != about.Bytes {
		s.t.Errorf("%s: %d bytes, %v, want %d", name, len(b), err, about.Bytes)
	}
	return b
}

// TestJobs does a job of every kind, the archives of one going into the next.
func TestJobs(t *testing.T) {
	t.Parallel()
	dbtest.OnEngines(t, func(t *testing.T, e db.Engine) {
		t.Parallel()
		s := newSite(t, e)
		export := s.start(s.app, NewJob{Kind: ExportCourseJob, Options: JobOptions{Key: sample.CourseKey}})
		if export.Status != job.Done || len(export.Files) != 1 || !strings.HasSuffix(export.Files[0].Name, ".tar.gz") {
			t.Fatalf("export: %+v, %+v", export, export.Error)
		}
		var exported Exported
		if err := json.Unmarshal(export.Result, &exported); err != nil || exported.SHA256 == nil || *exported.SHA256 != export.Files[0].SHA256 {
			t.Errorf("export: %s, %v", export.Result, err)
		}
		archive := s.made(s.app, export, export.Files[0].Name)
		in := s.start(s.app, NewJob{Kind: ImportCourseJob, Options: JobOptions{Key: "course-v1:Acme+Copy+1", Message: "from a job"}, Name: `C:\my course.tar.gz`, Input: bytes.NewReader(archive)})
		if in.Status != job.Done || in.Thing != "course-v1:Acme+Copy+1" {
			t.Fatalf("import: %+v, %+v", in, in.Error)
		}
		if left, err := filepath.Glob(filepath.Join(string(s.app.folder), "*", jobInput, "*")); err != nil || len(left) > 0 {
			t.Errorf("a job is done, and what it was given is there yet: %v, %v", left, err)
		}
		var imported ImportResult
		if err := json.Unmarshal(in.Result, &imported); err != nil || imported.Created == 0 {
			t.Errorf("import: %s, %v", in.Result, err)
		}
		backup := s.start(s.app, NewJob{Kind: BackupJob, Options: JobOptions{Key: "course-v1:Acme+Copy+1"}})
		if backup.Status != job.Done || len(backup.Files) != 1 {
			t.Fatalf("backup: %+v, %+v", backup, backup.Error)
		}
		zip := s.made(s.app, backup, backup.Files[0].Name)
		restore := s.start(s.app, NewJob{Kind: RestorePackageJob, Options: JobOptions{Key: "course-v1:Acme+Again+1"}, Name: "b.zip", Input: bytes.NewReader(zip)})
		if restore.Status != job.Done {
			t.Errorf("restore: %+v, %+v", restore, restore.Error)
		}
		twice := s.start(s.app, NewJob{Kind: RestorePackageJob, Options: JobOptions{Key: "course-v1:Acme+Again+1"}, Name: "b.zip", Input: bytes.NewReader(zip)})
		if twice.Status != job.Failed || twice.Error.Code != "conflict" {
			t.Errorf("restore once more: %+v, %+v", twice, twice.Error)
		}
		all := s.start(s.app, NewJob{Kind: BackupAllJob})
		if all.Status != job.Done || len(all.Files) != 4 || s.made(s.app, all, ManifestName) == nil {
			t.Errorf("all: %+v, %+v", all.Files, all.Error)
		}
		bad := s.start(s.app, NewJob{Kind: ImportCourseJob, Name: "bad.zip", Input: strings.NewReader("no archive")})
		if bad.Status != job.Failed || bad.Error.Thing != "bad.zip" || strings.Contains(bad.Error.Message+bad.Error.Next, s.conf.Data) || bad.Result == nil {
			t.Errorf("bad archive: %+v, %s", bad.Error, bad.Result)
		}
		if bad, err := s.app.RetryJob(t.Context(), bad.ID); err != nil || s.work(bad.ID).Attempt != 2 {
			t.Errorf("again: %v", err)
		}
		// Without its files a job cannot be done, here or anywhere.
		if err := os.RemoveAll(s.app.folder.of(bad.UUID)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.app.RetryJob(t.Context(), bad.ID); err != nil {
			t.Error(err)
		}
		if got := s.work(bad.ID); got.Status != job.Failed || got.Error.Code != "not_found" {
			t.Errorf("without files: %+v", got.Error)
		}
		if _, _, err := s.app.JobFile(t.Context(), export.ID, "../in/x"); !fault.Is(err, fault.NotFound) {
			t.Errorf("another file: %v", err)
		}
	})
}

// TestJobsOfPeople checks who may start and see what, when it is asked for and when it is done.
func TestJobsOfPeople(t *testing.T) {
	t.Parallel()
	s := newSite(t, db.SQLite)
	jo, kim, staff := s.person("jo", false), s.person("kim", false), s.person("chris", true)
	export := NewJob{Kind: ExportCourseJob, Options: JobOptions{Key: sample.CourseKey}}
	for _, n := range []NewJob{
		export, {Kind: BackupAllJob}, {Kind: BackupJob, Options: JobOptions{Key: sample.CourseKey}},
		{Kind: ImportCourseJob, Name: "x", Input: strings.NewReader("x")},
		{Kind: ImportCourseJob, Options: JobOptions{Key: sample.CourseKey}, Name: "x", Input: strings.NewReader("x")},
		{Kind: RestorePackageJob, Options: JobOptions{Key: sample.CourseKey, Replace: true}, Name: "x", Input: strings.NewReader("x")},
		{Kind: PruneJob, Name: "x", Input: strings.NewReader("x")},
	} {
		if _, err := jo.StartJob(t.Context(), n); !fault.Is(err, fault.Denied) {
			t.Errorf("%s: %v, want denied", n.Kind, err)
		}
	}
	if left, _ := os.ReadDir(string(s.app.folder)); len(left) > 1 {
		t.Errorf("what was denied has left files: %v", left)
	}
	for kind, n := range map[string]NewJob{
		"no such kind": {Kind: "course delete"}, "a file too many": {Kind: BackupAllJob, Input: strings.NewReader("x")},
		"no file": {Kind: ImportCourseJob}, "format": {Kind: ExportCourseJob, Options: JobOptions{Key: sample.CourseKey, Format: "../x"}},
		"library":        {Kind: ExportLibraryJob, Options: JobOptions{Key: sample.CourseKey}},
		"no key":         {Kind: ExportCourseJob},
		"a key with NUL": {Kind: ImportCourseJob, Input: strings.NewReader("x"), Options: JobOptions{Key: "0\x00"}},
	} {
		if _, err := s.app.StartJob(t.Context(), n); !fault.Is(err, fault.Usage) {
			t.Errorf("%s: %v, want usage", kind, err)
		}
	}
	s.legacy(jo, legacy.Staff, "Lectern", sample.CourseKey)
	mine, err := jo.StartJob(t.Context(), export)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.work(mine.ID); got.Status != job.Done || got.Name == nil || *got.Name != "jo" {
		t.Errorf("jo's: %+v, %+v", got, got.Error)
	}
	for who, a := range map[string]*App{"jo": jo, "kim": kim, "chris": staff} {
		list, err := a.Jobs(t.Context(), job.Filter{})
		_, one := a.Job(t.Context(), mine.ID)
		_, log := a.JobLog(t.Context(), mine.ID)
		_, cancel := a.CancelJob(t.Context(), mine.ID)
		if who == "kim" {
			if err != nil || len(list) != 0 || !fault.Is(one, fault.NotFound) || !fault.Is(log, fault.NotFound) || !fault.Is(cancel, fault.NotFound) {
				t.Errorf("%s sees %v, %v, %v, %v, %v", who, list, err, one, log, cancel)
			}
			continue
		}
		if err != nil || len(list) != 1 || one != nil || log != nil || !fault.Is(cancel, fault.Refused) {
			t.Errorf("%s sees %v, %v, %v, %v, %v", who, list, err, one, log, cancel)
		}
	}
	// What is allowed no more when it is done is not done; and so it is when the person is gone.
	lost, err := jo.StartJob(t.Context(), export)
	if err != nil {
		t.Fatal(err)
	}
	s.exec("DELETE FROM student_courseaccessrole")
	if got := s.work(lost.ID); got.Status != job.Failed || got.Error.Code != "denied" {
		t.Errorf("without the role: %+v", got)
	}
	s.exec("UPDATE lectern_job SET created_by_id = NULL, status = 'queued' WHERE id = ?", lost.ID)
	if got := s.work(lost.ID); got.Status != job.Failed || got.Error.Code != "denied" {
		t.Errorf("without the person: %+v", got)
	}
}

// TestPlace has two servers with folders of their own: each does the jobs whose files it has.
func TestPlace(t *testing.T) {
	t.Parallel()
	s := newSite(t, db.SQLite)
	c := s.conf
	c.Media = filepath.Join(s.conf.Data, "media")
	c.Data = t.TempDir()
	other := open(t, c)
	j, err := other.StartJob(t.Context(), NewJob{Kind: BackupJob, Options: JobOptions{Key: sample.CourseKey}})
	if err != nil {
		t.Fatal(err)
	}
	if got := s.work(j.ID); got.Status != job.Queued {
		t.Errorf("done where its files are not: %+v", got)
	}
	if err := other.WorkJobs(t.Context(), JobWorker{Once: true}); err != nil {
		t.Fatal(err)
	}
	got, err := s.app.Job(t.Context(), j.ID)
	if err != nil || got.Status != job.Done {
		t.Fatalf("%+v, %v", got, err)
	}
	if _, _, err := s.app.JobFile(t.Context(), j.ID, got.Files[0].Name); !fault.Is(err, fault.NotFound) {
		t.Errorf("a file of another place: %v", err)
	}
	s.made(other, got, got.Files[0].Name)
}

// TestCancelBusy cancels a command that keeps everybody else from writing, from another process: of the row nothing can be
// written before the command's transaction ends, and yet it hears of it.
func TestCancelBusy(t *testing.T) {
	t.Parallel()
	dbtest.OnEngines(t, func(t *testing.T, e db.Engine) {
		t.Parallel()
		s := newSite(t, e)
		other, reader := open(t, s.conf), open(t, Config{DB: s.conf.DB, Data: s.conf.Data})
		busy := make(chan struct{})
		ended := make(chan error, 1)
		go func() {
			ended <- s.app.Recorded(t.Context(), ImportCourseJob, "big", nil, func(ctx context.Context, _ Progress) (any, error) {
				return nil, s.app.Update(ctx, func(tx *db.Tx) error {
					if _, err := tx.Exec(ctx, "UPDATE auth_user SET first_name = 'x'"); err != nil {
						return err
					}
					close(busy)
					<-ctx.Done()
					return ctx.Err()
				})
			})
		}()
		<-busy
		// Who only reads does not wait for it.
		began := time.Now()
		err := reader.Recorded(t.Context(), ExportCourseJob, "small", nil, func(context.Context, Progress) (any, error) { return nil, nil })
		if took := time.Since(began); err != nil || took > 20*time.Second {
			t.Errorf("a reader needed %s, %v", took, err)
		}
		list, err := other.Jobs(t.Context(), job.Filter{Status: []job.Status{job.Running}, Kind: ImportCourseJob})
		if err != nil || len(list) != 1 {
			t.Fatalf("%v, %v", list, err)
		}
		began = time.Now()
		if got, err := other.CancelJob(t.Context(), list[0].ID); err != nil || !got.Cancel {
			t.Errorf("%+v, %v", got, err)
		}
		if err := <-ended; !fault.Is(err, fault.Interrupted) || !strings.Contains(err.Error(), "cancelled") {
			t.Errorf("it ended with %v", err)
		}
		if took := time.Since(began); took > 15*time.Second {
			t.Errorf("it ended after %s", took)
		}
		if got, err := other.Job(t.Context(), list[0].ID); err != nil || got.Status != job.Cancelled {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

// TestUploadSpace fills the room for files that jobs are given: what does not fit is refused and leaves nothing.
func TestUploadSpace(t *testing.T) {
	t.Parallel()
	s := newSite(t, db.SQLite)
	s.app.uploads = 1000
	upload := func(n int) (Job, error) {
		return s.app.StartJob(t.Context(), NewJob{Kind: ImportCourseJob, Name: "c.tar.gz", Input: strings.NewReader(strings.Repeat("x", n))})
	}
	files := func() int {
		list, err := filepath.Glob(filepath.Join(string(s.app.folder), "*", jobInput, "*"))
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	if _, err := upload(1001); !fault.Is(err, fault.Refused) || files() != 0 {
		t.Errorf("more than there is room for: %v, and %d files", err, files())
	}
	first, err := upload(900)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := upload(101); !fault.Is(err, fault.Refused) || files() != 1 {
		t.Errorf("more than is left: %v, and %d files", err, files())
	}
	if _, err := upload(100); err != nil {
		t.Errorf("what just fits: %v", err)
	}
	if _, err := upload(1); !fault.Is(err, fault.Refused) {
		t.Errorf("one byte more: %v", err)
	}
	if j := s.work(first.ID); j.Status != job.Failed || files() != 2 { // it may be tried again
		t.Errorf("%+v, and %d files", j, files())
	}
	list, err := s.app.Jobs(t.Context(), job.Filter{})
	if err != nil || len(list) != 2 {
		t.Errorf("%d jobs, %v", len(list), err)
	}
	if n, err := s.app.CountJobs(t.Context()); err != nil || n != (job.Counts{Failed: 2}) {
		t.Errorf("counts %+v, %v", n, err)
	}
}
