package app

import (
	"context"
	"errors"
	"time"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/oldcourse"
)

// StageVariable is the setting that puts one process at another stage than the site is at, as to try it.
const StageVariable = "LECTERN_LEGACY_STAGE"

// OldCourse is the further data of the error of a use case that was given a key of the old store.
type OldCourse struct {
	Course string `json:"course"` // its key, or ORG/COURSE of a block or file, whose key does not say the run
	Stage  string `json:"stage"`
	Reason string `json:"reason"` // removed, read_only or identity
	Today  string `json:"today"`  // the key that the course gets when it is converted, "" where none is known
}

// Reasons of refusals.
const (
	isRemoved  = "removed"   // old courses are not served any more
	isReadOnly = "read_only" // they are only looked at, in their own store
	isIdentity = "identity"  // nothing can be made under a key of theirs
)

// LegacyStage returns at which stage the retirement of the old store is for this process.
func (a *App) LegacyStage(ctx context.Context) (oldcourse.Setting, error) {
	if err := a.may(ctx, "LegacyStage"); err != nil {
		return oldcourse.Setting{}, err
	}
	return a.stage(ctx, a.DB)
}

// stage reads the stage. Where the database has no table of it, as it is of another age, the site has said nothing; and where the
// process is at a stage of its own that comes without words of the site, no database is asked.
func (a *App) stage(ctx context.Context, q db.Querier) (s oldcourse.Setting, err error) {
	s = oldcourse.Default()
	own := a.getenv(StageVariable)
	if own != "" {
		if s.Stage, err = oldcourse.ParseStage(StageVariable, own); err != nil || s.Stage != oldcourse.Warn {
			return s, err
		}
	}
	names, err := a.guard().tables(ctx)
	if err == nil && names[oldcourse.StageTable] {
		s, err = oldcourse.Current(ctx, q)
	}
	if own != "" {
		s.Stage = oldcourse.Warn
	}
	return s, err
}

// StageChange says what to make of the stage; what is nil stays as it is.
type StageChange struct {
	Stage                   *oldcourse.Stage
	Warning, Hidden, Closed *bool
	Message, EndsOn         *string
}

func set[T any](to *T, v *T) {
	if v != nil {
		*to = *v
	}
}

// SetLegacyStage puts the site at a stage. All servers go by it from their next request on. Nothing else is written, so that
// going back brings everything back (DEP-40).
func (a *App) SetLegacyStage(ctx context.Context, c StageChange) (out oldcourse.Setting, err error) {
	if err := a.may(ctx, "SetLegacyStage"); err != nil {
		return out, err
	}
	err = a.Update(ctx, func(tx *db.Tx) error {
		s, err := oldcourse.Current(ctx, tx)
		if err != nil {
			return err
		}
		set(&s.Stage, c.Stage)
		set(&s.Warning, c.Warning)
		set(&s.Hidden, c.Hidden)
		set(&s.Closed, c.Closed)
		set(&s.Message, c.Message)
		set(&s.EndsOn, c.EndsOn)
		s.By = a.actor.name
		out, err = oldcourse.Set(ctx, tx, s)
		return err
	})
	return out, err
}

// LegacyStageHistory returns the settings that there were, the newest first.
func (a *App) LegacyStageHistory(ctx context.Context, limit int) ([]oldcourse.Setting, error) {
	if err := a.may(ctx, "LegacyStageHistory"); err != nil {
		return nil, err
	}
	return oldcourse.History(ctx, a.DB, limit)
}

// reading are the use cases that only look at the content of a course: of an old one, that is not here (L-4).
var reading = map[string]bool{"Show": true, "Blocks": true, "Diff": true, "History": true, "Labels": true}

