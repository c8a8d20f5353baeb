// Package definitions says what roles and permissions there are, from YAML files in the format of openedx-authz
// (authz.md §16): it finds and checks the files, compiles them with their extensions and priorities, plans what a
// database lacks of them, and applies the plan.
//
// The one idea: files are compiled to one [Schema], the whole of what is wanted, before anything is written. A database
// is brought to it by a [Plan], which a dry run prints and an apply carries out.
//
// The definitions that a site starts with are embedded. They say the same as the rows of authz.Shipped, except for
// implications, for which the format has no place.
package definitions
