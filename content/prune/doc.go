// Package prune thins out the history of packages by a plan that a person has approved (design.md §6, invariant 4;
// docs/decisions/0007-pruning.md).
//
// A [Policy] says which moments, log entries of drafts or of publishes, are kept. [Make] makes a [Plan] of it: what would
// go, and why the rest stays. [Apply] carries a plan out in bounded transactions, each of which asks again what is needed
// by then, so that it can run beside editors, be interrupted and go on. What goes lies in a trash inside the database for a
// while, from which [Undo] puts back every row; [Expire] empties it.
//
// A moment goes by being made one with the next one that is kept, as if both had been one change: records of an entity
// become one, from the first old to the last new version. So every log that is left is a state that really was, old and new
// versions form chains, and side effects, digests and pointers agree, for whoever reads the tables. Then the versions that
// nothing names go, and the media that no version has.
package prune
