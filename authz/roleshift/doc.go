// Package roleshift moves roles between the two sides of the authoring flag: the platform's own role rows, which count
// where it is off, and assignments, which count where it is on (authz-migration.md).
//
// The one idea: a move is one transaction that holds the turn to change the policy. It reads the rows of its scope in a few
// statements, decides in memory what becomes of each, and writes in a few statements; so what a dry run tells is the run
// itself, undone. What it deletes it keeps, word for word, and a later move the other way gives those very rows back for
// what still stands.
//
// Roles in an organization hold in all of its courses. Where one course is on the other side of the flag, [Move] makes equal
// roles for that course alone, marked as derived, and takes them away when the course comes back (M-25).
//
// Very many rows are moved by a [Worker], in batches: targets are made while the sources count, one transaction turns the flag
// and catches up, and the sources are deleted. A run that was stopped anywhere is taken up where it was (§13).
//
// It writes no flag but by [Flip] and a Worker's turn: who does otherwise moves in the same transaction.
package roleshift
