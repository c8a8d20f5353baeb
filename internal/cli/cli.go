// Package cli is the command line: nouns and verbs, flags, what is printed and with which status the program ends. The
// contract that scripts may rely on is in docs/cli.md, which is made from these commands.
//
// A command reads its flags into a few typed values, asks package app, and hands the result to a printer: as text for
// people or as one JSON document for programs. It decides nothing about courses itself.
package cli

import (
	"context"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/fault"
)

// Env is what the program is given by its surroundings.
type Env struct {
	Args           []string // without the program's name
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Getenv         func(string) string
	Program        string // how it is called, for commands to copy; default lectern
	Version        string // "" means unknown
}

func (e Env) version() string {
	if e.Version == "" {
		return "unknown"
	}
	return e.Version
}

// Main runs one command and returns the status to exit with. When ctx ends the command stops, leaving things as they
// were before it or as they are after it.
func Main(ctx context.Context, env Env) int {
	c := newCLI(env)
	root := c.root()
	// Flags that do not parse are told of before this one has been read.
	c.global.json = slices.Contains(env.Args, "--json")
	root.SetArgs(env.Args)
	root.SetIn(env.Stdin)
	root.SetOut(env.Stdout)
	root.SetErr(env.Stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return 0
	}
	if answer, ok := errors.AsType[ended](err); ok {
		return int(answer)
	}
	return c.fail(ctx, cmd.CommandPath(), err)
}

// ended is the error of a command that has printed its document and ends with this status all the same.
type ended int

func (e ended) Error() string { return "ended with status " + strconv.Itoa(int(e)) }

func newCLI(env Env) *cli { return &cli{env: env, documents: map[*cobra.Command]document{}} }

// cli is one run of the program.
type cli struct {
	env       Env
	global    globals
	documents map[*cobra.Command]document // what each command prints with --json, for the reference
}

// verb is a command and, by example, the document that it prints.
type verb struct {
	cmd    *cobra.Command
	prints document
}

// family returns a noun's command with its verbs.
func (c *cli) family(name, short string, verbs ...verb) *cobra.Command {
	noun := &cobra.Command{Use: name, Short: short}
	for _, v := range verbs {
		noun.AddCommand(v.cmd)
		c.documents[v.cmd] = v.prints
	}
	return noun
}

// globals are the flags that every command has.
type globals struct {
	db, data, media, user                string
	json, quiet, noProgress, yes, dryRun bool
}

func (c *cli) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "lectern",
		Short: "Versioned courses: import, edit, publish, look back, export",
		Long: `Lectern keeps courses and libraries as versioned content: a course archive comes in, is edited as drafts,
published in one step, looked at as it was at any earlier moment, and goes out again.

Try it first: lectern demo`,
		Version:       c.env.version(),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	f := root.PersistentFlags()
	f.StringVar(&c.global.db, "db", "", "database: a SQLite `file`, mysql://user:pass@host:port/name or postgres://… ($LECTERN_DB)")
	f.StringVar(&c.global.data, "data", "", "`folder` of lectern.db and media where those are not named ($LECTERN_DATA, default ./"+app.DefaultData+")")
	f.StringVar(&c.global.media, "media", "", "`folder` of media files, or s3://bucket/prefix?endpoint=host:port&region=name (default beside the database)")
	f.StringVar(&c.global.user, "as", "", "`name` of the user who does it: history names the user, whose permissions count (default: the operator of the system)")
	f.BoolVar(&c.global.json, "json", false, "print one JSON document")
	f.BoolVarP(&c.global.quiet, "quiet", "q", false, "print nothing but errors and, with --json, the document")
	f.BoolVar(&c.global.noProgress, "no-progress", false, "show no progress")
	f.BoolVarP(&c.global.yes, "yes", "y", false, "do what cannot be undone")
	f.BoolVar(&c.global.dryRun, "dry-run", false, "show what would be done, and do nothing")
	root.AddCommand(
		c.courseCommand(courses), c.courseCommand(libraries), c.blockCommand(),
		c.packageCommand(), c.databaseCommand(), c.storeCommand(), c.userCommand(), c.secretCommand(), c.flagCommand(), c.authzCommand(), c.keyCommand(),
		c.eventsCommand(), c.webhookCommand(), c.jobCommand(), c.legacyCommand(), c.stateCommand(), c.splitCommand(),
	)
	for _, v := range []verb{{c.serveCommand(), served{}}, {c.demoCommand(), demonstrated{}}, {c.versionCommand(), versionInfo{}}} {
		root.AddCommand(v.cmd)
		c.documents[v.cmd] = v.prints
	}
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd("completion")
	root.SetFlagErrorFunc(flagError)
	root.SetVersionTemplate("lectern {{.Version}}\n")
	root.SetHelpTemplate(helpTemplate)
	root.SetUsageTemplate(usageTemplate)
	dress(root)
	return root
}

// dress gives every command what cobra leaves open: arguments that are wrong are Usage, and so is a verb that there is
// none of, which cobra would answer with the help text and success.
func dress(cmd *cobra.Command) {
	if args := cmd.Args; args != nil {
		cmd.Args = func(cmd *cobra.Command, given []string) error {
			err := args(cmd, given)
			if err == nil || fault.Is(err, fault.Usage) {
				return err
			}
			return fault.Errorf(fault.Usage, cmd.CommandPath(), "%w", err).WithNext("write: " + cmd.UseLine() + "; see also: " + cmd.CommandPath() + " --help")
		}
	}
	if !cmd.Runnable() {
		cmd.Args = cobra.ArbitraryArgs
		cmd.SuggestionsMinimumDistance = 2
		cmd.RunE = func(cmd *cobra.Command, given []string) error {
			if len(given) == 0 {
				return cmd.Help()
			}
			next := "see: " + cmd.CommandPath() + " --help"
			if like := cmd.SuggestionsFor(given[0]); len(like) > 0 {
				next = "did you mean: " + cmd.CommandPath() + " " + strings.Join(like, ", ")
			}
			return fault.Errorf(fault.Usage, cmd.CommandPath()+" "+given[0], "no such command").WithNext(next)
		}
	}
	for _, sub := range cmd.Commands() {
		dress(sub)
	}
}

// config turns the global flags into what package app wants.
func (c *cli) config(use use) app.Config {
	or := func(flag, variable string) string {
		if flag == "" {
			flag = c.env.Getenv(variable)
		}
		return flag
	}
	return app.Config{
		DB: or(c.global.db, "LECTERN_DB"), Data: or(c.global.data, "LECTERN_DATA"), Media: c.global.media,
		Secret: c.env.Getenv("LECTERN_SECRET_FILE"),
		User:   c.global.user, Write: use != reading, Existing: use == writing, DryRun: c.global.dryRun,
		Getenv: c.env.Getenv,
	}
}

// with opens the store, runs fn and closes it.
func (c *cli) with(ctx context.Context, use use, fn func(*app.App) error) error {
	a, err := app.Open(ctx, c.config(use))
	if err != nil {
		return err
	}
	return errors.Join(fn(a), a.Close())
}

// use says what [cli.with] opens the store for.
type use uint8

const (
	reading use = iota
	writing     // to change what is there: a database that does not exist is not made
	making      // to bring something in: a new SQLite database is made on first use
)
