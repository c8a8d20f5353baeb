// Package prune thins out the history of a foreign Split database by a plan that a person approves (modulestore.md §7).
//
// The one idea: everything that a head, a pin or another reference leads to is a root; policies choose what else of each
// head's history stays; what is left over is written into a plan with the heads of every course. Applying asks for the heads
// again before and after each batch, copies what goes into an archive first, and leaves or puts back whatever became
// reachable since. Edges between structures are never rewritten, a [Cut] notes where history has a gap (PR-8), but by the plans of the reference tool, which
// [Compat] makes to the byte (PR-16).
//
// Planning holds some hundred bytes for each course and one block of structures: the headers of all structures lie sorted by
// id in a temporary file, which is walked once from the newest to the oldest with one pointer for each head (PR-14).
//
// The only code that writes to a MongoDB server is Server, behind the interface [Database]; the readers of the other packages
// stay read-only. Files are not swept: structures name them by text, and a file is of a course, not of a version, so none
// can be shown to be unneeded.
package prune
