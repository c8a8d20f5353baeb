package content_test

import (
	"context"
	"crypto/sha1"
	"database/sql"
	"database/sql/driver"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"modernc.org/sqlite"

	"github.com/openlectern/lectern/content/components"
	"github.com/openlectern/lectern/content/containers"
	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
)

// The course of the benchmarks: component i lies in unit i/50, unit i in subsection i/5, subsection i in section i/4.
const leaves = 10_000

// blockXML is the OLX of component i: the head, hexadecimal noise, the tail, 1,024 bytes together.
func blockXML(i, version int) string {
	const tail = "</p></problem>"
	var b strings.Builder
	fmt.Fprintf(&b, `<problem display_name="Problem %d" max_attempts="3"><p>Question %d, version %d.</p><p>`, i, i, version)
	seed := fmt.Sprintf("%d:%d", i, version)
	for b.Len() < 1024 {
		s := sha1.Sum([]byte(seed))
		seed = hex.EncodeToString(s[:])
		b.WriteString(seed + " ")
	}
	return b.String()[:1024-len(tail)] + tail
}

func texts(n, version int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = blockXML(i, version)
	}
	return out
}

// createComponents makes components with a first version and its OLX, from the texts.
func createComponents(ctx context.Context, cs *publishing.ChangeSet, p publishing.Package, olx []string, from int) ([]publishing.EntityID, error) {
	n := len(olx)
	news := make([]media.New, n)
	list := make([]components.NewComponent, n)
	for i := range list {
		news[i] = media.New{Type: "application/vnd.openedx.xblock.v1.problem+xml", Text: &olx[i]}
		list[i] = components.NewComponent{Type: components.Type{Namespace: "xblock.v1", Name: "problem"}, Code: fmt.Sprintf("p%06d", from+i)}
	}
	m, err := media.GetOrCreate(ctx, cs.Tx(), nil, p, news, media.Options{})
	if err != nil {
		return nil, err
	}
	ids, err := components.Create(ctx, cs.Tx(), p.ID, list)
	if err != nil {
		return nil, err
	}
	versions := make([]components.NewVersion, n)
	for i := range versions {
		versions[i] = components.NewVersion{Entity: ids[i], Title: fmt.Sprintf("Problem %d", from+i), Files: []components.File{{Path: "block.xml", Media: m[i].ID}}}
	}
	_, _, err = components.CreateVersions(ctx, cs, versions)
	return ids, err
}

// createAll makes the package of job 2: everything in one change set.
func createAll(ctx context.Context, d *db.DB, olx []string, more func(*publishing.ChangeSet, []publishing.EntityID) error) (p publishing.Package, err error) {
	err = d.Update(ctx, func(tx *db.Tx) error {
		if p, err = publishing.CreatePackage(ctx, tx, publishing.NewPackage{Ref: "lp:bench", Title: "Bench"}); err != nil {
			return err
		}
		_, err = publishing.Change(ctx, tx, p.ID, publishing.Meta{}, func(cs *publishing.ChangeSet) error {
			ids, err := createComponents(ctx, cs, p, olx, 0)
			if err != nil || more == nil {
				return err
			}
			return more(cs, ids)
		})
		return err
	})
	return p, err
}

// createTree puts components into units, subsections and sections.
func createTree(ctx context.Context, cs *publishing.ChangeSet, below []publishing.EntityID) error {
	for _, l := range []struct {
		kind string
		size int
	}{{containers.Unit, 50}, {containers.Subsection, 5}, {containers.Section, 4}} {
		n := (len(below) + l.size - 1) / l.size
		list := make([]containers.NewContainer, n)
		for i := range list {
			list[i] = containers.NewContainer{Type: l.kind, Code: fmt.Sprintf("%s%04d", l.kind, i)}
		}
		ids, err := containers.Create(ctx, cs.Tx(), cs.Package(), list)
		if err != nil {
			return err
		}
		versions := make([]containers.NewVersion, n)
		for i := range versions {
			versions[i] = containers.NewVersion{Entity: ids[i], Title: fmt.Sprint(l.kind, " ", i)}
			for _, c := range below[i*l.size : min(len(below), (i+1)*l.size)] {
				versions[i].Children = append(versions[i].Children, containers.Child{Entity: c})
			}
		}
		if _, _, err := containers.CreateVersions(ctx, cs, versions); err != nil {
			return err
		}
		below = ids
	}
	return nil
}

// course makes the published course; package id 1, components 1 to 10,000.
func course(d *db.DB) error {
	if err := setup(d); err != nil {
		return err
	}
	ctx := context.Background()
	p, err := createAll(ctx, d, texts(leaves, 1), func(cs *publishing.ChangeSet, ids []publishing.EntityID) error { return createTree(ctx, cs, ids) })
	if err != nil {
		return err
	}
	return d.Update(ctx, func(tx *db.Tx) error {
		_, err := publishing.PublishAll(ctx, tx, p.ID, publishing.PublishMeta{})
		return err
	})
}

