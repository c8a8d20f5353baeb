package takeover

import (
	"context"
	"errors"
	"fmt"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/lease"
	"github.com/openlectern/lectern/schema/inspect"
)

// rehearsalLease is held in the copy while it is used, and tells a copy from what only has its name.
const rehearsalLease = "rehearsal"

// serverStage is a database, or on PostgreSQL a schema, beside the original.
type serverStage struct {
	d     *db.DB // the original
	place string // its URL
	from  string // what it is called
	name  string // what the copy is called
	admin *db.DB // the original, for the statements that make and remove the copy
	copy  *db.DB
	held  *lease.Lease
	made  bool // the copy's place was made
	tried bool // its making was begun
}

// stageName returns what the copy of a database or schema is called.
func stageName(e db.Engine, from string) string {
	const suffix = "_lectern_rehearsal"
	longest := 64
	if e == db.PostgreSQL {
		longest = 63 // bytes
	}
	for len(from) > longest-len(suffix) {
		r := []rune(from)
		from = string(r[:len(r)-1])
	}
	return from + suffix
}

// open opens the original for writing statements that do not concern it.
func (s *serverStage) open(ctx context.Context) (err error) {
	if s.admin == nil {
		s.admin, err = db.Open(ctx, s.place, db.Options{})
	}
	return err
}

// enter opens the copy.
func (s *serverStage) enter(ctx context.Context) (*db.DB, error) {
	place, err := db.Beside(s.place, s.name)
	if err != nil {
		return nil, err
	}
	return db.Open(ctx, place, db.Options{})
}

// clearBy looks whether there is a copy, by a query, and drops it if its rehearsal is over.
func (s *serverStage) clearBy(ctx context.Context, exists, drop string) error {
	if err := s.open(ctx); err != nil {
		return err
	}
	_, found, err := db.One(ctx, s.admin, exists, []any{s.name}, db.Value[int])
	if err != nil || !found {
		return err
	}
	d, err := s.enter(ctx)
	if err != nil {
		return err
	}
	err = s.leftOver(ctx, d)
	if err = errors.Join(err, d.Close()); err != nil {
		return err
	}
	_, err = s.admin.Exec(ctx, drop)
	return err
}

// leftOver returns nil when the copy is what a rehearsal left that has ended.
func (s *serverStage) leftOver(ctx context.Context, d *db.DB) error {
	names, err := inspect.Names(ctx, d)
	if err != nil || len(names) == 0 {
		return err
	}
	ours := names["lectern_lock"] && len(names) == 1
	if names["lectern_lock"] && !ours {
		if _, ours, err = db.One(ctx, d, "SELECT 1 FROM lectern_lock WHERE name = ?", []any{rehearsalLease}, db.Value[int]); err != nil {
			return err
		}
	}
	if !ours {
		return fault.Errorf(fault.Refused, s.name, "is there, and is not what a rehearsal left").WithNext("give it another name, or remove it if nobody needs it")
	}
	h, err := lease.Held(ctx, d, rehearsalLease)
	if err == nil && h != nil {
		err = fault.Errorf(fault.Refused, s.name, "is used by %s", h).WithNext("wait until that rehearsal is over")
	}
	return err
}

// make makes the copy's place, empty but for the lease that says whose it is.
func (s *serverStage) make(ctx context.Context, create, right string) (err error) {
	if err := s.open(ctx); err != nil {
		return err
	}
	s.tried = true
	if _, err := s.admin.Exec(ctx, create); err != nil {
		if ctx.Err() != nil {
			return err
		}
		return fault.Errorf(fault.Refused, s.name, "cannot be made for the copy: %w", err).WithNext(right)
	}
	s.made = true
	if s.copy, err = s.enter(ctx); err != nil {
		return err
	}
	if s.held, err = lease.Take(ctx, s.copy, rehearsalLease, lease.Options{What: "lectern db migrate --rehearse"}); err != nil {
		return fmt.Errorf("in the copy: %w", err)
	}
	return nil
}

// removeBy drops the copy. Where it is not known whether it was made, what is there is looked at first: it may be another's.
func (s *serverStage) removeBy(ctx context.Context, exists, drop string) error {
	var errs []error
	switch {
	case s.made:
		_, err := s.admin.Exec(ctx, drop)
		errs = append(errs, err)
	case s.tried:
		if err := s.clearBy(ctx, exists, drop); !fault.Is(err, fault.Refused) {
			errs = append(errs, err)
		}
	}
	if s.copy != nil {
		errs = append(errs, s.copy.Close())
	}
	if s.held != nil {
		_ = s.held.Release(ctx) // its row went with the copy
	}
	if s.admin != nil {
		errs = append(errs, s.admin.Close())
	}
	return errors.Join(errs...)
}
