package keys_test

import (
	"testing"

	"github.com/openlectern/lectern/keys"
)

const (
	aCourse = "course-v1:edX+DemoX+Demo_Course"
	aBlock  = "block-v1:edX+DemoX+Demo_Course+type@problem+block@0d759dee4f9d459c8956136dbde55f02"
)

var sink int // keeps the compiler from dropping what a benchmark measures

func BenchmarkCourse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		k, err := keys.ParseCourse(aCourse)
		if err != nil {
			b.Fatal(err)
		}
		sink += len(k.String())
	}
}

func BenchmarkBlock(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		k, err := keys.ParseUsage(aBlock)
		if err != nil {
			b.Fatal(err)
		}
		sink += len(k.String())
	}
}

func BenchmarkLibraryBlock(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		k, err := keys.ParseUsage("lb:edX:lib-demo:problem:0d759dee4f9d459c8956136dbde55f02")
		if err != nil {
			b.Fatal(err)
		}
		sink += len(k.String())
	}
}

func BenchmarkValid(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if keys.ValidCourse("course-v1:edX+DemoX") {
			b.Fatal("accepted")
		}
	}
}

// BenchmarkGolden parses and prints the accepted rows of the golden file, a key per turn, each by the function of its
// kind. chars/key is the mean length printed.
func BenchmarkGolden(b *testing.B) {
	type work struct {
		kind  keys.Kind
		input string
	}
	var jobs []work
	for _, r := range rows(b) {
		if kind, _ := keys.ParseKind(r.Kind); r.accepted() {
			jobs = append(jobs, work{kind, r.Input})
		}
	}
	b.ReportAllocs()
	i, chars, n := 0, 0, 0
	for b.Loop() {
		chars += parsePrint(jobs[i].kind, jobs[i].input)
		n++
		if i++; i == len(jobs) {
			i = 0
		}
	}
	b.ReportMetric(float64(chars)/float64(n), "chars/key")
}

func BenchmarkCompare(b *testing.B) {
	b.ReportAllocs()
	x, err := keys.ParseUsage(aBlock)
	if err != nil {
		b.Fatal(err)
	}
	y, err := keys.ParseUsage(aBlock + "x")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		sink += x.Compare(y)
	}
}
