// Package courseware is the tree in the middle: one state of a course run or legacy library, free of archive
// syntax, database rows and old stores. Every source is read into it, every sink is written from it (design.md §2).
//
// A [Course] owns [Block] values by [BlockID]; parents name their children by id. Settings are [Fields]: names with
// JSON values, in the order their source had them. What is large is not held in memory: a [Body] lies in a [Spool], and
// static files are opened on demand.
package courseware
