// Package sample holds a small course about lighthouses and a smaller library of questions for it, to try things on. Both
// are under CC0 1.0, and in the canonical form of archives: importing and exporting them changes no byte.
package sample

import (
	"embed"
	"io/fs"
)

// The keys under which they are imported when no other is named.
const (
	CourseKey  = "course-v1:Lectern+LIGHT+2025"
	LibraryKey = "library-v1:Lectern+LIGHTQ"
)

//go:embed all:course all:library
var files embed.FS

// Course returns the folder of the course. One unit of it is a draft that was never published.
func Course() fs.FS { return sub("course") }

// Library returns the folder of the legacy library.
func Library() fs.FS { return sub("library") }

func sub(name string) fs.FS {
	f, err := fs.Sub(files, name)
	if err != nil {
		panic(err) // the name is one of those embedded above
	}
	return f
}
