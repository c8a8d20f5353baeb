package archive

import "time"

// Limits bounds what an archive may hold. A zero field means its default (olx.md §5.1).
type Limits struct {
	Compressed  int64         // bytes of the archive itself; 2 GiB. A folder has no such size
	Total       int64         // bytes of all files together; 8 GiB
	File        int64         // bytes of one file; 2 GiB
	Text        int64         // bytes of one XML, JSON or HTML file; 32 MiB
	TextTotal   int64         // bytes of all XML, JSON and HTML files together; 512 MiB
	Entries     int           // files and directories; 100,000
	Ratio       int64         // bytes that come out for a byte that goes in, over any window; 200
	RatioWindow int64         // bytes of output over which Ratio is measured; 64 MiB
	Time        time.Duration // for opening the archive, which reads all of a tar; 15 minutes
}

func (l Limits) withDefaults() Limits {
	set(&l.Compressed, 2<<30)
	set(&l.Total, 8<<30)
	set(&l.File, 2<<30)
	set(&l.Text, 32<<20)
	set(&l.TextTotal, 512<<20)
	set(&l.Entries, 100_000)
	set(&l.Ratio, 200)
	set(&l.RatioWindow, 64<<20)
	set(&l.Time, 15*time.Minute)
	return l
}

func set[N ~int | ~int64](v *N, def N) {
	if *v <= 0 {
		*v = def
	}
}

// Options says how an archive is read. The zero value is good.
type Options struct {
	// TempDir is where the private folder for a spool is made, os.TempDir() if empty.
	TempDir string
	// Memory is how many bytes of a tar are kept in memory before a spool is made: 32 MiB if zero, none if negative.
	Memory int64
}
