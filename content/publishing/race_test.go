package publishing

import (
	"fmt"
	"sync"
	"testing"

	"github.com/openlectern/lectern/db"
)

// Writers of one package run one after the other: side effects and digests of edits made at the same time see each
// other, numbers do not clash, and log ids follow commits.
func TestConcurrentWriters(t *testing.T) {
	t.Parallel()
	eachShop(t, func(s *shop) {
		ctx := s.Context()
		const writers, edits = 4, 5
		var refs []string
		for i := range writers {
			refs = append(refs, fmt.Sprint("leaf", i))
		}
		leaves := s.entities(refs...)
		for _, e := range leaves {
			s.version(e)
		}
		up := s.entities("up")[0]
		s.version(up, leaves...)
		s.publishAll()
		// A row as another program leaves it: the lock's row is made by whoever comes first.
		if _, err := s.d.Exec(ctx, `DELETE FROM lectern_package`); err != nil {
			s.Fatal(err)
		}
		var group sync.WaitGroup
		for i := range writers {
			group.Go(func() {
				for k := range edits {
					err := s.d.Update(ctx, func(tx *db.Tx) error {
						_, err := Change(ctx, tx, s.pkg, Meta{}, func(c *ChangeSet) error {
							// Everybody edits an own leaf and one that all share.
							_, _, err := c.CreateVersions(ctx, []NewVersion{{Entity: leaves[i]}, {Entity: leaves[(i+k)%writers]}})
							return err
						})
						if err == nil && k == edits/2 {
							_, err = PublishAll(ctx, tx, s.pkg, PublishMeta{})
						}
						return err
					})
					if err != nil {
						s.Error(err)
					}
				}
			})
		}
		group.Wait()

		total := 0
		var live []leaf
		for _, e := range leaves {
			versions, err := VersionsOf(ctx, s.d, e)
			if err != nil {
				s.Fatal(err)
			}
			total += len(versions)
			for i, v := range versions {
				if v.Num != i+1 {
					s.Errorf("version numbers have gaps: %+v", versions)
				}
			}
			p := s.pointers(e)
			if p.Draft.Num != len(versions) {
				s.Errorf("draft %+v of %d versions", p.Draft, len(versions))
			}
			live = append(live, leaf{version: p.Draft.Version})
		}
		if want := writers + 2*writers*edits; total != want {
			s.Errorf("%d versions, want %d", total, want)
		}
		want, _ := digest(live, nil)
		if p := s.pointers(up); p.Draft.Digest != want {
			s.Errorf("digest above %q, want %q", p.Draft.Digest, want)
		}
		logs, err := Logs(ctx, s.d, s.pkg, LogFilter{OnlyDrafts: true})
		if err != nil {
			s.Fatal(err)
		}
		heads, err := Heads(ctx, s.d, s.pkg, AfterChange(1<<60))
		if err != nil {
			s.Fatal(err)
		}
		for _, h := range heads { // the highest log id is the latest state
			if p := s.pointers(h.Entity); p.Draft.Version != h.Version {
				s.Errorf("after %d logs %+v, but the draft is %+v", len(logs), h, p.Draft)
			}
		}
	})
}
