// Package catalog keeps the identity and title of course runs in Open edX's own tables: organizations_organization,
// openedx_catalog_catalogcourse and openedx_catalog_courserun (content-schema.md §8, content-model.md §20). It knows
// nothing of content.
//
// MariaDB enforces none of the uniqueness rules of these tables and MySQL only some, so this package checks them itself
// while it holds the rows of the organization and the catalog course locked.
package catalog

import (
	"context"
	"regexp"
	"strings"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/keys"
)

// RunID is the id of a course run's row.
type RunID int64

// Limits of the columns, in characters (content-schema.md §8).
const (
	maxCourseKey = 255
	maxRunCode   = 128
	maxTitle     = 255
)

// Run is what the catalog says of a course run.
type Run struct {
	ID       RunID
	Key      keys.Course
	Title    string
	Language string // of the catalog course
}

// CheckKey refuses course keys that the catalog cannot hold.
func CheckKey(key keys.Course) error {
	run, ok := key.Run()
	switch {
	case len([]rune(key.String())) > maxCourseKey:
		return fault.Errorf(fault.Invalid, key.String(), "the course key is longer than %d characters", maxCourseKey)
	case !ok || run == "":
		return fault.Errorf(fault.Invalid, key.String(), "the course key has no run").WithNext("use a key like course-v1:ORG+COURSE+RUN")
	case len([]rune(run)) > maxRunCode:
		return fault.Errorf(fault.Invalid, key.String(), "the run is longer than %d characters", maxRunCode)
	}
	return nil
}

// EnsureRun returns the run of key, made with its organization and catalog course where they are absent. An existing
// run is returned as it is. A run, course or several organizations that differ from key by letter case alone are a
// Conflict. Title may be empty (the course code takes its place) and is cut to fit; language is in any spelling.
func EnsureRun(ctx context.Context, tx *db.Tx, key keys.Course, title, language string) (RunID, error) {
	if err := CheckKey(key); err != nil {
		return 0, err
	}
	run, _ := key.Run()
	org, err := ensureOrganization(ctx, tx, key.Org(), key.String())
	if err != nil {
		return 0, err
	}
	// Locks the organization: writers of one organization's courses follow one another.
	if _, err := tx.Exec(ctx, `UPDATE organizations_organization SET short_name = short_name WHERE id = ?`, org); err != nil {
		return 0, err
	}
	if id, found, err := findRun(ctx, tx, key); err != nil || found {
		return id, err
	}
	if tx.Cluster() {
		// Only a row that changes is compared with what other nodes write, and codes that differ by case alone meet in
		// no unique key.
		if _, err := tx.Exec(ctx, `UPDATE organizations_organization SET modified = ? WHERE id = ?`, tx.Now(), org); err != nil {
			return 0, err
		}
	}
	if title == "" {
		title = key.Code()
	}
	course, err := ensureCourse(ctx, tx, org, key, cut(title), Language(language))
	if err != nil {
		return 0, err
	}
	if err := freeRun(ctx, tx, course, key, run); err != nil {
		return 0, err
	}
	ids, err := tx.InsertIDs(ctx, "openedx_catalog_courserun",
		[]string{"course_key", "run_code", "created", "title", "catalog_course_id"}, 1, func(_ int, v []any) {
			v[0], v[1], v[2], v[3], v[4] = key.String(), run, tx.Now(), cut(title), course
		})
	if err != nil {
		return 0, db.Raced(err)
	}
	return RunID(ids[0]), nil
}

func ensureOrganization(ctx context.Context, tx *db.Tx, org, thing string) (int64, error) {
	type organization struct {
		id     int64
		name   string
		active bool
	}
	var found []organization
	err := tx.Query(ctx, `SELECT id, short_name, active FROM organizations_organization WHERE LOWER(short_name) = LOWER(?) ORDER BY id`,
		[]any{org}, func(r *db.Row) error {
			var o organization
			if err := r.Scan(&o.id, &o.name, &o.active); err != nil {
				return err
			}
			found = append(found, o)
			return nil
		})
	if err != nil {
		return 0, err
	}
	pick := -1
	for i, o := range found {
		if o.name == org {
			pick = i
		}
	}
	switch {
	case pick < 0 && len(found) == 1:
		pick = 0 // a difference in case alone is the same organization (content-schema.md §8.3)
	case pick < 0 && len(found) > 1:
		return 0, fault.Errorf(fault.Conflict, thing, "organization %q is ambiguous: %q and %q differ from it by case alone",
			org, found[0].name, found[1].name).WithNext("use the spelling of one of them in the key")
	}
	if pick >= 0 {
		if !found[pick].active {
			if _, err := tx.Exec(ctx, `UPDATE organizations_organization SET active = ?, modified = ? WHERE id = ?`,
				true, tx.Now(), found[pick].id); err != nil {
				return 0, err
			}
		}
		return found[pick].id, nil
	}
	ids, err := tx.InsertIDs(ctx, "organizations_organization",
		[]string{"created", "modified", "name", "short_name", "description", "logo", "active"}, 1, func(_ int, v []any) {
			v[0], v[1], v[2], v[3], v[4], v[5], v[6] = tx.Now(), tx.Now(), org, org, nil, nil, true
		})
	if err != nil {
		return 0, db.Raced(err)
	}
	return ids[0], nil
}

