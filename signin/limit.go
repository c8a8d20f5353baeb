package signin

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/openlectern/lectern/db"
)

// Limits are how many failures are borne in a time.
type Limits struct {
	ByName    int // of one user name
	ByAddress int // from one IPv4 address or IPv6 network of 64 bits
	Within    time.Duration
}

// DefaultLimits leave room for people who mistype, and for offices behind one address.
var DefaultLimits = Limits{ByName: 10, ByAddress: 100, Within: 15 * time.Minute}

// slotCount bounds the rows: names and addresses are spread over so many slots each, by a digest that strangers cannot
// compute, so they can neither fill the table nor meet another's slot on purpose. Unknown names are counted like known ones,
// or the limit would tell them apart.
const slotCount = 1 << 16

// Limited is the error of too many failures.
type Limited struct{ Wait time.Duration }

func (l *Limited) Error() string {
	return fmt.Sprintf("too many failed attempts; try again in %s", l.Wait.Round(time.Second))
}

// slot is one counter and its limit.
type slot struct {
	name  string
	limit int
}

// slots returns the counters of an attempt, in the order in which all attempts take them.
func (s *Service) slots(name string, from netip.Addr) []slot {
	all := []slot{{s.slot("name", strings.ToLower(name)), s.Limits.ByName}}
	if from.IsValid() {
		from = from.Unmap()
		bits := 64
		if from.Is4() {
			bits = 32
		}
		network, err := from.WithZone("").Prefix(bits)
		if err == nil {
			all = append(all, slot{s.slot("address", network.String()), s.Limits.ByAddress})
		}
	}
	slices.SortFunc(all, func(a, b slot) int { return strings.Compare(a.name, b.name) })
	return all
}

func (s *Service) slot(kind, text string) string {
	sum := s.Ring.Sum("sign-in limit", kind+" "+text)
	return fmt.Sprintf("%s-%d", kind, binary.BigEndian.Uint64(sum)%slotCount)
}

// count counts a failure in advance, so that attempts side by side cannot all pass; [forgive] takes it back.
func (s *Service) count(ctx context.Context, slots []slot) error {
	return s.DB.Update(ctx, func(tx *db.Tx) error {
		for _, o := range slots {
			if err := add(ctx, tx, o, s.Limits.Within); err != nil {
				return err
			}
		}
		return nil
	})
}

func add(ctx context.Context, tx *db.Tx, o slot, within time.Duration) error {
	n, err := tx.Exec(ctx, `UPDATE lectern_signinlimit SET failures = failures + 1 WHERE slot = ? AND ends > ? AND failures < ?`, o.name, tx.Now(), o.limit)
	if err != nil || n > 0 {
		return err
	}
	ends, found, err := db.One(ctx, tx, `SELECT ends FROM lectern_signinlimit WHERE slot = ?`, []any{o.name}, db.Value[time.Time])
	switch {
	case err != nil:
		return err
	case !found:
		_, err := tx.Exec(ctx, `INSERT INTO lectern_signinlimit (slot, failures, ends) VALUES (?, 1, ?)`, o.name, tx.Now().Add(within))
		return db.Raced(err)
	case ends.After(tx.Now()):
		return &Limited{ends.Sub(tx.Now())}
	}
	n, err = tx.Exec(ctx, `UPDATE lectern_signinlimit SET failures = 1, ends = ? WHERE slot = ? AND ends <= ?`, tx.Now().Add(within), o.name, tx.Now())
	if err == nil && n == 0 {
		err = fmt.Errorf("signin: another attempt has begun to count: %w", db.ErrRetry)
	}
	return err
}

// forgive takes a success out of the counts. The name's begins anew; the address's only loses this one, or somebody with an
// account could try others' for ever.
func forgive(ctx context.Context, tx *db.Tx, slots []slot) error {
	for _, o := range slots {
		sql := `UPDATE lectern_signinlimit SET failures = failures - 1 WHERE slot = ? AND failures > 0`
		if strings.HasPrefix(o.name, "name") {
			sql = `DELETE FROM lectern_signinlimit WHERE slot = ?`
		}
		if _, err := tx.Exec(ctx, sql, o.name); err != nil {
			return err
		}
	}
	return nil
}
