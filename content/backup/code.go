package backup

import (
	"strings"
	"unicode/utf8"

	"github.com/openlectern/lectern/content/collections"
	"github.com/openlectern/lectern/content/components"
)

// Renamed is a code that an archive of an older release has and today's grammar refuses, with the one that took its
// place (backup-format.md §8). The ref of the entity stays as it was.
type Renamed struct {
	File string `json:"file"`
	Key  string `json:"key"`  // of the entity or collection, as in the archive
	From string `json:"from"` // what should have been a code
	Code string `json:"code"`
}

// longestStem is how much of a key is kept before the hash, in characters: with the underscore and the six digits of the
// hash a code has at most 255.
const longestStem = 248

// legalCode returns key if it is a code, else the code that takes its place.
func legalCode(key string, check func(string) error) (code string, same bool) {
	if check(key) == nil {
		return key, true
	}
	var b strings.Builder
	n := 0
	for _, r := range key {
		if n++; n > longestStem {
			break
		}
		if r == utf8.RuneError || check(string(r)) != nil {
			r = '_'
		}
		b.WriteRune(r)
	}
	return b.String() + "_" + shortHash(key), false
}

func entityCode(code string) error     { return components.CheckCode("code", code) }
func collectionCode(code string) error { return collections.CheckCode(code) }
