//go:build race

package cli_test

// many files are fewer under the race detector, where packing a million takes longer than everything else together.
const manyFiles = "200000"
