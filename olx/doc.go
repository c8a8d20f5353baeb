// Package olx reads and writes the archive format of courses and legacy libraries (OLX): archive ⇄ course tree, and one
// block ⇄ the files it is stored as. It knows no database.
//
// The one idea: an archive is read into a normal form from which one canonical archive follows. What the format can say
// in several ways (inline or in a file, attribute or policy entry, `from` or `start_time`) is one thing in a
// [courseware.Block]; what only its author understands (unknown attributes, unknown elements, bodies) is kept byte for
// byte. So exporting what was imported changes nothing in a canonical archive, and a second round changes nothing in any
// (olx.md §3.4).
//
// Nothing here runs, renders or fetches what an archive holds.
package olx
