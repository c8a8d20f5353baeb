package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/fault"
)

// fail tells of the failure of a command and returns the status to exit with.
func (c *cli) fail(ctx context.Context, command string, err error) int {
	if f, ok := errors.AsType[oldFile](err); ok {
		// The store says at which stage it is; where there is none, the first error stands.
		refused := c.with(ctx, reading, func(a *app.App) error { return a.NotOld(ctx, "file", string(f)) })
		if fault.Is(refused, fault.OldMongo) {
			err = refused
		}
	}
	f := c.failure(ctx, err)
	if f.Next == "" {
		told := *f
		told.Next = lastResort(f.Kind, command)
		f = &told
	}
	if werr := c.printer().failure(f); werr != nil {
		return fault.Unavailable.Exit() // there is nowhere left to say it
	}
	return f.Kind.Exit()
}

// lastResort is the next step after a failure that names none.
func lastResort(k fault.Kind, command string) string {
	switch k {
	case fault.Usage:
		return "see: " + command + " --help"
	case fault.Unavailable:
		return "see that the disk or server can be used, and run the command again"
	case fault.NotFound:
		return "check the name, the moment and the database"
	case fault.Invalid:
		return "correct it, and run the command again"
	}
	return "look at what is there, and run the command again"
}

// failure makes of any error one that can be told.
func (c *cli) failure(ctx context.Context, err error) *fault.Error {
	if ctx.Err() != nil {
		return &fault.Error{Kind: fault.Interrupted, Text: "interrupted before it was done", Next: "run the command again", Err: err}
	}
	var f *fault.Error
	if errors.As(err, &f) {
		return f
	}
	var path *fs.PathError
	switch kind := fault.KindOf(err); {
	case kind == fault.Interrupted:
		return &fault.Error{Kind: kind, Text: "it took too long", Next: "run the command again", Err: err}
	case errors.As(err, &path):
		return fault.Errorf(fault.Unavailable, path.Path, "cannot %s: %w", path.Op, path.Err)
	}
	return fault.Errorf(fault.Internal, "", "%w", err).WithNext("this is a fault of Lectern: please report it with the command and this message")
}

func usage(thing, format string, args ...any) *fault.Error {
	return fault.Errorf(fault.Usage, thing, format, args...)
}

// withNext adds a next step to an error.
func withNext(err error, next string) error {
	var f *fault.Error
	if !errors.As(err, &f) {
		f = fault.Errorf(fault.KindOf(err), "", "%w", err)
	}
	out := *f
	if out.Err = err; out.Next != "" {
		next = fmt.Sprintf("%s; %s", out.Next, next)
	}
	out.Next = next
	return &out
}
