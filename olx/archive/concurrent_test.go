package archive

import (
	"sync"
	"testing"
)

// TestConcurrent reads all files of one archive from several goroutines.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, m := range sample() {
		write(t, dir, m.name, m.body)
	}
	archives := []*Archive{
		open(t, put(t, "x.tgz", tgz(t, sample()...)), Limits{}, Options{}),
		open(t, put(t, "x.tgz", tgz(t, sample()...)), Limits{}, Options{Memory: -1}),
		open(t, put(t, "x.zip", zipBytes(t, sample()...)), Limits{}, Options{}),
		open(t, dir, Limits{}, Options{}),
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for _, a := range archives {
				for _, m := range sample() {
					if got, err := a.ReadFile(m.name, 0); err != nil || string(got) != m.body {
						t.Errorf("%s: %s: %d bytes, %v", a.Path(), m.name, len(got), err)
					}
				}
			}
		})
	}
	wg.Wait()
}
