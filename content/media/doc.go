// Package media keeps the bytes of a learning package, each distinct content once: rows of openedx_content_media, and
// files beside the database for what rows cannot or should not hold (content-model.md §13).
//
// A media row is named by (package, media type, digest) and never changes its content. [GetOrCreate] finds or makes a
// whole batch of them at once. Text of up to [MaxRowText] characters without NUL lies in the row, anything else in a
// [Files] store, whose local form is [Dir]. A file is complete and synced before the row that names it commits, so a
// crash may leave files that no row names ([Sweep] removes them) but never a row without its file.
//
// What a media is called inside a component or container is not known here: see those packages.
package media
