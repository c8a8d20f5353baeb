package app

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/openlectern/lectern/authz/roleshift"
	"github.com/openlectern/lectern/catalog"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/flags"
	"github.com/openlectern/lectern/user"
)

// FlagKind is one of waffle's kinds of switches.
type FlagKind uint8

// The kinds. Only flags have overrides.
const (
	AFlag   FlagKind = iota
	ASwitch          // on or off for all
	ASample          // on for a share of the times it is asked
)

// FlagRef names a flag, switch or sample, and whom its value is for.
type FlagRef struct {
	Kind  FlagKind
	Name  string
	Scope flags.Scope // of an AFlag; the zero Scope is everybody
}

// FlagChange says what to make of one.
type FlagChange struct {
	Unset   bool    // take the value away; On and Percent do not count then
	On      bool    // of a flag or switch
	Percent float64 // of a sample
	Note    string  // for the history of an override
	// Whether roles move with the authoring flag of a course or organization; nil leaves it to the setting.
	Shift     *bool
	KeepGoing bool // move what can be moved, though some cannot
	// Background leaves a move of very many roles to a job of the queue, which a server does; others are done at once.
	Background bool
	Progress   Progress // of a move in batches; may be nil

	job *jobWork // the job that it is, of the queue
}

// FlagValue is what one is.
type FlagValue struct {
	FlagRef
	Value     *bool          // what was set for just this scope; nil when nothing was
	Effective bool           // what that comes to, with what was set for the organization and everybody; of a sample, whether it always is on
	Percent   *float64       // of a sample that is there
	Rules     []string       // of a global flag that is neither on nor off for everybody: for whom else it is on (flags.Flag)
	Run       *roleshift.Run // the move of roles that went with a change; nil without one
	Warnings  []string       // of a change: what whoever made it should know
	Job       int64          // the job that is to make the change; 0 without one
}

// FlagEntry is a row of a flag's history.
type FlagEntry struct {
	flags.Override
	At   time.Time
	Name *string // of who changed it; nil for nobody, and for somebody who is no user any more
}

// Flag returns what a flag, switch or sample is. One that nobody has set is off.
func (a *App) Flag(ctx context.Context, f FlagRef) (out FlagValue, err error) {
	if err := a.may(ctx, "Flag"); err != nil {
		return out, err
	}
	err = a.View(ctx, func(tx *db.Tx) (err error) {
		if f.Scope, err = spelled(ctx, tx, f.Scope); err == nil {
			out, err = flagValue(ctx, tx, f)
		}
		return err
	})
	return out, err
}

// spelled gives an organization's name its own spelling (authz-migration.md §14, M-17).
func spelled(ctx context.Context, q db.Querier, s flags.Scope) (flags.Scope, error) {
	if s.Org() == "" {
		return s, nil
	}
	name, _, err := catalog.Spelling(ctx, q, s.Org())
	if err != nil {
		return s, err
	}
	return flags.ForOrg(name)
}

func flagValue(ctx context.Context, q db.Querier, f FlagRef) (v FlagValue, err error) {
	v.FlagRef = f
	switch f.Kind {
	case ASwitch:
		on, found, err := flags.Switch(ctx, q, f.Name)
		if found {
			v.Value = &on
		}
		v.Effective = on
		return v, err
	case ASample:
		percent, found, err := flags.Sample(ctx, q, f.Name)
		if found {
			v.Percent = &percent
		}
		if on := percent >= 100; on || percent == 0 && found {
			v.Value, v.Effective = &on, on
		}
		return v, err
	}
	s, err := flags.Load(ctx, q, f.Name)
	if err != nil {
		return v, err
	}
	everyone := s.Everyone()
	if f.Scope.Global() {
		v.Effective = everyone
		if flag := s.Flag(); flag != nil {
			v.Value, v.Rules = flag.Everyone, flag.Rules()
		}
		return v, nil
	}
	if on, ok := s.Override(f.Scope); ok {
		v.Value = &on
	}
	if v.Effective = s.Org(f.Scope.Org(), everyone); f.Scope.Course() != "" {
		v.Effective = s.Course(f.Scope.Course(), f.Scope.CourseOrg(), everyone)
	}
	return v, nil
}

