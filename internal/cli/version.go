package cli

import (
	"runtime"

	"github.com/spf13/cobra"
)

type versionInfo struct {
	Version  string `json:"version"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func (d versionInfo) text(w *textWriter) { w.line("lectern %s (%s, %s)", d.Version, d.Go, d.Platform) }

func (c *cli) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Show the version of the program",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return c.print(versionInfo{c.env.version(), runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH})
		},
	}
}
