package convert_test

import (
	"strings"
	"testing"

	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/modulestore/convert"
)

// BenchmarkConvertDemo converts the demo course from what was read of it, and with the reading.
func BenchmarkConvertDemo(b *testing.B) {
	for _, set := range demos(b) {
		srcs := sources(b, set)
		b.Run(set, func(b *testing.B) {
			for b.Loop() {
				for _, src := range srcs {
					toConvert(b, src)
				}
			}
		})
		b.Run(set+"/read", func(b *testing.B) {
			for b.Loop() {
				for _, src := range sources(b, set) {
					toConvert(b, src)
				}
			}
		})
		b.Run(set+"/stored", func(b *testing.B) { // read, converted, written into an empty SQLite database
			for b.Loop() {
				b.StopTimer()
				d, files := dbtest.Ready(b, db.SQLite, tables), media.NewDir(b.TempDir())
				b.StartTimer()
				for _, src := range sources(b, set) {
					store(b, d, files, toConvert(b, src))
				}
			}
		})
		b.Run(set+"/compare", func(b *testing.B) {
			r := toConvert(b, srcs[0])
			for b.Loop() {
				convert.Compare(srcs[0], r, r.State)
			}
		})
	}
}

// demos returns the sets with the demo course, or all where there are none.
func demos(tb testing.TB) (list []string) {
	for _, set := range sets(tb) {
		if strings.HasSuffix(set, "-demo") {
			list = append(list, set)
		}
	}
	if list == nil {
		return sets(tb)
	}
	return list
}
