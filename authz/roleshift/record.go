package roleshift

import (
	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/authz/legacy"
	"github.com/openlectern/lectern/user"
)

// Outcome says what becomes of a row (authz-migration.md §13).
type Outcome string

// The outcomes.
const (
	Moved   Outcome = "moved"
	Merged  Outcome = "merged"  // its counterpart is there already
	Left    Outcome = "left"    // it stays, as expected
	Error   Outcome = "error"   // it should move and cannot
	Derived Outcome = "derived" // made for one course, of a role in its organization
	Dropped Outcome = "dropped" // was derived, and goes
)

// Reasons of what is left.
const (
	UnknownRole  = "unknown_role"              // a legacy role without counterpart
	NoEquivalent = "no_legacy_equivalent"      // a role of assignments without one
	Overridden   = "skipped_for_flag_override" // the course's own override keeps it on its side
	NotEligible  = "not_eligible"              // of a kind of scope in which roles do not move
	UserMissing  = "user_missing"              // nobody is there to have it
)

// OrgMismatch is the note of a row whose organization is written otherwise than its course's or than the organization itself.
const OrgMismatch = "org_mismatch"

// Record is what became of one row.
type Record struct {
	Row     int64 // id of the row at its source; of a Derived one that of the role in the organization
	UserID  user.ID
	User    string // "" where nobody is there
	Role    string // as the source calls it; of a Derived one as it was made
	Scope   string // external key; "" where there is none
	Outcome Outcome
	Reason  string // of Left and Error
	Note    string
	Text    string // says what is wrong, of an Error

	legacy legacy.Row // the row of that side, found or made
	grant  authz.Grant
	side   side
}

// side is a side of the flag.
type side string

const (
	legacySide side = "legacy"
	authzSide  side = "authz"
)

// Course returns the key of the course that the record is about, "" for roles in an organization.
func (r Record) Course() string { return r.legacy.Course }

// Moves is what a move did, or would do.
type Moves struct {
	Direction Direction
	Records   []Record       // in the order of the rows at the source, what was derived behind it
	Changes   []authz.Change // for the engine of this process, once the transaction is committed
}

// Count returns how many records have an outcome; of those left only the ones that could be asked for.
func (m *Moves) Count(o Outcome) (n int) {
	for _, r := range m.Records {
		if r.Outcome == o && r.Reason != NotEligible {
			n++
		}
	}
	return n
}

// NotEligible returns how many rows are of kinds that do not move.
func (m *Moves) NotEligible() (n int) {
	for _, r := range m.Records {
		if r.Reason == NotEligible {
			n++
		}
	}
	return n
}