// notOld is asked by the gate before anything else, and refuses things with keys of the old store. The key's form alone says
// whether it is one, and who asks does not matter (DEP-31, DEP-51). making is set where the thing is to be made, which is refused at
// every stage: two stores would answer to one key (DEP-4). Where no key is old it costs nothing.
func (a *App) notOld(ctx context.Context, name string, making bool, things ...thing) error {
	for _, t := range things {
		if !t.course.Deprecated() {
			continue
		}
		if k, old := oldcourse.ParseKey(t.course.String()); old {
			return a.refuse(ctx, name, making, k)
		}
	}
	return nil
}

// blocksNotOld is notOld for blocks.
func (a *App) blocksNotOld(ctx context.Context, name string, blocks []keys.Usage) error {
	for _, b := range blocks {
		if b.Deprecated() {
			if err := a.NotOld(ctx, name, b.String()); err != nil {
				return err
			}
		}
	}
	return nil
}

// NotOld refuses, for a use case or a page of that name, the text of a key of the old store where the stage says so, and no
// other text.
func (a *App) NotOld(ctx context.Context, name, text string) error {
	if k, old := oldcourse.ParseKey(text); old {
		return a.refuse(ctx, name, false, k)
	}
	return nil
}

// passedOver returns what says of a key whether work on all packages passes it over: one of the old store, where the site has
// said that it is being retired (DEP-37). That is no refusal, and not counted as one.
func (a *App) passedOver(ctx context.Context) (func(key string) bool, error) {
	s, err := a.stage(ctx, a.DB)
	if err != nil {
		return nil, err
	}
	return func(key string) bool {
		_, old := oldcourse.ParseKey(key)
		return old && s.Stage != oldcourse.None
	}, nil
}

func (a *App) refuse(ctx context.Context, name string, making bool, k oldcourse.Key) error {
	s, err := a.stage(ctx, a.DB)
	if err != nil {
		return err
	}
	data := func(reason string) OldCourse { return OldCourse{k.Name(), string(s.Stage), reason, k.Today().String()} }
	switch {
	case making && !k.Course.IsZero():
		return sameIdentity(k.Course, s.Stage)
	case s.Stage == oldcourse.Removed:
		a.guard().refused.Add(k, name, time.Now())
		e := fault.Errorf(fault.OldMongo, k.Name(), "the course is no longer available: it is of the old store, which was removed").WithNext(oldcourse.WayOut(k))
		e.Data = data(isRemoved)
		return e
	case s.Stage == oldcourse.Warn && reading[name]:
		e := fault.Errorf(fault.NotFound, k.Name(), "the course is of the old store, of which only lectern legacy reads the content").WithNext(oldcourse.WayOut(k))
		e.Data = data(isReadOnly)
		return e
	case s.Stage == oldcourse.Warn:
		e := fault.Errorf(fault.OldMongo, k.Name(), "courses of the old store are not changed, published or exported here").WithNext(oldcourse.WayOut(k))
		e.Data = data(isReadOnly)
		return e
	}
	return nil
}

// sameIdentity refuses to make a course under the key of an old one.
func sameIdentity(key keys.Course, stage oldcourse.Stage) error {
	k, _ := oldcourse.ParseKey(key.String())
	next := "use a key of today, course-v1:ORG+COURSE+RUN"
	if today := k.Today(); !today.IsZero() {
		next = "use a key of today, such as " + today.String()
	}
	e := fault.Errorf(fault.OldMongo, k.Name(), "no course can be made under a key of the old form: the old store, learners' rows and addresses mean another one by it, and its blocks would not have the keys that learners' answers are kept by").
		WithNext(next + "; the identity of the old course is not kept")
	e.Data = OldCourse{k.Name(), string(stage), isIdentity, k.Today().String()}
	return e
}

// skippedJob is the result of a job that was not done, as its course is of the old store.
type skippedJob struct {
	Skipped int    `json:"skipped"`
	Code    string `json:"code"`
	Course  string `json:"course"`
}

func skipped(err error) skippedJob {
	s := skippedJob{Skipped: 1, Code: fault.KindOf(err).Code()}
	var f *fault.Error
	if errors.As(err, &f) {
		s.Course = f.Thing
	}
	return s
}
