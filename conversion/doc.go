// Package conversion remembers what courses and libraries were made of that came from an old store (modulestore.md §5): the
// source, a digest of it, and under which key everything is found that had another one there.
//
// A row is written in the transaction that brings the content in, so there is a conversion exactly where there is what it
// made. It goes with the learning package when that is purged. A course or library is made of one source at most; one source
// may have been made into several, under different keys.
//
// The map of keys is what learner state is translated by (CV-7, CV-21). The package knows no old store: it is given texts.
package conversion
