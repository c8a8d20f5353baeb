// Package archive reads and writes archives as flat tables of safe names: .tar.gz, .zip, or a folder. It knows nothing of
// what the files mean.
//
// Whatever comes in is taken for hostile (olx.md §5.1): only regular files and directories, only names that stay inside,
// no name twice, and limits on count, size, expansion and time that hold while the bytes are read, whatever headers
// say. Nothing is ever extracted to a name that the archive chose: members of a tar go one after the other into one
// private spool, a zip and a folder are read where they lie. So a path out of an archive is only ever looked up in the
// table of names, never on a disk.
//
// What goes out is deterministic (olx.md §3.3): equal content gives equal bytes, and the target appears whole or not at
// all.
package archive
