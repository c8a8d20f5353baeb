// Package modulestore is what the readers of Open edX's retired and ageing content stores have in common: where documents
// come from ([Source]), what a block looks like once it is read ([Block], [Branch]), and what was found wrong on the way
// ([Tally]).
//
// Old stores are sources: they are read, never written, and never served from (design.md §2). A [Source] has no method
// that could change anything. Damage is expected: a reader survives every anomaly that modulestore.md names, counts it
// under the rule's own name, and goes on with the next document or course.
//
// Sub-packages read one thing each: bson raw documents, dump folders and archives of mongodump, live a server, oldmongo
// and split the two stores, gridfs the files, inventory all of a site in one pass.
package modulestore
