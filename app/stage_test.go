package app

import (
	"errors"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/authz/legacy"
	"github.com/openlectern/lectern/content/backup"
	"github.com/openlectern/lectern/content/prune"
	"github.com/openlectern/lectern/course"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/flags"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/job"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/oldcourse"
	"github.com/openlectern/lectern/sample"
)

const oldKey = "AcmeU/BIO1/2013"

func (s *site) stage(to oldcourse.Stage) {
	s.t.Helper()
	if _, err := s.app.SetLegacyStage(s.t.Context(), StageChange{Stage: &to}); err != nil {
		s.t.Fatal(err)
	}
}

// underOldKeys are the use cases that take the key of a course, given one of the old store.
func (s *site) underOldKeys(out string) map[string]func(a *App) error {
	ctx := s.t.Context()
	old, fresh := s.course(oldKey), s.course("course-v1:AcmeU+BIO1+2026")
	block := usage(s.t, "i4x://AcmeU/BIO1/problem/p1")
	olx := []byte(`<problem/>`)
	start := func(kind string, input io.Reader) func(a *App) error {
		return func(a *App) error {
			_, err := a.StartJob(ctx, NewJob{Kind: kind, Input: input, Options: JobOptions{Key: oldKey}})
			return err
		}
	}
	return map[string]func(a *App) error{
		"Show":    func(a *App) error { _, err := a.Show(ctx, old, "", 1); return err },
		"Blocks":  func(a *App) error { _, err := a.Blocks(ctx, []keys.Usage{block}, ""); return err },
		"Diff":    func(a *App) error { _, err := a.Diff(ctx, old, "c1", "draft", nil); return err },
		"History": func(a *App) error { _, err := a.History(ctx, old, nil, 0, ""); return err },
		"Labels":  func(a *App) error { _, err := a.Labels(ctx, old); return err },
		"Label":   func(a *App) error { _, err := a.Label(ctx, old, "x", ""); return err },
		"Unlabel": func(a *App) error { _, err := a.Unlabel(ctx, old, "x"); return err },
		"CreateBlocks": func(a *App) error {
			_, err := a.CreateBlocks(ctx, old, []NewBlock{{OLX: olx}}, course.Position{}, "")
			return err
		},
		"EditBlocks": func(a *App) error {
			_, err := a.EditBlocks(ctx, []BlockEdit{{Key: block, OLX: olx}}, "")
			return err
		},
		"MoveBlocks": func(a *App) error {
			_, err := a.MoveBlocks(ctx, []keys.Usage{block}, course.Position{}, nil, "")
			return err
		},
		"DeleteBlocks": func(a *App) error { _, err := a.DeleteBlocks(ctx, []keys.Usage{block}, nil, ""); return err },
		"Discard":      func(a *App) error { _, err := a.Discard(ctx, old, nil, ""); return err },
		"Restore":      func(a *App) error { _, err := a.Restore(ctx, old, "c1", nil, ""); return err },
		"Publish":      func(a *App) error { _, err := a.Publish(ctx, old, nil, ""); return err },
		"Export": func(a *App) error {
			_, err := a.Export(ctx, old, filepath.Join(out, "x.tar.gz"), "", nil)
			return err
		},
		"Import": func(a *App) error { _, err := a.Import(ctx, s.src, ImportOptions{Key: old}); return err },
		"Rerun":  func(a *App) error { _, err := a.Rerun(ctx, old, fresh, "", "", nil); return err },
		"Rerun to": func(a *App) error {
			_, err := a.Rerun(ctx, s.key, old, "", "", nil)
			return err
		},
		"ConvertOldSite to": func(a *App) error {
			_, err := a.ConvertOldSite(ctx, OldSite{Source: out}, ConvertOptions{To: old})
			return err
		},
		"PlanPrune": func(a *App) error {
			_, err := a.PlanPrune(ctx, []string{s.key.String(), oldKey}, prune.Policy{}, 0)
			return err
		},
		"Delete": func(a *App) error { _, err := a.Delete(ctx, old, true, ""); return err },
		"Backup": func(a *App) error {
			_, err := a.Backup(ctx, oldKey, filepath.Join(out, "x.zip"), "", nil)
			return err
		},
		"VerifyAgainst": func(a *App) error {
			_, err := a.VerifyAgainst(ctx, filepath.Join(out, "c.zip"), oldKey, backup.Limits{}, nil)
			return err
		},
		"RestorePackage": func(a *App) error {
			_, err := a.RestorePackage(ctx, filepath.Join(out, "c.zip"), PackageRestore{Key: oldKey})
			return err
		},
		"StartJob " + ExportCourseJob: start(ExportCourseJob, nil),
		"StartJob " + BackupJob:       start(BackupJob, nil),
		"StartJob " + ImportCourseJob: start(ImportCourseJob, strings.NewReader("")),
	}
}

