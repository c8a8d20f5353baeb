package conformance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/user"
)

// errRaised is the caller's error of the step "raise".
var errRaised = errors.New("raised")

// stage performs the steps of one scenario on a database.
type stage struct {
	nodes
	files media.Files
	refs  map[string]string // of packages, by their name in the scenario
	users map[string]publishing.UserID
	known map[string]publishing.Package // by name, where they are committed
	flush bool                          // write pointers after each step of a bulk
	tail  string                        // of package refs, so that scenarios can share a database
	now   time.Time

	// What the running step did.
	tx      *db.Tx
	open    []*publishing.ChangeSet
	changes []any // *publishing.ChangeLog and *publishing.PublishLog, in the order in which they were finished
}

func newStage(d []*db.DB, files media.Files, users map[string]publishing.UserID, flush bool) *stage {
	return &stage{nodes: newNodes(d), files: files, refs: map[string]string{}, known: map[string]publishing.Package{}, users: users, flush: flush}
}

// makeUsers makes the users that scenarios name, and returns them with nobody as "".
func makeUsers(ctx context.Context, d *db.DB) (map[string]publishing.UserID, error) {
	users := map[string]publishing.UserID{"": 0}
	err := d.Update(ctx, func(tx *db.Tx) error {
		for _, name := range []string{"ada", "bob", "cy"} {
			u, err := user.Create(ctx, tx, user.New{Username: name, Email: name + "@example.org"})
			if err != nil {
				return err
			}
			users[name] = publishing.UserID(u.ID)
		}
		return nil
	})
	return users, err
}

// packages returns the packages of the scenario that exist, by their names there.
func (s *stage) packages(ctx context.Context, q db.Querier) (map[string]publishing.Package, error) {
	found := map[string]publishing.Package{}
	for name := range s.refs {
		p, err := s.pkg(ctx, q, name)
		if fault.Is(err, fault.NotFound) {
			continue // the step that was to make it failed
		}
		if err != nil {
			return nil, err
		}
		found[name] = p
	}
	return found, nil
}

// pkg returns a package by its name in the scenario. Once it is there it is not read again: what is asked for is its
// identity.
func (s *stage) pkg(ctx context.Context, q db.Querier, name string) (publishing.Package, error) {
	if p, ok := s.known[name]; ok {
		return p, nil
	}
	p, err := publishing.PackageByRef(ctx, q, s.refs[name])
	if err == nil && q != db.Querier(s.tx) { // what a transaction sees may yet be rolled back
		s.known[name] = p
	}
	return p, err
}

// minute returns minute n of the scenarios' time.
func minute(n int) time.Time {
	return time.Date(2026, 1, 1, 0, n, 0, 0, time.UTC)
}

// perform runs a step in a transaction of its own.
func (s *stage) perform(ctx context.Context, n int, st step) error {
	s.now = minute(n)
	return s.d.Update(ctx, func(tx *db.Tx) error {
		s.tx, s.open, s.changes = tx, nil, nil
		return s.step(ctx, st)
	})
}

func (s *stage) step(ctx context.Context, st step) error {
	by, ok := s.users[st.By]
	if !ok {
		return fmt.Errorf("no user %s", st.By)
	}
	switch st.Op {
	case "package":
		s.refs[st.Name] = st.Ref + s.tail
		_, err := publishing.CreatePackage(ctx, s.tx, publishing.NewPackage{Ref: st.Ref + s.tail, Title: *st.Title, Created: s.now})
		return err
	case "update_package":
		p, err := s.pkg(ctx, s.tx, st.Pkg)
		if err != nil {
			return err
		}
		_, err = publishing.UpdatePackage(ctx, s.tx, p.ID, publishing.PackageChange{Title: st.Title, Updated: s.now})
		return err
	case "entity":
		p, err := s.pkg(ctx, s.tx, st.Pkg)
		if err != nil {
			return err
		}
		_, err = publishing.CreateEntities(ctx, s.tx, p.ID, []publishing.NewEntity{{Ref: st.Ref, Created: s.now}})
		return err
	case "version":
		return s.bareVersion(ctx, st, by)
	case "component":
		return s.component(ctx, st, by)
	case "component_version":
		return s.componentVersion(ctx, st, by)
	case "container":
		return s.container(ctx, st, by)
	case "container_version":
		return s.containerVersion(ctx, st, by)
	case "set_draft", "delete":
		return s.setDraft(ctx, st, by)
	case "reset":
		return s.reset(ctx, st, by)
	case "publish", "publish_all":
		return s.publish(ctx, st, by)
	case "bulk":
		return s.bulk(ctx, st, by)
	case "raise":
		return errRaised
	}
	return fmt.Errorf("no step %s", st.Op)
}

