package schema

import (
	"fmt"
	"strings"

	"github.com/openlectern/lectern/db"
)

// groups are the tables by what they are about, in the order of the page.
var groups = []struct {
	title, text string
	tables      []Table
}{
	{"Packages, entities, versions, logs", "", publishing},
	{"Containers", "", containers},
	{"Components", "", components},
	{"Media", "", media},
	{"Collections", "", collections},
	{"Course identity", "", catalog},
	{"Lectern's own tables", "Nothing outside Lectern needs them to read the content. They refer to the tables above with `ON DELETE` clauses, " +
		"so that a program that does not know them can delete what it likes.", lectern},
	{"Permissions", "Tables of openedx-authz.", authz},
	{"Organizations", "Tables of edx-organizations, to which those of course identity refer.", organizations},
	{"Platform", "Tables of the Open edX platform that permissions and flags are read from, as Lectern makes them where there is no " +
		"platform. On a platform's own database they are as it made them, with more columns.", platform},
	{"Django", "Django's own tables, which its `migrate` wants to find complete.", django},
}

//go:generate go run ./gendocs ../docs/schema.md

// Markdown returns a page that describes every table, made from the definitions alone.
func Markdown() string {
	var b strings.Builder
	b.WriteString("# Tables\n\nMade from the definitions in package `schema`; do not edit.\n\n" +
		"Columns take no NULL unless the type says so, and have no default in the database. Only references marked *(database)* have an `ON DELETE` clause; " +
		"the other rules are Open edX's, kept by the programs.\n\n")
	types(&b)
	for _, g := range groups {
		fmt.Fprintf(&b, "## %s\n\n", g.title)
		if g.text != "" {
			b.WriteString(g.text + "\n\n")
		}
		for i := range g.tables {
			describeTable(&b, &g.tables[i])
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// types writes what each type is on each engine.
func types(b *strings.Builder) {
	b.WriteString("## Types\n\n| Type | SQLite | MySQL | MariaDB | PostgreSQL |\n|---|---|---|---|---|\n")
	const n = 255
	for _, t := range []Type{serial4, serial8, int4, int8, uint4, uint8T, boolean, timestamp, uuid, key(n), ci(n), ciText, char(n), longText, document, decimal(3)} {
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n", t.Code(), sqliteType(t), Dialect{engine: db.MySQL}.sqlType(t),
			Dialect{engine: db.MariaDB, nativeUUID: true}.sqlType(t), postgresType(t))
	}
	b.WriteString("\nOn MariaDB older than 10.7, `UUID` is `char(32)` as on MySQL.\n\n")
}

func describeTable(b *strings.Builder, t *Table) {
	fmt.Fprintf(b, "### %s\n\n| Column | Type | References | When that row goes |\n|---|---|---|---|\n", t.Name)
	for i := range t.Columns {
		c := &t.Columns[i]
		typ := c.Type.Code()
		switch {
		case c.primary():
			typ += ", primary key"
		case c.Unique:
			typ += ", unique"
		}
		if c.Null {
			typ += ", NULL"
		}
		ref := ""
		if c.Ref != "" {
			ref = c.Ref + "." + lookup(c.Ref).Primary()
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", c.Name, typ, ref, c.Rule)
	}
	b.WriteString("\n")
	d := Dialect{engine: db.PostgreSQL}
	for i := range t.Indexes {
		x := &t.Indexes[i]
		word := "Index"
		if x.Unique {
			word = "Unique"
		}
		fmt.Fprintf(b, "- %s `%s` (%s)%s\n", word, x.name(d.engine, t), bare(d.parts(x.Parts)), bare(d.where(x)))
	}
	for i := range t.Checks {
		fmt.Fprintf(b, "- Check `%s`: `%s`\n", t.Checks[i].Name, bare(d.check(&t.Checks[i])))
	}
	if len(t.Indexes)+len(t.Checks) > 0 {
		b.WriteString("\n")
	}
}

// bare takes quotes and casts from an expression of ours.
func bare(s string) string { return strings.NewReplacer(`"`, "", "::text", "").Replace(s) }
