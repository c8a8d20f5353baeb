// Command lectern keeps courses and libraries as versioned content. See: lectern --help
package main

import (
	"context"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/openlectern/lectern/internal/cli"
)

// version is set by the linker for releases: -ldflags "-X main.version=v1.2.3".
var version string

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	status := cli.Main(ctx, cli.Env{
		Args: os.Args[1:], Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv,
		Program: called(), Version: built(),
	})
	stop()
	os.Exit(status)
}

// called returns how the person called the program: by its name where the PATH leads to it, with go run where it was
// built for this one run, else as it was typed.
func called() string {
	name := filepath.Base(os.Args[0])
	self, err := os.Executable()
	if found, lerr := exec.LookPath(name); err == nil && lerr == nil && found == self {
		return name
	}
	if strings.Contains(self, string(filepath.Separator)+"go-build") {
		return "go run ./cmd/lectern"
	}
	return os.Args[0]
}

// built returns the version of the program: the linker's, the module's, or the commit it was built from.
func built() string {
	info, ok := debug.ReadBuildInfo()
	switch {
	case version != "" || !ok:
		return version
	case info.Main.Version != "" && info.Main.Version != "(devel)":
		return info.Main.Version
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return ""
}
