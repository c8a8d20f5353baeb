package oldcourse

import (
	"strings"

	"github.com/openlectern/lectern/keys"
)

// Key is a key of the old store: of a course, or of a block or file, which does not say the run.
type Key struct {
	Text   string      // as it prints
	Course keys.Course // zero where the key is that of a block or file
	org    string
	code   string
}

// ParseKey reads a key of the old store: ORG/COURSE/RUN, i4x://… or /c4x/…; ok is false for every other text. The form alone
// decides (modulestore.md §6), so it needs no database.
func ParseKey(text string) (k Key, ok bool) {
	if c, err := keys.ParseCourse(text); err == nil {
		if !c.Deprecated() {
			return k, false
		}
		return Key{c.String(), c, c.Org(), c.Code()}, true
	}
	switch {
	case strings.HasPrefix(text, "i4x:"):
		u, err := keys.ParseUsage(text)
		if err != nil {
			return k, false
		}
		k.Text = u.String()
	case strings.HasPrefix(text, "/c4x/"):
		f, err := keys.ParseAsset(text)
		if err != nil {
			return k, false
		}
		k.Text = f.String()
	default:
		return k, false
	}
	_, rest, _ := strings.Cut(strings.TrimPrefix(k.Text, "/c4x"), "/")
	parts := strings.SplitN(strings.TrimPrefix(rest, "/"), "/", 3)
	k.org, k.code = parts[0], parts[1] // the parsers have seen to it that there are so many
	return k, true
}

// Name returns the key of the course, or ORG/COURSE where the key does not say the run.
func (k Key) Name() string {
	if !k.Course.IsZero() {
		return k.Course.String()
	}
	return k.org + "/" + k.code
}

// Today returns the key that the course gets when it is converted (modulestore.md §5.3), zero where the parts of the old one
// are no legal parts of one, or none is known.
func (k Key) Today() keys.Course {
	if k.Course.IsZero() {
		return keys.Course{}
	}
	run, _ := k.Course.Run()
	today, err := keys.NewCourse(k.org, k.code, run)
	if err != nil {
		return keys.Course{}
	}
	return today
}

// Root returns the key of the course's root block with the course beside it, as the block's own does not say the run
// (modulestore.md §6, DEP-23). location is what is stored of it, which counts where it is a block of the course.
func (k Key) Root(location string) (keys.InCourse, error) {
	if u, err := keys.ParseUsage(location); err == nil {
		if in, err := u.Within(k.Course); err == nil {
			return in, nil
		}
	}
	run, _ := k.Course.Run()
	u, err := k.Course.Usage("course", run)
	if err != nil {
		return keys.InCourse{}, err
	}
	return u.Within(k.Course)
}
