package app

import (
	"errors"
	"strings"
	"testing"

	"github.com/openlectern/lectern/authz/legacy"
	"github.com/openlectern/lectern/authz/roleshift"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/flags"
	"github.com/openlectern/lectern/internal/dbtest"
)

// TestM02M38M58 reads the setting each time a flag is set, off by default; gives whoever sets a flag that roles cannot follow the
// number of the run that tells why; and moves all organizations by one command, each by itself.
func TestM02M38M58(t *testing.T) {
	t.Parallel()
	dbtest.OnEngines(t, func(t *testing.T, e db.Engine) {
		s := newSite(t, e)
		automatic := ""
		conf := s.conf
		conf.Getenv = func(name string) string {
			if name == AutomaticMigration {
				return automatic
			}
			return ""
		}
		a := open(t, conf)
		jo := s.person("jo", false)
		const org = "Shift"
		s.legacy(jo, legacy.Staff, org, "course-v1:Shift+A+1")
		s.legacy(jo, legacy.Staff, "Second", "")
		long := "course-v1:Third+" + strings.Repeat("x", 200) + "+2026"
		s.legacy(jo, legacy.LimitedStaff, "Third", long)
		set := func(org string, on bool) (FlagValue, error) {
			scope, err := flags.ForOrg(org)
			if err != nil {
				t.Fatal(err)
			}
			return a.SetFlag(t.Context(), FlagRef{Name: flags.Authoring, Scope: scope}, FlagChange{On: on})
		}
		if v, err := set(org, true); err != nil || v.Run != nil {
			t.Errorf("without the setting roles moved: %+v (%v)", v.Run, err)
		}
		if _, err := set(org, false); err != nil {
			t.Fatal(err)
		}
		automatic = "true"
		if v, err := set(org, true); err != nil || v.Run == nil || v.Run.Moved != 1 {
			t.Errorf("with it they did not: %+v (%v)", v.Run, err)
		}
		automatic = "maybe"
		if _, err := set(org, false); !fault.Is(err, fault.Usage) {
			t.Errorf("a setting that is neither true nor false: %v", err)
		}
		automatic = "true"

		_, err := set("Third", true)
		var f *fault.Error
		if !errors.As(err, &f) || f.Kind != fault.Refused {
			t.Fatalf("a flag that roles cannot follow: %v", err)
		}
		data, ok := f.Data.(ShiftFailed)
		run, ferr := a.RoleRun(t.Context(), data.Run)
		if !ok || ferr != nil || run.Status != roleshift.Failed || run.Key != "Third" || data.Errors != 1 || len(run.Moves.Records) != 1 {
			t.Errorf("the error tells of run %+v, which is %+v (%v)", f.Data, run, ferr)
		}
		if v, err := flags.Load(t.Context(), s.app.DB, flags.Authoring); err != nil || v.Org("Third", false) {
			t.Errorf("the flag is on: %v", err)
		}

		runs, err := a.MoveRoles(t.Context(), RoleMove{Direction: roleshift.Forward, All: true, KeepGoing: true})
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]roleshift.Status{}
		for _, r := range runs {
			got[r.Key] = r.Status
		}
		if got["Second"] != roleshift.Completed || got["Third"] != roleshift.Partial {
			t.Errorf("all organizations: %v", got)
		}
	})
}
