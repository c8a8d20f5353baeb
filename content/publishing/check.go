package publishing

import (
	"bytes"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// Limits of text columns in characters (content-model.md §3). SQLite does not enforce them, so they are checked here.
const (
	maxRef   = 500
	maxTitle = 500
)

// checkRef refuses what an identifier column cannot keep apart on every engine (design.md §4 "Bytes").
func checkRef(what, ref string) error {
	if ref == "" {
		return fault.Errorf(fault.Invalid, what, "is empty")
	}
	return db.CheckIdentifier(ref, maxRef)
}

func checkTitle(what, title string) error {
	if title == "" {
		return fault.Errorf(fault.Invalid, what, "is blank")
	}
	return checkText(what, title, maxTitle)
}

// checkText refuses text that some engine would refuse or cut; limit 0 means any length.
func checkText(what, s string, limit int) error {
	switch {
	case !utf8.ValidString(s):
		return fault.Errorf(fault.Invalid, what, "is not UTF-8 text")
	case strings.IndexByte(s, 0) >= 0:
		return fault.Errorf(fault.Invalid, what, "has a NUL character")
	case limit > 0 && len(s) > limit && utf8.RuneCountInString(s) > limit:
		return fault.Errorf(fault.Invalid, what, "is longer than %d characters", limit)
	}
	return nil
}

// moment gives a caller's time as it is stored, the transaction's clock when zero.
func moment(tx *db.Tx, t time.Time) time.Time {
	if t.IsZero() {
		return tx.Now()
	}
	return t.UTC().Truncate(time.Microsecond)
}

// uuids makes n random UUIDs with one read of the random source, in order: rows of a batch that have them in order fill the
// pages of their index one after the other.
func uuids(n int) []uuid.UUID {
	buf := make([]byte, 16*n)
	_, _ = rand.Read(buf) // never fails: crypto/rand ends the program instead
	list := make([]uuid.UUID, n)
	for i := range list {
		u := &list[i]
		copy(u[:], buf[16*i:])
		u[6] = u[6]&0x0f | 0x40 // version 4
		u[8] = u[8]&0x3f | 0x80 // variant of RFC 9562
	}
	slices.SortFunc(list, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	return list
}

// conflict turns a violated uniqueness into fault.Conflict with a text for people, and leaves other errors alone.
func conflict(err error, thing, format string, args ...any) error {
	if !errors.Is(err, db.ErrDuplicate) {
		return err
	}
	f := fault.Errorf(fault.Conflict, thing, format, args...)
	f.Err = err
	return f
}
