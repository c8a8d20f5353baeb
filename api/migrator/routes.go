package migratorapi

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/openlectern/lectern/api"
	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/user"
)

// Where the addresses are: those of Open edX, and our own of what tasks left.
const (
	Prefix       = "/api/modulestore_migrator/v1/"
	ArtifactPath = "/api/lectern/v1/migration-artifacts"
)

// Sizes of a page of tasks.
const (
	pageSize    = 10
	maxPageSize = 500
)

// API answers about migrations to the libraries of a store.
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
	const (
		own   = "one's own"
		start = "courses.edit_course_content on every source, content_libraries.edit_library_content on the library"
		view  = "content_libraries.view_library"
	)
	route := func(method, path, needs, id, summary, about string, errors ...int) api.Route {
		return api.Route{Method: method, Path: path, Access: api.SignedIn, Needs: needs, Operation: &huma.Operation{
			OperationID: "migrator-" + id, Tags: []string{"migrator"}, Summary: summary, Description: about, Errors: append(errors, http.StatusBadRequest),
		}}
	}
	made := func(r api.Route) api.Route { r.Operation.DefaultStatus = http.StatusCreated; return r }
	const follow = "The work goes on in the background. Ask for the task until its state is Succeeded, Failed or Canceled; a source of a task that has succeeded may still have failed."
	api.Add(rt, made(route(http.MethodPost, Prefix+"migrations/", start, "start", "Bring a course or legacy library into a library", follow, http.StatusNotFound, http.StatusConflict)), a.start)
	api.Add(rt, made(route(http.MethodPost, Prefix+"bulk_migration/", start, "start-bulk", "Bring several into one library, as one task", follow, http.StatusNotFound, http.StatusConflict)), a.startBulk)
	api.Add(rt, route(http.MethodGet, Prefix+"migrations/", own, "tasks", "Tasks, the newest first", "", http.StatusNotFound), a.tasks)
	api.Add(rt, route(http.MethodGet, Prefix+"migrations/{uuid}/", own, "task", "A task", "", http.StatusNotFound), a.task)
	api.Add(rt, route(http.MethodPost, Prefix+"migrations/{uuid}/cancel/", "staff", "cancel", "Cancel anybody's task",
		"What waits is cancelled at once, what runs at its next step: sources that are done stay. A task that has ended stays as it is.", http.StatusNotFound), a.cancel)
	api.Add(rt, route(http.MethodGet, Prefix+"migration_info/", "courses.view_course; others' sources are left out", "info", "Where sources were brought to, the newest first",
		"Without what failed. Keys that are none are left out, too."), a.info)
	api.Add(rt, route(http.MethodGet, Prefix+"migration_blocks/", view, "blocks", "What became of the blocks that were brought into a library", "", http.StatusNotFound), a.blocks)
	api.Add(rt, route(http.MethodGet, Prefix+"migration_preview/", "courses.view_course on the source, content_libraries.edit_library_content on the library", "preview",
		"What a migration would do", "Without a level all levels count, without a strategy all is made anew.", http.StatusNotFound), a.preview)
	api.Add(rt, route(http.MethodGet, Prefix+"library/{library}/migrations/courses/", view, "courses", "Courses that were brought into a library, the newest first", "", http.StatusNotFound), a.courses)
	api.Add(rt, route(http.MethodGet, ArtifactPath+"/{uuid}", own, "artifact", "What a task left: of failures the reason", "", http.StatusNotFound), a.artifact)
}

// MigrationOptions are what both ways to start have.
type MigrationOptions struct {
	_        struct{} `additionalProperties:"true"`
	Target   string   `json:"target" maxLength:"255" doc:"The library: lib:ORG:SLUG."`
	Level    string   `json:"composition_level,omitempty" enum:"component,unit,subsection,section" default:"component" doc:"Up to which level containers are made."`
	Repeat   string   `json:"repeat_handling_strategy,omitempty" enum:"skip,fork,update" default:"skip" doc:"What happens to blocks that were brought before."`
	KeepURLs bool     `json:"preserve_url_slugs,omitempty" doc:"Ids are those of the source, where a library can have them; else they are made of titles."`
	Forward  *bool    `json:"forward_source_to_target,omitempty" nullable:"true" doc:"Whether old references to the source lead here from now on; null: if they lead nowhere yet."`
}

