package ddl

import (
	"fmt"
	"strings"
	"time"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// Blocker tells of an attempt that failed over what another session has locked, and of that session as far as the engine
// tells.
type Blocker struct {
	Waiting string `json:"waiting"` // the statement that waited; "" where it is not known
	Table   string `json:"table"`   // what it waited for; "" where it is not known, or a row

	Session   int64     `json:"session"`        // the number by which the server ends the other session; 0 when nobody was seen
	User      string    `json:"user"`           // whose it is
	Host      string    `json:"host"`           // from where; "" for a local one on PostgreSQL
	Since     time.Time `json:"since,omitzero"` // when its transaction began, or what it does where that is not known; by our clock, to the second
	Statement string    `json:"statement"`      // its statement, or its last one; "" where it is not known
	Probably  bool      `json:"probably"`       // the server does not say who has the lock: it is the one with the oldest transaction

	Attempt  int           `json:"attempt"` // from 1
	Attempts int           `json:"attempts"`
	Again    time.Duration `json:"-"` // the pause before the next attempt; 0 after the last
}

// String names the other session, such as "session 42 (openedx at 10.0.0.5, since 2026-03-01 09:10:11 UTC)".
func (b Blocker) String() string {
	if b.Session == 0 {
		return "a session that the database does not name"
	}
	s := fmt.Sprintf("session %d (%s", b.Session, b.User)
	if b.Host != "" {
		s += " at " + b.Host
	}
	if !b.Since.IsZero() {
		s += ", since " + b.Since.UTC().Format("2006-01-02 15:04:05 UTC")
	}
	s += ")"
	if b.Probably {
		s = "probably " + s
	}
	return s
}

// gaveUp is the error after the last attempt.
func (p Patience) gaveUp(s *db.Session, b Blocker, cause error) error {
	f := &fault.Error{Kind: fault.Conflict, Thing: s.DB().Name(), Err: cause, Data: b}
	if b.Table != "" {
		f.Thing = "table " + b.Table
	}
	const again = "and run the command again; this step has changed nothing"
	if s.Engine() == db.SQLite {
		f.Text = fmt.Sprintf("another program was writing to the database, %d times for %s", b.Attempts, p.Lock)
		f.Next = "stop the programs that use the file " + again
		return f
	}
	what := "the transaction"
	if b.Waiting != "" {
		what = short(b.Waiting)
	}
	f.Text = fmt.Sprintf("%s gave up after %d attempts of up to %s each: in the way is %s", what, b.Attempts, p.Lock, b)
	f.Next = "end the transactions that use the table " + again
	switch {
	case b.Session == 0 && s.Engine().MySQLFamily():
		f.Next += "; a database user with the right PROCESS, and SELECT on performance_schema, is told which session it is"
	case b.Session != 0:
		end := "KILL %d"
		if s.Engine() == db.PostgreSQL {
			end = "SELECT pg_terminate_backend(%d)"
		}
		f.Next = fmt.Sprintf("wait until session %d is done, or end it with "+end+", "+again, b.Session, b.Session)
	}
	return f
}

// short cuts a statement for a message.
func short(sql string) string {
	const most = 100
	r := []rune(strings.Join(strings.Fields(sql), " "))
	if len(r) > most {
		return string(r[:most]) + "…"
	}
	return string(r)
}
