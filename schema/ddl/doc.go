// Package ddl sends statements that change tables to a site that is at work (content-migrations.md §3.4, pre-flight 7).
//
// Such a statement waits for every transaction that has touched its table, and whoever comes after it queues behind it:
// one forgotten transaction and one ALTER TABLE stop a site. So a statement here waits for a short time only, gives up,
// lets those behind it pass, and comes again after a pause. Meanwhile another connection asks the server who is in the
// way, so that a person can be told whom to end.
//
// On a Galera cluster statements that change tables do not wait: the nodes end the transactions that are in the way, which
// then fail with an error that asks to run them again.
package ddl
