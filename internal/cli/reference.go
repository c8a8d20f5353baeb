package cli

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

//go:generate go run ./gendocs ../../docs/cli.md

// Reference returns the page about the command line, in Markdown, made from the commands themselves.
func Reference() string {
	c := newCLI(Env{})
	root := c.root()
	var b strings.Builder
	b.WriteString(referenceHead)
	b.WriteString("\n## Exit status\n\n| Status | Meaning |\n|---|---|\n")
	for _, s := range statuses {
		fmt.Fprintf(&b, "| %d | %s |\n", s.code, s.meaning)
	}
	b.WriteString("\n## Flags of every command\n\n")
	flagTable(&b, root.PersistentFlags())
	for _, noun := range root.Commands() {
		if c.documents[noun] == nil && !noun.HasAvailableSubCommands() || noun.Name() == "completion" {
			continue // help and the scripts of shells
		}
		c.section(&b, noun, "##")
	}
	return b.String()
}

const referenceHead = `# The command line

<!-- Made from the commands by: go generate ./internal/cli -->

Every command is a noun and a verb. Results go to standard output, all else to standard error. Text is for people and may
change; programs use ` + "`--json`" + `, which prints one document whose fields stay.

## Where things are

| Given | Database | Media files |
|---|---|---|
| nothing | ` + "`./lectern-data/lectern.db`" + ` | ` + "`./lectern-data/media`" + ` |
| ` + "`--data DIR`" + ` or ` + "`LECTERN_DATA`" + ` | ` + "`DIR/lectern.db`" + ` | ` + "`DIR/media`" + ` |
| ` + "`--db PATH`" + ` or ` + "`LECTERN_DB`" + ` alone | ` + "`PATH`" + `, SQLite | ` + "`PATH-media`" + ` |
| ` + "`--db URL`" + ` | a server: ` + "`mysql://user:pass@host:port/name`" + ` (MariaDB too) or ` + "`postgres://…`" + ` | as above, by ` + "`--data`" + ` |
| ` + "`--media DIR`" + ` | | ` + "`DIR`" + ` |
| ` + "`--media s3://BUCKET/PREFIX?endpoint=HOST:PORT&region=NAME`" + ` | | a bucket ([cluster.md](cluster.md)) |

The keys with which a server signs ([signin.md](signin.md)) are in ` + "`secret.json`" + ` in the data folder, in ` + "`PATH-secret.json`" + ` where ` + "`--db PATH`" + ` stands alone, or where
` + "`LECTERN_SECRET_FILE`" + ` says. Links to a server begin with ` + "`LECTERN_PUBLIC_URL`" + ` where no flag says otherwise.

` + "`sqlite:PATH`" + ` is a path too; what follows a ` + "`?`" + ` goes to the driver. The first command that writes makes a new SQLite database; a
server's database is filled by ` + "`lectern db init`" + `.

## Moments

A course as it was at some time is named by a moment:

| Moment | Is |
|---|---|
| ` + "`draft`, `published`" + ` | the branch as it is now |
| ` + "`c123`" + ` | the drafts as that entry of the history left them |
| ` + "`p45`" + ` | what was published by that entry |
| ` + "`2025-06-01T12:00:00Z`" + ` | the drafts at that time; ` + "`published@TIME`" + ` what was published then |
| ` + "`draft~1`, `published~2`" + ` | so many entries of that kind before the present one |
| a label | the moment it was given to by ` + "`course label`" + ` |

A key with ` + "`+branch@draft-branch` or `+branch@published-branch`" + ` means that moment.

## Errors

With ` + "`--json`" + ` a failure is one document on standard error: ` + "`{\"error\": {\"code\", \"message\", \"thing\", \"next\"}}`" + `. A change that
started from an old version has ` + "`base` and `draft` beside them, each `{version, olx}`" + `. A command that fails on findings prints
its document all the same.

| Code | Status | Is |
|---|---|---|
| ` + "`usage`" + ` | 2 | a flag, argument, key, moment or URL that does not parse |
| ` + "`invalid`" + ` | 1 | the content of the input |
| ` + "`not_found`" + ` | 1 | what is named does not exist |
| ` + "`unavailable`" + ` | 1 | a server or disk cannot be used now |
| ` + "`internal`" + ` | 1 | a fault of Lectern |
| ` + "`conflict`" + ` | 3 | it exists already, or was changed meanwhile |
| ` + "`refused`" + ` | 3 | a precondition does not hold |
| ` + "`denied`" + ` | 3 | the person may not |
| ` + "`old_mongo`" + ` | 3 | a course of the old store, which is not served any more: docs/oldstages.md. Beside the usual fields: ` + "`course`, `stage`" + ` |
| ` + "`interrupted`" + ` | 130 | stopped |

Counts are integers, versions a block's version number, log ids integers or null, times RFC 3339 in UTC with microseconds,
blocks are named by usage key. With ` + "`--dry-run`" + ` the document is the same, with log ids null.
`

