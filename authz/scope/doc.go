// Package scope reads the keys that say where a role holds: a course, a library, all of an organization, all of the
// platform (authz.md §2).
//
// The one idea: a scope is its external key and a kind, found by one parser, so that decisions, listings, writes and
// REST agree on what a text means. There are two spellings: the external one of clients ("lib:ORG:SLUG"), checked
// strictly by [Parse], and the namespaced one of stored rows ("lib^lib:ORG:SLUG"), which [ParseNamespaced] takes as
// loosely as Python does, because rows exist.
//
// Scopes are compared byte for byte. The package knows no database.
package scope
