package cli

import (
	"errors"

	"github.com/openlectern/lectern/course"
	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/keys"
)

// noun is what a family of commands is about. Courses and legacy libraries have the same ones.
type noun struct {
	one, many string
	form      string // of its keys
	library   bool
}

var (
	courses   = noun{"course", "courses", "course-v1:ORG+COURSE+RUN", false}
	libraries = noun{"library", "libraries", "library-v1:ORG+LIBRARY", true}
)

const usageForm = "block-v1:ORG+COURSE+RUN+type@TYPE+block@ID"

// other returns the noun that n is not.
func (n noun) other() noun {
	if n.library {
		return courses
	}
	return libraries
}

// key reads the key of a course or library. A key of the other noun is refused with the command that takes it, so that
// nobody deletes a library for a course.
func (n noun) key(text string) (keys.Course, error) {
	k, err := keys.ParseCourse(text)
	if err != nil {
		if c, cerr := keys.ParseContext(text); cerr == nil && c.IsLibrary() {
			return k, fault.Errorf(fault.Refused, text, "this command is for legacy libraries").
				WithNext("name one: " + libraries.form + "; for libraries of this kind there are lectern library create, migrate, migrations and lectern package")
		}
		return k, notKey(text, n.one, n.form, err)
	}
	if k.IsCourse() == n.library {
		return k, usage(text, "this is the key of a %s", n.other().one).WithNext("use: lectern " + n.other().one)
	}
	_, err = course.MomentOf(k) // other branches than the two are not found
	return k, err
}

// notKey tells of a text that is no key of the kind wanted.
func notKey(text, what, form string, err error) error {
	reason := err.Error()
	var e *keys.Error
	if errors.As(err, &e) {
		reason = e.Reason
	}
	return usage(text, "not the key of a %s: %s", what, reason).WithNext("write " + form)
}

// usageKey reads the key of a block.
func usageKey(text string) (keys.Usage, error) {
	k, err := keys.ParseUsage(text)
	if err == nil {
		if c, ok := k.Course(); ok {
			_, err = course.MomentOf(c) // other branches than the two are not found
		}
		return k, err
	}
	if f, aerr := keys.ParseAsset(text); aerr == nil {
		e := usage(text, "this is the key of a static file").
			WithNext("name a block; static files go along with the blocks that name them, and with the whole course")
		if f.Deprecated() {
			e.Err = oldFile(text)
		}
		return k, e
	}
	return k, notKey(text, "block", usageForm, err)
}

// oldFile is the key of a static file of the old store, which is refused as such where the stage says so, and is no block anyhow.
type oldFile string

func (f oldFile) Error() string { return string(f) }

func usageKeys(texts []string) ([]keys.Usage, error) {
	out := make([]keys.Usage, len(texts))
	for i, text := range texts {
		var err error
		if out[i], err = usageKey(text); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// blocksOf reads the keys of blocks, which must be of one course.
func blocksOf(in keys.Course, texts []string) ([]courseware.BlockID, error) {
	var ids []courseware.BlockID
	for _, text := range texts {
		k, err := usageKey(text)
		if err != nil {
			return nil, err
		}
		if _, err := k.Within(in); err == nil && k.Deprecated() { // what becomes of old courses is not decided here
			ids = append(ids, courseware.BlockID{Type: k.Type(), Name: k.ID()})
			continue
		}
		of, id, err := course.BlockOf(k)
		if err != nil {
			return nil, err
		}
		if !sameCourse(of, in) {
			return nil, usage(text, "the block is not of %s", in).WithNext("name blocks of one course, or another course")
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// sameCourse compares two keys without regard to branches.
func sameCourse(a, b keys.Course) bool {
	a, errA := a.WithoutBranch()
	b, errB := b.WithoutBranch()
	return errA == nil && errB == nil && a == b
}

// blockFlag reads the key of one block, nil when there is none.
func blockFlag(in keys.Course, text string) (*courseware.BlockID, error) {
	if text == "" {
		return nil, nil
	}
	ids, err := blocksOf(in, []string{text})
	if err != nil {
		return nil, err
	}
	return &ids[0], nil
}
