// Package course maps courses and legacy libraries to the content store and back (design.md §4, "A course in the store").
//
// A course is one learning package. Its blocks with children are containers, its other blocks and its static files are
// components, each named by an entity ref made of its type and name. One idea carries the package: a course at one
// moment is a [tree] of nodes, whether it was read from the store or is wanted by an import, and everything that writes
// is the difference between two trees.
//
// Functions take the transaction or querier they work in and never begin one; package app opens it. Errors are of
// package fault's kinds. Nothing here is safe for concurrent use within one transaction.
package course
