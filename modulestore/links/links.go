// Package links rewrites the links and identifiers that stand in the texts of an old course, so that they are right where the
// course goes (modulestore.md §5.4). It works on text: it looks at every kind of quote and at none, never reads HTML or JSON
// into a tree, and what it wrote once it leaves alone the second time (CV-10).
//
// A [Rewriter] is made once for a course, from its names and its blocks, and is asked text by text. Every link that it found
// comes back as a [Change]: those that were rewritten, those that may stay, and those that it had to leave, with the reason.
package links

import (
	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/keys"
)

// Course is what the texts belong to, and what it becomes.
type Course struct {
	// Org, Course and Run are the names that the old store knows the course by.
	Org, Course, Run string
	// From is the key that the old site has for the course. Links in the new spelling (block-v1 and its like) are looked at where
	// it is a key of today and differs from To; those of the old spelling always are. It may be none.
	From keys.Course
	// To is the key that the course gets.
	To keys.Course
	// Blocks are all blocks of the course with what they are called under To. They are not changed while the Rewriter is in use.
	Blocks map[courseware.BlockID]courseware.BlockID
	// HasAsset says whether the course has a file of this name, which is clean (GF-8). Nil: files are not looked for.
	HasAsset func(name string) bool
	// Host is the old site's own name, with its port if it has one: addresses on it are the course's own (row 10). Empty: none are.
	Host string
}

// Change is a link or an identifier that was found.
type Change struct {
	// Row is the rule that it fell under, of the table of modulestore.md §5.4: 1 to 10.
	Row int
	// Found is the text as it was, Became what stands there now. They are equal for what was kept.
	Found, Became string
	// Kept is true for what was left as it was.
	Kept bool
	// Why says in words what is wrong, for people; empty where all is well.
	Why string
}
