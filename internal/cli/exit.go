package cli

import (
	"fmt"
	"strings"

	"github.com/openlectern/lectern/fault"
)

// status is one status that the program ends with.
type status struct {
	code    int
	meaning string
}

// statuses is the one table of them, repeated in each command's help. The codes of failures are package fault's.
var statuses = []status{
	{0, "done"},
	{fault.Invalid.Exit(), "failed: the input is invalid, something was not found, a server or disk cannot be used"},
	{fault.Usage.Exit(), "wrong usage: a flag, argument, key, moment or URL that does not parse"},
	{fault.Refused.Exit(), "refused: it exists already, its base is stale, or another precondition does not hold"},
	{4, "partly done, where a flag allowed it"},
	{fault.Interrupted.Exit(), "interrupted; things are as before, or as after"},
}

func statusText() string {
	var b strings.Builder
	for _, s := range statuses {
		fmt.Fprintf(&b, "  %3d  %s\n", s.code, s.meaning)
	}
	return b.String()
}

// helpTemplate is cobra's with the table of statuses at the end.
var helpTemplate = `{{with (or .Long .Short)}}{{. | trimTrailingWhitespaces}}

{{end}}{{.UsageString}}{{if not .HasAvailableSubCommands}}
Exit status:
` + statusText() + `{{end}}`

const usageTemplate = `Usage:{{if .HasAvailableSubCommands}}
  {{.CommandPath}} COMMAND

Commands:{{range .Commands}}{{if .IsAvailableCommand}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}{{else}}
  {{.UseLine}}{{end}}{{if .HasExample}}

Examples:
{{.Example}}{{end}}{{if .HasAvailableLocalFlags}}

Flags:
{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}{{end}}{{if .HasAvailableInheritedFlags}}

Flags of every command:
{{.InheritedFlags.FlagUsages | trimTrailingWhitespaces}}{{end}}
`
