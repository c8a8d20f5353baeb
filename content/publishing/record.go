package publishing

import (
	"cmp"
	"time"

	"github.com/google/uuid"
)

// Record tells of one entity in a log: its version before and after (0 = none). Old = New ≠ 0 is a side effect of a
// change below it, or in a publish something asked for although unchanged (content-model.md §4.3).
type Record struct {
	ID       RecordID
	Entity   EntityID
	Old, New VersionID
	Digest   string // state of the dependencies: 8 hex digits, or "" without live ones (content-model.md §8)
	Direct   bool   // the caller changed it, or asked for it to be published
	Restored bool   // in draft logs: a deleted draft came back (content-model.md law 76)
}

// SideEffect is an edge of a log: the change of one entity changed the state of one that depends on it.
type SideEffect struct{ Cause, Effect RecordID }

func compareEdges(a, b SideEffect) int {
	return cmp.Or(cmp.Compare(a.Cause, b.Cause), cmp.Compare(a.Effect, b.Effect))
}

// ChangeLog is a draft log just made.
type ChangeLog struct {
	ID          int64
	UUID        uuid.UUID
	Package     PackageID
	At          time.Time
	By          UserID
	Records     []Record     // in id order
	SideEffects []SideEffect // by cause, then effect
}

// PublishLog is a publish log just made.
type PublishLog struct {
	ID          int64
	UUID        uuid.UUID
	Package     PackageID
	At          time.Time
	By          UserID
	Message     string
	Records     []Record     // in id order
	SideEffects []SideEffect // by cause, then effect
}
