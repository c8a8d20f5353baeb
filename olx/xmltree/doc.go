// Package xmltree reads XML into a tree whose nodes know the bytes they came from, and writes XML in the one form that
// archives use. A part that nobody touched is copied out byte for byte; only what was changed is written anew.
//
// The reader works on raw bytes and is strict (olx.md §5.2): no DOCTYPE, no entities but the five predefined ones, no
// encoding but UTF-8, one root, limits on depth, nodes and attributes. It opens nothing: whatever an include, a
// stylesheet or a base address names is inert text. The package knows nothing of courses.
package xmltree