// TestDEP31 gives every use case a key of the old store at the stage removed: operator, superuser, somebody without rights and
// nobody at all get the same refusal, with the course, the way out and the code; nothing is written and no file made. At warn nothing
// is changed or taken out either, and content is not found; and at every stage nothing is made under such a key (DEP-4, DEP-33, DEP-34).
func TestDEP31(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := newSite(t, db.SQLite)
	out := t.TempDir()
	if _, err := s.app.Backup(ctx, sample.CourseKey, filepath.Join(out, "c.zip"), "", nil); err != nil {
		t.Fatal(err)
	}
	actors := map[string]*App{"operator": s.app, "staff": s.person("root", true), "jo": s.person("jo", false), "nobody": s.app.As(Actor{})}
	calls := s.underOldKeys(out)
	for name, p := range useCases {
		if p.who == allowed && calls[name] == nil && !slices.Contains([]string{"Assign", "Unassign", "GiveRole", "TakeRole", "CreateLibrary", "MigrateToLibrary", "LibraryPreview",
			"LibraryBlocks", "LibraryCourses"}, name) { // old keys are none of their scopes, libraries and sources
			t.Errorf("%s takes the key of a course and is not called", name)
		}
	}
	makes := []string{"Import", "Rerun to", "ConvertOldSite to", "RestorePackage", "StartJob " + ImportCourseJob}
	for _, stage := range []oldcourse.Stage{oldcourse.None, oldcourse.Warn, oldcourse.Removed} {
		s.stage(stage)
		before := fingerprint(t, s.app, s.conf.Data)
		for _, name := range slices.Sorted(maps.Keys(calls)) {
			texts := map[string]bool{}
			for who, a := range actors {
				err := calls[name](a)
				var f *fault.Error
				if !errors.As(err, &f) {
					if stage != oldcourse.None || err != nil { // where exports are put into the queue, to fail there
						t.Errorf("%s as %s at %s: %v", name, who, stage, err)
					}
					continue
				}
				want := fault.OldMongo
				switch {
				case slices.Contains(makes, name), stage == oldcourse.Removed:
				case stage == oldcourse.None:
					if f.Kind == fault.OldMongo {
						t.Errorf("%s as %s at none: %v", name, who, err)
					}
					continue
				case reading[name]:
					want = fault.NotFound
				}
				d, ok := f.Data.(OldCourse)
				if f.Kind != want || !ok || !strings.HasPrefix(oldKey, d.Course) || d.Stage != string(stage) || f.Next == "" || !strings.Contains(f.Error(), d.Course) {
					t.Errorf("%s as %s at %s: %v, %+v, next %q", name, who, stage, err, f.Data, f.Next)
				}
				texts[f.Error()+f.Next] = true
			}
			if len(texts) > 1 {
				t.Errorf("%s at %s tells different people different things: %v", name, stage, texts)
			}
		}
		if stage != oldcourse.None {
			if diff := cmp.Diff(before, fingerprint(t, s.app, s.conf.Data)); diff != "" {
				t.Errorf("what was refused at %s has changed something (-before +after):\n%s", stage, diff)
			}
		}
	}
	if left, _ := filepath.Glob(filepath.Join(out, "x*")); len(left) > 0 {
		t.Errorf("what was refused has left files: %v", left)
	}
	// The key's form is all that is asked: it works with a database that is away, and so with no old store (DEP-38).
	away := s.app.As(System())
	away.env = func(name string) string { return map[string]string{StageVariable: "removed"}[name] }
	if err := s.app.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := away.Show(ctx, s.course(oldKey), "", 1); !fault.Is(err, fault.OldMongo) {
		t.Errorf("without a database: %v", err)
	}
}

