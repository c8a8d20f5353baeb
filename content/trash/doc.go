// Package trash takes rows out of tables in a way that can be taken back. A [Journal] deletes, changes and inserts rows
// and writes down what it did; [Journal.Text] is that account as text, to be kept in the same transaction, and [Undo]
// takes it back later, last thing first, so that every step meets the references that it left.
//
// The package knows no table: who owns one describes its columns as a [Table] and calls the journal. A Journal belongs to
// one transaction and one goroutine.
package trash
