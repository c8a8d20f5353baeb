package catalog

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/keys"
)

// CourseID is the id of a catalog course's row.
type CourseID int64

// Course is what the runs of one course have in common.
type Course struct {
	ID       CourseID
	Org      string // short name of the organization
	Code     string
	Title    string
	Language string // in the catalog's grammar: "en", "zh-cn"
	Created  time.Time
}

// courseKey begins the key of a catalog course.
const courseKey = "catalog-course:"

// Key returns "catalog-course:ORG:CODE" (content-model.md §20).
func (c Course) Key() string { return courseKey + c.Org + ":" + c.Code }

// ShortLanguage returns the language as course archives write it: zh-cn as "zh_HANS", zh-hk as "zh_HANT", of others the
// first two letters (content-model.md §20).
func (c Course) ShortLanguage() string {
	switch {
	case c.Language == "zh-cn":
		return "zh_HANS"
	case c.Language == "zh-hk":
		return "zh_HANT"
	case len(c.Language) > 2:
		return c.Language[:2]
	}
	return c.Language
}

const selectCourse = `SELECT c.id, o.short_name, c.course_code, c.title, c.language, c.created
	FROM openedx_catalog_catalogcourse c JOIN organizations_organization o ON o.id = c.org_id`

func scanCourse(r *db.Row) (c Course, err error) {
	err = r.Scan(&c.ID, &c.Org, &c.Code, &c.Title, &c.Language, &c.Created)
	return c, err
}

// FindCourse returns the catalog course of an organization with exactly this code, else fault.NotFound.
func FindCourse(ctx context.Context, q db.Querier, org, code string) (Course, error) {
	list, err := db.All(ctx, q, selectCourse+` WHERE o.short_name = ? AND c.course_code = ?`, []any{org, code}, scanCourse)
	if err != nil {
		return Course{}, err
	}
	for _, c := range list {
		if c.Org == org && c.Code == code { // columns of the MySQL family may compare more loosely
			return c, nil
		}
	}
	return Course{}, noCourse(courseKey + org + ":" + code)
}

// CourseByKey is [FindCourse] for "catalog-course:ORG:CODE"; another text is fault.Usage.
func CourseByKey(ctx context.Context, q db.Querier, key string) (Course, error) {
	rest, ok := strings.CutPrefix(key, courseKey)
	org, code, two := strings.Cut(rest, ":")
	if !ok || !two || org == "" || code == "" {
		return Course{}, fault.Errorf(fault.Usage, key, "is no key of a catalog course").WithNext("write catalog-course:ORG:CODE")
	}
	return FindCourse(ctx, q, org, code)
}

// CourseByID returns a catalog course by its row id, else fault.NotFound.
func CourseByID(ctx context.Context, q db.Querier, id CourseID) (Course, error) {
	c, ok, err := db.One(ctx, q, selectCourse+` WHERE c.id = ?`, []any{id}, scanCourse)
	if err == nil && !ok {
		err = noCourse(fmt.Sprintf("catalog course %d", id))
	}
	return c, err
}

func noCourse(thing string) error {
	return fault.Errorf(fault.NotFound, thing, "the catalog has no such course")
}

// Courses returns the catalog courses of an organization, or with org "" all, by id.
func Courses(ctx context.Context, q db.Querier, org string) ([]Course, error) {
	if org == "" {
		return db.All(ctx, q, selectCourse+` ORDER BY c.id`, nil, scanCourse)
	}
	return db.All(ctx, q, selectCourse+` WHERE o.short_name = ? ORDER BY c.id`, []any{org}, scanCourse)
}

// UpdateCourse sets title and language of a catalog course; an empty one is left as it is. Language is in any spelling
// that [Language] reads; one it does not is fault.Invalid.
func UpdateCourse(ctx context.Context, tx *db.Tx, id CourseID, title, language string) (Course, error) {
	c, err := CourseByID(ctx, tx, id)
	if err != nil {
		return Course{}, err
	}
	if title != "" {
		c.Title = cut(title)
	}
	if language != "" {
		if c.Language = Language(language); c.Language == "en" && !strings.HasPrefix(strings.ToLower(language), "en") {
			return Course{}, fault.Errorf(fault.Invalid, "language "+language, "is no language code").WithNext("use one like en, pt-br or zh_HANS")
		}
	}
	_, err = tx.Exec(ctx, `UPDATE openedx_catalog_catalogcourse SET title = ?, language = ? WHERE id = ?`, c.Title, c.Language, id)
	return c, err
}

// DeleteCourse removes a catalog course; while it has runs that is fault.Conflict, an unknown one is fault.NotFound.
func DeleteCourse(ctx context.Context, tx *db.Tx, id CourseID) error {
	c, err := CourseByID(ctx, tx, id)
	if err != nil {
		return err
	}
	runs, err := RunsOf(ctx, tx, id)
	if err != nil {
		return err
	}
	if len(runs) > 0 {
		return fault.Errorf(fault.Conflict, c.Key(), "has the run %s", runs[0].Key).WithNext("delete its runs first")
	}
	_, err = tx.Exec(ctx, `DELETE FROM openedx_catalog_catalogcourse WHERE id = ?`, id)
	if errors.Is(err, db.ErrForeignKey) {
		f := fault.Errorf(fault.Conflict, c.Key(), "rows of another program refer to it")
		f.Err = err
		return f
	}
	return err
}

const selectRun = `SELECT r.id, r.course_key, r.title, c.language FROM openedx_catalog_courserun r
	JOIN openedx_catalog_catalogcourse c ON c.id = r.catalog_course_id`

func scanRun(r *db.Row) (run Run, err error) {
	var text string
	if err = r.Scan(&run.ID, &text, &run.Title, &run.Language); err == nil {
		run.Key, err = keys.ParseCourse(text)
	}
	return run, err
}

// FindRun returns the run with exactly this key, else fault.NotFound.
func FindRun(ctx context.Context, q db.Querier, key keys.Course) (Run, error) {
	list, err := db.All(ctx, q, selectRun+` WHERE r.course_key = ?`, []any{key.String()}, scanRun)
	if err != nil {
		return Run{}, err
	}
	for _, r := range list {
		if r.Key.String() == key.String() {
			return r, nil
		}
	}
	return Run{}, fault.Errorf(fault.NotFound, key.String(), "the catalog has no such course run")
}

// RunsOf returns the runs of a catalog course by id.
func RunsOf(ctx context.Context, q db.Querier, id CourseID) ([]Run, error) {
	return db.All(ctx, q, selectRun+` WHERE r.catalog_course_id = ? ORDER BY r.id`, []any{id}, scanRun)
}

// Spelling returns how the catalog spells the short name of an organization: as it is given if there is one of that name,
// else as the only one that differs from it by letter case alone. found is false where there is neither, and where there
// are several of the latter; spelled then is the name as it was given.
func Spelling(ctx context.Context, q db.Querier, name string) (spelled string, found bool, err error) {
	all, err := db.All(ctx, q, `SELECT short_name FROM organizations_organization WHERE LOWER(short_name) = LOWER(?) ORDER BY id`,
		[]any{name}, db.Value[string])
	if err != nil {
		return name, false, err
	}
	for _, s := range all {
		if s == name {
			return name, true, nil
		}
	}
	if len(all) == 1 {
		return all[0], true, nil
	}
	return name, false, nil
}
