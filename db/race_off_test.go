//go:build !race

package db_test

// manyRows is how many rows a bulk insert is tested with.
const manyRows = 20_000
