package backup

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/openlectern/lectern/internal/zipdir"
)

// countedReader counts reads, and fails from some place on.
type countedReader struct {
	io.ReaderAt
	n    int
	fail int64
}

var errSector = errors.New("unreadable")

func (c *countedReader) ReadAt(p []byte, off int64) (int, error) {
	c.n++
	if off+int64(len(p)) > c.fail {
		n, _ := c.ReaderAt.ReadAt(p[:max(0, min(int64(len(p)), c.fail-off))], off)
		return n, errSector
	}
	return c.ReaderAt.ReadAt(p, off)
}

// TestAhead reads a file in its order and at random: what comes is what the file has, its end and its failures included.
func TestAhead(t *testing.T) {
	t.Parallel()
	data := make([]byte, 3*aheadSize+777)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	for _, fail := range []int64{int64(len(data)) + 2*aheadSize, 2*aheadSize + 5} {
		plain := &countedReader{bytes.NewReader(data), 0, fail}
		under := &countedReader{bytes.NewReader(data), 0, fail}
		a := &ahead{f: under, skip: aheadSkip}
		check := func(off int64, size int) {
			t.Helper()
			got, want := make([]byte, size), make([]byte, size)
			n, err := a.ReadAt(got, off)
			m, werr := plain.ReadAt(want, off)
			if n != m || !bytes.Equal(got[:n], want[:m]) {
				t.Fatalf("%d bytes at %d: %d, %v, want %d, %v", size, off, n, err, m, werr)
			}
			if (err != nil) != (werr != nil) || errors.Is(err, errSector) != errors.Is(werr, errSector) {
				if n < size || err != nil { // a whole read may say io.EOF or nothing
					t.Fatalf("%d bytes at %d: error %v, want %v", size, off, err, werr)
				}
			}
		}
		reads := 0
		for off := int64(0); off < int64(len(data)); reads++ {
			size := 1 + r.IntN(9000)
			check(off, size)
			off += int64(size + r.IntN(100))
		}
		if fail > int64(len(data)) && under.n > reads/20 {
			t.Errorf("%d reads of the file for %d in its order", under.n, reads)
		}
		for range 2000 {
			check(int64(r.IntN(len(data)+10)), r.IntN(aheadSize))
		}
	}
}

// TestIndexAhead shows that the local headers of small files, which lie between their contents, are not read one by one.
func TestIndexAhead(t *testing.T) {
	t.Parallel()
	const files = 200
	var b bytes.Buffer
	z, err := newZipWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range files {
		content := make([]byte, 8<<10)
		for k := range content {
			content[k] = byte(r.Uint32())
		}
		if err := z.file(fmt.Sprint(i), loadTime, content); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.close(); err != nil {
		t.Fatal(err)
	}
	under := &countedReader{bytes.NewReader(b.Bytes()), 0, math.MaxInt64}
	found := 0
	l := zipdir.Limits{Members: files, Ratio: 100, RatioWindow: 1 << 20}
	if err := zipdir.Read(t.Context(), &ahead{f: under, skip: indexSkip}, int64(b.Len()), l, func(zipdir.Member) error { found++; return nil }); err != nil {
		t.Fatal(err)
	}
	if found != files || under.n > files/10 {
		t.Errorf("%d files found by %d reads, want %d by a tenth", found, under.n, files)
	}
}
