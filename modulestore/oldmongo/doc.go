// Package oldmongo reads the oldest store of Open edX, DraftModuleStore: one document for each block, a draft kept as a
// second one (modulestore.md §1).
//
// Documents of all courses lie in one collection in no order, and a block does not know its run, so nothing can be said of
// a course before the collection has been read: a [Census] is told of every document and keeps of each only what the shape
// of its course needs, some 200 bytes. [Read] keeps the documents too, on a shelf on disk, from which courses are then
// loaded one by one.
//
// The draft view of a block is its draft document, else the published one; the published view is the published one or
// nothing (OM-19). What upstream takes from whichever twin comes first (OM-30) is taken from the view's own here.
package oldmongo
