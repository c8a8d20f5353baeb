package flags

import (
	"context"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/keys"
)

// overrideTable is one of the two tables of overrides.
type overrideTable struct{ name, key string }

var (
	courseOverrides = overrideTable{"waffle_utils_waffleflagcourseoverridemodel", "course_id"}
	orgOverrides    = overrideTable{"waffle_utils_waffleflagorgoverridemodel", "org"}
)

// What override_choice says. Anything else overrides nothing.
const (
	choiceOn  = "on"
	choiceOff = "off"
)

// Override is one row of a history: what a flag was made for a course or organization.
type Override struct {
	ID      int64
	Scope   Scope
	Changed time.Time
	By      int64 // the auth_user row of who changed it; 0 is nobody
	Enabled bool  // false: with this row there is no override
	On      bool
	Odd     bool // the choice is neither on nor off, which overrides nothing
	Note    string
}

// in reports what the override makes of the flag; ok is false when it leaves it alone.
func (o *Override) in() (on, ok bool) { return o.On, o.Enabled && !o.Odd }

// scope returns the scope of a key of the table.
func (t *overrideTable) scope(key string) Scope {
	if t == &courseOverrides {
		if k, err := keys.ParseCourse(key); err == nil {
			return Scope{course: key, of: k.Org()}
		}
		return Scope{course: key} // of an older form, or by hand
	}
	return Scope{org: key}
}

// history reads the rows of a flag, those of one key where it is not "", the newest first.
func (t *overrideTable) history(ctx context.Context, q db.Querier, name, key string) ([]Override, error) {
	query, args := `SELECT id, change_date, changed_by_id, enabled, override_choice, note, `+t.key+` FROM `+t.name+` WHERE waffle_flag = ?`, []any{name}
	if key != "" {
		query, args = query+` AND `+t.key+` = ?`, append(args, key)
	}
	return db.All(ctx, q, query+` ORDER BY id DESC`, args, func(r *db.Row) (o Override, err error) {
		var by *int64
		var choice, key string
		if err := r.Scan(&o.ID, &o.Changed, &by, &o.Enabled, &choice, &o.Note, &key); err != nil {
			return o, err
		}
		if by != nil {
			o.By = *by
		}
		o.Scope, o.On, o.Odd = t.scope(key), choice == choiceOn, choice != choiceOn && choice != choiceOff
		return o, nil
	})
}

// overrides are the current rows of one table for one flag.
type overrides struct {
	there  bool // the table is
	fold   bool // the column knows no letter case, so neither do keys here
	on     map[string]bool
	listed []listed // by id
	mark   mark
}

// listed is a current row as lists see it.
type listed struct {
	id  int64
	key string
	on  bool
}

// current is a key's row in force while rows are read.
type current struct {
	date        time.Time
	on, ok      bool // by change_date
	newest      listed
	newestIsOne bool
}

// load reads the rows of a flag. A row is current if none of its key has a later change_date, or the same and a higher id:
// the platform leaves the order of equal dates to the database.
func (o *overrides) load(ctx context.Context, q db.Querier, t *overrideTable, name string) error {
	rows := map[string]*current{}
	var order []string
	o.fold = true
	// A column without letter case equals its own capitals; SQLite knows the collation of a bare column only.
	err := q.Query(ctx, `SELECT id, change_date, enabled, override_choice, `+t.key+`,
		CASE WHEN `+t.key+` = UPPER(`+t.key+`) AND `+t.key+` = LOWER(`+t.key+`) THEN 1 ELSE 0 END
		FROM `+t.name+` WHERE waffle_flag = ? ORDER BY id`, []any{name}, func(r *db.Row) error {
		var row Override
		var choice, key string
		var folds bool
		if err := r.Scan(&row.ID, &row.Changed, &row.Enabled, &choice, &key, &folds); err != nil {
			return err
		}
		row.On, row.Odd = choice == choiceOn, choice != choiceOn && choice != choiceOff
		o.fold = o.fold && folds
		c := rows[key]
		if c == nil {
			c = &current{date: row.Changed}
			rows[key], order = c, append(order, key)
		}
		on, ok := row.in()
		if !row.Changed.Before(c.date) {
			c.date, c.on, c.ok = row.Changed, on, ok
		}
		c.newest, c.newestIsOne = listed{row.ID, key, on}, ok
		return nil
	})
	if err != nil {
		return err
	}
	if o.fold {
		rows, order = folded(rows, order)
	}
	o.on = make(map[string]bool)
	for _, key := range order {
		c := rows[key]
		if c.ok {
			o.on[key] = c.on
		}
		if c.newestIsOne {
			o.listed = append(o.listed, c.newest)
		}
	}
	return nil
}

// folded joins the rows of keys that differ by letter case alone.
func folded(rows map[string]*current, order []string) (map[string]*current, []string) {
	out, keys := make(map[string]*current, len(rows)), order[:0]
	for _, key := range order {
		c, f := rows[key], string(appendFolded(nil, key))
		have := out[f]
		if have == nil {
			out[f], keys = c, append(keys, f)
			continue
		}
		if c.date.After(have.date) || c.date.Equal(have.date) && c.newest.id > have.newest.id {
			have.date, have.on, have.ok = c.date, c.on, c.ok
		}
		if c.newest.id > have.newest.id {
			have.newest, have.newestIsOne = c.newest, c.newestIsOne
		}
	}
	return out, keys
}

// get returns what a key's override makes of the flag. It allocates nothing for keys that a row can hold.
func (o *overrides) get(key string) (on, ok bool) {
	if len(o.on) == 0 {
		return false, false
	}
	if !o.fold {
		on, ok = o.on[key]
		return on, ok
	}
	var room [maxOverride + 1]byte
	on, ok = o.on[string(appendFolded(room[:0], key))]
	return on, ok
}

// appendFolded appends key without letter case.
func appendFolded(to []byte, key string) []byte {
	for i := 0; i < len(key); i++ {
		c := key[i]
		switch {
		case c >= utf8.RuneSelf:
			for _, r := range key[i:] {
				to = utf8.AppendRune(to, unicode.ToLower(r))
			}
			return to
		case 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
		}
		to = append(to, c)
	}
	return to
}

// split lists current keys by choice.
func (o *overrides) split() Split {
	s := Split{On: []string{}, Off: []string{}}
	for _, l := range o.listed {
		if l.on {
			s.On = append(s.On, l.key)
		} else {
			s.Off = append(s.Off, l.key)
		}
	}
	return s
}
