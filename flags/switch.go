package flags

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/schema/inspect"
)

const (
	switchTable = "waffle_switch"
	sampleTable = "waffle_sample"
)

// Switch reads a switch, which is on or off for all. found is false where there is no such row, which means off.
func Switch(ctx context.Context, q db.Querier, name string) (on, found bool, err error) {
	if there, err := has(ctx, q, switchTable); !there || err != nil {
		return false, false, err
	}
	on, found, err = db.One(ctx, q, `SELECT active FROM waffle_switch WHERE name = ?`, []any{name}, db.Value[bool])
	if err != nil {
		err = fmt.Errorf("read switch %s: %w", name, err)
	}
	return on, found, err
}

// SetSwitch turns a switch on or off, and makes it where there is none.
func SetSwitch(ctx context.Context, tx *db.Tx, name string, on bool) error {
	return write(ctx, tx, switchTable, name, "active", on, nil)
}

// Sample reads a sample, which is on for a share of the times it is asked, in percent; see [Drawn]. found is false where
// there is no such row, which means never.
func Sample(ctx context.Context, q db.Querier, name string) (percent float64, found bool, err error) {
	if there, err := has(ctx, q, sampleTable); !there || err != nil {
		return 0, false, err
	}
	percent, found, err = db.One(ctx, q, `SELECT percent FROM waffle_sample WHERE name = ?`, []any{name}, db.Value[float64])
	if err != nil {
		err = fmt.Errorf("read sample %s: %w", name, err)
	}
	return percent, found, err
}

// SetSample sets the share of a sample, 0 to 100 with one digit after the point, and makes it where there is none.
func SetSample(ctx context.Context, tx *db.Tx, name string, percent float64) error {
	if !(percent >= 0 && percent <= 100) {
		return fault.Errorf(fault.Usage, name, "a sample is on for 0 to 100 percent of the times")
	}
	return write(ctx, tx, sampleTable, name, "percent", round(percent), nil)
}

// Drawn asks a sample of that share once.
func Drawn(percent float64) bool { return rand.Float64()*100 < percent }

// removeRow removes the row of that name.
func removeRow(ctx context.Context, tx *db.Tx, table, name string) (found bool, err error) {
	if _, err := columns(ctx, tx, table); err != nil {
		return false, err
	}
	n, err := tx.Exec(ctx, "DELETE FROM "+table+" WHERE name = ?", name)
	return n > 0, err
}

// RemoveSwitch removes a switch, which then is off; found is false where there was none.
func RemoveSwitch(ctx context.Context, tx *db.Tx, name string) (found bool, err error) {
	return removeRow(ctx, tx, switchTable, name)
}

// RemoveSample removes a sample, which then is never on; found is false where there was none.
func RemoveSample(ctx context.Context, tx *db.Tx, name string) (found bool, err error) {
	return removeRow(ctx, tx, sampleTable, name)
}

func has(ctx context.Context, q db.Querier, table string) (bool, error) {
	names, err := inspect.Names(ctx, q)
	return names[table], err
}
