// Package lease keeps what may be done once at a time apart from itself, for longer than a transaction lasts: a row that
// names the holder and ends by itself (design.md §4, content-migrations.md §3.4).
//
// The idea: the row is all there is. It is taken, renewed and taken over by single updates that name the row as it was
// read, which every engine and every node of a cluster decides alike; no server lock is held, so that statements that
// change tables, and commit by themselves, do not end it. A holder killed at any moment leaves only its row. Another
// process of the same machine sees that the holder is gone and takes the row at once, and never while the holder lives;
// from another machine it can be taken when it has not been renewed until its end, by the database's clock.
//
// The table depends on no other and is made where it is missing, so that a database of any age can be worked on.
//
// The nodes of a cluster have a clock each: they may differ by much less than the term of a lease.
package lease
