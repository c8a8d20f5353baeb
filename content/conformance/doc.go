// Package conformance is the test suite of the content store: the rules of content-model.md as tests that run on any
// engine. An engine's own test is a few lines that open databases and call [Run].
//
// It has two halves. The replay runs what the reference implementation was once made to do (golden/publishing.jsonl) and
// compares every log, record, side effect, digest, listing, history and error with what the reference answered. The laws
// (content-model.md §17) are checked on random changes, against a small model that keeps everything in maps and computes
// everything anew.
package conformance
