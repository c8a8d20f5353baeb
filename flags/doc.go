// Package flags reads and writes the feature flags of Open edX: waffle's flags, switches and samples, and the platform's
// overrides of a flag for one course or one organization (authz-migration.md §3, authz.md §17).
//
// Overrides are only ever added: what is in force for a key is its current row, and there are two notions of current.
// Whether a flag is on is told by the row with the latest change_date, lists of overrides by the one with the highest id;
// they differ where clocks do. A current row that is not enabled means "no override". A course's override counts before its
// organization's, and that before the flag for everybody.
//
// [Load] reads all that is said of one flag into a [State], which answers without a query and is never changed;
// [State.Changed] is a cheap look whether it still holds. Who needs answers all the time keeps a State beside the other
// things that decisions are made from, and swaps them together (authz.md §7).
//
// Keys are compared as the database compares them, since that is how the platform reads them: without regard to letter case
// where the column's collation has none, byte for byte elsewhere.
//
// Where the platform's tables are missing there are no flags; to write one is refused then.
package flags
