// Package fields knows the block types of the archive format and their settings as data (olx.md §6), and how a setting
// is written as text: in dialect L by the legacy types, in dialect P by pure XBlocks (olx.md §1.8).
package fields
