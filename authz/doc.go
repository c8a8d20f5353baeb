// Package authz decides who may do what, on the tables of openedx-authz (authz.md).
//
// The one idea: every decision and listing is answered by an [Index], the whole policy in memory, which never changes.
// [Load] reads it, [Index.With] makes the next one out of a change at the cost of the change, and an [Engine] holds the
// current one, so that readers wait for nobody. Rules are exact for any rows that Python or SQL may have left (chains and
// loops of roles, patterns as domains, denying rows); what is usual is fast.
//
// Writes go through [Assign] and [Unassign], in the caller's transaction.
//
// It knows no courses: where listings need names of things or people, they are asked for by key.
package authz
