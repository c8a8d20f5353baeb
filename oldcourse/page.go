package oldcourse

import (
	"maps"
	"net/url"
	"slices"

	"github.com/openlectern/lectern/fault"
)

// page is one kind of page or call that learners and authors use, as an LMS or a studio serves it.
type page struct {
	status int  // of a refusal; 0: it works for old courses at every stage (DEP-25, DEP-26)
	html   bool // it is a page, so that people are sent to their dashboard
	author bool // it is an authoring page, on which the warning is shown (DEP-10)
	joins  bool // it makes an enrolment
}

// The statuses of refusals: what is not there any more, and what cannot be done with it.
const (
	gone     = 410
	conflict = 409
)

// pages are the kinds by name (modulestore.md §6.3, §6.4).
var pages = map[string]page{
	"home": {gone, true, false, false}, "outline": {gone, true, false, false}, "unit": {gone, true, false, false}, "block": {gone, false, false, false},
	"jump_to": {gone, true, false, false}, "jump_to_id": {gone, true, false, false}, "static_tab": {gone, true, false, false},
	"wiki": {gone, true, false, false}, "discussion": {gone, true, false, false}, "sequence": {gone, false, false, false}, "progress": {gone, true, false, false},
	"file":       {gone, false, false, false},
	"instructor": {gone, true, false, false}, "gradebook": {gone, true, false, false}, "regrade": {conflict, false, false, false}, "report": {conflict, false, false, false},
	"enroll": {conflict, false, false, true}, "enroll_by_code": {conflict, false, false, true}, "enroll_by_voucher": {conflict, false, false, true},
	"enroll_in_bulk": {conflict, false, false, true},
	"studio":         {gone, true, true, false}, "studio_settings": {gone, true, true, false}, "studio_assets": {gone, true, true, false}, "studio_checklists": {gone, true, true, false},
	"create": {conflict, false, true, false}, "edit": {conflict, false, true, false}, "publish": {conflict, false, true, false}, "import": {conflict, false, true, false},
	"export": {conflict, false, true, false}, "delete": {conflict, false, true, false},

	"dashboard": {}, "about": {}, "unenroll": {}, "certificate": {}, "order_history": {}, "profile": {}, "retirement": {}, "data_export": {}, "module_state": {},
	"stored_grade": {}, "stored_report": {},
}

// Pages returns the names of the kinds of pages, ordered.
func Pages() []string { return slices.Sorted(maps.Keys(pages)) }

// Access is what a page of a course answers.
type Access struct {
	Allowed  bool
	Code     string // "" where it is allowed
	Status   int    // of an answer over HTTP that refuses; 0 where it is allowed
	Text     string // for people, naming the course
	Redirect string // where a page sends people instead, "" where it does not
	Next     string // the way out, for who operates the site
	Warning  string // to be shown on the page (DEP-10)
	Rerun    bool   // with the warning goes an offer to make a re-run (DEP-12)
}

// Code is that of every refusal.
const Code = "old_mongo"

// AccessTo says what a page of a course answers at a stage. text is the key of a course, block or file; a key of today's form
// is allowed whatever the stage is (DEP-50). title is that of the course, "" where it is not known. Who asks does not matter
// (DEP-31).
func (s Setting) AccessTo(text, name, title string) (Access, error) {
	p, known := pages[name]
	if !known {
		return Access{}, fault.Errorf(fault.Usage, "page", "%q is no kind of page", cut(name, 40)).WithNext("use one of those that the document of the API names")
	}
	k, old := ParseKey(text)
	if !old {
		return Access{Allowed: true}, nil
	}
	a := Access{Allowed: true}
	switch {
	case s.Stage == Warn && p.author:
		a.Warning = s.Text()
		a.Rerun = a.Warning != ""
	case p.status != 0 && (s.Stage == Removed || s.Stage == Warn && p.joins && s.Closed):
		a = Access{Code: Code, Status: p.status, Text: Gone(k, title), Next: WayOut(k)}
		if p.joins && s.Stage == Warn {
			a.Text = named(k, title) + " takes no new enrolments."
		}
		if p.html {
			a.Redirect = "/dashboard?" + url.Values{"old_course": {k.Name()}}.Encode()
		}
	}
	return a, nil
}

// Gone tells people that a course is no longer there.
func Gone(k Key, title string) string { return named(k, title) + " is no longer available." }

func named(k Key, title string) string {
	if title == "" {
		return "The course " + k.Name()
	}
	return "The course " + title + " (" + k.Name() + ")"
}

// WayOut names the step that leads out of a refusal: to convert the course from a dump of the old store (DEP-34).
func WayOut(k Key) string {
	if k.Course.IsZero() {
		return "convert the course from a dump of the old store, under a key of today: lectern legacy scan SRC lists those of " + k.Name() + ", lectern legacy convert SRC converts one"
	}
	next := "convert it from a dump of the old store, under a key of today: lectern legacy convert SRC " + k.Name()
	if today := k.Today(); !today.IsZero() {
		next += " makes " + today.String()
	}
	return next
}
