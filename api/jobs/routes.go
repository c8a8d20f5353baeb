package jobs

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/openlectern/lectern/api"
	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/job"
	"github.com/openlectern/lectern/user"
)

// Path is where the jobs are.
const Path = "/api/lectern/v1/jobs"

// Bounds of what is uploaded and given back.
const (
	MaxUpload    = 4 << 30 // bytes
	transferTime = time.Hour
)

const own = "one's own jobs; staff and superusers all"

// API answers about the jobs of a store.
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

type listing struct {
	Status []string `query:"status,explode" doc:"Only jobs in one of these states." enum:"queued,running,done,failed,cancelled"`
	Kind   string   `query:"kind" maxLength:"64" doc:"Only jobs of a kind."`
	Limit  int      `query:"limit" minimum:"1" maximum:"500" default:"50"`
	Before int64    `query:"before" minimum:"0" doc:"Only jobs with a smaller number, for the next page."`
}

type listed struct {
	Body struct {
		Jobs []view `json:"jobs"`
	}
}

type chosen struct {
	ID int64 `path:"id" minimum:"1"`
}

type shown struct{ Body view }

type logged struct {
	Body struct {
		Log []line `json:"log"`
	}
}

type wanted struct {
	Body struct {
		Kind   string `json:"kind" enum:"course export,library export,package backup,package backup --all" doc:"What shall be done."`
		Key    string `json:"key,omitempty" maxLength:"500" doc:"Of the course, library or package."`
		At     string `json:"at,omitempty" maxLength:"255" doc:"Exports: the moment; without it the published state and the drafts that differ from it."`
		Format string `json:"format,omitempty" enum:"tar.gz,zip" doc:"Exports: of the archive; default tar.gz."`
		Origin string `json:"origin,omitempty" maxLength:"255" doc:"Backups: the host name that the archive tells."`
	}
}

// Mount adds the routes.
func (a *API) Mount(rt *api.Router) {
	tags := []string{"jobs"}
	api.Add(rt, api.Route{Method: http.MethodGet, Path: Path, Access: api.SignedIn, Needs: own,
		Operation: &huma.Operation{OperationID: "jobs-list", Tags: tags, Summary: "Jobs, the newest first"}}, a.list)
	api.Add(rt, api.Route{Method: http.MethodPost, Path: Path, Access: api.SignedIn, Needs: "what the kind of job does",
		Operation: &huma.Operation{OperationID: "jobs-start", Tags: tags, Summary: "Start an export or a backup", DefaultStatus: http.StatusAccepted,
			Errors: []int{http.StatusBadRequest, http.StatusNotFound, http.StatusConflict}}}, a.start)
	api.Add(rt, api.Route{Method: http.MethodGet, Path: Path + "/{id}", Access: api.SignedIn, Needs: own,
		Operation: &huma.Operation{OperationID: "jobs-show", Tags: tags, Summary: "A job", Errors: []int{http.StatusNotFound}}}, a.show)
	api.Add(rt, api.Route{Method: http.MethodGet, Path: Path + "/{id}/log", Access: api.SignedIn, Needs: own,
		Operation: &huma.Operation{OperationID: "jobs-log", Tags: tags, Summary: "The log of a job", Errors: []int{http.StatusNotFound}}}, a.log)
	api.Add(rt, api.Route{Method: http.MethodPost, Path: Path + "/{id}/cancel", Access: api.SignedIn, Needs: own,
		Operation: &huma.Operation{OperationID: "jobs-cancel", Tags: tags, Summary: "Ask for the end of a job", Errors: []int{http.StatusNotFound, http.StatusConflict},
			Description: "One that waits is cancelled at once; one that runs within about a second."}}, a.change((*app.App).CancelJob))
	api.Add(rt, api.Route{Method: http.MethodPost, Path: Path + "/{id}/retry", Access: api.SignedIn, Needs: own,
		Operation: &huma.Operation{OperationID: "jobs-retry", Tags: tags, Summary: "Let a job that failed or was cancelled be done again",
			Errors: []int{http.StatusNotFound, http.StatusConflict}}}, a.change((*app.App).RetryJob))
	a.transfers(rt, tags)
}

// transfers adds the routes that carry files.
func (a *API) transfers(rt *api.Router, tags []string) {
	text := func(name, about string, required bool) *huma.Param {
		limit := 500
		return &huma.Param{Name: name, In: "query", Required: required, Description: about, Schema: &huma.Schema{Type: huma.TypeString, MaxLength: &limit}}
	}
	flag := func(name, about string) *huma.Param {
		return &huma.Param{Name: name, In: "query", Description: about, Schema: &huma.Schema{Type: huma.TypeBoolean}}
	}
	kind := text("kind", "What shall be done with the file.", true)
	kind.Schema.Enum = []any{app.ImportCourseJob, app.ImportLibraryJob, app.RestorePackageJob}
	binary := &huma.Schema{Type: huma.TypeString, Format: "binary"}
	rt.Handle(api.Route{
		Method: http.MethodPost, Path: Path + "/upload", Access: api.SignedIn, Needs: "what the kind of job does", MaxBody: MaxUpload, Timeout: transferTime,
		Handler: http.HandlerFunc(a.upload),
		Operation: &huma.Operation{
			OperationID: "jobs-upload", Tags: tags, Summary: "Start an import or a restore with the file in the body",
			Parameters: []*huma.Param{
				kind, text("filename", "Of the file, for the history.", false),
				text("key", "To bring it in under; only staff may leave that to the archive.", false), text("message", "Imports: for the history.", false),
				flag("lenient", "Imports: keep blocks that cannot be read as they are."), flag("drafts_only", "Imports: publish nothing."),
				flag("drop_assets", "Imports: remove static files that the archive lacks."), flag("strict", "Restores: refuse what is otherwise mended."),
				flag("replace", "Restores: take the place of what has the key."), text("keep_as", "Restores: key for what is replaced.", false),
			},
			RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/octet-stream": {Schema: binary}}},
			Responses: rt.Answers(api.Answer{Status: http.StatusAccepted, Text: "It waits to be done.", Body: view{}},
				api.Answer{Status: http.StatusBadRequest, Text: "A parameter is wrong.", Body: &api.Problem{}},
				api.Answer{Status: http.StatusConflict, Text: "There is no room for another file now.", Body: &api.Problem{}}),
		},
	})
	rt.Handle(api.Route{
		Method: http.MethodGet, Path: Path + "/{id}/files/{name}", Access: api.SignedIn, Needs: own, Timeout: transferTime, Handler: http.HandlerFunc(a.download),
		Operation: &huma.Operation{
			OperationID: "jobs-file", Tags: tags, Summary: "A file that a job has made",
			Responses: map[string]*huma.Response{
				"200": {Description: "The file.", Content: map[string]*huma.MediaType{"application/octet-stream": {Schema: binary}}},
				"206": {Description: "A part of it.", Content: map[string]*huma.MediaType{"application/octet-stream": {Schema: binary}}},
				"404": {Description: "There is none, or it lies with another server.", Content: map[string]*huma.MediaType{"application/json": {Schema: rt.Schema(&api.Problem{})}}},
			},
		},
	})
}

