package app

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/authz/legacy"
	"github.com/openlectern/lectern/authz/roleshift"
	"github.com/openlectern/lectern/authz/scope"
	"github.com/openlectern/lectern/content/backup"
	"github.com/openlectern/lectern/content/events"
	"github.com/openlectern/lectern/content/prune"
	"github.com/openlectern/lectern/course"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/flags"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/job"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/sample"
	"github.com/openlectern/lectern/user"
)

// shippedActions returns the actions that roles have on a new site.
func shippedActions() map[string]bool {
	all := map[string]bool{}
	for _, r := range authz.Shipped() {
		if r[0] == "p" {
			all[r[2][len("act^"):]] = true
		}
	}
	return all
}

// site is a store with the sample course and people, for tests of permissions.
type site struct {
	t    *testing.T
	app  *App // the system's
	conf Config
	key  keys.Course
	src  string
}

func newSite(t *testing.T, e db.Engine) *site {
	t.Helper()
	s := &site{t: t, src: sampleFolder(t), conf: Config{DB: dbtest.URL(t, e), Data: t.TempDir(), Write: true}}
	if _, err := Init(t.Context(), s.conf); err != nil {
		t.Fatal(err)
	}
	s.app = open(t, s.conf)
	s.key = s.course(sample.CourseKey)
	if _, err := s.app.Import(t.Context(), s.src, ImportOptions{}); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *site) course(text string) keys.Course {
	s.t.Helper()
	k, err := keys.ParseCourse(text)
	if err != nil {
		s.t.Fatal(err)
	}
	return k
}

// person makes a user and returns the store as that user works with it.
func (s *site) person(name string, staff bool) *App {
	s.t.Helper()
	u, err := s.app.AddUser(s.t.Context(), user.New{Username: name, Email: name + "@example.org", Staff: staff})
	if err != nil {
		s.t.Fatal(err)
	}
	return s.app.As(Person(u))
}

func (s *site) exec(sql string, args ...any) {
	s.t.Helper()
	if _, err := s.app.DB.Exec(s.t.Context(), sql, args...); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) update(fn func(tx *db.Tx) error) {
	s.t.Helper()
	if err := s.app.Update(s.t.Context(), fn); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) legacy(a *App, role legacy.Role, org, course string) {
	s.t.Helper()
	s.update(func(tx *db.Tx) error {
		_, err := legacy.Add(s.t.Context(), tx, []legacy.Row{{User: a.actor.id, Org: org, Course: course, Role: role}})
		return err
	})
}

func (s *site) assign(a *App, role, scope string) {
	s.t.Helper()
	s.update(func(tx *db.Tx) error {
		_, err := authz.Assign(s.t.Context(), tx, []authz.Grant{{User: a.actor.name, Role: role, Scope: scope}}, authz.Options{})
		return err
	})
}

func (s *site) flag(ref func() (flags.Scope, error), c FlagChange) {
	s.t.Helper()
	f := FlagRef{Name: flags.Authoring}
	var err error
	if ref != nil {
		if f.Scope, err = ref(); err != nil {
			s.t.Fatal(err)
		}
	}
	if _, err = s.app.SetFlag(s.t.Context(), f, c); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) thisCourse() (flags.Scope, error) { return flags.ForCourse(s.key) }

// sees reports whether an actor may look at the course.
func (s *site) sees(a *App) bool {
	s.t.Helper()
	_, err := a.Show(s.t.Context(), s.key, "", 1)
	if err != nil && !fault.Is(err, fault.Denied) {
		s.t.Fatal(err)
	}
	return err == nil
}