// SetFlag sets a flag, switch or sample for its scope, or takes its value away. What is said of a course or organization
// is added to its history; nothing of that is ever altered.
func (a *App) SetFlag(ctx context.Context, f FlagRef, c FlagChange) (out FlagValue, err error) {
	if err := a.may(ctx, "SetFlag"); err != nil {
		return out, err
	}
	if f.Kind != AFlag && !f.Scope.Global() {
		return out, fault.Errorf(fault.Usage, f.Name, "switches and samples are the same for everybody").WithNext("leave out --course and --org")
	}
	moves := f.Kind == AFlag && f.Name == flags.Authoring && !f.Scope.Global()
	if (c.Shift != nil || c.KeepGoing) && !moves {
		return out, fault.Errorf(fault.Usage, f.Name, "roles move with %s only, for a course or an organization", flags.Authoring).
			WithNext("leave it out; for the whole site there is: lectern authz migrate --all")
	}
	if f.Kind == AFlag && f.Name == flags.Authoring {
		defer func() {
			if err == nil {
				out.Warnings, err = a.partlyOn(ctx)
			}
		}()
	}
	if moves {
		return a.flip(ctx, f, c)
	}
	err = a.Update(ctx, func(tx *db.Tx) (err error) {
		if f.Scope, err = spelled(ctx, tx, f.Scope); err != nil {
			return err
		}
		if err = a.setFlag(ctx, tx, f, c); err != nil {
			return err
		}
		out, err = flagValue(ctx, tx, f)
		return err
	})
	return out, err
}

// partlyOn warns where the authoring flag is on for some people only: the platform asks it of each request, roles move as if it
// were off (authz-migration.md §14, M-11). Superusers, whom waffle lets in by default, have every role anyway.
func (a *App) partlyOn(ctx context.Context) ([]string, error) {
	var rules []string
	err := a.View(ctx, func(tx *db.Tx) error {
		s, err := flags.Load(ctx, tx, flags.Authoring)
		if err != nil || s.Flag() == nil {
			return err
		}
		rules = slices.DeleteFunc(s.Flag().Rules(), func(r string) bool { return r == "superusers" || r == "testing" })
		return nil
	})
	if err != nil || len(rules) == 0 {
		return nil, err
	}
	return []string{"for everybody it is on for some people only (" + strings.Join(rules, ", ") + "): roles stay, and move, as if it were off there"}, nil
}

// setFlag is the write of SetFlag for flags that nothing goes with.
func (a *App) setFlag(ctx context.Context, tx *db.Tx, f FlagRef, c FlagChange) (err error) {
	switch {
	case f.Kind == ASwitch && c.Unset:
		_, err = flags.RemoveSwitch(ctx, tx, f.Name)
	case f.Kind == ASwitch:
		err = flags.SetSwitch(ctx, tx, f.Name, c.On)
	case f.Kind == ASample && c.Unset:
		_, err = flags.RemoveSample(ctx, tx, f.Name)
	case f.Kind == ASample:
		err = flags.SetSample(ctx, tx, f.Name, c.Percent)
	case f.Scope.Global() && c.Unset:
		err = flags.SetEveryone(ctx, tx, f.Name, nil)
	case f.Scope.Global():
		err = flags.SetEveryone(ctx, tx, f.Name, &c.On)
	default:
		_, err = flags.Set(ctx, tx, f.Name, f.Scope, flags.Change{On: c.On, Drop: c.Unset, By: int64(a.By), Note: c.Note})
	}
	return err
}

// FlagHistory lists what was set for a course or organization, or with the global scope for all of them, newest first.
// Everybody's value, switches and samples have no history.
func (a *App) FlagHistory(ctx context.Context, f FlagRef) (out []FlagEntry, err error) {
	if err := a.may(ctx, "FlagHistory"); err != nil {
		return out, err
	}
	if f.Kind != AFlag {
		return nil, fault.Errorf(fault.Refused, f.Name, "switches and samples have no history: their tables hold what they are, not what they were")
	}
	err = a.View(ctx, func(tx *db.Tx) error {
		scope, err := spelled(ctx, tx, f.Scope)
		if err != nil {
			return err
		}
		rows, err := flags.History(ctx, tx, f.Name, scope)
		if err != nil {
			return err
		}
		var ids []user.ID
		for _, r := range rows {
			if r.By != 0 {
				ids = append(ids, user.ID(r.By))
			}
		}
		slices.Sort(ids)
		names, err := user.Names(ctx, tx, slices.Compact(ids))
		if err != nil {
			return err
		}
		out = make([]FlagEntry, len(rows))
		for i, r := range rows {
			out[i] = FlagEntry{Override: r, At: r.Changed}
			if name, ok := names[user.ID(r.By)]; ok {
				out[i].Name = &name
			}
		}
		return nil
	})
	return out, err
}

// FlagStates is what clients are told of a flag (authz.md §12.12).
func (a *App) FlagStates(ctx context.Context, name string) (out flags.States, err error) {
	if err := a.may(ctx, "FlagStates"); err != nil {
		return out, err
	}
	err = a.View(ctx, func(tx *db.Tx) error {
		s, err := flags.Load(ctx, tx, name)
		if err == nil {
			out = s.States()
		}
		return err
	})
	return out, err
}
