package schema

import "fmt"

// Kind is a column's type on every engine at once; [Type.Code] gives the codes of content-schema.md §1.
type Kind uint8

// The kinds of column. The zero Kind is none of them.
const (
	Serial4 Kind = iota + 1 // PK4: 4-byte id that the database counts up
	Serial8                 // PK8: 8-byte id that the database counts up
	Int4                    // FK4, FKU: 4-byte integer
	Int8                    // FK8: 8-byte integer
	Uint4                   // U4: 4-byte integer with CHECK >= 0
	Uint8                   // U8: 8-byte integer with CHECK >= 0
	Bool                    // BOOL
	Time                    // DT: UTC with microseconds
	UUID                    // UUID
	Key                     // KEY(n): text compared by bytes
	CI                      // CI(n): text compared without case where the engine can
	CIText                  // CITEXT: the same, of any length
	Char                    // HEX(n): text in the collation of the table
	Text                    // text of any length in the collation of the table
	JSON                    // a JSON document
	Decimal                 // DEC(n): a number of n digits, one of them after the point
)

// Type is a kind and, for kinds with a length, the number of characters or digits.
type Type struct {
	Kind Kind
	Len  int
}

// Code returns the type as content-schema.md §1 writes it, such as "KEY(500)".
func (t Type) Code() string {
	s := [...]string{Serial4: "PK4", Serial8: "PK8", Int4: "FK4", Int8: "FK8", Uint4: "U4", Uint8: "U8", Bool: "BOOL", Time: "DT",
		UUID: "UUID", Key: "KEY", CI: "CI", CIText: "CITEXT", Char: "HEX", Text: "TEXT", JSON: "JSON",
		Decimal: "DEC"}[t.Kind]
	if t.Len > 0 {
		s = fmt.Sprintf("%s(%d)", s, t.Len)
	}
	return s
}

// serial reports whether the database counts the column up.
func (t Type) serial() bool { return t.Kind == Serial4 || t.Kind == Serial8 }

// text reports whether the column has a length of characters.
func (t Type) text() bool { return t.Kind == Key || t.Kind == CI || t.Kind == Char }

func key(n int) Type  { return Type{Key, n} }
func ci(n int) Type   { return Type{CI, n} }
func char(n int) Type { return Type{Char, n} }

func decimal(n int) Type { return Type{Decimal, n} }

var (
	serial4, serial8 = Type{Kind: Serial4}, Type{Kind: Serial8}
	int4, int8       = Type{Kind: Int4}, Type{Kind: Int8}
	uint4, uint8T    = Type{Kind: Uint4}, Type{Kind: Uint8}
	boolean          = Type{Kind: Bool}
	timestamp        = Type{Kind: Time}
	uuid             = Type{Kind: UUID}
	ciText, longText = Type{Kind: CIText}, Type{Kind: Text}
)

// Rule says what happens to a row when the row it refers to goes.
type Rule uint8

// The rules. All but Drop and Clear are rules of the application only: Open edX's tables have no ON DELETE clause, so the database
// itself refuses (content-schema.md §2).
const (
	NoRule   Rule = iota
	Cascade       // the row goes too
	Restrict      // refused while the row exists
	Protect       // refused, also when the row would go by another cascade
	SetNull       // the column becomes NULL
	Drop          // the database deletes the row (ON DELETE CASCADE): lectern_* rows must not stop Django from deleting
	Clear         // the database makes the column NULL (ON DELETE SET NULL), for the same reason
)

func (r Rule) String() string {
	return [...]string{NoRule: "", Cascade: "cascade", Restrict: "restrict", Protect: "protect", SetNull: "set null",
		Drop: "cascade (database)", Clear: "set null (database)"}[r]
}

// Column is one column. Columns never have a database default: whoever inserts gives every column that is not NULL.
type Column struct {
	Name   string
	Type   Type
	Null   bool
	PK     bool   // the primary key; a Serial column is one without saying so
	Unique bool   // unique by itself
	Index  bool   // a plain index of its own; a reference has one anyway where the engine wants it
	Ref    string // the table whose primary key this refers to
	Rule   Rule
	// Collate is the collation on the MySQL family where it is not that of the type, see [Dialect.Fitted].
	Collate string

	// The rest only decides how Django came to name things (content-schema.md §4).
	Late    bool   // added after the tables were renamed: named by today's names
	WasName string // the column's name when its index was made on PostgreSQL
	Altered bool   // made unique by a later migration: servers name the constraint "…_uniq"
}

// primary reports whether the column is the primary key.
func (c *Column) primary() bool { return c.PK || c.Type.serial() }

// Part is one part of an index.
type Part struct {
	Column string
	Desc   bool
	Lower  bool // lower(column): only where the engine has indexes on expressions
}

// Index is an index or unique constraint of explicit name, or one over several columns named by Django's rule.
type Index struct {
	Name   string // "": generated, as Django's unique_together does
	Parts  []Part
	Unique bool
	Not    *Like // partial: without rows whose column begins so; only where the engine has partial indexes
}

// Like names the rows in which Column begins with Prefix (letters and digits only).
type Like struct{ Column, Prefix string }

// constraint reports whether the index is a table constraint, not a CREATE INDEX of its own.
func (x *Index) constraint() bool {
	for _, p := range x.Parts {
		if p.Lower {
			return false
		}
	}
	return x.Unique && x.Not == nil
}

// Check is a CHECK of explicit name on one column. Exactly one of Pattern, Within and (neither) "not blank" applies.
type Check struct {
	Name    string
	Column  string
	Pattern *Pattern // the text matches
	Within  string   // the text occurs in this column
}

// Table is one table.
type Table struct {
	Name    string
	Was     string // the name it was created under, which generated names still carry; "" when it never changed
	Columns []Column
	Indexes []Index
	Checks  []Check

	// SQLite rebuilt some tables while upgrading, so a table made by Django has another order of columns there, and its
	// indexes are named by today's names (content-schema.md §2, §4).
	Rebuilt []string
	// OwnNames is set with Rebuilt when only the order differs and the names do not.
	OwnNames bool
}

// Column returns the column of that name, nil when there is none.
func (t *Table) Column(name string) *Column {
	for i := range t.Columns {
		if t.Columns[i].Name == name {
			return &t.Columns[i]
		}
	}
	return nil
}

// Primary returns the name of the primary key's column.
func (t *Table) Primary() string {
	for i := range t.Columns {
		if t.Columns[i].primary() {
			return t.Columns[i].Name
		}
	}
	return ""
}

// born returns the name the table was created under.
func (t *Table) born() string {
	if t.Was != "" {
		return t.Was
	}
	return t.Name
}

func parts(columns ...string) []Part {
	p := make([]Part, len(columns))
	for i, c := range columns {
		p[i].Column = c
	}
	return p
}

// unique and index make definitions; a column that ends in " DESC" descends.
func unique(name string, columns ...string) Index {
	return Index{Name: name, Parts: parts(columns...), Unique: true}
}

func index(name string, columns ...string) Index {
	x := Index{Name: name, Parts: parts(columns...)}
	for i := range x.Parts {
		const desc = " DESC"
		if c := x.Parts[i].Column; len(c) > len(desc) && c[len(c)-len(desc):] == desc {
			x.Parts[i] = Part{Column: c[:len(c)-len(desc)], Desc: true}
		}
	}
	return x
}
