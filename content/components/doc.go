// Package components keeps components, the entities that hold content themselves: a problem, a text, a video, a file
// (content-model.md §12). It owns their rows, their types, and the named files of each version.
//
// A component is an entity with a type and a code; a version of it is an entity version with a set of (path, media),
// given when the version is made and never changed. The bytes are package media's; drafts, publishing and history are
// package publishing's, by the ids that all three share.
//
// Everything takes and returns batches; a batch of N rows costs a bounded number of statements. Functions that write
// take a transaction or a change set and never begin one.
package components
