package bson

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	driver "go.mongodb.org/mongo-driver/v2/bson"
)

// doc makes the bytes of a document with the driver of MongoDB, which is not used here otherwise.
func doc(tb testing.TB, d driver.D) Doc {
	tb.Helper()
	b, err := driver.Marshal(d)
	if err != nil {
		tb.Fatal(err)
	}
	if err := Check(b); err != nil {
		tb.Fatalf("%v: %v", d, err)
	}
	return b
}

// all has a value of every type.
func all(tb testing.TB) driver.D {
	tb.Helper()
	number, err := driver.ParseDecimal128("-12.50")
	if err != nil {
		tb.Fatal(err)
	}
	return driver.D{
		{Key: "f", Value: 2.0}, {Key: "s", Value: "ü\"\n\u2028"}, {Key: "d", Value: driver.D{{Key: "b", Value: int32(1)}, {Key: "a", Value: int64(-2)}}},
		{Key: "l", Value: driver.A{int32(1), "x", driver.A{}, driver.D{}}}, {Key: "bin", Value: driver.Binary{Data: []byte("abc")}},
		{Key: "old", Value: driver.Binary{Subtype: 2, Data: []byte("abc")}}, {Key: "u", Value: driver.Undefined{}},
		{Key: "o", Value: driver.ObjectID{1, 2, 11: 255}}, {Key: "y", Value: true}, {Key: "n", Value: false},
		{Key: "t", Value: driver.DateTime(1346486400000)}, {Key: "ms", Value: driver.DateTime(1346486400120)},
		{Key: "long ago", Value: driver.NewDateTimeFromTime(time.Date(1850, 1, 2, 3, 4, 5, 0, time.UTC))}, {Key: "z", Value: nil},
		{Key: "re", Value: driver.Regex{Pattern: "a.*", Options: "i"}}, {Key: "p", Value: driver.DBPointer{DB: "db", Pointer: driver.ObjectID{7}}},
		{Key: "js", Value: driver.JavaScript("f()")}, {Key: "sym", Value: driver.Symbol("sy")},
		{Key: "cs", Value: driver.CodeWithScope{Code: "g()", Scope: driver.D{{Key: "x", Value: 1.5}}}}, {Key: "i", Value: int32(-7)},
		{Key: "ts", Value: driver.Timestamp{T: 1, I: 2}}, {Key: "long", Value: int64(1 << 40)}, {Key: "dec", Value: number},
		{Key: "min", Value: driver.MinKey{}}, {Key: "max", Value: driver.MaxKey{}},
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"f": "2.0", "s": `"ü\"\n\u2028"`, "d": `{"b": 1, "a": -2}`, "l": `[1, "x", [], {}]`, "bin": `"YWJj"`, "old": `"YWJj"`, "u": "null",
		"o": `"0102000000000000000000ff"`, "y": "true", "n": "false", "t": `"2012-09-01T08:00:00Z"`, "ms": `"2012-09-01T08:00:00.12Z"`,
		"long ago": `"1850-01-02T03:04:05+00:00"`, "z": "null", "re": `"a.*"`, "p": `"070000000000000000000000"`, "js": `"f()"`, "sym": `"sy"`,
		"cs": `"g()"`, "i": "-7", "ts": "4294967298", "long": "1099511627776", "dec": "-1250e-2", "min": "null", "max": "null",
	}
	d := doc(t, all(t))
	got := map[string]string{}
	for key, v := range d.All() {
		text, clean := AppendJSON(nil, v)
		got[string(key)] = string(text)
		if !clean {
			t.Errorf("%s: not clean", key)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for f, want := range map[float64]string{0: "0.0", 1e16: "1e+16", 1e-5: "1e-05", 0.1: "0.1", -3: "-3.0", 1e15: "1000000000000000.0",
		math.Inf(1): "Infinity", math.Inf(-1): "-Infinity", math.Copysign(0, -1): "-0.0"} {
		if got, _ := AppendJSON(nil, doc(t, driver.D{{Key: "f", Value: f}}).Lookup("f")); string(got) != want {
			t.Errorf("%v is written %s, want %s", f, got, want)
		}
	}
}

func TestUncleanText(t *testing.T) {
	t.Parallel()
	d := doc(t, driver.D{{Key: "s", Value: "AB\xff\xfeCD\x00\x01EF"}, {Key: "nul", Value: "a\x00"}, {Key: "ok", Value: "\x01\uFFFD"}})
	for key, want := range map[string]string{"s": `"AB` + "\uFFFD\uFFFD" + `CD\u0000\u0001EF"`, "nul": `"a\u0000"`, "ok": "\"\\u0001\uFFFD\""} {
		got, clean := AppendJSON(nil, d.Lookup(key))
		if string(got) != want || clean != (key == "ok") {
			t.Errorf("%s is %s (clean: %v), want %s", key, got, clean, want)
		}
	}
}

func TestWalk(t *testing.T) {
	t.Parallel()
	d := doc(t, all(t))
	if n, ok := d.Lookup("d", "a").Int(); !ok || n != -2 {
		t.Errorf("d.a = %d, %v", n, ok)
	}
	if v := d.Lookup("s", "a"); v.Exists() || !v.IsNull() {
		t.Error("found something inside a string")
	}
	if d.Len() != len(all(t)) || Doc(nil).Len() != 0 {
		t.Error("Len")
	}
	twice := doc(t, driver.D{{Key: "a", Value: int32(1)}, {Key: "b", Value: nil}, {Key: "a", Value: "x"}})
	if twice.Lookup("a").String() != "x" {
		t.Error("of equal keys the last counts")
	}
	if got, _ := AppendJSON(nil, Value{Document, twice}); string(got) != `{"b": null, "a": "x"}` {
		t.Errorf("equal keys: %s", got)
	}
	if b, ok := d.Lookup("old").Bytes(); string(b) != "abc" || !ok {
		t.Errorf("old binary: %q", b)
	}
	if id, ok := d.Lookup("o").ID(); !ok || id[11] != 255 {
		t.Error("ObjectId")
	}
	if n, ok := d.Lookup("f").Int(); !ok || n != 2 {
		t.Error("a double as an integer")
	}
	if yes, ok := d.Lookup("y").Bool(); !yes || !ok {
		t.Error("true")
	}
	for _, no := range []func(Value) bool{
		func(v Value) bool { _, ok := v.Text(); return ok }, func(v Value) bool { _, ok := v.Doc(); return ok },
		func(v Value) bool { _, ok := v.ID(); return ok }, func(v Value) bool { _, ok := v.Int(); return ok },
		func(v Value) bool { _, ok := v.Bool(); return ok }, func(v Value) bool { _, ok := v.Time(); return ok },
		func(v Value) bool { _, ok := v.Bytes(); return ok },
	} {
		if no(Value{}) || no(d.Lookup("z")) {
			t.Error("nothing was read as something")
		}
	}
}

func TestCheckNamesThePlace(t *testing.T) {
	t.Parallel()
	whole := doc(t, driver.D{{Key: "a", Value: driver.D{{Key: "b", Value: driver.A{"text"}}}}})
	at := bytes.Index(whole, []byte("text"))
	deep := driver.D{}
	for range maxDepth + 2 {
		deep = driver.D{{Key: "d", Value: deep}}
	}
	tooDeep, err := driver.Marshal(deep)
	if err != nil {
		t.Fatal(err)
	}
	change := func(at int, c byte) []byte {
		b := bytes.Clone(whole)
		b[at] = c
		return b
	}
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"empty":           {nil, "byte 0: shorter than an empty document"},
		"cut":             {whole[:len(whole)-1], "byte 0: its length is not the one it says"},
		"no end":          {change(len(whole)-1, 1), "does not end where its length says"},
		"long string":     {change(at-4, 200), `field "a.b.0": reaches beyond the document`},
		"negative string": {change(at-1, 0xff), `field "a.b.0": says an impossible length`},
		"string no end":   {change(at+4, 'x'), `field "a.b.0": a text without an end`},
		"unknown type":    {change(4, 0x44), `field "a": of no known type`},
		"too deep":        {tooDeep, "nested too deep"},
		"odd boolean":     {[]byte{9, 0, 0, 0, 8, 'b', 0, 2, 0}, `byte 7: field "b": neither true nor false`},
		"key no end":      {[]byte{7, 0, 0, 0, 10, 'b', 0}, "byte 4: a key without an end"},
		"regex no end":    {[]byte{10, 0, 0, 0, 11, 'r', 0, 'x', 'y', 0}, `byte 7: field "r": an expression without an end`},
	} {
		err := Check(c.data)
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(e.Error(), c.want) || e.Lost {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
}

func TestReader(t *testing.T) {
	t.Parallel()
	one, two := doc(t, driver.D{{Key: "a", Value: int32(1)}}), doc(t, driver.D{{Key: "b", Value: strings.Repeat("x", 3<<20)}})
	bad := bytes.Clone(one)
	bad[4] = 0x44
	r := NewReader(iotest.HalfReader(bytes.NewReader(slicesConcat(one, bad, two))), "dump/x.bson")
	if d, err := r.Next(); err != nil || !bytes.Equal(d, one) {
		t.Fatalf("got %v, %v", d, err)
	}
	_, err := r.Next()
	var e *Error
	if !errors.As(err, &e) || e.Lost || e.File != "dump/x.bson" || e.Offset != int64(len(one)+7) || e.Field != "a" {
		t.Errorf("a bad document in between: %v", err)
	}
	if d, err := r.Next(); err != nil || !bytes.Equal(d, two) {
		t.Fatalf("after a bad one: %d bytes, %v", len(d), err)
	}
	if _, err := r.Next(); err != io.EOF || r.Offset() != int64(2*len(one)+len(two)) {
		t.Errorf("at the end: %v at %d", err, r.Offset())
	}
}

func slicesConcat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func TestReaderLosesThePlace(t *testing.T) {
	t.Parallel()
	one := doc(t, driver.D{{Key: "a", Value: int32(1)}})
	for name, c := range map[string]struct {
		r    io.Reader
		want string
	}{
		"cut length":      {bytes.NewReader(one[:3]), "x: byte 0: ends within the length of a document"},
		"cut document":    {bytes.NewReader(one[:8]), "x: byte 0: ends within a document of 12 bytes"},
		"lying length":    {bytes.NewReader([]byte{0, 0, 0, 1, 1, 2}), "x: byte 0: ends within a document of 16777216 bytes"},
		"too long":        {bytes.NewReader([]byte{0, 0, 0, 2, 1, 2}), "a document of 33554432 bytes"},
		"negative":        {bytes.NewReader([]byte{0, 0, 0, 0x80, 1, 2}), "a document of -2147483648 bytes"},
		"file that fails": {iotest.ErrReader(io.ErrClosedPipe), "cannot be read: io: read/write on closed pipe"},
	} {
		_, err := NewReader(c.r, "x").Next()
		var e *Error
		if !errors.As(err, &e) || !e.Lost || !strings.Contains(e.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
	if _, err := NewReader(iotest.ErrReader(io.ErrClosedPipe), "x").Next(); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("the cause is lost: %v", err)
	}
}

// TestReaderTakesTheLargest reads a document of the size that servers just take (SC-1), and refuses a larger one.
func TestReaderTakesTheLargest(t *testing.T) {
	t.Parallel()
	empty := len(doc(t, driver.D{{Key: "b", Value: driver.Binary{}}}))
	for size, ok := range map[int]bool{16 << 20: true, MaxSize: true, MaxSize + 1: false} {
		b, err := driver.Marshal(driver.D{{Key: "b", Value: driver.Binary{Data: make([]byte, size-empty)}}})
		if err != nil || len(b) != size {
			t.Fatalf("%d bytes, %v", len(b), err)
		}
		if d, err := NewReader(bytes.NewReader(b), "x").Next(); (err == nil) != ok || ok && len(d) != size {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

func TestWalkingAllocatesNothing(t *testing.T) {
	d := doc(t, all(t))
	if n := testing.AllocsPerRun(100, func() {
		if Check(d) != nil || !d.Lookup("d", "b").Exists() {
			t.Error("not found")
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzCheck(f *testing.F) {
	f.Add([]byte(doc(f, all(f))))
	f.Add([]byte{5, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		r := NewReader(bytes.NewReader(b), "fuzz")
		for {
			d, err := r.Next()
			var e *Error
			if errors.As(err, &e) && !e.Lost {
				continue
			}
			if err != nil {
				return
			}
			// Whatever has been checked can be walked, also after the driver's opinion of it.
			if text, _ := AppendJSON(nil, Value{Document, d}); len(text) < 2 {
				t.Fatal("no JSON")
			}
			if err := driver.Raw(d).Validate(); err != nil && !strings.Contains(err.Error(), "invalid") {
				t.Logf("the driver refuses what is read here: %v", err)
			}
			walk(d)
		}
	})
}

func walk(d Doc) {
	for _, v := range d.All() {
		v.Text()
		v.Bytes()
		v.Int()
		v.Time()
		if in, ok := v.Doc(); ok {
			walk(in)
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	var blocks driver.A
	for i := range 2000 {
		blocks = append(blocks, driver.D{{Key: "block_type", Value: "html"}, {Key: "block_id", Value: strings.Repeat("a", 32)}, {Key: "fields", Value: driver.D{{Key: "display_name", Value: "Text"}}},
			{Key: "edit_info", Value: driver.D{{Key: "edited_by", Value: int64(i)}, {Key: "update_version", Value: driver.ObjectID{byte(i)}}}}})
	}
	d := doc(b, driver.D{{Key: "blocks", Value: blocks}})
	b.SetBytes(int64(len(d)))
	for b.Loop() {
		if err := Check(d); err != nil {
			b.Fatal(err)
		}
	}
}

// TestAsTheOneBefore reads large documents of which each is much like the one before, damaged anywhere: the reader must find in
// them what [Check] finds.
func TestAsTheOneBefore(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	blocks := make(driver.A, 80)
	for i := range blocks {
		blocks[i] = driver.D{{Key: "block_id", Value: fmt.Sprintf("%032x", i)}, {Key: "fields", Value: driver.D{{Key: "data", Value: strings.Repeat("x", 100)}}}}
	}
	var file []byte
	var want []string
	for range 400 {
		switch i := r.IntN(len(blocks)); r.IntN(4) {
		case 0:
			blocks = append(blocks[:i:i], blocks[i+1:]...)
		case 1:
			blocks = append(append(blocks[:i:i], driver.D{{Key: "new", Value: r.Int64()}}), blocks[i:]...)
		case 2:
			blocks = slices.Clone(blocks)
			blocks[i] = r.Float64()
		}
		for len(blocks) < 80 {
			blocks = append(blocks, strings.Repeat("y", 100))
		}
		d, err := driver.Marshal(driver.D{{Key: "_id", Value: r.Int64()}, {Key: "root", Value: driver.A{"course", "course"}}, {Key: "blocks", Value: blocks}, {Key: "assets", Value: driver.A{}}, {Key: "rest", Value: strings.Repeat("z", large)}})
		if err != nil {
			t.Fatal(err)
		}
		if r.IntN(3) == 0 {
			d[4+r.IntN(len(d)-4)] = byte(r.Uint32())
		}
		says := ""
		var e *Error
		if err := Check(d); errors.As(err, &e) {
			e.File, e.Offset = "f", e.Offset+int64(len(file))
			says = e.Error()
		}
		if len(d) < large {
			t.Fatalf("%d bytes are not large", len(d))
		}
		file, want = append(file, d...), append(want, says)
	}
	in := NewReader(bytes.NewReader(file), "f")
	bad := 0
	for i := range want {
		_, err := in.Next()
		got := ""
		if err != nil {
			got = err.Error()
			bad++
		}
		if got != want[i] {
			t.Fatalf("document %d: %q, want %q", i, got, want[i])
		}
	}
	if bad == 0 || bad == len(want) {
		t.Errorf("%d documents of %d were bad", bad, len(want))
	}
}

// TestClean compares what is told of texts of all lengths with what packages bytes and utf8 say.
func TestClean(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	for i := range 100_000 {
		text := make([]byte, r.IntN(70))
		for j := range text {
			text[j] = byte(1 + r.IntN(127))
		}
		if n := len(text); n > 2 {
			switch i % 4 {
			case 0:
				text[r.IntN(n)] = byte(r.IntN(256))
			case 1:
				copy(text[r.IntN(n-1):], "ü")
			}
		}
		if got, want := isClean(text), bytes.IndexByte(text, 0) < 0 && utf8.Valid(text); got != want {
			t.Fatalf("%q: %v", text, got)
		}
	}
}