// BenchmarkCreate makes 10,000 components with a version and a media each in one change set (bench job 2); of-raw is the
// ratio to the same rows inserted by the driver alone (job 9).
func BenchmarkCreate(b *testing.B) {
	olx := texts(leaves, 1)
	var ours, raw spent
	for b.Loop() {
		d := dbtest.Ready(b, db.SQLite, setup)
		start := now()
		if _, err := createAll(b.Context(), d, olx, nil); err != nil {
			b.Fatal(err)
		}
		ours.add(start)
		raw.plus(insertAgain(b, d))
	}
	report(b, ours, raw)
}

// BenchmarkCreateTree is BenchmarkCreate with the containers of the course.
func BenchmarkCreateTree(b *testing.B) {
	olx := texts(leaves, 1)
	var ours, raw spent
	for b.Loop() {
		d := dbtest.Ready(b, db.SQLite, setup)
		start := now()
		if _, err := createAll(b.Context(), d, olx, func(cs *publishing.ChangeSet, ids []publishing.EntityID) error {
			return createTree(b.Context(), cs, ids)
		}); err != nil {
			b.Fatal(err)
		}
		ours.add(start)
		raw.plus(insertAgain(b, d))
	}
	report(b, ours, raw)
}

// spent is time on the wall and of the processor. On a machine that does other things too the latter is the one to
// compare.
type spent struct{ wall, cpu time.Duration }

// now is a moment to measure from.
func now() spent {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return spent{wall: time.Duration(time.Now().UnixNano()), cpu: time.Duration(u.Utime.Nano() + u.Stime.Nano())}
}

func (s *spent) add(since spent) {
	at := now()
	s.plus(spent{at.wall - since.wall, at.cpu - since.cpu})
}

func (s *spent) plus(o spent) { s.wall, s.cpu = s.wall+o.wall, s.cpu+o.cpu }

// report gives milliseconds per operation and, where the same was done raw, the ratio of processor times.
func report(b *testing.B, ours, raw spent) {
	b.ReportMetric(float64(ours.wall.Microseconds())/1000/float64(b.N), "ms")
	b.ReportMetric(float64(ours.cpu.Microseconds())/1000/float64(b.N), "cpu-ms")
	if raw.cpu > 0 {
		b.ReportMetric(float64(raw.cpu.Microseconds())/1000/float64(b.N), "raw-cpu-ms")
		b.ReportMetric(float64(ours.cpu)/float64(raw.cpu), "of-raw")
	}
}

