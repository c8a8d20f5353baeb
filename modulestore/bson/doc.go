// Package bson walks raw BSON documents, as MongoDB keeps and mongodump writes them, without decoding them into Go
// values.
//
// The one idea: a [Doc] has been checked once, from end to end, by [Check] or by a [Reader]; after that walking it
// cannot fail, allocates nothing and keeps the order of keys, which is part of an embedded _id (modulestore.md OM-5).
// Strings are not checked for UTF-8: old stores hold others, and a reader has to survive them (OM anomaly A15).
//
// It is not a codec: nothing is written, and there are no struct tags. The driver of MongoDB has raw documents too, in a
// part of it that promises no stable interface and says neither file nor offset of what is wrong; what is read from
// dumps needs no driver at all.
package bson