// section writes about a command and those below it.
func (c *cli) section(b *strings.Builder, cmd *cobra.Command, level string) {
	fmt.Fprintf(b, "\n%s %s\n\n", level, cmd.CommandPath())
	if cmd.HasAvailableSubCommands() {
		b.WriteString(cmd.Short + ".\n")
		if cmd.Name() == libraries.one {
			b.WriteString("Their documents have `library` beside `course`, and `libraries` beside `courses`.\n\n")
			for _, sub := range cmd.Commands() {
				fmt.Fprintf(b, "- `%s`\n", sub.UseLine())
			}
			return
		}
		for _, sub := range cmd.Commands() {
			c.section(b, sub, level+"#")
		}
		return
	}
	if cmd.Long == "" {
		b.WriteString(cmd.Short + ".\n")
	} else {
		text, _, _ := strings.Cut(cmd.Long, momentHelp) // it has a chapter of its own
		b.WriteString(strings.TrimSpace(text) + "\n")
	}
	fmt.Fprintf(b, "\n```\n%s\n```\n\n", cmd.UseLine())
	if cmd.HasAvailableLocalFlags() {
		flagTable(b, cmd.LocalNonPersistentFlags())
		b.WriteString("\n")
	}
	if cmd.Example != "" {
		fmt.Fprintf(b, "```sh\n%s\n```\n\n", strings.ReplaceAll(strings.TrimPrefix(cmd.Example, "  "), "\n  ", "\n"))
	}
	if d := c.documents[cmd]; d != nil {
		fmt.Fprintf(b, "JSON: `%s`\n", strings.Trim(shape(reflect.TypeOf(d), nil), "{}"))
	}
}

func flagTable(b *strings.Builder, flags *pflag.FlagSet) {
	b.WriteString("| Flag | Means |\n|---|---|\n")
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		if value != "" {
			name += " " + strings.ToUpper(value)
		}
		if f.DefValue == "true" {
			usage += " (default true)"
		}
		fmt.Fprintf(b, "| `%s` | %s |\n", name, usage)
	})
}

// shape writes the fields of a JSON document: names, with what lies inside in braces and lists in brackets. A question
// mark is behind those that are not always there.
func shape(t reflect.Type, outer []reflect.Type) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t.Kind() == reflect.Slice:
		return "[" + strings.TrimSuffix(shape(t.Elem(), outer), "{}") + "]"
	case t.Kind() == reflect.Map:
		return "{…}" // names that are data
	case t.Kind() != reflect.Struct || t == reflect.TypeFor[stamp]():
		return ""
	}
	for _, o := range outer {
		if o == t {
			return "…" // as above
		}
	}
	var fields []string
	for _, f := range reflect.VisibleFields(t) {
		tag, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || tag == "-" || tag == "" || !promoted(t, f) {
			continue
		}
		if options == "omitempty" {
			tag += "?"
		}
		fields = append(fields, tag+shape(f.Type, append(outer, t)))
	}
	return "{" + strings.Join(fields, ", ") + "}"
}

// promoted reports whether a field is the one that encoding/json takes for its name: the one nearest to the outside.
func promoted(t reflect.Type, f reflect.StructField) bool {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	for _, other := range reflect.VisibleFields(t) {
		tag, _, _ := strings.Cut(other.Tag.Get("json"), ",")
		if tag == name && len(other.Index) < len(f.Index) {
			return false
		}
	}
	return true
}
