package oldcourse

import (
	"context"
	"encoding/json"
	"time"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// Keys returns the keys of the old courses that there is an overview of, ordered by key.
func Keys(ctx context.Context, q db.Querier) ([]string, error) {
	return db.All(ctx, q, `SELECT course_key FROM lectern_legacy_overview ORDER BY course_key`, nil, db.Value[string])
}

// Overviews returns the overviews of those of the keys that there is one of. A row that cannot be read has a Problem, and
// keeps nobody from the others (DEP-27).
func Overviews(ctx context.Context, q db.Querier, keys []string) (map[string]Overview, error) {
	all := make(map[string]Overview, len(keys))
	err := db.QueryIn(ctx, q, `SELECT course_key, org, title, location, version, start_at, end_at, enrollment_start, enrollment_end, made_at, modified_at,
		self_paced, staff_only, invitation_only, visibility, language, passing_grade, image_url, short_description, effort, data, problem, filled_at,
		scan_bytes, scan_edit, scanned_at, scan_content FROM lectern_legacy_overview WHERE course_key IN (?...)`, keys, nil, func(r *db.Row) error {
		o, err := scanOverview(r)
		if err != nil {
			var key any
			rest := make([]any, len(r.Columns()))
			for i := range rest {
				rest[i] = new(any)
			}
			rest[0] = &key
			if serr := r.Scan(rest...); serr != nil {
				return serr
			}
			text, ok := key.(string)
			if !ok {
				return err
			}
			o = Overview{Key: text, Data: json.RawMessage("null"), ScanContent: json.RawMessage("null"), Problem: "the row cannot be read"}
		}
		all[o.Key] = o
		return nil
	})
	return all, err
}

func scanOverview(r *db.Row) (o Overview, err error) {
	var data string
	var content *string
	err = r.Scan(&o.Key, &o.Org, &o.Title, &o.Location, &o.Version, &o.Start, &o.End, &o.EnrollmentStart, &o.EnrollmentEnd, &o.Made, &o.Modified,
		&o.SelfPaced, &o.StaffOnly, &o.Invited, &o.Visibility, &o.Language, &o.PassingGrade, &o.ImageURL, &o.ShortDescription, &o.Effort, &data, &o.Problem, &o.Filled,
		&o.ScanBytes, &o.ScanEdit, &o.Scanned, &content)
	if o.Data = json.RawMessage(data); err == nil && !json.Valid(o.Data) {
		o.Data = json.RawMessage("null")
		if o.Filled != nil && o.Problem == "" {
			o.Problem = "data: it is no JSON"
		}
	}
	o.ScanContent = json.RawMessage("null")
	if content != nil && json.Valid([]byte(*content)) {
		o.ScanContent = json.RawMessage(*content)
	}
	return o, err
}

// Seen is what was found of a course in the old store itself.
type Seen struct {
	Key      string
	Bytes    int64
	LastEdit time.Time       // zero where nothing says it
	Content  json.RawMessage // an object with what of [Unavailable] the content says; nil where there is no root to say it
}

// Note keeps what was found of courses. Those without an overview get a row of their own.
func Note(ctx context.Context, tx *db.Tx, seen []Seen) error {
	keys := make([]string, len(seen))
	for i, s := range seen {
		if err := db.CheckIdentifier(s.Key, 255); err != nil {
			return err
		}
		if k, ok := ParseKey(s.Key); !ok || k.Course.IsZero() {
			return fault.Errorf(fault.Invalid, s.Key, "it is not the key of an old course")
		}
		keys[i] = s.Key
	}
	there, err := Overviews(ctx, tx, keys)
	if err != nil {
		return err
	}
	var fresh []Seen
	for _, s := range seen {
		if _, ok := there[s.Key]; !ok {
			fresh = append(fresh, s)
		}
	}
	edit := func(s Seen) any {
		if s.LastEdit.IsZero() {
			return nil
		}
		return s.LastEdit
	}
	content := func(s Seen) any {
		if s.Content == nil {
			return nil
		}
		return string(s.Content)
	}
	if err := tx.UpdateRows(ctx, overviewTable, "course_key", []string{"scan_bytes", "scan_edit", "scanned_at", "scan_content"}, len(seen), func(i int, v []any) {
		v[0], v[1], v[2], v[3], v[4] = seen[i].Key, seen[i].Bytes, edit(seen[i]), tx.Now(), content(seen[i])
	}); err != nil {
		return err
	}
	texts := []string{"title", "location", "visibility", "language", "passing_grade", "image_url", "short_description", "effort", "data", "problem"}
	return db.Raced(tx.Insert(ctx, overviewTable, append([]string{"course_key", "org", "scan_bytes", "scan_edit", "scanned_at", "scan_content"}, texts...), len(fresh), func(i int, v []any) {
		s := fresh[i]
		k, _ := ParseKey(s.Key)
		v[0], v[1], v[2], v[3], v[4], v[5] = s.Key, k.Course.Org(), s.Bytes, edit(s), tx.Now(), content(s)
		for j := range texts {
			v[6+j] = ""
		}
	}))
}