// TestNobodyMayAnything calls every use case as a person without rights, as nobody, and as one whose account is closed:
// each is denied, with what is missing and what to do, and nothing has changed.
func TestNobodyMayAnything(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := newSite(t, db.SQLite)
	out := t.TempDir()
	if _, err := s.app.Backup(ctx, sample.CourseKey, filepath.Join(out, "c.zip"), "", nil); err != nil {
		t.Fatal(err)
	}
	jo, closed := s.person("jo", false), s.person("closed", true)
	s.exec(`UPDATE auth_user SET is_active = ? WHERE username = 'closed'`, false)
	block := usage(t, "block-v1:Lectern+LIGHT+2025+type@problem+block@flash")
	other := s.course("course-v1:Other+O1+2025")
	olx := []byte(`<problem/>`)
	everyLibrary, err := scope.Parse("lib:*")
	if err != nil {
		t.Fatal(err)
	}
	before := fingerprint(t, s.app, s.conf.Data)
	called := map[string]bool{}
	for name, call := range map[string]func(a *App, c Config) error{
		"List":    func(a *App, _ Config) error { _, err := a.List(ctx, false, false); return err },
		"Show":    func(a *App, _ Config) error { _, err := a.Show(ctx, s.key, "", 1); return err },
		"Blocks":  func(a *App, _ Config) error { _, err := a.Blocks(ctx, []keys.Usage{block}, ""); return err },
		"Diff":    func(a *App, _ Config) error { _, err := a.Diff(ctx, s.key, "c1", "draft", nil); return err },
		"History": func(a *App, _ Config) error { _, err := a.History(ctx, s.key, nil, 0, ""); return err },
		"Labels":  func(a *App, _ Config) error { _, err := a.Labels(ctx, s.key); return err },
		"Label":   func(a *App, _ Config) error { _, err := a.Label(ctx, s.key, "x", ""); return err },
		"Unlabel": func(a *App, _ Config) error { _, err := a.Unlabel(ctx, s.key, "x"); return err },
		"CreateBlocks": func(a *App, _ Config) error {
			_, err := a.CreateBlocks(ctx, s.key, []NewBlock{{OLX: olx}}, course.Position{}, "")
			return err
		},
		"EditBlocks": func(a *App, _ Config) error {
			_, err := a.EditBlocks(ctx, []BlockEdit{{Key: block, OLX: olx}}, "")
			return err
		},
		"MoveBlocks": func(a *App, _ Config) error {
			_, err := a.MoveBlocks(ctx, []keys.Usage{block}, course.Position{}, nil, "")
			return err
		},
		"DeleteBlocks": func(a *App, _ Config) error { _, err := a.DeleteBlocks(ctx, []keys.Usage{block}, nil, ""); return err },
		"Discard":      func(a *App, _ Config) error { _, err := a.Discard(ctx, s.key, nil, ""); return err },
		"Restore":      func(a *App, _ Config) error { _, err := a.Restore(ctx, s.key, "c1", nil, ""); return err },
		"Publish":      func(a *App, _ Config) error { _, err := a.Publish(ctx, s.key, nil, ""); return err },
		"Export": func(a *App, _ Config) error {
			_, err := a.Export(ctx, s.key, filepath.Join(out, "x.tar.gz"), "", nil)
			return err
		},
		"Import": func(a *App, _ Config) error { _, err := a.Import(ctx, s.src, ImportOptions{}); return err },
		"Rerun":  func(a *App, _ Config) error { _, err := a.Rerun(ctx, s.key, other, "", "", nil); return err },
		"Delete": func(a *App, _ Config) error { _, err := a.Delete(ctx, s.key, false, ""); return err },
		"CreateLibrary": func(a *App, _ Config) error {
			_, err := a.CreateLibrary(ctx, mustLibrary(s.t, "lib:Acme:New"), "")
			return err
		},
		"MigrateToLibrary": func(a *App, _ Config) error {
			_, err := a.MigrateToLibrary(ctx, LibraryMigration{Sources: []string{sample.CourseKey}, Target: "lib:Acme:New"})
			return err
		},
		"LibraryPreview": func(a *App, _ Config) error {
			_, err := a.LibraryPreview(ctx, sample.CourseKey, "lib:Acme:New", "", "")
			return err
		},
		"LibraryBlocks": func(a *App, _ Config) error {
			_, err := a.LibraryBlocks(ctx, LibraryBlocksQuery{Target: "lib:Acme:New"})
			return err
		},
		"LibraryCourses":  func(a *App, _ Config) error { _, err := a.LibraryCourses(ctx, "lib:Acme:New"); return err },
		"LibraryInfo":     func(a *App, _ Config) error { _, err := a.LibraryInfo(ctx, nil); return err },
		"LibraryTasks":    func(a *App, _ Config) error { _, _, err := a.LibraryTasks(ctx, 0, 10); return err },
		"LibraryTask":     func(a *App, _ Config) error { _, err := a.LibraryTask(ctx, uuid.New()); return err },
		"LibraryArtifact": func(a *App, _ Config) error { _, err := a.LibraryArtifact(ctx, uuid.New()); return err },
		"StartLibraryTask": func(a *App, _ Config) error {
			_, err := a.StartLibraryTask(ctx, LibraryMigration{Sources: []string{sample.CourseKey}, Target: "lib:Acme:New"})
			return err
		},
		"CancelLibraryTask": func(a *App, _ Config) error { _, err := a.CancelLibraryTask(ctx, uuid.New()); return err },
		"LibraryMigrations": func(a *App, _ Config) error { _, err := a.LibraryMigrations(ctx, "lib:Acme:New"); return err },
		"Packages":          func(a *App, _ Config) error { _, err := a.Packages(ctx); return err },
		"Backup": func(a *App, _ Config) error {
			_, err := a.Backup(ctx, sample.CourseKey, filepath.Join(out, "x.zip"), "", nil)
			return err
		},
		"BackupAll": func(a *App, _ Config) error {
			_, err := a.BackupAll(ctx, filepath.Join(out, "all"), "", nil)
			return err
		},
		"VerifyAgainst": func(a *App, _ Config) error {
			_, err := a.VerifyAgainst(ctx, filepath.Join(out, "c.zip"), sample.CourseKey, backup.Limits{}, nil)
			return err
		},
		"RestorePackage": func(a *App, _ Config) error {
			_, err := a.RestorePackage(ctx, filepath.Join(out, "c.zip"), PackageRestore{Replace: true})
			return err
		},
		"ConvertOldSite": func(a *App, _ Config) error {
			_, err := a.ConvertOldSite(ctx, OldSite{Source: out}, ConvertOptions{})
			return err
		},
		"StateMap":    func(a *App, _ Config) error { _, err := a.StateMap(ctx, StateMapOptions{}); return err },
		"PlanPrune":   func(a *App, _ Config) error { _, err := a.PlanPrune(ctx, nil, prune.Policy{}, 0); return err },
		"ApplyPrune":  func(a *App, _ Config) error { _, err := a.ApplyPrune(ctx, &prune.Plan{}, "jo", 0, nil); return err },
		"UndoPrune":   func(a *App, _ Config) error { _, err := a.UndoPrune(ctx, &prune.Plan{}); return err },
		"ExpirePrune": func(a *App, _ Config) error { _, _, err := a.ExpirePrune(ctx); return err },
		"Events":      func(a *App, _ Config) error { _, err := a.Events(ctx, EventFilter{}); return err },
		"Event":       func(a *App, _ Config) error { _, err := a.Event(ctx, 1); return err },
		"AddWebhook": func(a *App, _ Config) error {
			_, err := a.AddWebhook(ctx, NewWebhook{URL: "http://127.0.0.1:1"})
			return err
		},
		"Webhooks":          func(a *App, _ Config) error { _, _, err := a.Webhooks(ctx); return err },
		"RemoveWebhook":     func(a *App, _ Config) error { return a.RemoveWebhook(ctx, 1) },
		"ActivateWebhook":   func(a *App, _ Config) error { _, err := a.ActivateWebhook(ctx, 1, true); return err },
		"PingWebhook":       func(a *App, _ Config) error { _, err := a.PingWebhook(ctx, 1, 0); return err },
		"DeadLetters":       func(a *App, _ Config) error { _, err := a.DeadLetters(ctx); return err },
		"ReviveDeadLetters": func(a *App, _ Config) error { _, err := a.ReviveDeadLetters(ctx, nil); return err },
		"DropDeadLetters":   func(a *App, _ Config) error { _, err := a.DropDeadLetters(ctx, nil); return err },
		"DeliverEvents":     func(a *App, _ Config) error { _, err := a.DeliverEvents(ctx, events.Deliverer{}, true); return err },
		"AddUser": func(a *App, _ Config) error {
			_, err := a.AddUser(ctx, user.New{Username: "x", Email: "x@example.org", Superuser: true})
			return err
		},
		"AddUserWithLink": func(a *App, _ Config) error {
			_, _, err := a.AddUserWithLink(ctx, user.New{Username: "x", Email: "x@example.org"})
			return err
		},
		"SetPassword": func(a *App, _ Config) error { _, err := a.SetPassword(ctx, "jo", "lamp-house-9-stairs"); return err },
		"SignInLink":  func(a *App, _ Config) error { _, _, err := a.SignInLink(ctx, "jo"); return err },
		"DisableUser": func(a *App, _ Config) error { _, err := a.DisableUser(ctx, "jo"); return err },
		"EnableUser":  func(a *App, _ Config) error { _, err := a.EnableUser(ctx, "jo"); return err },
		"NewToken":    func(a *App, _ Config) error { _, _, err := a.NewToken(ctx, "jo", "x", 0); return err },
		"RevokeToken": func(a *App, _ Config) error { return a.RevokeToken(ctx, "jo", 1) },
		"Tokens":      func(a *App, _ Config) error { _, err := a.Tokens(ctx, "jo"); return err },
		"Account":     func(a *App, _ Config) error { _, err := a.Account(ctx, "jo"); return err },
		"Users":       func(a *App, _ Config) error { _, err := a.Users(ctx); return err },
		"Flag":        func(a *App, _ Config) error { _, err := a.Flag(ctx, FlagRef{Name: "x"}); return err },
		"SetFlag": func(a *App, _ Config) error {
			_, err := a.SetFlag(ctx, FlagRef{Name: "x"}, FlagChange{On: true})
			return err
		},
		"FlagHistory": func(a *App, _ Config) error { _, err := a.FlagHistory(ctx, FlagRef{Name: "x"}); return err },
		"FlagStates":  func(a *App, _ Config) error { _, err := a.FlagStates(ctx, "x"); return err },
		"CheckPermission": func(a *App, _ Config) error {
			_, err := a.CheckPermission(ctx, "closed", viewCourse, sample.CourseKey)
			return err
		},
		"Explain": func(a *App, _ Config) error {
			_, _, err := a.Explain(ctx, "closed", viewCourse, sample.CourseKey)
			return err
		},
		"Assign": func(a *App, _ Config) error {
			_, err := a.Assign(ctx, []authz.Grant{{User: "jo", Role: "course_admin", Scope: sample.CourseKey}}, TeamChange{})
			return err
		},
		"Unassign": func(a *App, _ Config) error {
			_, err := a.Unassign(ctx, []authz.Grant{{User: "jo", Role: "course_admin", Scope: sample.CourseKey}}, TeamChange{})
			return err
		},
		"Assignments":     func(a *App, _ Config) error { _, err := a.Assignments(ctx, authz.Exact{}); return err },
		"Roles":           func(a *App, _ Config) error { _, err := a.Roles(ctx); return err },
		"TeamAudit":       func(a *App, _ Config) error { _, err := a.TeamAudit(ctx, authz.AuditFilter{}); return err },
		"SeedPolicy":      func(a *App, _ Config) error { _, err := a.SeedPolicy(ctx, false); return err },
		"LoadDefinitions": func(a *App, _ Config) error { _, _, err := a.LoadDefinitions(ctx, nil, false); return err },
		"MoveRoles":       func(a *App, _ Config) error { _, err := a.MoveRoles(ctx, RoleMove{All: true}); return err },
		"RoleRuns":        func(a *App, _ Config) error { _, err := a.RoleRuns(ctx, roleshift.Filter{}); return err },
		"RoleRun":         func(a *App, _ Config) error { _, err := a.RoleRun(ctx, 1); return err },
		"RetryRoleRun":    func(a *App, _ Config) error { _, err := a.RetryRoleRun(ctx, 1, nil); return err },
		"CloseRoleRun":    func(a *App, _ Config) error { return a.CloseRoleRun(ctx, 1) },
		"ReconcileRoles":  func(a *App, _ Config) error { _, _, err := a.ReconcileRoles(ctx, true); return err },
		"Init":            func(_ *App, c Config) error { _, err := Init(ctx, c); return err },
		"Status":          func(_ *App, c Config) error { _, err := Status(ctx, c); return err },
		"PlanTakeover":    func(_ *App, c Config) error { _, err := PlanTakeover(ctx, c, Takeover{}); return err },
		"Migrate":         func(_ *App, c Config) error { _, err := Migrate(ctx, c, Takeover{}); return err },
		"Rehearse":        func(_ *App, c Config) error { _, err := Rehearse(ctx, c, Takeover{}); return err },
		"RevertNames":     func(_ *App, c Config) error { _, err := RevertNames(ctx, c, Takeover{}); return err },
		"DropOwn":         func(_ *App, c Config) error { _, err := DropOwn(ctx, c, Takeover{}); return err },
		"Verify":          func(_ *App, c Config) error { _, err := Verify(ctx, c, VerifyOptions{}); return err },
		"Repair":          func(_ *App, c Config) error { _, err := Repair(ctx, c, VerifyOptions{}); return err },
		"GiveRole": func(a *App, _ Config) error {
			_, err := a.GiveRole(ctx, "library_user", []string{"jo"}, []scope.Scope{everyLibrary})
			return err
		},
		"TakeRole": func(a *App, _ Config) error {
			_, err := a.TakeRole(ctx, "library_user", []string{"jo"}, everyLibrary)
			return err
		},
		"Jobs":         func(a *App, _ Config) error { _, err := a.Jobs(ctx, job.Filter{}); return err },
		"Job":          func(a *App, _ Config) error { _, err := a.Job(ctx, 1); return err },
		"JobLog":       func(a *App, _ Config) error { _, err := a.JobLog(ctx, 1); return err },
		"JobFile":      func(a *App, _ Config) error { _, _, err := a.JobFile(ctx, 1, "x"); return err },
		"CancelJob":    func(a *App, _ Config) error { _, err := a.CancelJob(ctx, 1); return err },
		"RetryJob":     func(a *App, _ Config) error { _, err := a.RetryJob(ctx, 1); return err },
		"StartJob":     func(a *App, _ Config) error { _, err := a.StartJob(ctx, NewJob{Kind: BackupAllJob}); return err },
		"CountJobs":    func(a *App, _ Config) error { _, err := a.CountJobs(ctx); return err },
		"WorkJobs":     func(a *App, _ Config) error { return a.WorkJobs(ctx, JobWorker{Once: true}) },
		"LegacyStage":  func(a *App, _ Config) error { _, err := a.LegacyStage(ctx); return err },
		"LegacyAccess": func(a *App, _ Config) error { _, err := a.LegacyAccess(ctx, "A/B/C", "home"); return err },
		"LegacyCards":  func(a *App, _ Config) error { _, err := a.LegacyCards(ctx, ""); return err },
		"LegacyCourses": func(a *App, _ Config) error {
			_, err := a.LegacyCourses(ctx, LegacyQuery{})
			return err
		},
		"SetLegacyStage": func(a *App, _ Config) error {
			_, err := a.SetLegacyStage(ctx, StageChange{})
			return err
		},
		"LegacyStageHistory":  func(a *App, _ Config) error { _, err := a.LegacyStageHistory(ctx, 1); return err },
		"LegacyRefusals":      func(a *App, _ Config) error { _, err := a.LegacyRefusals(ctx, "", "", 1); return err },
		"FillLegacyOverviews": func(a *App, _ Config) error { _, err := a.FillLegacyOverviews(ctx, nil); return err },
		"NoteLegacySizes":     func(a *App, _ Config) error { return a.NoteLegacySizes(ctx, nil) },
		"ResumeRoleRun":       func(a *App, _ Config) error { _, err := a.ResumeRoleRun(ctx, 1, nil); return err },
		"RoleRunRows": func(a *App, _ Config) error {
			return a.RoleRunRows(ctx, 1, func([]roleshift.Record) error { return nil })
		},
	} {
		p := useCases[name]
		for who, a := range map[string]*App{"jo": jo, "closed": closed, "": s.app.As(Actor{})} {
			c := s.conf
			c.User = who
			if a.actor.id == 0 && s.onConfig(name) || p.who == signedIn && who == "jo" {
				continue // a Config without a user is the system's; and jo may
			}
			err := call(a, c)
			var f *fault.Error
			if !errors.As(err, &f) || f.Kind != fault.Denied || f.Next == "" {
				t.Errorf("%s as %q: %v, want denied", name, who, err)
				continue
			}
			if d, ok := f.Data.(Denied); !ok || d.Action == "" || d.Scope == "" || d.User != who {
				t.Errorf("%s as %q: data %+v", name, who, f.Data)
			}
		}
		if p.who == 0 {
			t.Errorf("there is no use case %s", name)
		}
		called[name] = true
	}
	for name := range useCases {
		if !called[name] {
			t.Errorf("%s is not called", name)
		}
	}
	if diff := cmp.Diff(before, fingerprint(t, s.app, s.conf.Data)); diff != "" {
		t.Errorf("what was denied has changed something (-before +after):\n%s", diff)
	}
	if left, _ := os.ReadDir(out); len(left) != 1 {
		t.Errorf("what was denied has left files: %v", left)
	}
}