type migrationRequest struct {
	Body struct {
		MigrationOptions
		Source     string  `json:"source" maxLength:"255" doc:"A course, course-v1:ORG+COURSE+RUN, or legacy library, library-v1:ORG+LIBRARY."`
		Collection *string `json:"target_collection_slug,omitempty" nullable:"true" maxLength:"255" doc:"Key of a collection of the library that everything joins."`
		Create     bool    `json:"create_collection,omitempty" doc:"Make a collection, where none is named."`
	}
}

type bulkMigrationRequest struct {
	Body struct {
		MigrationOptions
		Sources     []string  `json:"sources" minItems:"1" maxItems:"500" doc:"Courses and legacy libraries."`
		Collections []*string `json:"target_collection_slug_list,omitempty" nullable:"true" maxItems:"500" doc:"Keys of collections, one for each source; null for none."`
		Create      bool      `json:"create_collections,omitempty" doc:"Make a collection for each source without one."`
	}
}

type begun struct{ Body startedView }

func (a *API) start(ctx context.Context, in *migrationRequest) (*begun, error) {
	b := &in.Body
	m := b.migration()
	m.Sources, m.CreateCollections = []string{b.Source}, b.Create
	if b.Collection != nil {
		m.Collections = []string{*b.Collection}
	}
	v, err := a.begin(ctx, m, "source")
	if err != nil {
		return nil, err
	}
	v.Collection = &b.Collection
	return &begun{v}, nil
}

func (a *API) startBulk(ctx context.Context, in *bulkMigrationRequest) (*begun, error) {
	b := &in.Body
	m := b.migration()
	m.Sources, m.CreateCollections = b.Sources, b.Create
	if b.Collections != nil && len(b.Collections) != len(b.Sources) {
		return nil, wrong("target_collection_slug_list", strconv.Itoa(len(b.Collections))+" are named for "+strconv.Itoa(len(b.Sources))+" sources.")
	}
	for _, c := range b.Collections {
		m.Collections = append(m.Collections, text(c))
	}
	v, err := a.begin(ctx, m, "sources")
	if err != nil {
		return nil, err
	}
	v.Collections = &b.Collections
	return &begun{v}, nil
}

// migration returns what is asked for, but for the sources.
func (o *MigrationOptions) migration() app.LibraryMigration {
	m := app.LibraryMigration{Target: o.Target, Level: o.Level, Repeat: o.Repeat, KeepSlugs: o.KeepURLs, Forward: "auto"}
	if o.Forward != nil {
		m.Forward = map[bool]string{true: "yes", false: "no"}[*o.Forward]
	}
	return m
}

// begin starts a migration; field is that of the request that names the sources.
func (a *API) begin(ctx context.Context, m app.LibraryMigration, field string) (v startedView, err error) {
	for _, s := range m.Sources {
		if !isSource(s) {
			return v, wrong(field, s+" is neither a course nor a legacy library.")
		}
	}
	if !isLibrary(m.Target) {
		return v, wrong("target", m.Target+" is not the key of a library.")
	}
	t, err := a.as(ctx).StartLibraryTask(ctx, m)
	if err != nil {
		return v, err
	}
	return startedView{MigrationTask: taskOf(ctx, t), Target: m.Target}, nil
}

func wrong(field, message string) error {
	return &api.Problem{Status: http.StatusBadRequest, Fields: map[string][]string{field: {message}}}
}

func isSource(s string) bool {
	_, err := keys.ParseCourse(s)
	return err == nil && !strings.Contains(s, "/")
}

