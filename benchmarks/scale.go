package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/openlectern/lectern/content/components"
	"github.com/openlectern/lectern/content/containers"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
)

// part is how many components of the big course are made and published at a time.
const part = 10_000

// repeats is how many times each small operation of benchScale is done: they are quick.
const repeats = 20

// bigCourse returns the path of a database with a course of n components that was made in parts.
func (b *bench) bigCourse() (string, error) {
	from, err := b.empty()
	if err != nil {
		return "", err
	}
	name := fmt.Sprintf("big-%d.db", b.n)
	if err := copyFile(from, filepath.Join(b.dir, name)); err != nil {
		return "", err
	}
	return b.prepared(name, func(d *db.DB) error {
		var p publishing.Package
		err := d.Update(b.ctx, func(tx *db.Tx) (err error) {
			p, err = newPackage(b.ctx, tx)
			return err
		})
		for from := 0; from < b.n && err == nil; from += part {
			err = b.addPart(d, p, from, min(part, b.n-from))
		}
		return err
	})
}

// addPart adds n components with units, subsections and sections of their own, and publishes them.
func (b *bench) addPart(d *db.DB, p publishing.Package, from, n int) error {
	olx := make([]string, n)
	for i := range olx {
		olx[i] = blockXML(from+i, 1)
	}
	return d.Update(b.ctx, func(tx *db.Tx) error {
		var all []publishing.EntityID
		if _, err := publishing.Change(b.ctx, tx, p.ID, publishing.Meta{}, func(cs *publishing.ChangeSet) error {
			ids, err := createComponents(b.ctx, cs, p, olx, from)
			if err != nil {
				return err
			}
			above, err := createContainers(b.ctx, cs, ids, from)
			all = append(ids, above...)
			return err
		}); err != nil {
			return err
		}
		_, err := publishing.Publish(b.ctx, tx, p.ID, all, true, publishing.PublishMeta{Message: "part"})
		return err
	})
}

// benchScale does small things in a course of n components. Each costs the same whatever n is, but for reading the whole
// branch, which costs the same a node.
func benchScale(b *bench) error {
	from, err := b.bigCourse()
	if err != nil {
		return err
	}
	path, err := b.fresh(from)
	if err != nil {
		return err
	}
	return b.using(path, secondDay, func(d *db.DB) error {
		p, err := publishing.PackageByRef(b.ctx, d, packageRef)
		if err != nil {
			return err
		}
		ids := make([]publishing.EntityID, repeats)
		for i := range ids {
			at := i * b.n / repeats
			c, err := components.ByCode(b.ctx, d, p.ID, problem, code(at))
			if err != nil {
				return err
			}
			ids[i] = c.ID
		}
		olx := blocks(repeats, 2)
		fresh := blocks(repeats, 3)
		var top []*containers.Node
		for _, op := range []struct {
			name string
			fn   func(ctx context.Context, i int) error
		}{
			{"create one", func(ctx context.Context, i int) error {
				return change(ctx, d, p, func(cs *publishing.ChangeSet) error {
					_, err := createComponents(ctx, cs, p, fresh[i:i+1], b.n+i)
					return err
				})
			}},
			{"edit one", func(ctx context.Context, i int) error {
				return change(ctx, d, p, func(cs *publishing.ChangeSet) error { return edit(ctx, cs, p, ids[i:], olx[i:i+1]) })
			}},
			{"publish one", func(ctx context.Context, i int) error {
				return d.Update(ctx, func(tx *db.Tx) error {
					_, err := publishing.Publish(ctx, tx, p.ID, ids[i:i+1], true, publishing.PublishMeta{})
					return err
				})
			}},
			{"history page", func(ctx context.Context, _ int) error {
				_, err := publishing.Logs(ctx, d, p.ID, publishing.LogFilter{Limit: 50})
				return err
			}},
			{"history of one", func(ctx context.Context, i int) error {
				_, err := publishing.Logs(ctx, d, p.ID, publishing.LogFilter{Entities: ids[i : i+1], Limit: 50})
				return err
			}},
			{"first level", func(ctx context.Context, _ int) (err error) {
				top, err = containers.Level(ctx, d, p.ID, containers.Section, publishing.Published())
				return err
			}},
			{"inside one", func(ctx context.Context, i int) error {
				_, err := containers.EntitiesIn(ctx, d, top[i%len(top)].Entity, true)
				return err
			}},
		} {
			if _, err := b.measure(op.name, repeats, func(ctx context.Context) error {
				for i := range repeats {
					if err := op.fn(ctx, i); err != nil {
						return err
					}
				}
				return nil
			}); err != nil {
				return err
			}
		}
		all := nodes(min(b.n, part)) * max(1, b.n/part)
		_, err = b.measure("whole branch", all, func(ctx context.Context) error {
			heads, err := publishing.Heads(ctx, d, p.ID, publishing.Published())
			if err == nil && !slices.ContainsFunc(heads, func(h publishing.Head) bool { return h.Entity == ids[0] }) {
				err = fmt.Errorf("%d heads without the first component", len(heads))
			}
			return err
		})
		return err
	})
}