// onConfig reports whether a use case takes a Config, not an open store.
func (s *site) onConfig(name string) bool {
	return slices.Contains([]string{"Init", "Status", "PlanTakeover", "Migrate", "Rehearse", "RevertNames", "DropOwn", "Verify", "Repair"}, name)
}

// The flag decides which side counts: legacy rows while it is off, assignments while it is on.
func TestFlagDecides(t *testing.T) {
	t.Parallel()
	dbtest.OnEngines(t, func(t *testing.T, e db.Engine) {
		s := newSite(t, e)
		old, orgWide, assigned, orgAssigned, root := s.person("old", false), s.person("orgwide", false), s.person("assigned", false), s.person("orgassigned", false), s.person("root", true)
		s.legacy(old, legacy.Staff, "Lectern", sample.CourseKey)
		s.legacy(orgWide, legacy.Instructor, "lectern", "")
		s.assign(assigned, "course_auditor", sample.CourseKey)
		s.assign(orgAssigned, "course_admin", "course-v1:Lectern+*")
		check := func(when string, on bool) {
			t.Helper()
			for name, c := range map[string]struct {
				a    *App
				want bool
			}{"a legacy row": {old, !on}, "an org-wide row": {orgWide, !on}, "an assignment": {assigned, on}, "an assignment of the org": {orgAssigned, on}, "staff": {root, true}} {
				if got := s.sees(c.a); got != c.want {
					t.Errorf("%s, by %s: %v, want %v", when, name, got, c.want)
				}
			}
		}
		check("at first", false)
		s.flag(s.thisCourse, FlagChange{On: true})
		check("on for the course", true)
		s.flag(s.thisCourse, FlagChange{Unset: true})
		check("unset for the course", false)
		s.flag(func() (flags.Scope, error) { return flags.ForOrg("LECTERN") }, FlagChange{On: true}) // its own spelling is found
		check("on for the organization", true)
		s.flag(s.thisCourse, FlagChange{On: false})
		check("off for the course", false)
		s.flag(s.thisCourse, FlagChange{Unset: true})
		s.flag(func() (flags.Scope, error) { return flags.ForOrg("Lectern") }, FlagChange{Unset: true})
		s.flag(nil, FlagChange{On: true})
		check("on for everybody", true)
		s.flag(nil, FlagChange{Unset: true})
		s.exec(`UPDATE waffle_flag SET authenticated = ?`, true)
		check("on for whoever is signed in", true)
		s.exec(`UPDATE waffle_flag SET authenticated = ?`, false)
		check("at last", false)

		s.exec(`INSERT INTO user_api_userretirementrequest (created, modified, user_id) SELECT date_joined, date_joined, id FROM auth_user WHERE username = 'root'`)
		if s.sees(root) {
			t.Error("a retired superuser sees the course")
		}
	})
}

