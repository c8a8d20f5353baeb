package cli

import (
	"github.com/spf13/cobra"
)

// courseCommand returns the commands about courses, or about legacy libraries, which are kept the same way.
func (c *cli) courseCommand(n noun) *cobra.Command {
	short := map[bool]string{
		false: "Import, publish, compare, restore and export courses",
		true:  "The same for legacy libraries (library-v1: keys), and what brings them into libraries (lib: keys)",
	}[n.library]
	verbs := []verb{
		verb{c.importCommand(n), imported{}}, verb{c.exportCommand(n), exported{}}, verb{c.validateCommand(n), validated{}},
		verb{c.listCommand(n), listing{}}, verb{c.showCommand(n), shown{}}, verb{c.publishCommand(n), published{}},
		verb{c.discardCommand(n), discarded{}}, verb{c.historyCommand(n), history{}}, verb{c.diffCommand(n), compared{}},
		verb{c.restoreCommand(n), imported{}}, verb{c.labelCommand(n), labels{}}, verb{c.rerunCommand(n), imported{}},
		verb{c.deleteCommand(n), imported{}},
	}
	if n.library {
		verbs = append(verbs, verb{c.libraryCreateCommand(), createdLibrary{}}, verb{c.libraryMigrateCommand(), migratedLibrary{}},
			verb{c.libraryMigrationsCommand(), libraryMigrations{}})
	}
	return c.family(n.one, short, verbs...)
}

// momentHelp explains moments where a command takes one.
const momentHelp = `
A moment is draft, published, cN or pN (an entry of the history: the drafts, or the published state, as it left them),
a time such as 2025-06-01T12:00:00Z (the drafts at that time; published@TIME the published state), draft~2 or published~2
(that many entries before), or a label.`