// find returns entities by their refs, which are unique over all packages of a scenario.
func (s *stage) find(ctx context.Context, refs ...string) ([]publishing.Entity, error) {
	packages, err := s.packages(ctx, s.tx)
	if err != nil {
		return nil, err
	}
	all := map[string]publishing.Entity{}
	for _, p := range packages {
		found, err := publishing.EntitiesByRef(ctx, s.tx, p.ID, refs)
		if err != nil {
			return nil, err
		}
		for ref, e := range found {
			all[ref] = e
		}
	}
	list := make([]publishing.Entity, len(refs))
	for i, ref := range refs {
		e, ok := all[ref]
		if !ok {
			return nil, fault.Errorf(fault.NotFound, ref, "no package has this entity")
		}
		list[i] = e
	}
	return list, nil
}

// in runs fn in the innermost open change set of the package, or in one of its own.
func (s *stage) in(ctx context.Context, pkg publishing.PackageID, by publishing.UserID, fn func(*publishing.ChangeSet) error) error {
	for _, c := range slices.Backward(s.open) {
		if c.Package() == pkg {
			return fn(c)
		}
	}
	l, err := publishing.Change(ctx, s.tx, pkg, publishing.Meta{At: s.now, By: by}, fn)
	if l != nil {
		s.changes = append(s.changes, l)
	}
	return err
}

func (s *stage) setDraft(ctx context.Context, st step, by publishing.UserID) error {
	of := st.Of
	if of == "" {
		of = st.Entity
	}
	found, err := s.find(ctx, st.Entity, of)
	if err != nil {
		return err
	}
	p := publishing.Pointer{Entity: found[0].ID}
	if st.Op == "set_draft" && st.Version != nil {
		v, err := publishing.VersionByNum(ctx, s.tx, found[1].ID, *st.Version)
		if err != nil {
			return err
		}
		p.Version = v.ID
	}
	return s.in(ctx, found[0].Package, by, func(c *publishing.ChangeSet) error {
		return c.SetDrafts(ctx, []publishing.Pointer{p})
	})
}

func (s *stage) reset(ctx context.Context, st step, by publishing.UserID) error {
	p, err := s.pkg(ctx, s.tx, st.Pkg)
	if err != nil {
		return err
	}
	l, err := publishing.Reset(ctx, s.tx, p.ID, publishing.Meta{At: s.now, By: by}, nil)
	if l != nil {
		s.changes = append(s.changes, l)
	}
	return err
}

func (s *stage) publish(ctx context.Context, st step, by publishing.UserID) error {
	p, err := s.pkg(ctx, s.tx, st.Pkg)
	if err != nil {
		return err
	}
	m := publishing.PublishMeta{At: s.now, By: by, Message: st.Message}
	if st.Op == "publish_all" {
		l, err := publishing.PublishAll(ctx, s.tx, p.ID, m)
		if err != nil {
			return err
		}
		s.changes = append(s.changes, l)
		return nil
	}
	found, err := s.find(ctx, st.Entities...)
	if err != nil {
		return err
	}
	ids := make([]publishing.EntityID, len(found))
	for i, e := range found {
		ids[i] = e.ID
	}
	slices.Sort(ids)
	l, err := publishing.Publish(ctx, s.tx, p.ID, ids, st.Dependencies == nil || *st.Dependencies, m)
	if err != nil {
		return err
	}
	s.changes = append(s.changes, l)
	return nil
}

func (s *stage) bulk(ctx context.Context, st step, by publishing.UserID) error {
	p, err := s.pkg(ctx, s.tx, st.Pkg)
	if err != nil {
		return err
	}
	l, err := publishing.Change(ctx, s.tx, p.ID, publishing.Meta{At: s.now, By: by}, func(c *publishing.ChangeSet) error {
		s.open = append(s.open, c)
		defer func() { s.open = s.open[:len(s.open)-1] }()
		for _, inner := range st.Steps {
			if err := s.step(ctx, inner); err != nil {
				return err
			}
			if s.flush {
				if err := c.Flush(ctx); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if l != nil {
		s.changes = append(s.changes, l)
	}
	return err
}