func TestRolesAllowWhatTheySay(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := newSite(t, db.SQLite)
	s.flag(nil, FlagChange{On: true})
	block := usage(t, "block-v1:Lectern+LIGHT+2025+type@problem+block@flash")
	root := usage(t, "block-v1:Lectern+LIGHT+2025+type@course+block@course")
	for role, want := range map[string][]bool{
		"course_auditor": {true, false, false, false, false, false},
		"course_editor":  {true, true, false, false, false, false},
		"course_staff":   {true, true, true, true, true, false},
		"course_admin":   {true, true, true, true, true, true},
	} {
		a := s.person(role, false)
		s.assign(a, role, sample.CourseKey)
		var got []bool
		for i, call := range []func() error{
			func() error { _, err := a.Show(ctx, s.key, "", 1); return err },
			func() error { _, err := a.EditBlocks(ctx, []BlockEdit{{Key: block, OLX: []byte("<")}}, ""); return err },
			func() error { _, err := a.Publish(ctx, s.key, nil, ""); return err },
			func() error { _, err := a.EditBlocks(ctx, []BlockEdit{{Key: root, OLX: []byte("<")}}, ""); return err },
			func() error {
				_, err := a.Export(ctx, s.key, filepath.Join(t.TempDir(), "x.tar.gz"), "", nil)
				return err
			},
			func() error { return a.mayCourse(ctx, "Delete", s.key) },
		} {
			err := call()
			if fault.Is(err, fault.Internal) && err != nil {
				t.Fatalf("%s, call %d: %v", role, i, err)
			}
			got = append(got, !fault.Is(err, fault.Denied))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: show, edit, publish, edit the root, export, delete (-want +got):\n%s", role, diff)
		}
		if _, err := a.Delete(ctx, s.key, true, ""); !fault.Is(err, fault.Denied) {
			t.Errorf("%s purges a course: %v", role, err)
		}
	}
}

