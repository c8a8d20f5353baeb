package legacy

import (
	"encoding/json"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/oldcourse"
)

// stageView is the stage, with what goes along with it.
type stageView struct {
	Stage   oldcourse.Stage `json:"stage" enum:"none,warn,removed"`
	Warning *string         `json:"warning" doc:"What authoring pages of old courses show, as plain text; null for nothing."`
	HTML    *string         `json:"warning_html" doc:"The same, escaped for HTML."`
	EndsOn  *string         `json:"ends_on" doc:"The last day of old courses, where the site says one."`
	Hidden  bool            `json:"hidden" doc:"Catalogs and searches are to leave old courses out."`
	Closed  bool            `json:"closed" doc:"Nobody is to enrol in old courses any more."`
}

func stageOf(s oldcourse.Setting) stageView {
	v := stageView{Stage: s.Stage, Hidden: s.Hidden, Closed: s.Closed, EndsOn: orNull(s.EndsOn)}
	if text := s.Text(); text != "" {
		escaped := s.HTML()
		v.Warning, v.HTML = &text, &escaped
	}
	return v
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// courseView is an old course.
type courseView struct {
	Key              string     `json:"key"`
	Problem          *string    `json:"problem" doc:"What of it cannot be read, or why it is not there; null for nothing."`
	Org              string     `json:"org"`
	Title            string     `json:"title"`
	Root             rootView   `json:"root" doc:"Of the content: the block's key does not say the run, so the pair names it."`
	Version          *int64     `json:"version" doc:"Of the platform's overviews, when it was taken over."`
	Start            *string    `json:"start"`
	End              *string    `json:"end"`
	EnrollmentStart  *string    `json:"enrollment_start"`
	EnrollmentEnd    *string    `json:"enrollment_end"`
	SelfPaced        *bool      `json:"self_paced"`
	StaffOnly        *bool      `json:"visible_to_staff_only"`
	InvitationOnly   *bool      `json:"invitation_only"`
	Visibility       string     `json:"catalog_visibility"`
	Language         string     `json:"language"`
	PassingGrade     string     `json:"lowest_passing_grade"`
	ImageURL         string     `json:"course_image_url"`
	ShortDescription string     `json:"short_description"`
	Effort           string     `json:"effort"`
	Data             any        `json:"data" doc:"Every column that the platform had, by its name, and tabs; null where it had none."`
	Content          any        `json:"content" doc:"What the content itself says, by a scan of the old store: textbooks, pdf_textbooks, html_textbooks, allow_public_wiki_access, edxnotes and hide_progress_tab; null where none was kept."`
	Unavailable      []string   `json:"unavailable" doc:"What only the content says and no scan has kept."`
	Filled           *string    `json:"filled" doc:"When it was taken over."`
	Team             []roleView `json:"team"`
	Enrolled         *enrolled  `json:"enrolled" doc:"Null where the database does not know."`
	LastEdit         *string    `json:"last_edit"`
	Bytes            *int64     `json:"bytes" doc:"In the old store; null where no scan was kept."`
	ConvertedTo      *string    `json:"converted_to" doc:"The course here that it would become, where there is one."`
	Warning          *string    `json:"warning"`
	Rerun            *rerun     `json:"rerun" doc:"Null where it is not the time for it, or not for the caller."`
}

type rootView struct {
	Block  string `json:"block"`
	Course string `json:"course"`
}

type roleView struct {
	User string `json:"user"`
	Role string `json:"role"`
}

type countView struct {
	Active int `json:"active"`
	All    int `json:"all"`
}

// rerunOffer is the way out that goes with the warning, for who may take it (DEP-12).
type rerunOffer struct {
	Key     string   `json:"key" doc:"Of the course that it becomes."`
	Command []string `json:"command" doc:"What to run; SOURCE stands for a dump of the old store."`
}

// enrolled and rerun may be null, which a pointer to a struct does not say.
type (
	enrolled countView
	rerun    rerunOffer
)

// Schema implements [huma.SchemaProvider].
func (enrolled) Schema(r huma.Registry) *huma.Schema { return orNullSchema[countView](r) }

// Schema implements [huma.SchemaProvider].
func (rerun) Schema(r huma.Registry) *huma.Schema { return orNullSchema[rerunOffer](r) }

func orNullSchema[T any](r huma.Registry) *huma.Schema {
	return &huma.Schema{OneOf: []*huma.Schema{r.Schema(reflect.TypeFor[T](), true, ""), {Type: "null"}}}
}

func courseOf(c app.LegacyCourse, s oldcourse.Setting) courseView {
	v := courseView{
		Key: c.Key, Problem: orNull(c.Problem), Org: c.Org, Title: c.Title, Version: c.Version, Start: stamp(c.Start), End: stamp(c.End),
		EnrollmentStart: stamp(c.EnrollmentStart), EnrollmentEnd: stamp(c.EnrollmentEnd), SelfPaced: c.SelfPaced, StaffOnly: c.StaffOnly,
		InvitationOnly: c.Invited, Visibility: c.Visibility, Language: c.Language, PassingGrade: c.PassingGrade, ImageURL: c.ImageURL,
		ShortDescription: c.ShortDescription, Effort: c.Effort, Data: json.RawMessage(c.Data), Content: c.ScanContent, Unavailable: c.Lazy(), Filled: stamp(c.Filled),
		Team: make([]roleView, len(c.Team)), LastEdit: stamp(c.LastEdit()), Bytes: c.ScanBytes, Root: rootView{c.Location, c.Key},
	}
	if len(c.Data) == 0 { // there is no such overview
		v.Data, v.Content = nil, nil
	}
	for i, r := range c.Team {
		v.Team[i] = roleView(r)
	}
	if c.Enrolled != nil {
		v.Enrolled = &enrolled{c.Enrolled.Active, c.Enrolled.All}
	}
	if c.Converted != "" {
		v.ConvertedTo = &c.Converted
	}
	if !c.Missing {
		v.Warning = orNull(s.Text())
	}
	if c.Rerun {
		v.Rerun = &rerun{c.Today, []string{"lectern", "legacy", "convert", "SOURCE", c.Key}}
	}
	return v
}

// accessView is what a page answers.
type accessView struct {
	Allowed  bool    `json:"allowed"`
	Code     *string `json:"code" doc:"old_mongo of a refusal, else null."`
	Status   *int    `json:"status" doc:"Of the refusal over HTTP."`
	Text     *string `json:"text" doc:"For people; it names the course."`
	Redirect *string `json:"redirect" doc:"Where pages send people, to be shown the text; null for calls of programs."`
	Next     *string `json:"next" doc:"The way out, for who operates the site."`
	Warning  *string `json:"warning" doc:"To be shown on the page."`
	Rerun    bool    `json:"offer_rerun" doc:"Beside the warning goes an offer to make a re-run."`
}

func accessOf(a oldcourse.Access) accessView {
	v := accessView{Allowed: a.Allowed, Code: orNull(a.Code), Text: orNull(a.Text), Redirect: orNull(a.Redirect), Next: orNull(a.Next),
		Warning: orNull(a.Warning), Rerun: a.Rerun}
	if a.Status != 0 {
		v.Status = &a.Status
	}
	return v
}

// cardView is an enrolment. Link and resume are null always: that of a course which can be entered is the platform's to say.
type cardView struct {
	Course      string  `json:"course"`
	Title       string  `json:"title"`
	Org         string  `json:"org"`
	Start       *string `json:"start"`
	End         *string `json:"end"`
	Active      bool    `json:"active"`
	Mode        string  `json:"mode"`
	Enrolled    *string `json:"enrolled"`
	Certificate *string `json:"certificate_status"`
	Available   bool    `json:"available" doc:"Whether the course can be entered."`
	Link        *string `json:"link"`
	Resume      *string `json:"resume"`
	Problem     *string `json:"problem"`
}

func cardOf(c app.LegacyCard) cardView {
	v := cardView{Course: c.Course, Title: c.Course, Active: c.Active, Mode: c.Mode, Enrolled: stamp(c.At), Certificate: orNull(c.Certificate),
		Available: c.Available, Problem: orNull(c.Problem)}
	if o := c.Overview; o != nil {
		v.Org, v.Start, v.End = o.Org, stamp(o.Start), stamp(o.End)
		if o.Title != "" {
			v.Title = o.Title
		}
	}
	return v
}

type refusalView struct {
	Course string `json:"course" doc:"* stands for keys beyond those that are counted one by one."`
	Page   string `json:"page" doc:"Kind of page, or the name of what was asked of this server."`
	Day    string `json:"day"`
	Hits   int64  `json:"hits"`
}

func stamp(t *time.Time) *string {
	if t == nil {
		return nil
	}
	s := t.UTC().Format("2006-01-02T15:04:05.000000Z")
	return &s
}
