package olx_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/openlectern/lectern/olx"
	"github.com/openlectern/lectern/olx/archive"
)

// benchArchive opens the large sample archive, else the small committed one.
func benchArchive(b *testing.B) *archive.Archive {
	b.Helper()
	if p := filepath.Join("..", "..", "shared", "data", "demo-course.tar.gz"); os.Getenv("LECTERN_DATA_DIR") == "" {
		if _, err := os.Stat(p); err == nil {
			return openPath(b, p)
		}
	} else {
		return openPath(b, filepath.Join(os.Getenv("LECTERN_DATA_DIR"), "demo-course.tar.gz"))
	}
	data, err := os.ReadFile(filepath.Join("testdata", "course.txtar"))
	if err != nil {
		b.Fatal(err)
	}
	return text(string(data)).open(b)
}

func BenchmarkRead(b *testing.B) {
	a := benchArchive(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := olx.Read(b.Context(), a, olx.ReadOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkWrite writes everything but the static files, whose time is that of the compression.
func BenchmarkWrite(b *testing.B) {
	r, err := olx.Read(b.Context(), benchArchive(b), olx.ReadOptions{})
	if err != nil {
		b.Fatal(err)
	}
	r.State.Published.Assets = nil
	b.ReportAllocs()
	for b.Loop() {
		w := archive.NewZip(b.Context(), discard{}, time.Unix(1e9, 0))
		if err := olx.Write(b.Context(), w, r.State, olx.WriteOptions{}); err != nil {
			b.Fatal(err)
		}
		if _, err := w.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

func BenchmarkCodec(b *testing.B) {
	r, err := olx.Read(b.Context(), benchArchive(b), olx.ReadOptions{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		for id, block := range r.State.Published.Blocks {
			f, err := olx.EncodeBlock(block)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := olx.DecodeBlock(id, f, nil); err != nil {
				b.Fatal(err)
			}
		}
	}
}
