package cli

import "github.com/spf13/cobra"

func (c *cli) demoCommand() *cobra.Command {
	return &cobra.Command{Use: "demo", Short: "x", RunE: func(*cobra.Command, []string) error { return nil }}
}
