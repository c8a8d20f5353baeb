// Package schema knows the tables: one definition of each in Go data, from which it makes a new site on every engine,
// recognises what age a database has, and verifies that one is as it should be.
//
// The tables are Open edX's (content-schema.md, authz.md §10, §17), column for column and name for name, so that Django
// works on a database made here and Lectern on one made by Django; only what Open edX has no table for lives in lectern_*
// tables. Names that Django generated years ago from table names of that time are computed again by its rule, not copied.
//
// The package does not move rows and upgrades nothing: an older database is named and refused.
package schema