// Who may make courses gets, with each one made, what it takes to work on it; others' courses stay closed.
func TestCreators(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := newSite(t, db.SQLite)
	maker, inOrg := s.person("maker", false), s.person("inorg", false)
	s.legacy(maker, legacy.CourseCreator, "", "")
	s.legacy(inOrg, legacy.OrgCreator, "New", "")
	for _, c := range []struct {
		a    *App
		key  string
		want bool
	}{
		{maker, sample.CourseKey, false}, // somebody else's
		{maker, "course-v1:New+N1+2025", true},
		{inOrg, "course-v1:Elsewhere+N1+2025", false},
		{inOrg, "course-v1:New+N1+2025", false}, // somebody else's by now
		{inOrg, "course-v1:New+N2+2025", true},
	} {
		for range 2 { // at the second time it is one's own
			_, err := c.a.Import(ctx, s.src, ImportOptions{Key: s.course(c.key)})
			if got := !fault.Is(err, fault.Denied); got != c.want || got && err != nil {
				t.Errorf("%s imports %s: %v", c.a.actor.name, c.key, err)
			}
		}
		if _, err := c.a.Publish(ctx, s.course(c.key), nil, ""); fault.Is(err, fault.Denied) == c.want {
			t.Errorf("%s publishes %s: %v", c.a.actor.name, c.key, err)
		}
	}
	s.flag(nil, FlagChange{On: true})
	key := s.course("course-v1:New+N3+2025")
	if _, err := maker.Import(ctx, s.src, ImportOptions{Key: key}); err != nil {
		t.Fatal(err)
	}
	if err := maker.mayCourse(ctx, "Delete", key); err != nil {
		t.Errorf("who made a course with the flag on: %v", err)
	}
	if _, err := maker.Rerun(ctx, key, s.course("course-v1:New+N3+2026"), "", "", nil); err != nil {
		t.Error(err)
	}
	list, err := maker.List(ctx, false, false)
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	for _, l := range list {
		seen = append(seen, l.Key)
	}
	if diff := cmp.Diff([]string{"course-v1:New+N3+2025", "course-v1:New+N3+2026"}, seen); diff != "" {
		t.Errorf("courses that are seen with the flag on (-want +got):\n%s", diff)
	}
	packages, err := maker.Packages(ctx)
	if err != nil || len(packages) != 2 {
		t.Errorf("packages that are seen: %d, %v", len(packages), err)
	}
}

