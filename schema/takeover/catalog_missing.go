package takeover

import (
	"context"
	"regexp"
	"strings"
	"time"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/schema"
	"github.com/openlectern/lectern/schema/inspect"
)

// filler reads what the catalog lacks of the courses of a site.
type filler struct {
	catalog, organizations bool           // the tables are there
	overviews              *inspect.Table // of the platform; nil where it is not there
}

// filler returns what reads this site's courses.
func (s *site) filler() *filler {
	return &filler{catalog: s.live[catalogCourse] != nil && s.live[catalogRun] != nil, organizations: s.live[organization] != nil,
		overviews: s.live[courseOverview]}
}

// fill is what the catalog lacks.
type fill struct {
	from     *filler
	orgs     []*fillOrg
	courses  []*fillCourse
	runs     []*fillRun
	findings []schema.Finding
	conflict *schema.Finding // the first that stands in the way
}

type fillOrg struct {
	id   int64 // 0 where it is to be made
	name string
}

type fillCourse struct {
	id              int64 // 0 where it is to be made
	org             *fillOrg
	code            string
	title, language string
	created         *time.Time // the first of its runs'
}

type fillRun struct {
	key, run string
	course   *fillCourse
	title    string
	created  *time.Time
}

// overview is what the platform's row of a course says.
type overview struct {
	title, language *string
	created         *time.Time
}

// maxRun and maxTitle are the limits of the columns, in characters (content-schema.md §8).
const (
	maxRun   = 128
	maxTitle = 255
)

// fold makes texts equal that differ by case alone.
func fold(s string) string { return strings.ToLower(strings.ToUpper(s)) }

// shelf is what the catalog holds, those that are to be made included.
type shelf struct {
	exact   map[string]*fillOrg   // by name
	folded  map[string][]*fillOrg // by folded name
	courses map[*fillOrg]map[string]*fillCourse
	keys    map[string]bool
	runs    map[string]string                 // folded key, key
	names   map[*fillCourse]map[string]string // run, key: CCX apart
	told    map[string]bool                   // spellings of organizations that a warning was given for
}

// read looks for courses of the index that the catalog lacks, in the order of their keys. Those that it has are passed
// over whatever their rows say.
func (f *filler) read(ctx context.Context, q db.Querier) (*fill, error) {
	sh, err := f.shelf(ctx, q)
	if err != nil {
		return nil, err
	}
	out := &fill{from: f}
	var missing []keys.Course
	err = q.Query(ctx, "SELECT course_id FROM "+courseIndex+" WHERE base_store = 'mongodb' AND COALESCE(library_version, '') = '' ORDER BY course_id", nil,
		func(r *db.Row) error {
			text, err := db.Value[string](r)
			if err != nil || sh.keys[text] {
				return err
			}
			if key := out.parse(text); key.IsCourse() {
				missing = append(missing, key)
			}
			return nil
		})
	if err != nil {
		return nil, err
	}
	seen, err := f.seen(ctx, q, missing)
	if err != nil {
		return nil, err
	}
	for _, key := range missing {
		out.add(sh, key, seen[key.String()])
	}
	return out, nil
}

// parse reads a key of the index; what the catalog cannot hold is left out and named.
func (f *fill) parse(text string) keys.Course {
	key, err := keys.ParseCourse(text)
	run, _ := key.Run()
	why := ""
	switch {
	case strings.HasPrefix(text, "ccx-") || err == nil && key.IsLibrary():
		return keys.Course{}
	case err != nil || key.String() != text:
		why = "it is no course key"
	case run == "":
		why = "it has no run"
	case len([]rune(run)) > maxRun:
		why = "its run is longer than the catalog holds"
	default:
		if _, at := key.Branch(); !at {
			return key
		}
		why = "it names a branch"
	}
	f.findings = append(f.findings, schema.Finding{Code: "catalog_key", Severity: schema.Warning, Table: courseIndex, Key: text,
		Next: "nothing: the catalog goes without it, as " + why})
	return keys.Course{}
}