func isLibrary(s string) bool {
	_, err := keys.ParseContext(s)
	return err == nil && strings.HasPrefix(s, "lib:")
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

type pageQuery struct {
	Page string `query:"page" maxLength:"20" doc:"From 1, or last. Another is 404."`
	Size string `query:"page_size" maxLength:"20" doc:"1 to 500, default 10. Larger counts as 500, anything else as 10."`
}

type tasksAnswer struct{ Body migrationPageView }

func (a *API) tasks(ctx context.Context, in *pageQuery) (*tasksAnswer, error) {
	size := pageSize
	if n, err := strconv.Atoi(in.Size); err == nil && n > 0 {
		size = min(n, maxPageSize)
	}
	store := a.as(ctx)
	page := 1
	switch n, err := strconv.Atoi(in.Page); {
	case in.Page == "last":
		_, count, err := store.LibraryTasks(ctx, 0, 1)
		if err != nil {
			return nil, err
		}
		page = max(1, (count+size-1)/size)
	case in.Page != "" && (err != nil || n < 1 || n > 1<<31/maxPageSize):
		return nil, noPage()
	case in.Page != "":
		page = n
	}
	list, count, err := store.LibraryTasks(ctx, (page-1)*size, size)
	if err != nil {
		return nil, err
	}
	if page > 1 && len(list) == 0 {
		return nil, noPage()
	}
	out := migrationPageView{Count: count, Pages: max(1, (count+size-1)/size), Page: page, Start: (page - 1) * size, Results: make([]MigrationTask, len(list))}
	link := func(n int) *string {
		s := api.Absolute(ctx, Prefix+"migrations/?page="+strconv.Itoa(n))
		if in.Size != "" {
			s += "&page_size=" + strconv.Itoa(size)
		}
		return &s
	}
	if page < out.Pages {
		out.Next = link(page + 1)
	}
	if page > 1 {
		out.Previous = link(page - 1)
	}
	for i := range list {
		out.Results[i] = taskOf(ctx, &list[i])
	}
	return &tasksAnswer{out}, nil
}

func noPage() error { return api.Problemf(http.StatusNotFound, "Invalid page.") }

type chosen struct {
	UUID string `path:"uuid" maxLength:"36"`
}

// id returns the uuid in an address; one that is none names nothing.
func (c *chosen) id() (uuid.UUID, error) {
	id, err := uuid.Parse(c.UUID)
	if err != nil {
		return id, api.Problemf(http.StatusNotFound, "Not found.")
	}
	return id, nil
}

type taskAnswer struct{ Body MigrationTask }

func (a *API) task(ctx context.Context, in *chosen) (*taskAnswer, error) {
	id, err := in.id()
	if err != nil {
		return nil, err
	}
	t, err := a.as(ctx).LibraryTask(ctx, id)
	if err != nil {
		return nil, err
	}
	return &taskAnswer{taskOf(ctx, t)}, nil
}

func (a *API) cancel(ctx context.Context, in *chosen) (*taskAnswer, error) {
	id, err := in.id()
	if err != nil {
		return nil, err
	}
	t, err := a.as(ctx).CancelLibraryTask(ctx, id)
	if err != nil {
		return nil, err
	}
	return &taskAnswer{taskOf(ctx, t)}, nil
}

type artifactAnswer struct{ Body migrationArtifactView }

func (a *API) artifact(ctx context.Context, in *chosen) (*artifactAnswer, error) {
	id, err := in.id()
	if err != nil {
		return nil, err
	}
	x, err := a.as(ctx).LibraryArtifact(ctx, id)
	if err != nil {
		return nil, err
	}
	return &artifactAnswer{migrationArtifactView{UUID: x.UUID.String(), Name: x.Name, Text: x.Text}}, nil
}

type infoQuery struct {
	Sources []string `query:"source_keys,explode" maxItems:"500" doc:"Courses and legacy libraries, at least one."`
}

type infoAnswer struct{ Body map[string][]migratedToView }

func (a *API) info(ctx context.Context, in *infoQuery) (*infoAnswer, error) {
	if len(in.Sources) == 0 {
		return nil, api.Problemf(http.StatusBadRequest, "At least one source key must be given: source_keys.")
	}
	found, err := a.as(ctx).LibraryInfo(ctx, in.Sources)
	if err != nil {
		return nil, err
	}
	out := make(map[string][]migratedToView, len(found))
	for key, list := range found {
		for _, m := range list {
			out[key] = append(out[key], migratedToView{Source: m.Source, Target: m.Target, TargetTitle: m.TargetTitle,
				Collection: orNull(m.Collection), CollectionTitle: orNull(m.CollectionTitle)})
		}
	}
	return &infoAnswer{out}, nil
}

type blocksQuery struct {
	Target     string `query:"target_key" maxLength:"255" doc:"The library. It must be there."`
	Source     string `query:"source_key" maxLength:"255" doc:"Only of this course or legacy library."`
	Collection string `query:"target_collection_key" maxLength:"255" doc:"Only of migrations to this collection."`
	Task       string `query:"task_uuid" maxLength:"36" doc:"Only of this task."`
	Failed     string `query:"is_failed" enum:"true,false,True,False,1,0," doc:"true: only blocks that did not make it; false: only those that did."`
}

type blocksAnswer struct{ Body []migratedBlockView }

func (a *API) blocks(ctx context.Context, in *blocksQuery) (*blocksAnswer, error) {
	if !isLibrary(in.Target) {
		return nil, &api.Problem{Status: http.StatusBadRequest, Plain: true, Detail: "target_key must be the key of a library."}
	}
	q := app.LibraryBlocksQuery{Target: in.Target, Source: in.Source, Collection: in.Collection}
	if in.Task != "" {
		id, err := uuid.Parse(in.Task)
		if err != nil {
			return nil, wrong("task_uuid", "This is no UUID.")
		}
		q.Task = id.String()
	}
	if failed, err := strconv.ParseBool(in.Failed); err == nil {
		q.Failed = &failed
	}
	list, err := a.as(ctx).LibraryBlocks(ctx, q)
	if err != nil {
		return nil, err
	}
	out := make([]migratedBlockView, len(list))
	for i, b := range list {
		out[i] = migratedBlockView{Source: b.Source, Target: orNull(b.Target), Reason: orNull(b.Reason)}
	}
	return &blocksAnswer{out}, nil
}

type previewQuery struct {
	Source string `query:"source_key" required:"true" maxLength:"255" doc:"A course or legacy library."`
	Target string `query:"target_key" required:"true" maxLength:"255" doc:"The library."`
	Level  string `query:"composition_level" enum:"component,unit,subsection,section,"`
	Repeat string `query:"repeat_handling_strategy" enum:"skip,fork,update," doc:"Then only what would be made or changed is counted."`
}

type previewAnswer struct{ Body migrationPreviewView }

func (a *API) preview(ctx context.Context, in *previewQuery) (*previewAnswer, error) {
	if !isSource(in.Source) {
		return nil, wrong("source_key", in.Source+" is neither a course nor a legacy library.")
	}
	if !isLibrary(in.Target) {
		return nil, wrong("target_key", in.Target+" is not the key of a library.")
	}
	p, err := a.as(ctx).LibraryPreview(ctx, in.Source, in.Target, in.Level, in.Repeat)
	if err != nil {
		return nil, err
	}
	return &previewAnswer{previewOf(p)}, nil
}

type coursesQuery struct {
	Library string `path:"library" maxLength:"255"`
}

type coursesAnswer struct{ Body []importedView }

func (a *API) courses(ctx context.Context, in *coursesQuery) (*coursesAnswer, error) {
	if !isLibrary(in.Library) {
		return nil, api.Problemf(http.StatusNotFound, "%s is not the key of a library.", in.Library)
	}
	list, err := a.as(ctx).LibraryCourses(ctx, in.Library)
	if err != nil {
		return nil, err
	}
	out := make([]importedView, len(list))
	for i, c := range list {
		out[i] = courseOf(c)
	}
	return &coursesAnswer{out}, nil
}
