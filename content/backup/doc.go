// Package backup writes a learning package to a zip and restores it from one (backup-format.md): the format that Open
// edX's lp_dump and lp_load use, version 1.
//
// An archive is a snapshot of one package: the draft and the published version of every component and container, the
// files of those versions, and the enabled collections. It holds no history, people, tags or ids. What the format has no
// room for (containers of Lectern's own types, their settings, pins, refs that are not codes, the course that a package
// is) lies beside it in the folder lectern/, which other programs ignore; see extra.go.
//
// [Write] writes from a transaction that sees one state. [Open] takes an archive for hostile and reads its directory,
// [Archive.Read] reads and checks everything that it says and returns a [Plan] with all that is wrong with it, and
// [Plan.Restore] writes the plan into a transaction. [Compare] holds one plan against another: a backup is proved by
// restoring it, writing it again and comparing.
//
// Memory grows with the number of entities and files, by a few hundred bytes each, and not with their content.
package backup
