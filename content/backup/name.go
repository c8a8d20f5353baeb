package backup

import (
	"encoding/hex"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/blake2b"
	"golang.org/x/text/cases"
	"golang.org/x/text/language"
	"golang.org/x/text/unicode/norm"
)

// slug returns the plain file name of a key (backup-format.md §3): normalised, in lower case, without characters other
// than letters, numbers, "_" and "-". It may be empty.
func slug(key string) string {
	if plain(key) {
		return strings.Trim(key, "-_")
	}
	key = cases.Lower(language.Und).String(norm.NFKC.String(key)) // a caser is not safe for concurrent use
	var b strings.Builder
	gap := false
	for _, r := range key {
		switch {
		case r == '-' || pythonSpace(r):
			gap = true
			continue
		case r != '_' && !unicode.IsLetter(r) && !unicode.IsNumber(r):
			continue
		}
		if gap {
			b.WriteByte('-')
			gap = false
		}
		b.WriteRune(r)
	}
	return strings.Trim(b.String(), "-_")
}

// plain reports whether a key holds nothing but a-z, 0-9, "_" and single "-".
func plain(key string) bool {
	for i := range len(key) {
		switch c := key[i]; {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '_':
		case c == '-' && (i == 0 || key[i-1] != '-'):
		default:
			return false
		}
	}
	return true
}

// pythonSpace reports what Python takes for white space: Unicode's, and the separators of ASCII.
func pythonSpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }

// shortHash returns six hex digits that tell keys of one slug apart: BLAKE2b with three bytes of output.
func shortHash(key string) string {
	h, err := blake2b.New(3, nil)
	if err != nil {
		panic(err) // three is a length that it has
	}
	_, _ = h.Write([]byte(key)) // a hash never fails to write
	return hex.EncodeToString(h.Sum(nil))
}

// namer gives the files of one archive their names. Only slugs are remembered, over all folders, so that names are those
// that Python gives.
type namer struct{ slugs, taken map[string]bool }

func newNamer() *namer { return &namer{slugs: map[string]bool{}, taken: map[string]bool{}} }

// name returns the file name, without ending, for a key in a folder. Where Python would give one name to two keys of a
// folder, or none to a component, whose files would then lie in the folder of its type and be lost, a longer one is
// given: names carry no meaning.
func (n *namer) name(folder, key string, component bool) string {
	name := slug(key)
	if n.slugs[name] || name == "" && component {
		n.slugs[name] = true
		name += "_" + shortHash(key)
	} else {
		n.slugs[name] = true
	}
	for n.taken[folder+name] {
		name += "_" + shortHash(folder+name+key)
	}
	n.taken[folder+name] = true
	return name
}

// folderName returns a namespace or type as a folder: as it is, unless it could not be one.
func folderName(s string) string {
	if s == "" || s == "." || s == ".." || len(s) > 200 || strings.ContainsAny(s, "/\\\x00") || !utf8.ValidString(s) {
		return slug(s) + "_" + shortHash(s)
	}
	return s
}

// FileNames returns a file name for the backup of each key, each once also where letter case does not count: the slug of
// the key, and a hash where that alone would not do.
func FileNames(keys []string) []string {
	out := make([]string, len(keys))
	taken := map[string]bool{}
	for i, key := range keys {
		name := slug(strings.NewReplacer(":", "-", "+", "-", "~", "-").Replace(key))
		if len(name) > 100 {
			name = strings.ToValidUTF8(name[:100], "")
		}
		for name == "" || taken[name] {
			name += "_" + shortHash(name+key)
		}
		taken[name] = true
		out[i] = name + ".zip"
	}
	return out
}
