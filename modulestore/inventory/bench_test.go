package inventory

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	driver "go.mongodb.org/mongo-driver/v2/bson"

	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/dump"
	"github.com/openlectern/lectern/modulestore/expected"
)

// BenchmarkScan lists a dumped site of 1,000 courses, half of them in either store, each of some 250 blocks and those of the
// versioned store with three structures. cpu-MB/s are the bytes by the processor time that all goroutines took, which a busy
// machine does not change.
func BenchmarkScan(b *testing.B) {
	dir := b.TempDir()
	size := writeSite(b, filepath.Join(dir, "edxapp"), 1000)
	src, err := dump.Open(dir, "")
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(size)
	b.ReportAllocs()
	before, n := cpu(b), 0
	for b.Loop() {
		r, err := Take(b.Context(), src, Options{})
		if err != nil || len(r.Courses) != 1000 || r.Bytes != size {
			b.Fatalf("%d courses, %d bytes, %v", len(r.Courses), r.Bytes, err)
		}
		n++
	}
	b.ReportMetric(float64(size)*float64(n)/1e6/(cpu(b)-before).Seconds(), "cpu-MB/s")
}

// cpu returns the processor time that the process has taken.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// writeSite writes a dump and returns how many bytes a scan has to read.
func writeSite(tb testing.TB, dir string, courses int) (size int64) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		tb.Fatal(err)
	}
	files := map[string]*bufio.Writer{}
	for _, c := range []string{modulestore.CollectionBlocks, modulestore.CollectionIndexes, modulestore.CollectionStructures} {
		f, err := os.Create(filepath.Join(dir, c+".bson"))
		if err != nil {
			tb.Fatal(err)
		}
		w := bufio.NewWriter(f)
		files[c] = w
		defer func() {
			if err := w.Flush(); err != nil {
				tb.Error(err)
			}
			if err := f.Close(); err != nil {
				tb.Error(err)
			}
		}()
	}
	put := func(c string, doc d) {
		n, err := files[c].Write(expected.Doc(tb, doc))
		if err != nil {
			tb.Fatal(err)
		}
		size += int64(n)
	}
	oid := func(n int) driver.ObjectID { return driver.ObjectID{9: byte(n >> 16), 10: byte(n >> 8), 11: byte(n)} }
	text := strings.Repeat("<p>Some text of a block.</p>", 40)
	for i := range courses {
		if i%2 == 0 {
			oldCourse(put, i, text)
			continue
		}
		var blocks driver.A
		var units driver.A
		for u := range 25 {
			var leaves driver.A
			for l := range 9 {
				name := fmt.Sprintf("%032x", u*9+l)
				leaves = append(leaves, driver.A{"html", name})
				blocks = append(blocks, entry("html", name, oid(4*i), d{e("display_name", "A text about something")}))
			}
			name := fmt.Sprintf("%032x", u)
			units = append(units, driver.A{"vertical", name})
			blocks = append(blocks, entry("vertical", name, oid(4*i), d{e("display_name", "Unit"), e("children", leaves)}))
		}
		blocks = append(blocks, entry("course", "course", oid(4*i), d{e("children", units)}))
		var previous any
		for v := range 3 {
			put(modulestore.CollectionStructures, d{e("_id", oid(4*i+v)), e("root", driver.A{"course", "course"}), e("previous_version", previous), e("original_version", oid(4*i)), e("blocks", blocks)})
			previous = oid(4*i + v)
		}
		put(modulestore.CollectionIndexes, d{e("_id", oid(4*i+3)), e("org", "O"), e("course", "C"), e("run", fmt.Sprint(i)), e("versions", d{e("draft-branch", oid(4*i+2)), e("published-branch", oid(4*i+1))})})
	}
	return size
}

func entry(kind, name string, definition driver.ObjectID, fields d) d {
	return d{e("block_type", kind), e("block_id", name), e("definition", definition), e("fields", fields), e("defaults", d{}), e("asides", driver.A{}),
		e("edit_info", d{e("edited_on", driver.DateTime(0)), e("edited_by", int64(7)), e("update_version", definition), e("previous_version", nil), e("source_version", nil), e("original_usage", nil), e("original_usage_version", nil)})}
}

func oldCourse(put func(string, d), i int, text string) {
	of := fmt.Sprintf("O/C%d/", i)
	block := func(kind, name string, data any, children driver.A) {
		definition := d{e("data", data)}
		if children != nil {
			definition = append(definition, e("children", children))
		}
		put(modulestore.CollectionBlocks, d{e("_id", d{e("tag", "i4x"), e("org", "O"), e("course", fmt.Sprintf("C%d", i)), e("category", kind), e("name", name), e("revision", nil)}),
			e("definition", definition), e("metadata", d{e("display_name", "A title")}), e("edit_info", d{e("edited_on", driver.DateTime(1)), e("edited_by", int64(7)), e("subtree_edited_on", driver.DateTime(1)), e("subtree_edited_by", int64(7))})})
	}
	var units driver.A
	for u := range 25 {
		var leaves driver.A
		for l := range 9 {
			name := fmt.Sprintf("%032x", u*9+l)
			leaves = append(leaves, "i4x://"+of+"html/"+name)
			block("html", name, d{e("data", text)}, nil)
		}
		name := fmt.Sprintf("%032x", u)
		units = append(units, "i4x://"+of+"vertical/"+name)
		block("vertical", name, d{}, leaves)
	}
	block("course", "r", d{}, units)
}
