package publishing

import (
	"context"
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
)

// makeCourse makes a package of n leaves in lists of 50, 5 and 4, all published, and returns the leaves.
func makeCourse(ctx context.Context, d *db.DB, n int) (pkg PackageID, leaves []EntityID, err error) {
	err = d.Update(ctx, func(tx *db.Tx) error {
		p, err := CreatePackage(ctx, tx, NewPackage{Ref: "lp:bench", Title: "Bench"})
		if err != nil {
			return err
		}
		pkg = p.ID
		if _, err := Change(ctx, tx, pkg, Meta{}, func(c *ChangeSet) error {
			level, err := createLevel(ctx, c, "leaf", n, nil, 0)
			if err != nil {
				return err
			}
			leaves = level
			for _, l := range []struct {
				name string
				size int
			}{{"unit", 50}, {"subsection", 5}, {"section", 4}} {
				if level, err = createLevel(ctx, c, l.name, (len(level)+l.size-1)/l.size, level, l.size); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return err
		}
		_, err = PublishAll(ctx, tx, pkg, PublishMeta{})
		return err
	})
	return pkg, leaves, err
}

func createLevel(ctx context.Context, c *ChangeSet, name string, n int, below []EntityID, size int) ([]EntityID, error) {
	list := make([]NewEntity, n)
	for i := range list {
		list[i].Ref = fmt.Sprintf("%s%06d", name, i)
	}
	ids, err := CreateEntities(ctx, c.Tx(), c.Package(), list)
	if err != nil {
		return nil, err
	}
	versions := make([]NewVersion, n)
	for i, e := range ids {
		versions[i] = NewVersion{Entity: e, Title: fmt.Sprintf("%s %d", name, i)}
		if size > 0 {
			versions[i].Dependencies = below[i*size : min(len(below), (i+1)*size)]
		}
	}
	_, _, err = c.CreateVersions(ctx, versions)
	return ids, err
}

// BenchmarkCreate makes 10,000 entities with a version each in one change set; the ratio is to the same rows inserted
// raw.
func BenchmarkCreate(b *testing.B) {
	const n = 10000
	var ours, raw time.Duration
	for b.Loop() {
		d := dbtest.Ready(b, db.SQLite, setup)
		start := time.Now()
		err := d.Update(b.Context(), func(tx *db.Tx) error {
			p, err := CreatePackage(b.Context(), tx, NewPackage{Ref: "lp:bench", Title: "Bench"})
			if err != nil {
				return err
			}
			_, err = Change(b.Context(), tx, p.ID, Meta{}, func(c *ChangeSet) error {
				_, err := createLevel(b.Context(), c, "leaf", n, nil, 0)
				return err
			})
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
		ours += time.Since(start)
		raw += rawCreate(b, n)
	}
	b.ReportMetric(float64(ours)/float64(raw), "of-raw")
	b.ReportMetric(float64(ours.Milliseconds())/float64(b.N), "ms")
}

// rawDB opens a copy of a prepared database with the driver alone.
func rawDB(b *testing.B, setup func(*db.DB) error) *sql.DB {
	url := dbtest.ReadyURL(b, db.SQLite, setup)
	s, err := sql.Open("sqlite", "file:"+url[len("sqlite:"):]+"?_pragma=busy_timeout(5000)&_pragma=journal_mode(wal)&_pragma=synchronous(normal)&_pragma=foreign_keys(1)&_txlock=immediate")
	if err != nil {
		b.Fatal(err)
	}
	s.SetMaxOpenConns(1)
	b.Cleanup(func() { _ = s.Close() })
	return s
}

type rows struct {
	sql  string
	n    int
	args func(i int) []any
}

func insertRaw(b *testing.B, s *sql.DB, list []rows) time.Duration {
	b.Helper()
	start := time.Now()
	tx, err := s.Begin()
	if err != nil {
		b.Fatal(err)
	}
	for _, r := range list {
		st, err := tx.Prepare(r.sql)
		if err != nil {
			b.Fatal(err)
		}
		for i := range r.n {
			if _, err := st.Exec(r.args(i)...); err != nil {
				b.Fatal(err)
			}
		}
	}
	if err := tx.Commit(); err != nil {
		b.Fatal(err)
	}
	return time.Since(start)
}

func hex32() string { u := uuid.New(); return fmt.Sprintf("%x", u[:]) }

func rawCreate(b *testing.B, n int) time.Duration {
	const at = "2026-01-01 00:00:00"
	ids := make([]string, 2*n)
	for i := range ids {
		ids[i] = hex32()
	}
	return insertRaw(b, rawDB(b, setup), []rows{
		{`INSERT INTO openedx_content_learningpackage (uuid, package_ref, title, description, created, updated) VALUES (?,?,?,?,?,?)`, 1,
			func(int) []any { return []any{hex32(), "lp:bench", "Bench", "", at, at} }},
		{`INSERT INTO openedx_content_publishableentity (uuid, entity_ref, created, created_by_id, learning_package_id, can_stand_alone) VALUES (?,?,?,?,?,?)`, n,
			func(i int) []any { return []any{ids[i], fmt.Sprintf("leaf%06d", i), at, nil, 1, 1} }},
		{`INSERT INTO openedx_content_publishableentityversion (uuid, title, version_num, created, created_by_id, entity_id) VALUES (?,?,?,?,?,?)`, n,
			func(i int) []any { return []any{ids[n+i], fmt.Sprintf("leaf %d", i), 1, at, nil, i + 1} }},
		{`INSERT INTO openedx_content_draftchangelog (uuid, changed_at, changed_by_id, learning_package_id) VALUES (?,?,?,?)`, 1,
			func(int) []any { return []any{hex32(), at, nil, 1} }},
		{`INSERT INTO openedx_content_draftchangelogrecord (draft_change_log_id, entity_id, old_version_id, new_version_id, dependencies_hash_digest) VALUES (?,?,?,?,?)`, n,
			func(i int) []any { return []any{1, i + 1, nil, i + 1, ""} }},
		{`INSERT INTO openedx_content_draft (entity_id, version_id, draft_log_record_id) VALUES (?,?,?)`, n,
			func(i int) []any { return []any{i + 1, i + 1, i + 1} }},
	})
}

const benchLeaves = 10000

func editedCourse(d *db.DB) error {
	ctx := context.Background()
	if err := setup(d); err != nil {
		return err
	}
	pkg, leaves, err := makeCourse(ctx, d, benchLeaves)
	if err != nil {
		return err
	}
	return d.Update(ctx, func(tx *db.Tx) error { return editTenth(ctx, tx, pkg, leaves) })
}

func publishedCourse(d *db.DB) error {
	if err := setup(d); err != nil {
		return err
	}
	_, _, err := makeCourse(context.Background(), d, benchLeaves)
	return err
}

func editTenth(ctx context.Context, tx *db.Tx, pkg PackageID, leaves []EntityID) error {
	_, err := Change(ctx, tx, pkg, Meta{}, func(c *ChangeSet) error {
		var list []NewVersion
		for i := 0; i < len(leaves); i += 10 {
			list = append(list, NewVersion{Entity: leaves[i], Title: "edited"})
		}
		_, _, err := c.CreateVersions(ctx, list)
		return err
	})
	return err
}

// BenchmarkPublish publishes all of 10,000 leaves in a course of which 1,000 were edited; the ratio is to the same rows
// written raw to the same database.
func BenchmarkPublish(b *testing.B) {
	var ours, raw time.Duration
	for b.Loop() {
		d := dbtest.Ready(b, db.SQLite, editedCourse)
		var l *PublishLog
		start := time.Now()
		err := d.Update(b.Context(), func(tx *db.Tx) (err error) {
			l, err = PublishAll(b.Context(), tx, 1, PublishMeta{})
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
		ours += time.Since(start)
		raw += rawPublish(b, l)
	}
	b.ReportMetric(float64(ours)/float64(raw), "of-raw")
	b.ReportMetric(float64(ours.Microseconds())/1000/float64(b.N), "ms")
	b.ReportMetric(float64(raw.Microseconds())/1000/float64(b.N), "raw-ms")
}

// BenchmarkEdit gives 1,000 of 10,000 leaves a new version in one change set.
func BenchmarkEdit(b *testing.B) {
	var ours time.Duration
	for b.Loop() {
		d := dbtest.Ready(b, db.SQLite, publishedCourse)
		leaves := make([]EntityID, benchLeaves)
		for i := range leaves {
			leaves[i] = EntityID(i + 1)
		}
		start := time.Now()
		if err := d.Update(b.Context(), func(tx *db.Tx) error { return editTenth(b.Context(), tx, 1, leaves) }); err != nil {
			b.Fatal(err)
		}
		ours += time.Since(start)
	}
	b.ReportMetric(float64(ours.Microseconds())/1000/float64(b.N), "ms")
}

func rawPublish(b *testing.B, l *PublishLog) time.Duration {
	const at = "2026-01-01 00:00:00"
	return insertRaw(b, rawDB(b, editedCourse), []rows{
		{`INSERT INTO openedx_content_publishlog (uuid, message, published_at, published_by_id, learning_package_id) VALUES (?,?,?,?,?)`, 1,
			func(int) []any { return []any{hex32(), "", at, nil, 1} }},
		{`INSERT INTO openedx_content_publishlogrecord (publish_log_id, entity_id, old_version_id, new_version_id, dependencies_hash_digest, direct) VALUES (?,?,?,?,?,?)`, len(l.Records),
			func(i int) []any {
				r := l.Records[i]
				return []any{l.ID, int64(r.Entity), int64(r.Old), int64(r.New), r.Digest, r.Direct}
			}},
		{`UPDATE openedx_content_published SET version_id = ?2, publish_log_record_id = ?3 WHERE entity_id = ?1`, len(l.Records),
			func(i int) []any { r := l.Records[i]; return []any{int64(r.Entity), int64(r.New), int64(r.ID)} }},
		{`INSERT INTO openedx_content_publishsideeffect (cause_id, effect_id) VALUES (?,?)`, len(l.SideEffects),
			func(i int) []any { e := l.SideEffects[i]; return []any{int64(e.Cause), int64(e.Effect)} }},
	})
}

// history makes a package of 20,000 entities with five versions each, 100,000 records in ten logs.
func history(d *db.DB) error {
	ctx := context.Background()
	if err := setup(d); err != nil {
		return err
	}
	return d.Update(ctx, func(tx *db.Tx) error {
		p, err := CreatePackage(ctx, tx, NewPackage{Ref: "lp:bench", Title: "Bench"})
		if err != nil {
			return err
		}
		var ids []EntityID
		if _, err := Change(ctx, tx, p.ID, Meta{}, func(c *ChangeSet) (err error) {
			ids, err = createLevel(ctx, c, "leaf", 20000, nil, 0)
			return err
		}); err != nil {
			return err
		}
		for i := range 8 {
			half := ids[i%2*10000:][:10000]
			if _, err := Change(ctx, tx, p.ID, Meta{}, func(c *ChangeSet) error {
				list := make([]NewVersion, len(half))
				for i, e := range half {
					list[i] = NewVersion{Entity: e, Title: "edited"}
				}
				_, _, err := c.CreateVersions(ctx, list)
				return err
			}); err != nil {
				return err
			}
		}
		return nil
	})
}

// BenchmarkHeads reads all pointers of a moment in the middle of 100,000 records, and those of now.
func BenchmarkHeads(b *testing.B) {
	for _, e := range dbtest.Engines() {
		for name, m := range map[string]Moment{"past": AfterChange(5), "now": Draft()} {
			b.Run(string(e)+"/"+name, func(b *testing.B) {
				d := dbtest.Ready(b, e, history)
				for b.Loop() {
					if heads, err := Heads(b.Context(), d, 1, m); err != nil || len(heads) != 20000 {
						b.Fatal(len(heads), err)
					}
				}
			})
		}
	}
}
