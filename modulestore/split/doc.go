// Package split reads the versioned store of Open edX, "Split": whole-course documents called structures, documents with the
// content of blocks called definitions, and one index row for each course that points to the heads of its branches
// (modulestore.md §2).
//
// A [Census] learns from one pass what courses there are, how long their histories are and what is wrong with them; it keeps
// some hundred bytes of each structure, and of heads two numbers for each block. [Read] fetches the structures and
// definitions that are asked for onto a shelf on disk, from which branches are loaded one by one.
//
// Where a site has the SQL mirror of the index, that is the authority, and the rows in MongoDB are compared with it (SP-5).
package split
