package legacy

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/openlectern/lectern/api"
	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/oldcourse"
	"github.com/openlectern/lectern/user"
)

// Path is where it is.
const Path = "/api/lectern/v1/legacy"

// API answers about the old courses of a store.
type API struct {
	Store  *app.App
	Person func(context.Context) (api.Person, bool) // who sends a request
}

// as returns the store as the sender of a request works with it.
func (a *API) as(ctx context.Context) *app.App {
	p, ok := a.Person(ctx)
	if !ok {
		return a.Store.As(app.Actor{})
	}
	return a.Store.As(app.Person(user.User{ID: user.ID(p.ID), Username: p.Username}))
}

// Mount adds the routes.
func (a *API) Mount(rt *api.Router) {
	get := func(path, needs, id, summary, about string, errors ...int) api.Route {
		return api.Route{Method: http.MethodGet, Path: Path + path, Access: api.SignedIn, Needs: needs, Operation: &huma.Operation{
			OperationID: id, Tags: []string{"legacy"}, Summary: summary, Description: about, Errors: append(errors, http.StatusBadRequest),
		}}
	}
	const team = "courses.view_course; staff and superusers all"
	api.Add(rt, get("/stage", "everybody who is signed in", "legacy-stage", "At which stage the retirement of the old store is", ""), a.stage)
	api.Add(rt, get("/courses", team, "legacy-courses", "Old courses, by key",
		"With `key`, just these, with an item for each; one that is not there, or cannot be read, has `problem` and leaves the others as they are."), a.courses)
	api.Add(rt, get("/courses/{id}", team, "legacy-course", "An old course", "In the address the slashes of the key are %2F.", http.StatusNotFound), a.course)
	api.Add(rt, get("/access", "everybody who is signed in", "legacy-access", "What a page of a course answers",
		"The same to everybody, whatever their roles. A key of today's form is allowed at every stage. Refusals are counted."), a.access)
	api.Add(rt, get("/cards", "one's own; staff and superusers all", "legacy-cards", "What a dashboard shows of enrolments in old courses", "", http.StatusNotFound), a.cards)
	api.Add(rt, get("/refusals", "staff", "legacy-refusals", "How often somebody was refused an old course, by course, page and day", ""), a.refusals)
}

type none struct{}

type stageAnswer struct{ Body stageView }

func (a *API) stage(ctx context.Context, _ *none) (*stageAnswer, error) {
	s, err := a.as(ctx).LegacyStage(ctx)
	return &stageAnswer{stageOf(s)}, err
}

type coursesQuery struct {
	Key    []string `query:"key,explode" maxItems:"500" doc:"Just these courses."`
	Search string   `query:"search" maxLength:"200" doc:"Only those whose key or title contains it."`
	After  string   `query:"after" maxLength:"255" doc:"Only keys after it: next of the page before."`
	Limit  int      `query:"limit" minimum:"1" maximum:"500" default:"100"`
}

type coursesAnswer struct {
	Body struct {
		Stage   stageView    `json:"stage"`
		Courses []courseView `json:"courses"`
		Next    *string      `json:"next" doc:"To give as after for the next page; null at the end."`
	}
}

func (a *API) courses(ctx context.Context, in *coursesQuery) (*coursesAnswer, error) {
	q := app.LegacyQuery{Keys: in.Key, Search: in.Search, After: in.After, Limit: in.Limit}
	if len(in.Key) > 0 {
		q.Limit = app.MaxLegacyPage
	}
	page, err := a.as(ctx).LegacyCourses(ctx, q)
	if err != nil {
		return nil, err
	}
	out := &coursesAnswer{}
	out.Body.Stage, out.Body.Courses = stageOf(page.Stage), make([]courseView, len(page.Courses))
	for i, c := range page.Courses {
		out.Body.Courses[i] = courseOf(c, page.Stage)
	}
	if page.Next != "" {
		out.Body.Next = &page.Next
	}
	return out, nil
}

type courseQuery struct {
	ID string `path:"id" maxLength:"255" doc:"Key of the course, ORG%2FCOURSE%2FRUN."`
}

type courseAnswer struct{ Body courseView }

func (a *API) course(ctx context.Context, in *courseQuery) (*courseAnswer, error) {
	page, err := a.as(ctx).LegacyCourses(ctx, app.LegacyQuery{Keys: []string{in.ID}})
	if err != nil {
		return nil, err
	}
	if c := page.Courses[0]; c.Missing {
		return nil, fault.Errorf(fault.NotFound, in.ID, "%s", c.Problem)
	}
	return &courseAnswer{courseOf(page.Courses[0], page.Stage)}, nil
}

type accessQuery struct {
	Key  string `query:"key" required:"true" minLength:"1" maxLength:"1000" doc:"Of a course, block or file."`
	Page string `query:"page" required:"true" doc:"Kind of page or call."`
}

// Resolve refuses kinds of pages that there are none of; huma calls it.
func (q *accessQuery) Resolve(huma.Context) []error {
	for _, name := range oldcourse.Pages() {
		if name == q.Page {
			return nil
		}
	}
	return []error{&huma.ErrorDetail{Location: "query.page", Message: "expected one of " + strings.Join(oldcourse.Pages(), ", ")}}
}

type accessAnswer struct{ Body accessView }

func (a *API) access(ctx context.Context, in *accessQuery) (*accessAnswer, error) {
	x, err := a.as(ctx).LegacyAccess(ctx, in.Key, in.Page)
	if err != nil {
		return nil, err
	}
	return &accessAnswer{accessOf(x)}, nil
}

type cardsQuery struct {
	User string `query:"user" maxLength:"150" doc:"Whose; without it one's own."`
}

type cardsAnswer struct {
	Body struct {
		Cards []cardView `json:"cards"`
	}
}

func (a *API) cards(ctx context.Context, in *cardsQuery) (*cardsAnswer, error) {
	list, err := a.as(ctx).LegacyCards(ctx, in.User)
	if err != nil {
		return nil, err
	}
	out := &cardsAnswer{}
	out.Body.Cards = make([]cardView, len(list))
	for i, c := range list {
		out.Body.Cards[i] = cardOf(c)
	}
	return out, nil
}

type refusalsQuery struct {
	Since string `query:"since" maxLength:"10" doc:"Only from this day on, such as 2026-01-31."`
	Key   string `query:"key" maxLength:"255" doc:"Only of this course."`
	Limit int    `query:"limit" minimum:"1" maximum:"10000" default:"1000"`
}

type refusalsAnswer struct {
	Body struct {
		Refusals []refusalView `json:"refusals"`
	}
}

func (a *API) refusals(ctx context.Context, in *refusalsQuery) (*refusalsAnswer, error) {
	if in.Since != "" {
		if _, err := time.Parse(time.DateOnly, in.Since); err != nil {
			return nil, fault.Errorf(fault.Usage, "since", "%q is no day", in.Since)
		}
	}
	list, err := a.as(ctx).LegacyRefusals(ctx, in.Since, in.Key, in.Limit)
	if err != nil {
		return nil, err
	}
	out := &refusalsAnswer{}
	out.Body.Refusals = make([]refusalView, len(list))
	for i, h := range list {
		out.Body.Refusals[i] = refusalView{h.Course, h.Page, h.Day, h.Hits}
	}
	return out, nil
}