func ensureCourse(ctx context.Context, tx *db.Tx, org int64, key keys.Course, title, language string) (int64, error) {
	var id int64
	err := tx.Query(ctx, `SELECT id, course_code FROM openedx_catalog_catalogcourse WHERE org_id = ? AND LOWER(course_code) = LOWER(?)`,
		[]any{org, key.Code()}, func(r *db.Row) error {
			var code string
			if err := r.Scan(&id, &code); err != nil {
				return err
			}
			if code != key.Code() {
				return fault.Errorf(fault.Conflict, key.String(), "the organization has course %q, which differs by case alone", code).
					WithNext("use that spelling in the key")
			}
			return nil
		})
	if err != nil || id != 0 {
		return id, err
	}
	ids, err := tx.InsertIDs(ctx, "openedx_catalog_catalogcourse",
		[]string{"course_code", "created", "title", "language", "org_id"}, 1, func(_ int, v []any) {
			v[0], v[1], v[2], v[3], v[4] = key.Code(), tx.Now(), title, language, org
		})
	if err != nil {
		return 0, db.Raced(err)
	}
	return ids[0], nil
}

// findRun compares in Go: what LOWER folds differs by engine, on SQLite it is ASCII alone.
func findRun(ctx context.Context, q db.Querier, key keys.Course) (RunID, bool, error) {
	var id RunID
	found := false
	err := q.Query(ctx, `SELECT id, course_key FROM openedx_catalog_courserun`, nil, func(r *db.Row) error {
		var other RunID
		var text string
		if err := r.Scan(&other, &text); err != nil {
			return err
		}
		switch {
		case text == key.String():
			id, found = other, true
		case strings.EqualFold(text, key.String()):
			return fault.Errorf(fault.Conflict, key.String(), "course run %s exists, which differs by case alone", text).
				WithNext("use that spelling of the key")
		}
		return nil
	})
	return id, found, err
}

// freeRun refuses a second run of one name: another form of a key that exists, such as ORG/COURSE/RUN. Runs of custom
// courses share the name of theirs (content-schema.md §8).
func freeRun(ctx context.Context, q db.Querier, course int64, key keys.Course, run string) error {
	return q.Query(ctx, `SELECT course_key FROM openedx_catalog_courserun WHERE catalog_course_id = ? AND run_code = ?`,
		[]any{course, run}, func(r *db.Row) error {
			var text string
			if err := r.Scan(&text); err != nil {
				return err
			}
			if strings.HasPrefix(text, "ccx") || strings.HasPrefix(key.String(), "ccx") {
				return nil
			}
			return fault.Errorf(fault.Conflict, key.String(), "%s exists, which is the same run", text).
				WithNext("use that spelling of the key")
		})
}

// Runs returns the run of every given id.
func Runs(ctx context.Context, q db.Querier, ids []RunID) (map[RunID]Run, error) {
	runs := make(map[RunID]Run, len(ids))
	err := db.QueryIn(ctx, q, `SELECT r.id, r.course_key, r.title, c.language FROM openedx_catalog_courserun r
		JOIN openedx_catalog_catalogcourse c ON c.id = r.catalog_course_id WHERE r.id IN (?...)`, ids, nil, func(r *db.Row) error {
		var run Run
		var text string
		if err := r.Scan(&run.ID, &text, &run.Title, &run.Language); err != nil {
			return err
		}
		key, err := keys.ParseCourse(text)
		if err != nil {
			return err
		}
		run.Key = key
		runs[run.ID] = run
		return nil
	})
	return runs, err
}

// Rename sets the title of a run, when title is not empty and differs.
func Rename(ctx context.Context, tx *db.Tx, id RunID, title string) error {
	if title = cut(title); title == "" {
		return nil
	}
	_, err := tx.Exec(ctx, `UPDATE openedx_catalog_courserun SET title = ? WHERE id = ? AND title <> ?`, title, id, title)
	return err
}

// Delete removes a run, and its catalog course when that was its last run. A run that other tables name is a Conflict
// (content-schema.md §9).
func Delete(ctx context.Context, tx *db.Tx, id RunID) error {
	course, found, err := db.One(ctx, tx, `SELECT catalog_course_id FROM openedx_catalog_courserun WHERE id = ?`, []any{id},
		func(r *db.Row) (course int64, err error) { return course, r.Scan(&course) })
	if err != nil || !found {
		return err
	}
	if _, err := tx.Exec(ctx, `DELETE FROM openedx_catalog_courserun WHERE id = ?`, id); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `DELETE FROM openedx_catalog_catalogcourse WHERE id = ? AND NOT EXISTS
		(SELECT 1 FROM openedx_catalog_courserun r WHERE r.catalog_course_id = ?)`, course, course)
	return err
}

var languagePattern = regexp.MustCompile(`^[a-z][a-z](-[a-z0-9]+)*$`)

// Language returns a course's language in the catalog's grammar: lower case with "-" between the parts, the old
// two-letter forms of Chinese as zh-cn and zh-hk, and "en" for what does not fit (content-schema.md §8.3).
func Language(s string) string {
	s = strings.ReplaceAll(strings.ToLower(s), "_", "-")
	switch {
	case s == "zh-hans":
		return "zh-cn"
	case s == "zh-hant":
		return "zh-hk"
	case len(s) <= 64 && languagePattern.MatchString(s):
		return s
	}
	return "en"
}

func cut(title string) string {
	if rs := []rune(title); len(rs) > maxTitle {
		return string(rs[:maxTitle])
	}
	return title
}
