package content

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/openlectern/lectern/content/components"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
)

// TestSixteenWriters lets many writers change two packages in one transaction each, in whatever order: they lock each
// other out, the losers run again, and every change counts once.
func TestSixteenWriters(t *testing.T) {
	t.Parallel()
	dbtest.EachReady(t, create, func(t *testing.T, d *db.DB) {
		const writers, rounds, shared = 16, 4, 3
		ctx := t.Context()
		var pkg [shared]publishing.PackageID
		var leaf [shared]publishing.EntityID
		problem := components.Type{Namespace: "xblock.v1", Name: "problem"}
		if err := d.Update(ctx, func(tx *db.Tx) error {
			for i := range pkg {
				p, err := publishing.CreatePackage(ctx, tx, publishing.NewPackage{Ref: fmt.Sprint("lp:", i), Title: "T"})
				if err != nil {
					return err
				}
				ids, err := components.Create(ctx, tx, p.ID, []components.NewComponent{{Type: problem, Code: "p"}})
				if err != nil {
					return err
				}
				pkg[i], leaf[i] = p.ID, ids[0]
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		edit := func(tx *db.Tx, i int) error {
			_, err := publishing.Change(ctx, tx, pkg[i], publishing.Meta{}, func(cs *publishing.ChangeSet) error {
				_, _, err := components.NextVersions(ctx, cs, []components.NextVersion{{Entity: leaf[i], Title: new("next")}})
				return err
			})
			return err
		}
		var mu sync.Mutex
		var want [shared]int
		var group sync.WaitGroup
		for w := range writers {
			group.Go(func() {
				random := rand.New(rand.NewPCG(uint64(w), 1))
				for range rounds {
					order := random.Perm(shared)[:2]
					err := d.Update(ctx, func(tx *db.Tx) error {
						if err := edit(tx, order[0]); err != nil {
							return err
						}
						if err := edit(tx, order[1]); err != nil {
							return err
						}
						_, err := publishing.Publish(ctx, tx, pkg[order[1]], leaf[order[1]:order[1]+1], true, publishing.PublishMeta{})
						return err
					})
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					want[order[0]]++
					want[order[1]]++
					mu.Unlock()
				}
			})
		}
		group.Wait()
		for i := range pkg {
			versions, err := publishing.VersionsOf(ctx, d, leaf[i])
			if err != nil || len(versions) != want[i] || len(versions) > 0 && versions[len(versions)-1].Num != want[i] {
				t.Errorf("package %d has %d versions, %v, want %d without gaps", i, len(versions), err, want[i])
			}
			logs, err := publishing.Logs(ctx, d, pkg[i], publishing.LogFilter{OnlyDrafts: true})
			if err != nil || len(logs) != want[i] {
				t.Errorf("package %d has %d change logs, %v, want %d", i, len(logs), err, want[i])
			}
		}
	})
}
