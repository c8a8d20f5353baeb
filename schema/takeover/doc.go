// Package takeover brings the content tables of an Open edX database of any supported age to today's, in place
// (content-migrations.md).
//
// What is to be done is a list of steps, one for each row of Django's ledger that is missing. A step does not say which
// statements to send but how tables shall be when it is done; what they are is read from the catalogue, and the
// difference becomes SQL. So the same step serves a database that has not begun it and one on which it was stopped half
// way, by us or by Python, and a plan can be written without touching anything: the planner goes on from what the
// catalogue will say then.
//
// Steps are run one by one, each planned anew from the catalogue: in one transaction with its ledger row where the engine
// has transactions for schema changes, otherwise statement by statement with the row last.
package takeover
