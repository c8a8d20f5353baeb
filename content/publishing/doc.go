// Package publishing keeps learning packages, the entities in them, their versions, and which version of each is the
// draft and which the published one (content-model.md §4-§10).
//
// The one idea: a version never changes, and everything that happens is the move of a pointer, Draft or Published,
// from one version of an entity to another. Moves are made in groups, a [ChangeSet] for drafts or a publish, and each
// group is one log with one record per entity. A version may name dependencies; when one of them moves, every live
// entity above it gets a record in the same log too (a side effect), with a digest of the state below it, so that
// "does anything below differ?" is one comparison.
//
// Components, containers and their content are other packages on top of this one. So are events: a [ChangeLog] or
// [PublishLog] holds what an event needs, and sending it is the caller's matter.
//
// # Transactions
//
// What writes takes a [db.Tx] and never begins a transaction. Every change of a package first takes its lock ([Lock]),
// a row that the transaction updates, so that writers of one package run one after the other on every engine; side
// effects, digests and the order of logs rest on that. A function that returns an error may have written part of its
// work: give the transaction up. A batch of N rows costs a bounded number of statements.
//
// All functions are safe for concurrent use as far as the Querier is; a Tx and a ChangeSet belong to one goroutine.
package publishing