func (a *API) list(ctx context.Context, in *listing) (*listed, error) {
	f := job.Filter{Kind: in.Kind, Limit: in.Limit, Before: in.Before}
	for _, s := range in.Status {
		f.Status = append(f.Status, job.Status(s))
	}
	list, err := a.as(ctx).Jobs(ctx, f)
	if err != nil {
		return nil, err
	}
	out := &listed{}
	out.Body.Jobs = make([]view, len(list))
	for i, j := range list {
		out.Body.Jobs[i] = viewOf(j)
	}
	return out, nil
}

func (a *API) show(ctx context.Context, in *chosen) (*shown, error) {
	return told(a.as(ctx).Job(ctx, in.ID))
}

func told(j app.Job, err error) (*shown, error) {
	if err != nil {
		return nil, err
	}
	return &shown{viewOf(j)}, nil
}

func (a *API) log(ctx context.Context, in *chosen) (*logged, error) {
	list, err := a.as(ctx).JobLog(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	out := &logged{}
	out.Body.Log = make([]line, len(list))
	for i, l := range list {
		out.Body.Log[i] = line{stamp(l.At), l.Text}
	}
	return out, nil
}

func (a *API) change(do func(*app.App, context.Context, int64) (app.Job, error)) func(context.Context, *chosen) (*shown, error) {
	return func(ctx context.Context, in *chosen) (*shown, error) { return told(do(a.as(ctx), ctx, in.ID)) }
}

func (a *API) start(ctx context.Context, in *wanted) (*shown, error) {
	b := in.Body
	return told(a.as(ctx).StartJob(ctx, app.NewJob{Kind: b.Kind, Options: app.JobOptions{Key: b.Key, At: b.At, Format: b.Format, Origin: b.Origin}}))
}

// uploads are the kinds that take a file over HTTP: a plan to prune is carried out where it was made.
var uploads = map[string]bool{app.ImportCourseJob: true, app.ImportLibraryJob: true, app.RestorePackageJob: true}

func (a *API) upload(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	n := app.NewJob{Kind: q.Get("kind"), Name: q.Get("filename"), Input: r.Body, Options: app.JobOptions{
		Key: q.Get("key"), Message: q.Get("message"), KeepAs: q.Get("keep_as"),
	}}
	var err error
	for name, to := range map[string]*bool{"lenient": &n.Options.Lenient, "drafts_only": &n.Options.DraftsOnly, "drop_assets": &n.Options.DropAssets,
		"strict": &n.Options.Strict, "replace": &n.Options.Replace} {
		if text := q.Get(name); text != "" && err == nil {
			if *to, err = strconv.ParseBool(text); err != nil {
				err = fault.Errorf(fault.Usage, name, "%q is neither true nor false", text)
			}
		}
	}
	if err == nil && !uploads[n.Kind] {
		err = fault.Errorf(fault.Usage, "kind", "%q is none that takes a file", n.Kind)
	}
	if err == nil && len([]rune(n.Options.Message)) > 500 {
		err = fault.Errorf(fault.Usage, "message", "it is longer than 500 characters")
	}
	if err != nil {
		api.WriteError(w, r, err)
		return
	}
	j, err := a.as(r.Context()).StartJob(r.Context(), n)
	if err != nil {
		api.WriteError(w, r, err)
		return
	}
	api.WriteJSON(w, r, http.StatusAccepted, viewOf(j))
}

func (a *API) download(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil || id <= 0 {
		api.WriteError(w, r, api.Problemf(http.StatusNotFound, "Not found."))
		return
	}
	f, about, err := a.as(r.Context()).JobFile(r.Context(), id, r.PathValue("name"))
	if err != nil {
		api.WriteError(w, r, err)
		return
	}
	defer func() { _ = f.Close() }() // only read
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", fmt.Sprintf(`attachment; filename="%s"`, about.Name)) // a plain name
	h.Set("ETag", `"`+about.SHA256+`"`)
	h.Set("Cache-Control", "private, no-cache")
	http.ServeContent(w, r, "", time.Time{}, io.ReadSeeker(f))
}

func fileURL(id int64, name string) string {
	return fmt.Sprintf("%s/%d/files/%s", Path, id, url.PathEscape(name))
}
