package cli

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/openlectern/lectern/fault"
)

// olxFlag is --olx, once for each block.
func olxFlag(cmd *cobra.Command, files *[]string, otherwise string) {
	cmd.Flags().StringArrayVar(files, "olx", nil, "`file` with the OLX of the block, - for stdin; once for each KEY"+otherwise)
}

// sources reads the OLX of n blocks.
func (c *cli) sources(ctx context.Context, files []string, n int) ([][]byte, error) {
	if len(files) != n {
		return nil, usage("--olx", "there is OLX for %s, not for %d", count(len(files), "block", "blocks"), n).
			WithNext("name a file with --olx FILE, or - for stdin, once for each KEY")
	}
	srcs := make([][]byte, n)
	for i, file := range files {
		var err error
		if file == "-" {
			srcs[i], err = c.stdin(ctx)
		} else if srcs[i], err = os.ReadFile(file); errors.Is(err, os.ErrNotExist) {
			err = fault.Errorf(fault.NotFound, file, "there is no such file: %w", err)
		}
		if err != nil {
			return nil, err
		}
	}
	return srcs, nil
}

// stdin reads standard input, or stops waiting for it when ctx ends.
func (c *cli) stdin(ctx context.Context) ([]byte, error) {
	type result struct {
		src []byte
		err error
	}
	done := make(chan result, 1)
	go func() { // ends with the program where nobody ever writes: a read cannot be called off
		src, err := io.ReadAll(c.env.Stdin)
		done <- result{src, err}
	}()
	select {
	case r := <-done:
		if r.err != nil {
			return nil, fault.Errorf(fault.Unavailable, "standard input", "cannot be read: %w", r.err)
		}
		return r.src, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// baseFlag is --base, which may be left out.
type baseFlag struct{ version int }

func (b *baseFlag) flag(cmd *cobra.Command) {
	cmd.Flags().IntVar(&b.version, "base", 0, "`version` that the change starts from; refused when the draft is another by now")
}

func (b *baseFlag) value(cmd *cobra.Command) (*int, error) {
	if !cmd.Flags().Changed("base") {
		return nil, nil
	}
	if b.version < 1 {
		return nil, usage("--base", "versions count from 1")
	}
	return &b.version, nil
}