// While memory is kept current by looking now and then, nobody is denied for what it does not know yet.
func TestWatchedGateAsksTwice(t *testing.T) {
	t.Parallel()
	s := newSite(t, db.SQLite)
	jo := s.person("jo", false)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.app.Watch(ctx, time.Hour) }()
	for !s.app.gate.watched.Load() {
		time.Sleep(time.Millisecond)
	}
	// Another process turns the flag on and moves the role with it.
	other := open(t, s.conf)
	s.legacy(jo, legacy.Staff, "Lectern", sample.CourseKey)
	if !s.sees(jo) {
		t.Error("denied by legacy rows")
	}
	scope, err := s.thisCourse()
	if err != nil {
		t.Fatal(err)
	}
	err = other.Update(t.Context(), func(tx *db.Tx) error {
		if _, err := flags.Set(t.Context(), tx, flags.Authoring, scope, flags.Change{On: true}); err != nil {
			return err
		}
		if _, err := tx.Exec(t.Context(), `DELETE FROM student_courseaccessrole`); err != nil {
			return err
		}
		_, err := authz.Assign(t.Context(), tx, []authz.Grant{{User: "jo", Role: "course_staff", Scope: sample.CourseKey}}, authz.Options{})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if !s.sees(jo) {
		t.Error("denied after the role has moved")
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// Staff cannot make themselves superusers, nor take over one's account.
func TestStaffAreNoSuperusers(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := newSite(t, db.SQLite)
	staff := s.person("staff", true)
	if _, err := s.app.AddUser(ctx, user.New{Username: "root", Email: "root@example.org", Superuser: true}); err != nil {
		t.Fatal(err)
	}
	u, err := user.ByName(ctx, s.app.DB, "root")
	if err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]func(a *App) error{
		"add": func(a *App) error {
			_, err := a.AddUser(ctx, user.New{Username: a.actor.name + "2", Email: a.actor.name + "@x.org", Superuser: true})
			return err
		},
		"password": func(a *App) error { _, err := a.SetPassword(ctx, "root", "lamp-house-9-stairs"); return err },
		"link":     func(a *App) error { _, _, err := a.SignInLink(ctx, "root"); return err },
		"token":    func(a *App) error { _, _, err := a.NewToken(ctx, "root", "x", 0); return err },
	} {
		if err := call(staff); !fault.Is(err, fault.Denied) {
			t.Errorf("%s by staff: %v", name, err)
		}
		if err := call(s.app.As(Person(u))); err != nil {
			t.Errorf("%s by a superuser: %v", name, err)
		}
	}
	if _, err := staff.SetPassword(ctx, "staff", "lamp-house-9-stairs"); err != nil {
		t.Error(err)
	}
}

// What is kept in memory is not read again while it is watched.
func TestWatchedGateAsksLittle(t *testing.T) {
	t.Parallel()
	s := newSite(t, db.SQLite)
	jo := s.person("jo", false)
	s.assign(jo, "course_staff", sample.CourseKey)
	s.flag(s.thisCourse, FlagChange{On: true})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var n atomic.Int64
	conf := s.conf
	conf.OnStatement = func(string) { n.Add(1) }
	a := open(t, conf)
	ended := make(chan error)
	go func() { ended <- a.Watch(ctx, time.Hour) }()
	for !a.gate.watched.Load() {
		time.Sleep(time.Millisecond)
	}
	me, least := a.As(jo.actor), int64(1000)
	for range 20 { // in the first ones there may be the engine's own look
		before := n.Load()
		if err := me.mayCourse(ctx, "Publish", s.key); err != nil {
			t.Fatal(err)
		}
		least = min(least, n.Load()-before)
	}
	if least > 3 {
		t.Errorf("a question took %d statements: the account, retirement and groups are 3", least)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
