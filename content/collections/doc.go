// Package collections keeps named sets of entities of a package: how a library sorts what it has (content-model.md §14).
// It owns the rows of collections and of their members, and a log of what happened to them ([Entry]), by which any past
// moment is read ([AsOf]) and restored ([RestoreTo]).
//
// Collections have no versions and are not published; drafts, publishing and deletion of a member leave them alone. A
// collection that is deleted softly keeps its members and can be restored.
//
// Functions that write take a transaction and never begin one, and lock the package. They return what changed
// and leave an event about it in package outbox. A batch of N rows costs a bounded number of statements.
package collections
