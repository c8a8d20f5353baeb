//go:build race

package db_test

// manyRows is less under the race detector, which makes SQLite in Go some fifty times slower.
const manyRows = 3000
