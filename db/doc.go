// Package db is the one way to a database: opening, dialects, transactions, retries, bulk statements, errors by kind.
//
// The idea: callers write plain SQL with ? placeholders and Go values, once, and it means the same on SQLite, MySQL,
// MariaDB and PostgreSQL. What differs (how a time or a uuid is stored, how many statements a bulk insert takes, which
// code says "deadlock") stays in here. The package is not a query builder and knows no table.
//
// # Rules that hold on every engine
//
//   - A transaction function may be run again from its start after a deadlock or a lost race (test-servers.md §4.1), so
//     it must have no side effects and must set, not append to, what it leaves behind.
//   - A transaction in which a statement failed cannot commit, even where the engine would allow it: PostgreSQL and
//     Galera do not, and code must not come to rely on the others.
//   - While rows are being scanned, the same transaction runs no other statement.
//   - Affected rows are the rows that matched, changed or not.
//   - Times are UTC with microseconds; one transaction has one clock reading.
package db
