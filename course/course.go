package course

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/openlectern/lectern/catalog"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/keys"
)

// Course is the tie of a course run or legacy library and its learning package: a row of lectern_course.
type Course struct {
	Key     keys.Course
	Package publishing.Package
	Root    publishing.EntityID
	Created time.Time

	id  int64
	run catalog.RunID // 0 for a library
}

// Library reports whether c is a legacy library.
func (c *Course) Library() bool { return !c.Key.IsCourse() }

// RootID returns the id of c's root block.
func (c *Course) RootID() courseware.BlockID { return RootID(c.Key) }

// RootID returns the id of the root block of the course or library with that key (design.md §4).
func RootID(key keys.Course) courseware.BlockID {
	if key.IsCourse() {
		return courseware.BlockID{Type: "course", Name: courseware.RootName}
	}
	return courseware.BlockID{Type: "library", Name: "library"}
}

const courseColumns = `id, course_key, learning_package_id, root_entity_id, course_run_id, created`

func scanCourse(r *db.Row) (*Course, error) {
	c := new(Course)
	var key string
	var run *int64
	if err := r.Scan(&c.id, &key, &c.Package.ID, &c.Root, &run, &c.Created); err != nil {
		return nil, err
	}
	if run != nil {
		c.run = catalog.RunID(*run)
	}
	var err error
	c.Key, err = keys.ParseCourse(key)
	return c, err
}

// Find returns the course of key; NotFound when there is none. A branch in the key does not matter, a version is not
// found, as versions here are moments (cli.md).
func Find(ctx context.Context, q db.Querier, key keys.Course) (*Course, error) {
	if _, ok := key.Version(); ok {
		return nil, fault.Errorf(fault.NotFound, key.String(), "versions of courses are moments here").
			WithNext("name a moment with --at, as listed by: lectern course history")
	}
	plain, err := key.WithoutBranch()
	if err != nil {
		return nil, err
	}
	c, found, err := db.One(ctx, q, `SELECT `+courseColumns+` FROM lectern_course WHERE course_key = ?`, []any{plain.String()}, scanCourse)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, fault.Errorf(fault.NotFound, plain.String(), "no such %s", noun(plain)).
			WithNext("see what there is with: lectern " + noun(plain) + " list")
	}
	c.Package, err = publishing.PackageByID(ctx, q, c.Package.ID)
	return c, err
}

func noun(key keys.Course) string {
	if key.IsCourse() {
		return "course"
	}
	return "library"
}

// all returns every course, or every legacy library, by key.
func all(ctx context.Context, q db.Querier, libraries bool) ([]*Course, error) {
	var out []*Course
	err := q.Query(ctx, `SELECT `+courseColumns+` FROM lectern_course ORDER BY course_key`, nil, func(r *db.Row) error {
		c, err := scanCourse(r)
		if err == nil && c.Library() == libraries {
			out = append(out, c)
		}
		return err
	})
	slices.SortFunc(out, func(a, b *Course) int { return strings.Compare(a.Key.String(), b.Key.String()) })
	return out, err
}

// Summary is one line of a listing.
type Summary struct {
	Key         string     `json:"key"`
	Title       string     `json:"title"`
	Blocks      int        `json:"blocks"`
	Changed     int        `json:"changed"` // entities whose draft differs from published
	PublishedAt *time.Time `json:"published_at"`
	Deleted     bool       `json:"deleted,omitempty"`
}

// List summarises every course, or every legacy library. Courses whose root is deleted in draft and published are
// listed only when deleted is true.
func List(ctx context.Context, q db.Querier, libraries, deleted bool) ([]Summary, error) {
	courses, err := all(ctx, q, libraries)
	if err != nil {
		return nil, err
	}
	out := make([]Summary, 0, len(courses))
	for _, c := range courses {
		s, err := c.summary(ctx, q)
		if err != nil {
			return nil, err
		}
		if !s.Deleted || deleted {
			out = append(out, s)
		}
	}
	return out, nil
}

