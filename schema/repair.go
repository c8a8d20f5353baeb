package schema

import (
	"context"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// Mend makes rows right that follow from others: pointers to the last record, side effects that were left out, the
// dependencies of containers, the rows that say of which type something is, the tie of a course and its run. Digests are
// package publishing's.
type Mend struct{ v verifier }

// NewMend looks at a database that is to be mended. One that is not current is fault.Refused.
func NewMend(ctx context.Context, d *db.DB) (*Mend, error) {
	st, err := Recognize(ctx, d)
	if err != nil {
		return nil, err
	}
	if st.Status != Current {
		return nil, st.refusal()
	}
	return &Mend{verifier{Dialect: DialectOf(d), catalog: st.Catalog, authz: st.Authz, all: true}}, nil
}

// Run changes what is wrong and returns it, all of it, as findings. The packages must be locked by the caller. Structure
// is not mended: where tables or columns are missing it is fault.Refused.
func (m *Mend) Run(ctx context.Context, tx *db.Tx) ([]Finding, error) {
	v := m.v
	if err := v.look(ctx, tx); err != nil {
		return nil, err
	}
	v.tables()
	if !v.sound() {
		return nil, fault.Errorf(fault.Refused, "database", "tables or columns are missing").WithNext("lectern db verify names them")
	}
	var done []Finding
	for _, r := range v.rules() {
		if r.fix == nil || !v.present(&r) {
			continue
		}
		var rows [][]any
		err := r.each(ctx, tx, func(f Finding, values []any) error {
			done = append(done, f)
			rows = append(rows, values)
			return nil
		})
		if err == nil {
			err = r.fix.write(ctx, tx, rows)
		}
		if err != nil {
			return nil, err
		}
	}
	return done, nil
}

// write makes the rows.
func (f *fix) write(ctx context.Context, tx *db.Tx, rows [][]any) error {
	if len(rows) == 0 {
		return nil
	}
	row := func(i int, v []any) { copy(v, rows[i]) }
	switch f.op {
	case insert:
		return tx.Insert(ctx, f.table, f.cols, len(rows), row)
	case update:
		return tx.UpdateRows(ctx, f.table, f.cols[0], f.cols[1:], len(rows), row)
	}
	ids := make([]any, len(rows))
	for i := range rows {
		ids[i] = rows[i][0]
	}
	_, err := db.ExecIn(ctx, tx, "DELETE FROM "+f.table+" WHERE "+f.cols[0]+" IN (?...)", ids, nil)
	return err
}
