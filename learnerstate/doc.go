// Package learnerstate tells what becomes of learners' state when a course gets another key: which rows of the platform's
// courseware_studentmodule have a block under the new key, which have none and why (modulestore.md §5.6). It reads; the rows of
// learners are the platform's, and nothing here writes one (CV-25). What it hands out is the map: old key to new key, as CSV or as
// SQL that an operator may run.
//
// Old usage keys do not say their run, so a row is looked up by the pair of its course and its block (CV-21).
package learnerstate