func (c *Course) summary(ctx context.Context, q db.Querier) (Summary, error) {
	s := Summary{Key: c.Key.String()}
	pointers, err := publishing.AllPointers(ctx, q, c.Package.ID)
	if err != nil {
		return s, err
	}
	for _, p := range pointers {
		if p.Unpublished() {
			s.Changed++
		}
		live := p.Draft.Live() || p.Published.Live()
		if p.Entity == c.Root {
			s.Deleted = !live
			if s.Title = p.Draft.Title; !p.Draft.Live() {
				s.Title = p.Published.Title
			}
		}
		if _, ok := refBlock(p.Ref); ok && live {
			s.Blocks++
		}
	}
	if s.Deleted {
		pkg, err := publishing.PackageByID(ctx, q, c.Package.ID)
		if err != nil {
			return s, err
		}
		s.Title = pkg.Title
	}
	last, err := publishing.LastPublish(ctx, q, c.Package.ID)
	if err == nil && last != nil {
		s.PublishedAt = &last.At
	}
	return s, err
}

// ensure returns the course of key, made when absent: its learning package, root container and, for a course, its
// catalog rows. created tells which.
func ensure(ctx context.Context, tx *db.Tx, key keys.Course, title, language string, by publishing.UserID) (c *Course, created bool, err error) {
	if err := catalogKey(key); err != nil {
		return nil, false, err
	}
	c, err = Find(ctx, tx, key)
	if err == nil || !fault.Is(err, fault.NotFound) {
		return c, false, err
	}
	if err := freeKey(ctx, tx, key); err != nil {
		return nil, false, err
	}
	c = &Course{Key: key, Created: tx.Now()}
	if key.IsCourse() {
		if c.run, err = catalog.EnsureRun(ctx, tx, key, title, language); err != nil {
			return nil, false, err
		}
	}
	if title == "" {
		title = key.String()
	}
	pkg, err := publishing.CreatePackage(ctx, tx, publishing.NewPackage{Ref: key.String(), Title: cut(title, maxTitle), Created: tx.Now()})
	if err != nil {
		return nil, false, db.Raced(err)
	}
	c.Package = pkg
	w := newWriter(tx, nil, c)
	root := &node{ref: blockRef(c.RootID()), container: true}
	if err := w.create(ctx, []*node{root}, by); err != nil {
		return nil, false, err
	}
	c.Root = w.entities[root.ref]
	var run any
	if c.run != 0 {
		run = c.run
	}
	ids, err := tx.InsertIDs(ctx, "lectern_course",
		[]string{"learning_package_id", "course_key", "course_run_id", "root_entity_id", "created"}, 1, func(_ int, v []any) {
			v[0], v[1], v[2], v[3], v[4] = c.Package.ID, key.String(), run, c.Root, c.Created
		})
	if err != nil {
		return nil, false, err
	}
	c.id = ids[0]
	return c, true, nil
}

// freeKey refuses a key that differs from another course's by case alone (design.md §4, "Limits"). It compares in Go:
// what LOWER folds differs by engine.
func freeKey(ctx context.Context, q db.Querier, key keys.Course) error {
	return q.Query(ctx, `SELECT course_key FROM lectern_course`, nil, func(r *db.Row) error {
		var other string
		if err := r.Scan(&other); err != nil || !strings.EqualFold(other, key.String()) {
			return err
		}
		return fault.Errorf(fault.Conflict, key.String(), "%s exists, which differs by case alone", other).
			WithNext("use that spelling of the key")
	})
}

func catalogKey(key keys.Course) error {
	if _, ok := key.Version(); ok {
		return fault.Errorf(fault.Usage, key.String(), "a course is not made under a key with a version")
	}
	if _, ok := key.Branch(); ok {
		return fault.Errorf(fault.Usage, key.String(), "a course is not made under a key with a branch")
	}
	if key.IsCourse() {
		return catalog.CheckKey(key)
	}
	return nil
}
