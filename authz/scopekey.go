package authz

import (
	"strings"

	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/keys"
)

type scopeClass int

const (
	otherKind scopeClass = iota
	courseKind
	libraryKind
)

// kindOf says whether a scope, which [assignable] has passed, is one course or library.
func kindOf(external string) scopeClass {
	switch {
	case strings.Contains(external, "*"):
		return otherKind
	case strings.HasPrefix(external, "course-v1:"):
		return courseKind
	case strings.HasPrefix(external, "lib:"):
		return libraryKind
	}
	return otherKind
}

// assignable refuses a scope in which no role can be held (authz.md §2).
func assignable(external string) error {
	if kindOf(external) == courseKind {
		_, err := keys.ParseCourse(external)
		return err
	}
	if external == "" {
		return fault.Errorf(fault.Invalid, external, "empty")
	}
	return nil
}

// librarySlug returns the slug of a library's key.
func librarySlug(external string) string {
	return external[strings.LastIndexByte(external, ':')+1:]
}
