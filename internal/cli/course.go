package cli

import (
	"github.com/spf13/cobra"
)

// courseCommand returns the commands about courses, or about legacy libraries, which are kept the same way.
func (c *cli) courseCommand(n noun) *cobra.Command {
	short := map[bool]string{
		false: "Import, publish, compare, restore and export courses",
		true:  "The same for legacy libraries (library-v1: keys)",
	}[n.library]
	cmd := &cobra.Command{Use: n.one, Short: short}
	for _, make := range []func(noun) *cobra.Command{
		c.importCommand, c.exportCommand, c.validateCommand, c.listCommand, c.showCommand, c.publishCommand, c.discardCommand,
		c.historyCommand, c.diffCommand, c.restoreCommand, c.labelCommand, c.rerunCommand, c.deleteCommand,
	} {
		cmd.AddCommand(make(n))
	}
	return cmd
}

// momentHelp explains moments where a command takes one.
const momentHelp = `
A moment is draft, published, cN or pN (an entry of the history: the drafts, or the published state, as it left them),
a time such as 2025-06-01T12:00:00Z (the drafts at that time; published@TIME the published state), draft~2 or published~2
(that many entries before), or a label.`
