package backup

import "github.com/openlectern/lectern/content/media"

// Limits bounds what an archive may hold. A zero field means its default (backup-format.md §7).
type Limits struct {
	Archive     int64 // bytes of the archive itself; 16 GiB
	Files       int64 // files; 900,000
	Folders     int64 // folders; 4,000,000
	Total       int64 // bytes of all files together; 64 GiB
	File        int64 // bytes of one file; 50,000,000 as in Open edX, 2 GiB where only Lectern can restore the archive
	TOML        int64 // bytes of one TOML file; 32 MiB
	Path        int   // bytes of a path; 4,096
	Ratio       int64 // bytes that come out for a byte that goes in, over any window; 200
	RatioWindow int64 // bytes of output over which Ratio is measured; 64 MiB
}

// lecternFileLimit is the default of Limits.File for archives with what only Lectern restores.
const lecternFileLimit = 2 << 30

func (l Limits) withDefaults() Limits {
	set := func(v *int64, def int64) {
		if *v <= 0 {
			*v = def
		}
	}
	set(&l.Archive, 16<<30)
	set(&l.Files, 900_000)
	set(&l.Folders, 4_000_000)
	set(&l.Total, 64<<30)
	set(&l.TOML, 32<<20)
	set(&l.Ratio, 200)
	set(&l.RatioWindow, 64<<20)
	if l.Path <= 0 {
		l.Path = 4096
	}
	return l
}

// file returns the limit of one file.
func (l Limits) file(lectern bool) int64 {
	switch {
	case l.File > 0:
		return l.File
	case lectern:
		return lecternFileLimit
	}
	return media.DefaultLimit
}
