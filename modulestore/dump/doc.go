// Package dump reads what mongodump wrote, without a server: folders with a file for each collection, and archives in which
// all collections come interleaved (modulestore.md §1.13). Files may be packed with gzip; that is seen from their first
// bytes, not from their names.
//
// A pass streams: it holds one document at a time, whatever the size of the dump. A file that breaks off, or whose bytes do
// not fit the digest that mongodump wrote, is told of to the pass, which goes on with what can still be read.
package dump
