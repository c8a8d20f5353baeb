package main

import (
	"context"
	"fmt"

	"github.com/openlectern/lectern/content/components"
	"github.com/openlectern/lectern/content/containers"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
)

// benchCreate makes a package and n components with a version and its media each, in one change set (job 2, bulk).
func benchCreate(b *bench) error {
	before, err := b.empty()
	if err != nil {
		return err
	}
	after, err := b.fresh(before)
	if err != nil {
		return err
	}
	olx := blocks(b.n, 1)
	var l *Line
	err = b.using(after, firstDay, func(d *db.DB) error {
		l, err = b.measure("create", b.n, func(ctx context.Context) error {
			return d.Update(ctx, func(tx *db.Tx) error {
				p, err := newPackage(ctx, tx)
				if err != nil {
					return err
				}
				_, err = publishing.Change(ctx, tx, p.ID, publishing.Meta{}, func(cs *publishing.ChangeSet) error {
					_, err := createComponents(ctx, cs, p, olx, 0)
					return err
				})
				return err
			})
		})
		return err
	})
	if err != nil {
		return err
	}
	return b.raw(l, before, after)
}

// benchCreateEach does the same with a transaction and a change log for each component (job 2, each).
func benchCreateEach(b *bench) error {
	before, err := b.empty()
	if err != nil {
		return err
	}
	after, err := b.fresh(before)
	if err != nil {
		return err
	}
	olx := blocks(b.n, 1)
	return b.using(after, firstDay, func(d *db.DB) error {
		_, err := b.measure("create-each", b.n, func(ctx context.Context) error {
			var p publishing.Package
			if err := d.Update(ctx, func(tx *db.Tx) (err error) {
				p, err = newPackage(ctx, tx)
				return err
			}); err != nil {
				return err
			}
			for i := range olx {
				if err := change(ctx, d, p, func(cs *publishing.ChangeSet) error {
					_, err := createComponents(ctx, cs, p, olx[i:i+1], i)
					return err
				}); err != nil {
					return err
				}
			}
			return nil
		})
		return err
	})
}

// change runs fn with a change set of its own in a transaction of its own.
func change(ctx context.Context, d *db.DB, p publishing.Package, fn func(*publishing.ChangeSet) error) error {
	return d.Update(ctx, func(tx *db.Tx) error {
		_, err := publishing.Change(ctx, tx, p.ID, publishing.Meta{}, fn)
		return err
	})
}

// benchEdit gives every tenth component of the published course a next version in one change set, then publishes
// everything that differs (job 3, bulk).
func benchEdit(b *bench) error {
	before, err := b.course()
	if err != nil {
		return err
	}
	edited, err := b.fresh(before)
	if err != nil {
		return err
	}
	olx := blocks(max(1, b.n/10), 2)
	var l *Line
	err = b.editing(edited, func(d *db.DB, p publishing.Package, ids []publishing.EntityID) error {
		l, err = b.measure("edit", len(olx), func(ctx context.Context) error {
			return change(ctx, d, p, func(cs *publishing.ChangeSet) error {
				return edit(ctx, cs, p, ids, olx)
			})
		})
		return err
	})
	if err != nil {
		return err
	}
	if err := b.raw(l, before, edited); err != nil {
		return err
	}

	published, err := b.fresh(edited)
	if err != nil {
		return err
	}
	err = b.editing(published, func(d *db.DB, p publishing.Package, _ []publishing.EntityID) error {
		l, err = b.measure("publish", len(olx), func(ctx context.Context) error {
			return d.Update(ctx, func(tx *db.Tx) error {
				_, err := publishing.PublishAll(ctx, tx, p.ID, publishing.PublishMeta{Message: "second"})
				return err
			})
		})
		return err
	})
	if err != nil {
		return err
	}
	return b.raw(l, edited, published)
}

// someEdits is how many edits benchEditEach makes.
const someEdits = 20

// benchEditEach makes a few edits with a transaction and a change log each: the everyday case (job 3, each).
func benchEditEach(b *bench) error {
	before, err := b.course()
	if err != nil {
		return err
	}
	after, err := b.fresh(before)
	if err != nil {
		return err
	}
	olx := blocks(someEdits, 2)
	return b.editing(after, func(d *db.DB, p publishing.Package, ids []publishing.EntityID) error {
		_, err := b.measure("edit-each", someEdits, func(ctx context.Context) error {
			for i := range olx {
				if err := change(ctx, d, p, func(cs *publishing.ChangeSet) error {
					return edit(ctx, cs, p, ids[i:], olx[i:i+1])
				}); err != nil {
					return err
				}
			}
			return nil
		})
		return err
	})
}

// editing opens a course on its second day, and finds its package and every tenth of its components.
func (b *bench) editing(path string, fn func(*db.DB, publishing.Package, []publishing.EntityID) error) error {
	return b.using(path, secondDay, func(d *db.DB) error {
		p, err := publishing.PackageByRef(b.ctx, d, packageRef)
		if err != nil {
			return err
		}
		all, err := components.Components(b.ctx, d, p.ID, components.Filter{})
		if err != nil {
			return err
		}
		var ids []publishing.EntityID
		for i := 0; i < len(all); i += 10 {
			ids = append(ids, all[i].ID)
		}
		return fn(d, p, ids)
	})
}

// edit gives the first len(olx) of the components a next version with that OLX.
func edit(ctx context.Context, cs *publishing.ChangeSet, p publishing.Package, ids []publishing.EntityID, olx []string) error {
	m, err := storeTexts(ctx, cs, p, olx)
	if err != nil {
		return err
	}
	next := make([]components.NextVersion, len(olx))
	for i := range next {
		next[i] = components.NextVersion{Entity: ids[i], Files: []components.File{{Path: "block.xml", Media: m[i].ID}}}
	}
	_, _, err = components.NextVersions(ctx, cs, next)
	return err
}

// reads is how many times the outline is read within one measurement.
const reads = 5

// benchOutline reads the course, sections down to components with ids and titles, from each branch (job 4).
func benchOutline(b *bench) error {
	path, err := b.course()
	if err != nil {
		return err
	}
	if path, err = b.fresh(path); err != nil {
		return err
	}
	return b.editing(path, func(d *db.DB, p publishing.Package, _ []publishing.EntityID) error {
		for _, branch := range []struct {
			name string
			at   publishing.Moment
		}{{"outline draft", publishing.Draft()}, {"outline published", publishing.Published()}} {
			if err := readOutline(b.ctx, d, p, branch.at, b.n); err != nil { // once for the caches
				return err
			}
			l, err := b.measure(branch.name, reads*nodes(b.n), func(ctx context.Context) error {
				for range reads {
					if err := readOutline(ctx, d, p, branch.at, b.n); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
			l.Seconds, l.CPU = l.Seconds/reads, l.CPU/reads
			l.Ops, l.Statements = l.Ops/reads, l.Statements/reads
		}
		return nil
	})
}

func readOutline(ctx context.Context, d *db.DB, p publishing.Package, at publishing.Moment, n int) error {
	return d.View(ctx, func(tx *db.Tx) error {
		all, err := containers.Outline(ctx, tx, p.ID, at)
		if err != nil {
			return err
		}
		found := 0
		for _, x := range all {
			if x.Type == containers.Section {
				found += count(x)
			}
		}
		if found != nodes(n) {
			return fmt.Errorf("the outline has %d nodes instead of %d", found, nodes(n))
		}
		return nil
	})
}

// count returns how many nodes there are from x down.
func count(x *containers.Node) int {
	n := 1
	for _, e := range x.Children {
		n += count(e.Node)
	}
	return n
}
