package takeover

import (
	"fmt"

	"github.com/openlectern/lectern/schema"
)

// Differences compares sums of before with those that [ChecksumsLike] found for them, and returns a finding for each table
// that is gone or holds something else.
func Differences(before, after []TableSum) []schema.Finding {
	now := map[string]TableSum{}
	for _, s := range after {
		now[s.Table] = s
	}
	var out []schema.Finding
	for _, was := range before {
		is, found := now[was.Table]
		switch {
		case !found:
			out = append(out, schema.Finding{Code: "table_gone", Severity: schema.Error, Table: was.Table, Value: "no table",
				Proposed: was.short(), Next: "restore the table from a backup"})
		case is.Rows != was.Rows || is.SHA256 != was.SHA256:
			out = append(out, schema.Finding{Code: "checksum", Severity: schema.Error, Table: was.Table, Value: is.short(), Proposed: was.short(),
				Next: "look whether somebody wrote in between, or chose codes for keys; if not, restore the backup and report this"})
		}
	}
	return out
}

// short describes the sum in a line.
func (s TableSum) short() string {
	return fmt.Sprintf("%s, %.12s", count(int(s.Rows), "row", "rows"), s.SHA256)
}

// Severed returns a finding for each reference that the database knew of before and does not now. Tables that were renamed
// in between are known again.
func Severed(before, after []ForeignKey) []schema.Finding {
	name := func(k ForeignKey) ForeignKey {
		return ForeignKey{Table: today(k.Table), Column: columnToday(k.Table, k.Column), To: today(k.To), Declared: k.Declared}
	}
	now := map[ForeignKey]bool{}
	for _, k := range after {
		now[name(k)] = true
	}
	var out []schema.Finding
	for _, k := range before {
		if k = name(k); k.Declared && !now[k] {
			out = append(out, schema.Finding{Code: "foreign_gone", Severity: schema.Error, Table: k.Table, Key: k.Column, Proposed: k.To,
				Next: "add the foreign key again once lectern db verify finds no row that refers to what is not there"})
		}
	}
	return out
}
