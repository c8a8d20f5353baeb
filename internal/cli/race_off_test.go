//go:build !race

package cli_test

const manyFiles = "1000000"
