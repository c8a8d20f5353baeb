// Command gendocs writes the page about the command line: gendocs FILE.
package main

import (
	"fmt"
	"os"

	"github.com/openlectern/lectern/internal/cli"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: gendocs FILE")
		os.Exit(2)
	}
	if err := os.WriteFile(os.Args[1], []byte(cli.Reference()), 0o644); err != nil { //nolint:gosec // a public document
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