// shelf reads the catalog.
func (f *filler) shelf(ctx context.Context, q db.Querier) (*shelf, error) {
	sh := &shelf{exact: map[string]*fillOrg{}, folded: map[string][]*fillOrg{}, courses: map[*fillOrg]map[string]*fillCourse{},
		keys: map[string]bool{}, runs: map[string]string{}, names: map[*fillCourse]map[string]string{}, told: map[string]bool{}}
	if f.organizations {
		err := q.Query(ctx, "SELECT id, short_name FROM "+organization+" ORDER BY id", nil, func(r *db.Row) error {
			var o fillOrg
			err := r.Scan(&o.id, &o.name)
			sh.addOrg(&o)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	if !f.catalog || !f.organizations {
		return sh, nil
	}
	orgs, courses := map[int64]*fillOrg{}, map[int64]*fillCourse{}
	for _, o := range sh.exact {
		orgs[o.id] = o
	}
	err := q.Query(ctx, "SELECT id, org_id, course_code FROM "+catalogCourse, nil, func(r *db.Row) error {
		var c fillCourse
		var org int64
		err := r.Scan(&c.id, &org, &c.code)
		if c.org = orgs[org]; c.org != nil {
			sh.addCourse(&c)
		}
		courses[c.id] = &c
		return err
	})
	if err != nil {
		return nil, err
	}
	err = q.Query(ctx, "SELECT catalog_course_id, course_key, run_code FROM "+catalogRun, nil, func(r *db.Row) error {
		var course int64
		var key, run string
		err := r.Scan(&course, &key, &run)
		sh.addRun(courses[course], key, run)
		return err
	})
	return sh, err
}

func (sh *shelf) addOrg(o *fillOrg) {
	sh.exact[o.name] = o
	sh.folded[fold(o.name)] = append(sh.folded[fold(o.name)], o)
}

func (sh *shelf) addCourse(c *fillCourse) {
	if sh.courses[c.org] == nil {
		sh.courses[c.org] = map[string]*fillCourse{}
	}
	sh.courses[c.org][fold(c.code)] = c
}

func (sh *shelf) addRun(c *fillCourse, key, run string) {
	sh.keys[key], sh.runs[fold(key)] = true, key
	if c == nil || strings.HasPrefix(key, "ccx") {
		return
	}
	if sh.names[c] == nil {
		sh.names[c] = map[string]string{}
	}
	sh.names[c][run] = key
}

// seen reads what the platform knows of courses, by key.
func (f *filler) seen(ctx context.Context, q db.Querier, missing []keys.Course) (map[string]overview, error) {
	if f.overviews == nil {
		return nil, nil
	}
	cols := "id"
	for _, c := range []string{"display_name", "language", "created"} {
		if f.overviews.Column(c) == nil {
			c = "NULL"
		}
		cols += ", " + c
	}
	seen := map[string]overview{}
	ids := make([]string, len(missing))
	for i, key := range missing {
		ids[i] = key.String()
	}
	err := db.QueryIn(ctx, q, "SELECT "+cols+" FROM "+courseOverview+" WHERE id IN (?...)", ids, nil, func(r *db.Row) error {
		var id string
		var o overview
		err := r.Scan(&id, &o.title, &o.language, &o.created)
		seen[id] = o
		return err
	})
	return seen, err
}

// add adds a run, with its course and organization where they are missing (content-migrations.md §1.6, 1 to 6).
func (f *fill) add(sh *shelf, key keys.Course, o overview) {
	org := f.org(sh, key)
	if org == nil {
		return
	}
	run, _ := key.Run()
	course := sh.courses[org][fold(key.Code())]
	switch {
	case course != nil && course.code != key.Code():
		f.stop(key, "catalog-course:"+course.org.name+":"+course.code)
		return
	case sh.runs[fold(key.String())] != "":
		f.stop(key, sh.runs[fold(key.String())])
		return
	case course != nil && sh.names[course][run] != "":
		f.stop(key, sh.names[course][run])
		return
	}
	shown := ""
	if o.title != nil && strings.TrimSpace(*o.title) != "" {
		shown = cut(*o.title)
	}
	r := &fillRun{key: key.String(), run: run, course: course, title: shown, created: o.created}
	if shown == "" {
		r.title = key.Code()
	}
	switch {
	case course == nil:
		r.course = &fillCourse{org: org, code: key.Code(), title: r.title, language: f.language(key, o.language), created: o.created}
		f.courses = append(f.courses, r.course)
		sh.addCourse(r.course)
	case course.id == 0:
		if shown != "" && shown != course.title {
			course.title = course.code // its runs do not agree on one
		}
		if course.created == nil || o.created != nil && o.created.Before(*course.created) {
			course.created = o.created
		}
	}
	f.runs = append(f.runs, r)
	sh.addRun(r.course, r.key, run)
}

// org returns the organization of a key, one to be made where there is none; nil where it cannot be told.
func (f *fill) org(sh *shelf, key keys.Course) *fillOrg {
	if o := sh.exact[key.Org()]; o != nil {
		return o
	}
	switch like := sh.folded[fold(key.Org())]; len(like) {
	case 0:
		o := &fillOrg{name: key.Org()}
		f.orgs = append(f.orgs, o)
		sh.addOrg(o)
		return o
	case 1:
		if !sh.told[key.Org()] {
			sh.told[key.Org()] = true
			f.findings = append(f.findings, schema.Finding{Code: "catalog_organization", Severity: schema.Warning, Table: organization, Key: key.String(),
				Value: key.Org(), Proposed: like[0].name, Next: "nothing: the course goes to the organization whose short name differs by case alone"})
		}
		return like[0]
	default:
		f.stop(key, like[0].name+" and "+like[1].name)
		return nil
	}
}

// stop notes that a key cannot be told from something that differs by case alone.
func (f *fill) stop(key keys.Course, from string) {
	f.findings = append(f.findings, schema.Finding{Code: "catalog_case", Severity: schema.Error, Table: courseIndex, Key: key.String(), Value: from,
		Next: "the catalog takes the two for one: delete or rename one of them, or run without --catalog"})
	if f.conflict == nil {
		first := f.findings[len(f.findings)-1]
		f.conflict = &first
	}
	// The step is in the plan although it cannot be done.
	f.runs = append(f.runs, &fillRun{key: key.String(), course: &fillCourse{}})
}

// defaultLanguage is that of courses that do not say theirs, or not in a way that the catalog takes.
const defaultLanguage = "en"

var languageCode = regexp.MustCompile(`^[a-z][a-z](-[a-z0-9]+)*$`)

// language returns a course's language in the catalog's grammar.
func (f *fill) language(key keys.Course, said *string) string {
	const longest = 64
	if said == nil || *said == "" {
		return defaultLanguage
	}
	s := strings.ReplaceAll(strings.ToLower(*said), "_", "-")
	switch s {
	case "zh-hans":
		s = "zh-cn"
	case "zh-hant":
		s = "zh-hk"
	case "ca@valencia":
		s = "ca-es-valencia"
	}
	if languageCode.MatchString(s) && len(s) <= longest {
		return s
	}
	f.findings = append(f.findings, schema.Finding{Code: "catalog_language", Severity: schema.Warning, Table: courseOverview, Key: key.String(),
		Value: *said, Proposed: defaultLanguage, Next: "nothing: the catalog does not take the language and says the proposed one"})
	return defaultLanguage
}

func cut(title string) string {
	if r := []rune(title); len(r) > maxTitle {
		return string(r[:maxTitle])
	}
	return title
}