// TestDEP37 holds that what works in the background passes over old courses, counts them, and ends well: moves of roles, the
// comparison of roles with the flag, and jobs that were asked for before.
func TestDEP37(t *testing.T) {
	t.Parallel()
	dbtest.OnEngines(t, func(t *testing.T, e db.Engine) {
		ctx := t.Context()
		s := newSite(t, e)
		ann := s.person("ann", false)
		s.legacy(ann, legacy.Instructor, "AcmeU", oldKey)
		j, err := s.app.StartJob(ctx, NewJob{Kind: ExportCourseJob, Options: JobOptions{Key: oldKey}})
		if err != nil {
			t.Fatal(err)
		}
		s.stage(oldcourse.Removed)
		if err := s.app.WorkJobs(ctx, JobWorker{Once: true}); err != nil {
			t.Fatal(err)
		}
		if j, err = s.app.Job(ctx, j.ID); err != nil || j.Status != job.Done || !strings.Contains(string(j.Result), `"skipped":1`) || !strings.Contains(string(j.Result), oldKey) {
			t.Errorf("the job is %s: %s, %v", j.Status, j.Result, err)
		}
		yes := true
		f := FlagRef{Name: flags.Authoring}
		if f.Scope, err = flags.ForOrg("AcmeU"); err != nil {
			t.Fatal(err)
		}
		v, err := s.app.SetFlag(ctx, f, FlagChange{On: true, Shift: &yes})
		if err != nil || v.Run == nil || v.Run.Moved != 0 || v.Run.Errors != 0 {
			t.Fatalf("%+v, %v", v.Run, err)
		}
		s.passesOver()
		drift, _, err := s.app.ReconcileRoles(ctx, false)
		if err != nil || len(drift) != 0 {
			t.Errorf("%+v, %v", drift, err)
		}
		rows, err := legacy.Select(ctx, s.app.DB, legacy.Selection{Courses: []string{oldKey}})
		if err != nil || len(rows) != 1 {
			t.Errorf("the role row is %+v, %v", rows, err)
		}
	})
}

// passesOver gives a package the key of an old course, as no command of ours would: backups and plans of all packages list it and do
// the others, at the stages at which one that names it is refused, and only there.
func (s *site) passesOver() {
	s.t.Helper()
	ctx := s.t.Context()
	s.exec("UPDATE openedx_content_learningpackage SET package_ref = ? WHERE package_ref = ?", oldKey, sample.CourseKey)
	defer s.exec("UPDATE openedx_content_learningpackage SET package_ref = ? WHERE package_ref = ?", sample.CourseKey, oldKey)
	defer s.stage(oldcourse.Removed)
	for _, stage := range []oldcourse.Stage{oldcourse.Removed, oldcourse.Warn, oldcourse.None} {
		s.stage(stage)
		folder := s.t.TempDir()
		m, err := s.app.BackupAll(ctx, folder, "", nil)
		if err != nil {
			s.t.Fatal(err)
		}
		p, err := s.app.PlanPrune(ctx, nil, prune.Policy{Last: 1}, 0)
		if err != nil {
			s.t.Fatal(err)
		}
		want := []string{oldKey}
		if stage == oldcourse.None {
			want = nil
		}
		if !slices.Equal(m.Skipped, want) || !slices.Equal(p.Skipped, want) || len(m.Failed) != 0 {
			s.t.Errorf("at %s a backup passes over %v and fails for %v, and a plan passes over %v", stage, m.Skipped, m.Failed, p.Skipped)
		}
		has := slices.ContainsFunc(m.Packages, func(b BackedUp) bool { return b.Key == oldKey })
		if files, _ := filepath.Glob(filepath.Join(folder, "*.zip")); has != (stage == oldcourse.None) || len(files) != len(m.Packages) {
			s.t.Errorf("at %s there are %d archives of %d packages, of the old course: %v", stage, len(files), len(m.Packages), has)
		}
	}
}

