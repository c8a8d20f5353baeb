// Package layers holds the rules of which package may import which, and which package may name which tables, as tests.
// It has no code for the program. A package without a rule fails the tests: a new package is placed on purpose.
package layers
