package app

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/conversion"
	"github.com/openlectern/lectern/course"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/internal/golden"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/dump"
	"github.com/openlectern/lectern/modulestore/expected"
	"github.com/openlectern/lectern/modulestore/split"
)

// emptyStore opens a store over an empty database.
func emptyStore(t *testing.T, url string) *App {
	t.Helper()
	c := Config{DB: url, Data: t.TempDir(), Write: true}
	if _, err := Init(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	return open(t, c)
}

// TestGoldenConvert converts every set: what is there afterwards is what was there, the history has each state that the
// journal of the set tells of, and a second run writes nothing.
func TestGoldenConvert(t *testing.T) {
	t.Parallel()
	dbtest.OnEngines(t, func(t *testing.T, e db.Engine) {
		for _, set := range expected.Sets(t, "dump") {
			if e != db.SQLite && set != "split-chain" && os.Getenv("LECTERN_TEST_ALL") == "" {
				continue
			}
			t.Run(set, func(t *testing.T) {
				t.Parallel()
				a := emptyStore(t, dbtest.URL(t, e))
				site := OldSite{Source: golden.Path(t, "modulestore/"+set+"/dump")}
				o := ConvertOptions{Verify: true, History: true, KeyMaps: t.TempDir()}
				first, err := a.ConvertOldSite(t.Context(), site, o)
				if err != nil {
					t.Fatal(err)
				}
				for _, c := range first.Courses {
					if c.Err != nil && !known(c) {
						t.Errorf("%s: %v", c.Source, c.Err)
					}
					for _, d := range c.Differences {
						if d.Waived == "" {
							t.Errorf("%s: %+v", c.Source, d)
						}
					}
				}
				compareMoments(t, a, set)
				was := logs(t, a)
				o.Verify = false
				again, err := a.ConvertOldSite(t.Context(), site, o)
				if err != nil {
					t.Fatal(err)
				}
				for i, c := range again.Courses {
					if first.Courses[i].Status != CourseFailed && (c.Status != CourseUnchanged || c.Unchanged == 0) {
						t.Errorf("%s again: %s, %+v, %v", c.Source, c.Status, c.Report, c.Err)
					}
				}
				if now := logs(t, a); now != was {
					t.Errorf("the second run wrote: %v, not %v", now, was)
				}
			})
		}
	})
}

// known reports whether a course fails by rule: blocks without a root, and courses that would become one.
func known(c *ConvertedCourse) bool {
	return fault.Is(c.Err, fault.Invalid) || fault.Is(c.Err, fault.Conflict) || fault.Is(c.Err, fault.Refused)
}

// logs tells how far the history of all courses is, and when they were converted.
func logs(t *testing.T, a *App) string {
	t.Helper()
	list, err := conversion.List(t.Context(), a.DB)
	if err != nil {
		t.Fatal(err)
	}
	text := ""
	for _, c := range list {
		if edited, err := c.Edited(t.Context(), a.DB); err != nil || edited {
			t.Errorf("%s was edited: %v", c.Target, err)
		}
		text += c.Target + c.At.Format(time.RFC3339Nano)
	}
	return text
}

// compareMoments compares the courses at the moments of a journal with the heads that they had then.
func compareMoments(t *testing.T, a *App, set string) {
	t.Helper()
	if !expected.Has(t, set, "journal.json") || set[:5] != "split" {
		return
	}
	var journal []struct {
		At     time.Time
		Course string
		Heads  map[string]string
	}
	if err := json.Unmarshal(golden.Read(t, "modulestore/"+set+"/journal.json"), &journal); err != nil {
		t.Fatal(err)
	}
	src, err := dump.Open(golden.Path(t, "modulestore/"+set+"/dump"), "")
	if err != nil {
		t.Fatal(err)
	}
	histories, err := split.ReadHistories(t.Context(), src, nil)
	if err != nil {
		t.Fatal(err)
	}
	indexes, _, err := split.Indexes(t.Context(), src, nil)
	if err != nil {
		t.Fatal(err)
	}
	later := map[string]map[modulestore.ID]bool{} // the versions that led to the heads of today
	var all []modulestore.ID
	for i := range indexes {
		later[indexes[i].Name] = map[modulestore.ID]bool{}
		for _, h := range indexes[i].Heads() {
			list, _ := histories.Of(h.ID, 0)
			for _, v := range list {
				later[indexes[i].Name][v.ID] = true
				all = append(all, v.ID)
			}
		}
	}
	store, err := split.Read(t.Context(), src, all, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	stride := 7 // each moment is a whole course to be read
	if os.Getenv("LECTERN_TEST_ALL") != "" {
		stride = 1
	}
	compared := 0
	for i, step := range journal {
		if i%stride != 0 && i < len(journal)-5 {
			continue
		}
		for branch, head := range step.Heads {
			v, err := keys.ParseVersion(head)
			if err != nil {
				t.Fatal(err)
			}
			if id := modulestore.ID(v); later[step.Course][id] {
				key, err := keys.ParseCourse(step.Course)
				if err != nil {
					t.Fatal(err)
				}
				compareVersion(t, a, store, key, key, pastVersion{split.Version{ID: id, On: step.At}, branch})
				compared++
			}
		}
	}
	if compared == 0 {
		t.Errorf("%s: no moment was compared", set)
	}
	t.Logf("%s: %d moments", set, compared)
}

// TestConvertRefuses tries what must not be: nothing is written then.
func TestConvertRefuses(t *testing.T) {
	t.Parallel()
	a := emptyStore(t, filepath.Join(t.TempDir(), "l.db"))
	site := OldSite{Source: golden.Path(t, "modulestore/split-chain/dump")}
	key := func(s string) keys.Course {
		t.Helper()
		k, err := keys.ParseCourse(s)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	convert := func(o ConvertOptions) (*Converted, error) {
		t.Helper()
		return a.ConvertOldSite(t.Context(), site, o)
	}
	const r1, fork = "course-v1:AcmeU+CHAIN+r1", "course-v1:AcmeU+CHAIN+r1_fork"
	for _, c := range []struct {
		o    ConvertOptions
		want fault.Kind
	}{
		{ConvertOptions{Courses: []string{r1}, To: key("AcmeU/CHAIN/r1")}, fault.OldMongo},
		{ConvertOptions{To: key(r1)}, fault.Usage},
		{ConvertOptions{To: key(r1), Run: "x"}, fault.Usage},
		{ConvertOptions{KeyMaps: "a.csv"}, fault.Usage},
		{ConvertOptions{Courses: []string{"course-v1:no+such+course"}}, fault.NotFound},
	} {
		if _, err := convert(c.o); !fault.Is(err, c.want) {
			t.Errorf("%+v: got %v, want %s", c.o, err, c.want.Code())
		}
	}
	failed := func(o ConvertOptions, want fault.Kind) {
		t.Helper()
		got, err := convert(o)
		if err != nil || len(got.Courses) != 1 || !fault.Is(got.Courses[0].Err, want) {
			t.Errorf("%+v: got %+v, %v", o, got, err)
		}
	}
	done := func(o ConvertOptions, status string) {
		t.Helper()
		got, err := convert(o)
		if err != nil || len(got.Courses) != 1 || got.Courses[0].Status != status {
			t.Fatalf("%+v: got %+v, %v", o, got, err)
		}
	}
	done(ConvertOptions{Courses: []string{r1}}, CourseConverted)
	failed(ConvertOptions{Courses: []string{fork}, To: key(r1)}, fault.Conflict)
	failed(ConvertOptions{Courses: []string{fork}, To: key("course-v1:acmeu+CHAIN+R1")}, fault.Conflict)

	// What was edited here is left alone while the source is what it was, and asked about once it is not.
	if _, err := a.Delete(t.Context(), key(r1), false, ""); err != nil {
		t.Fatal(err)
	}
	done(ConvertOptions{Courses: []string{r1}}, CourseUnchanged)
	failed(ConvertOptions{Courses: []string{r1}, RemapWiki: true}, fault.Conflict)
	done(ConvertOptions{Courses: []string{r1}, RemapWiki: true, Overwrite: true}, CourseConverted)
	done(ConvertOptions{Courses: []string{r1}, Run: "other"}, CourseConverted)
	if list, err := conversion.Of(t.Context(), a.DB, r1); err != nil || len(list) != 2 {
		t.Errorf("it was made into %+v, %v", list, err)
	}
}

// TestConvertHalfADump converts from a dump that ends in the midst of its definitions: courses whose blocks lost theirs are refused, naming
// the file and the byte; nothing of them is here, the others are, and the same run again makes nothing more. With what is left
// of the file, --lenient goes on without.
func TestConvertHalfADump(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "dump")
	if err := os.CopyFS(dir, os.DirFS(golden.Path(t, "modulestore/split-chain/dump"))); err != nil {
		t.Fatal(err)
	}
	packed, err := filepath.Glob(filepath.Join(dir, "*", modulestore.CollectionDefinitions+".bson.gz"))
	if err != nil || len(packed) != 1 {
		t.Fatal(packed, err)
	}
	whole, err := gzip.NewReader(bytes.NewReader(golden.Read(t, "modulestore/split-chain/dump/"+filepath.Base(filepath.Dir(packed[0]))+"/"+filepath.Base(packed[0]))))
	if err != nil {
		t.Fatal(err)
	}
	docs, err := io.ReadAll(whole)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Remove(packed[0]), os.WriteFile(strings.TrimSuffix(packed[0], ".gz"), docs[:len(docs)/2], 0o600)); err != nil {
		t.Fatal(err)
	}
	a := emptyStore(t, filepath.Join(t.TempDir(), "l.db"))
	site := OldSite{Source: dir}
	var before string
	for i := range 2 {
		got, err := a.ConvertOldSite(t.Context(), site, ConvertOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if got.Failed() == 0 || got.Problems.Count(modulestore.Unreadable) != 1 {
			t.Fatalf("%d courses failed, with %v", got.Failed(), got.Problems.Problems())
		}
		list, err := conversion.List(t.Context(), a.DB)
		if err != nil || len(list) != len(got.Courses)-got.Failed() {
			t.Errorf("%d of %d courses failed, and %d are here, %v", got.Failed(), len(got.Courses), len(list), err)
		}
		for _, c := range got.Courses {
			if c.Err != nil && (!strings.Contains(c.Err.Error(), "modulestore.definitions.bson: byte ") || !strings.Contains(c.Err.Error(), "ends within")) {
				t.Errorf("%s: %v", c.Source, c.Err)
			}
		}
		if now := logs(t, a); i == 0 {
			before = now
		} else if now != before {
			t.Errorf("the second run has written\n%s\nnot\n%s", now, before)
		}
	}
	got, err := a.ConvertOldSite(t.Context(), site, ConvertOptions{Lenient: true})
	if err != nil || got.Failed() != 0 {
		t.Errorf("%d courses failed, %v", got.Failed(), err)
	}
}

// TestConvertStops ends a run in the middle: each course is there whole or not at all, and the next run goes on.
func TestConvertStops(t *testing.T) {
	t.Parallel()
	a := emptyStore(t, filepath.Join(t.TempDir(), "l.db"))
	site := OldSite{Source: golden.Path(t, "modulestore/split-chain/dump")}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	got, err := a.ConvertOldSite(ctx, site, ConvertOptions{Jobs: 1, Progress: func(step string, done, _ int) {
		if step == "courses" && done == 2 {
			cancel()
		}
	}})
	if err == nil || got == nil {
		t.Fatalf("got %v, %v", got, err)
	}
	list, err := conversion.List(t.Context(), a.DB)
	if err != nil || len(list) == 0 || len(list) == len(got.Courses) {
		t.Fatalf("%d of %d are there, %v", len(list), len(got.Courses), err)
	}
	again, err := a.ConvertOldSite(t.Context(), site, ConvertOptions{})
	if err != nil {
		t.Fatal(err)
	}
	unchanged := 0
	for _, c := range again.Courses {
		if c.Err != nil {
			t.Errorf("%s: %v", c.Source, c.Err)
		}
		if c.Status == CourseUnchanged {
			unchanged++
		}
	}
	if unchanged != len(list) {
		t.Errorf("%d of %d were known again", unchanged, len(list))
	}
}

// TestConvertDryRun compares a rehearsal with the run itself, and looks that it left nothing.
func TestConvertDryRun(t *testing.T) {
	t.Parallel()
	url := filepath.Join(t.TempDir(), "l.db")
	a := emptyStore(t, url)
	rehearsal := open(t, Config{DB: url, Data: t.TempDir(), Write: true, DryRun: true})
	for _, set := range []string{"split-chain", "oldmongo-small"} {
		site := OldSite{Source: golden.Path(t, "modulestore/"+set+"/dump")}
		o := ConvertOptions{History: true}
		dry, err := rehearsal.ConvertOldSite(t.Context(), site, o)
		if err != nil {
			t.Fatal(err)
		}
		real, err := a.ConvertOldSite(t.Context(), site, o)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range real.Courses {
			c.Forget()
		}
		if diff := cmp.Diff(real, dry, cmp.AllowUnexported(modulestore.Tally{})); diff != "" {
			t.Errorf("%s: the run is another than its rehearsal (-run +rehearsal)\n%s", set, diff)
		}
	}
}

// TestGoldenConvertFromServer converts the smaller sets from a running server: what comes of them is what comes of their dumps, and
// nothing changes there.
func TestGoldenConvertFromServer(t *testing.T) {
	t.Parallel()
	for i, set := range expected.Sets(t, "dump") {
		if strings.HasSuffix(set, "-demo") {
			continue
		}
		t.Run(set, func(t *testing.T) {
			t.Parallel()
			path := golden.Path(t, "modulestore/"+set+"/dump")
			src, err := dump.Open(path, "")
			if err != nil {
				t.Fatal(err)
			}
			uri, database := expected.OnServer(t, src, fmt.Sprintf("convert%d", i))
			if err := src.Close(); err != nil {
				t.Fatal(err)
			}
			if uri == "" {
				return // readers are tested against the protocol alone, and conversion with dumps
			}
			server := OldSite{Source: uri, Database: database}
			before, err := ListOldSite(t.Context(), server, true, nil)
			if err != nil {
				t.Fatal(err)
			}
			convert := func(site OldSite) map[string]*course.Report {
				a := emptyStore(t, dbtest.URL(t, db.SQLite))
				out, err := a.ConvertOldSite(t.Context(), site, ConvertOptions{Verify: true, KeyMaps: t.TempDir()})
				if err != nil {
					t.Fatal(err)
				}
				reports := map[string]*course.Report{}
				for _, c := range out.Courses {
					if c.Err != nil {
						if !known(c) {
							t.Errorf("%s: %v", c.Source, c.Err)
						}
						continue
					}
					c.Report.Forget()
					reports[c.Source] = c.Report
				}
				return reports
			}
			if diff := cmp.Diff(convert(OldSite{Source: path}), convert(server)); diff != "" {
				t.Errorf("from the server (-dump +server)\n%s", diff)
			}
			after, err := ListOldSite(t.Context(), server, true, nil)
			if err != nil || after.Documents != before.Documents || after.Bytes != before.Bytes {
				t.Errorf("the database has %d documents, %d bytes, and had %d, %d: %v", after.Documents, after.Bytes, before.Documents, before.Bytes, err)
			}
		})
	}
}