// BenchmarkCreateEach makes components one by one, each in a transaction and change log of its own.
func BenchmarkCreateEach(b *testing.B) {
	d := dbtest.Ready(b, db.SQLite, setup)
	p, err := createAll(b.Context(), d, nil, nil)
	if err != nil {
		b.Fatal(err)
	}
	i := 0
	for b.Loop() {
		olx := []string{blockXML(i, 1)}
		err := d.Update(b.Context(), func(tx *db.Tx) error {
			_, err := publishing.Change(b.Context(), tx, p.ID, publishing.Meta{}, func(cs *publishing.ChangeSet) error {
				_, err := createComponents(b.Context(), cs, p, olx, i)
				return err
			})
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
		i++
	}
}

// BenchmarkEdit gives every tenth of 10,000 components of a course a next version with new OLX, in one change set with
// its side effects (bench job 3, bulk).
func BenchmarkEdit(b *testing.B) {
	edits := texts(leaves/10, 2)
	var ours spent
	for b.Loop() {
		d := dbtest.Ready(b, db.SQLite, course)
		start := now()
		err := d.Update(b.Context(), func(tx *db.Tx) error {
			p, err := publishing.PackageByRef(b.Context(), tx, "lp:bench")
			if err != nil {
				return err
			}
			_, err = publishing.Change(b.Context(), tx, p.ID, publishing.Meta{}, func(cs *publishing.ChangeSet) error {
				return editTenth(b.Context(), cs, p, edits)
			})
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
		ours.add(start)
	}
	report(b, ours, spent{})
}

func editTenth(ctx context.Context, cs *publishing.ChangeSet, p publishing.Package, olx []string) error {
	news := make([]media.New, len(olx))
	for i := range news {
		news[i] = media.New{Type: "application/vnd.openedx.xblock.v1.problem+xml", Text: &olx[i]}
	}
	m, err := media.GetOrCreate(ctx, cs.Tx(), nil, p, news, media.Options{})
	if err != nil {
		return err
	}
	next := make([]components.NextVersion, len(olx))
	for i := range next {
		next[i] = components.NextVersion{Entity: publishing.EntityID(10*i + 1), Files: []components.File{{Path: "block.xml", Media: m[i].ID}}}
	}
	_, _, err = components.NextVersions(ctx, cs, next)
	return err
}

// BenchmarkOutline reads the whole course, sections down to components with titles, into a tree (bench job 4).
func BenchmarkOutline(b *testing.B) {
	d := dbtest.Ready(b, db.SQLite, course)
	for name, m := range map[string]publishing.Moment{"draft": publishing.Draft(), "published": publishing.Published()} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				err := d.View(b.Context(), func(tx *db.Tx) error {
					nodes, err := containers.Outline(b.Context(), tx, 1, m)
					if err == nil && len(nodes) != leaves+250 {
						err = fmt.Errorf("%d nodes", len(nodes))
					}
					return err
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkFiles stores 1,000 new files of 8 KiB and their rows.
func BenchmarkFiles(b *testing.B) {
	const n = 1000
	list := make([]media.New, n)
	for i := range list {
		list[i] = media.New{Type: "image/png", Bytes: []byte(strings.Repeat(fmt.Sprintf("%08d", i), 1024))}
	}
	var ours spent
	for b.Loop() {
		d, files := dbtest.Ready(b, db.SQLite, setup), media.NewDir(b.TempDir())
		p, err := createAll(b.Context(), d, nil, nil)
		if err != nil {
			b.Fatal(err)
		}
		start := now()
		err = d.Update(b.Context(), func(tx *db.Tx) error {
			_, err := media.GetOrCreate(b.Context(), tx, files, p, list, media.Options{})
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
		ours.add(start)
	}
	report(b, ours, spent{})
}

// written are the tables that the benchmarks fill, in an order that foreign keys allow.
var written = strings.Fields(`learningpackage mediatype componenttype publishableentity media draftchangelog publishableentityversion
	component container componentversion componentversionmedia entitylist entitylistrow containerversion publishableentityversiondependency
	draftchangelogrecord draftsideeffect draft unit unitversion subsection subsectionversion section sectionversion`)

// anyCode gives the bare driver the function that CHECKs of codes call, one that costs nothing.
var anyCode = sync.OnceFunc(func() {
	sqlite.MustRegisterDeterministicScalarFunction("regexp", 2, func(*sqlite.FunctionContext, []driver.Value) (driver.Value, error) { return int64(1), nil })
})

// insertAgain inserts all rows of a database into an empty one by the driver alone, prepared once per table and in one
// transaction, and returns how long that takes.
func insertAgain(b *testing.B, d *db.DB) spent {
	b.Helper()
	type batch struct {
		sql  string
		rows [][]any
	}
	var batches []batch
	for _, table := range written {
		name, t := "openedx_content_"+table, batch{}
		err := d.Query(b.Context(), "SELECT * FROM "+name, nil, func(r *db.Row) error {
			cols := r.Columns()
			row, dest := make([]any, len(cols)), make([]any, len(cols))
			for i := range row {
				dest[i] = &row[i]
			}
			if err := r.Scan(dest...); err != nil {
				return err
			}
			for i, v := range row {
				if at, ok := v.(time.Time); ok {
					row[i] = at.Format("2006-01-02 15:04:05.000000")
				}
			}
			t.sql = "INSERT INTO " + name + " (" + strings.Join(cols, ", ") + ") VALUES (?" + strings.Repeat(", ?", len(cols)-1) + ")"
			t.rows = append(t.rows, row)
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
		if len(t.rows) > 0 {
			batches = append(batches, t)
		}
	}
	anyCode()
	path := strings.TrimPrefix(dbtest.ReadyURL(b, db.SQLite, setup), "sqlite:")
	s, err := sql.Open("sqlite", "file:"+path+"?_txlock=immediate&_pragma=busy_timeout(5000)&_pragma=journal_mode(wal)&_pragma=synchronous(normal)&_pragma=foreign_keys(1)")
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	}()
	s.SetMaxOpenConns(1)
	if err := s.Ping(); err != nil {
		b.Fatal(err)
	}
	start := now()
	tx, err := s.Begin()
	if err != nil {
		b.Fatal(err)
	}
	for _, t := range batches {
		st, err := tx.Prepare(t.sql)
		if err != nil {
			b.Fatal(err)
		}
		for _, row := range t.rows {
			if _, err := st.Exec(row...); err != nil {
				b.Fatalf("%s: %v", t.sql, err)
			}
		}
	}
	if err := tx.Commit(); err != nil {
		b.Fatal(err)
	}
	var took spent
	took.add(start)
	return took
}
