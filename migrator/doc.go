// Package migrator brings courses and legacy libraries into libraries (migrator.md).
//
// The idea: a source is a [courseware.Course], wherever it was read, and what becomes of it is decided by one pure function,
// [Make], from the source, what the library holds, and what earlier migrations made of the same source. A preview shows that
// [Plan]; [Run] carries it out as one change set, one publish and the rows that say what became of each block. So the two
// cannot disagree, and a new kind of source needs nothing here.
//
// The rows are those of Open edX's app modulestore_migrator and of django-user-tasks, which a platform beside Lectern reads
// too. Functions that write take the transaction and never begin one. Errors are of package fault's kinds. Values belong
// to one goroutine.
package migrator
