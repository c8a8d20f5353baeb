package archive

import (
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The limits of a name (olx.md §5.1).
const (
	maxName    = 1024 // bytes
	maxSegment = 255  // bytes between slashes
	maxDepth   = 32   // segments
)

// CheckName returns an [*Error] if a name cannot be that of a file in an archive: it has to be a relative slash path of
// valid UTF-8 without empty, . or .. segments, backslashes, control characters or a drive letter, and of sane length
// (olx.md §5.1).
func CheckName(name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	return nil
}

func checkName(name string) *Error {
	switch {
	case name == "":
		return refuse(name, Unsafe, "an empty name")
	case !utf8.ValidString(name):
		return refuse(name, BadEncoding, "the name is not UTF-8")
	case len(name) > maxName:
		return refuse(name, Unsafe, "a name longer than %d bytes", maxName)
	case strings.HasPrefix(name, "/"):
		return refuse(name, Unsafe, "an absolute path")
	case strings.Contains(name, `\`):
		return refuse(name, Unsafe, "a backslash in the name")
	case strings.IndexFunc(name, unicode.IsControl) >= 0:
		return refuse(name, Unsafe, "a control character in the name")
	case len(name) > 1 && name[1] == ':' && (name[0]|0x20) >= 'a' && (name[0]|0x20) <= 'z':
		return refuse(name, Unsafe, "a path with a drive letter")
	}
	depth := 0
	for segment := range strings.SplitSeq(name, "/") {
		depth++
		switch {
		case segment == "":
			return refuse(name, Unsafe, "an empty part in the path")
		case segment == ".", segment == "..":
			return refuse(name, Unsafe, "%s in the path", segment)
		case len(segment) > maxSegment:
			return refuse(name, Unsafe, "a part of the path is longer than %d bytes", maxSegment)
		case depth > maxDepth:
			return refuse(name, Unsafe, "a path more than %d levels deep", maxDepth)
		}
	}
	if !filepath.IsLocal(filepath.FromSlash(name)) {
		return refuse(name, Unsafe, "a path that this system does not keep inside a folder")
	}
	return nil
}

// isText reports whether a file falls under the limits for XML, JSON and HTML.
func isText(name string) bool {
	dot := strings.LastIndexByte(name, '.')
	switch strings.ToLower(name[dot+1:]) {
	case "xml", "json", "html", "htm", "xhtml":
		return dot >= 0
	}
	return false
}