// TestTeamSeesItsOldCourses holds that who has a role in an old course is shown it, and no other, with the offer of a re-run where
// they may make courses (DEP-12), whatever the authoring flag says; and that an item that cannot be shown leaves the others (DEP-27).
func TestTeamSeesItsOldCourses(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := newSite(t, db.SQLite)
	ann, jo, creator := s.person("ann", false), s.person("jo", false), s.person("kim", false)
	for _, a := range []*App{ann, creator} {
		s.legacy(a, legacy.Instructor, "AcmeU", oldKey)
	}
	s.legacy(creator, legacy.OrgCreator, "AcmeU", "")
	s.flag(nil, FlagChange{On: true})
	for _, key := range []string{oldKey, "AcmeU/BIO2/2013", "AcmeU broken"} {
		s.exec(`INSERT INTO course_overviews_courseoverview (id, org, display_name) VALUES (?, 'AcmeU', 'Title')`, key)
	}
	if f, err := s.app.FillLegacyOverviews(ctx, nil); err != nil || f.Written != 3 {
		t.Fatalf("%+v, %v", f, err)
	}
	s.stage(oldcourse.Warn)
	show := func(a *App, q LegacyQuery) string {
		t.Helper()
		page, err := a.LegacyCourses(ctx, q)
		if err != nil {
			return fault.KindOf(err).Code()
		}
		var all []string
		for _, c := range page.Courses {
			text := c.Key
			for what, is := range map[string]bool{" missing": c.Missing, " rerun": c.Rerun} {
				if is {
					text += what
				}
			}
			all = append(all, text)
		}
		return strings.Join(append(all, page.Next), ", ")
	}
	for _, c := range []struct {
		name string
		a    *App
		q    LegacyQuery
		want string
	}{
		{"the operator", s.app, LegacyQuery{}, "AcmeU broken, AcmeU/BIO1/2013 rerun, AcmeU/BIO2/2013 rerun, "},
		{"a page", s.app, LegacyQuery{Limit: 2}, "AcmeU broken, AcmeU/BIO1/2013 rerun, AcmeU/BIO1/2013"},
		{"the next", s.app, LegacyQuery{Limit: 2, After: oldKey}, "AcmeU/BIO2/2013 rerun, "},
		{"a search", s.app, LegacyQuery{Search: "bio"}, "AcmeU/BIO1/2013 rerun, AcmeU/BIO2/2013 rerun, "},
		{"a search by title, cut", s.app, LegacyQuery{Search: "TITLE", Limit: 1}, "AcmeU broken, AcmeU broken"},
		{"a search for nothing", s.app, LegacyQuery{Search: "nothing"}, ""},
		{"old and new ones", s.app, LegacyQuery{Keys: []string{sample.CourseKey, oldKey, "A/B/C", "\x00"}}, sample.CourseKey + " missing, AcmeU/BIO1/2013 rerun, A/B/C missing, \x00 missing, "},
		{"the team", ann, LegacyQuery{}, "AcmeU/BIO1/2013, "},
		{"the team of others", ann, LegacyQuery{Keys: []string{oldKey, "AcmeU/BIO2/2013"}}, "AcmeU/BIO1/2013, AcmeU/BIO2/2013 missing, "},
		{"who makes courses", creator, LegacyQuery{}, "AcmeU/BIO1/2013 rerun, "},
		{"a stranger", jo, LegacyQuery{}, "denied"},
	} {
		if got := show(c.a, c.q); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	// The other stages offer none (DEP-3).
	s.stage(oldcourse.Removed)
	if got := show(creator, LegacyQuery{}); got != "AcmeU/BIO1/2013, " {
		t.Errorf("at removed: %q", got)
	}
	if _, err := s.app.LegacyCourses(ctx, LegacyQuery{Keys: make([]string, MaxLegacyPage+1)}); !fault.Is(err, fault.Usage) {
		t.Error(err)
	}
	if _, err := s.app.LegacyRefusals(ctx, "", "\x00", 1); !fault.Is(err, fault.Invalid) {
		t.Error(err)
	}
	if _, err := s.app.LegacyCards(ctx, "\x00"); !fault.Is(err, fault.Invalid) {
		t.Error(err)
	}
	if _, err := ann.LegacyCards(ctx, "jo"); !fault.Is(err, fault.Denied) {
		t.Error(err)
	}
	page, err := s.app.LegacyCourses(ctx, LegacyQuery{Keys: []string{oldKey}})
	if err != nil || len(page.Courses[0].Team) != 2 || page.Courses[0].Enrolled != nil {
		t.Errorf("%+v, %v", page, err)
	}
}
