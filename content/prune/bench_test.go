package prune_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/openlectern/lectern/content/components"
	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/prune"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
)

// BenchmarkPrune prunes components of 20 versions each, every version with a text of its own, to their last state: one log of
// all components, then 190 logs of edits of a tenth of them, then a publish.
func BenchmarkPrune(b *testing.B) {
	for _, n := range []int{1_000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) { benchmarkPrune(b, n) })
	}
}

func benchmarkPrune(b *testing.B, n int) {
	for range b.N {
		b.StopTimer()
		began := time.Now()
		ctx := b.Context()
		path := filepath.Join(b.TempDir(), "bench.db")
		d, err := db.Open(ctx, path, db.Options{Create: true})
		if err != nil {
			b.Fatal(err)
		}
		if err := setup(d); err != nil {
			b.Fatal(err)
		}
		pkg := fill(b, d, n, 20)
		b.ReportMetric(time.Since(began).Seconds(), "s-making")
		size := func() float64 {
			if _, err := d.Exec(ctx, "PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
				b.Log(err)
			}
			info, err := os.Stat(path)
			if err != nil {
				b.Fatal(err)
			}
			return float64(info.Size()) / 1e6
		}
		b.ReportMetric(size(), "MB-before")
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		var plan *prune.Plan
		start := time.Now()
		err = d.View(ctx, func(tx *db.Tx) (err error) {
			plan, err = prune.Make(ctx, tx, []publishing.Package{pkg}, prune.Policy{Last: 1, Published: true}, prune.Options{Guard: time.Nanosecond})
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(time.Since(start).Seconds(), "s-plan")
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/1e6, "MB-allocated-by-plan")
		k := &plan.Packages[0]
		longest := time.Duration(0)
		b.StartTimer()
		start = time.Now()
		r, err := prune.Apply(ctx, func(ctx context.Context, fn func(*db.Tx) error) error {
			began := time.Now()
			err := d.Update(ctx, fn)
			longest = max(longest, time.Since(began))
			return err
		}, plan, k, prune.Approval{Restorable: time.Hour})
		b.StopTimer()
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(time.Since(start).Seconds(), "s-apply")
		b.ReportMetric(longest.Seconds(), "s-longest-transaction")
		b.ReportMetric(float64(r.Versions), "versions")
		b.ReportMetric(float64(r.Moments), "moments")
		if _, err := d.Exec(ctx, "VACUUM"); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(size(), "MB-with-trash")
		start = time.Now()
		if err := d.Update(ctx, func(tx *db.Tx) error { _, err := prune.Undo(ctx, tx, k); return err }); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(time.Since(start).Seconds(), "s-undo")
		if _, err := prune.Apply(ctx, d.Update, plan, k, prune.Approval{Restorable: -time.Hour}); err != nil {
			b.Fatal(err)
		}
		if err := d.Update(ctx, func(tx *db.Tx) error { _, err := prune.Expire(ctx, tx, tx.Now()); return err }); err != nil {
			b.Fatal(err)
		}
		if _, err := d.Exec(ctx, "VACUUM"); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(size(), "MB-after")
		if err := d.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// fill makes components with versions.
func fill(b *testing.B, d *db.DB, n, versions int) (pkg publishing.Package) {
	b.Helper()
	ctx := b.Context()
	do := func(fn func(tx *db.Tx) error) {
		if err := d.Update(ctx, fn); err != nil {
			b.Fatal(err)
		}
	}
	do(func(tx *db.Tx) (err error) {
		pkg, err = publishing.CreatePackage(ctx, tx, publishing.NewPackage{Ref: "lp:bench", Title: "Bench"})
		return err
	})
	var ids []publishing.EntityID
	body := strings.Repeat("<p>some text of a block in a course</p>\n", 10)
	edit := func(round, from, to int) {
		do(func(tx *db.Tx) error {
			_, err := publishing.Change(ctx, tx, pkg.ID, publishing.Meta{Kind: "edit"}, func(cs *publishing.ChangeSet) error {
				if ids == nil {
					list := make([]components.NewComponent, n)
					for i := range list {
						list[i] = components.NewComponent{Type: components.Type{Namespace: "xblock.v1", Name: "html"}, Code: fmt.Sprintf("c%d", i)}
					}
					var err error
					if ids, err = components.Create(ctx, tx, pkg.ID, list); err != nil {
						return err
					}
				}
				texts := make([]media.New, to-from)
				for i := range texts {
					s := fmt.Sprintf("%d/%d %s", round, from+i, body)
					texts[i] = media.New{Type: "text/html", Text: &s}
				}
				made, err := media.GetOrCreate(ctx, tx, nil, pkg, texts, media.Options{})
				if err != nil {
					return err
				}
				vs := make([]components.NewVersion, to-from)
				for i := range vs {
					vs[i] = components.NewVersion{Entity: ids[from+i], Title: "t", Files: []components.File{{Path: "block.xml", Media: made[i].ID}}}
				}
				_, _, err = components.CreateVersions(ctx, cs, vs)
				return err
			})
			return err
		})
	}
	edit(0, 0, n)
	for round := 1; round < versions; round++ {
		for from := 0; from < n; from += n / 10 {
			edit(round, from, from+n/10)
		}
	}
	do(func(tx *db.Tx) error {
		_, err := publishing.PublishAll(ctx, tx, pkg.ID, publishing.PublishMeta{})
		return err
	})
	return pkg
}
