package migratorapi

import (
	"cmp"
	"context"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/openlectern/lectern/api"
	"github.com/openlectern/lectern/app"
)

// MigrationTask is a task as it is told (libraries-api.md §10.2).
type MigrationTask struct {
	UUID       string                `json:"uuid"`
	State      string                `json:"state" doc:"Pending, the text of a step, Succeeded, Failed, Canceled or Retrying."`
	StateText  string                `json:"state_text"`
	Completed  int                   `json:"completed_steps"`
	Total      int                   `json:"total_steps"`
	Attempts   int                   `json:"attempts"`
	Created    string                `json:"created"`
	Modified   string                `json:"modified"`
	Artifacts  []string              `json:"artifacts" doc:"Addresses of what it left."`
	Parameters []migrationSourceView `json:"parameters" doc:"The sources, in the order of the request."`
}

// startedView is the answer to who starts a task.
type startedView struct {
	MigrationTask
	Target      string     `json:"target"`
	Collection  **string   `json:"target_collection_slug,omitempty"`
	Collections *[]*string `json:"target_collection_slug_list,omitempty"`
}

type migrationSourceView struct {
	Source     string      `json:"source"`
	Level      string      `json:"composition_level"`
	Repeat     string      `json:"repeat_handling_strategy"`
	KeepURLs   bool        `json:"preserve_url_slugs"`
	Collection *collection `json:"target_collection"`
	Forwarded  bool        `json:"forward_source_to_target" doc:"Whether old references to the source lead here."`
	Failed     bool        `json:"is_failed"`
}

type migratedCollection struct {
	Key   string `json:"key"`
	Title string `json:"title"`
}

// collection is one that a source has joined.
type collection migratedCollection

// Schema implements [huma.SchemaProvider]: null where there is none, which a pointer to a struct does not say.
func (collection) Schema(r huma.Registry) *huma.Schema {
	return &huma.Schema{OneOf: []*huma.Schema{r.Schema(reflect.TypeFor[migratedCollection](), true, ""), {Type: "null"}}}
}

func collectionOf(m app.LibraryImport) *collection {
	if m.Collection == "" {
		return nil
	}
	return &collection{m.Collection, m.CollectionTitle}
}

type migrationPageView struct {
	Count    int             `json:"count"`
	Next     *string         `json:"next"`
	Previous *string         `json:"previous"`
	Pages    int             `json:"num_pages"`
	Page     int             `json:"current_page"`
	Start    int             `json:"start"`
	Results  []MigrationTask `json:"results"`
}

type migratedToView struct {
	Source          string  `json:"source_key"`
	Target          string  `json:"target_key"`
	TargetTitle     string  `json:"target_title"`
	Collection      *string `json:"target_collection_key"`
	CollectionTitle *string `json:"target_collection_title"`
}

type migratedBlockView struct {
	Source string  `json:"source_key"`
	Target *string `json:"target_key" doc:"null: the block did not make it."`
	Reason *string `json:"unsupported_reason"`
}

type migrationPreviewView struct {
	State       string  `json:"state" enum:"success,partial,block_limit_reached"`
	Unsupported int     `json:"unsupported_blocks"`
	Percentage  float64 `json:"unsupported_percentage"`
	Limit       int     `json:"blocks_limit"`
	Total       int     `json:"total_blocks"`
	Components  int     `json:"total_components"`
	Sections    int     `json:"sections"`
	Subsections int     `json:"subsections"`
	Units       int     `json:"units"`
}

type importedView struct {
	Task       string       `json:"task_uuid"`
	Source     importedName `json:"source"`
	Collection *collection  `json:"target_collection"`
	State      string       `json:"state" enum:"Succeeded,Failed,In Progress"`
	Progress   float64      `json:"progress" minimum:"0" maximum:"1"`
}

type importedName struct {
	Key  string `json:"key"`
	Name string `json:"display_name"`
}

type migrationArtifactView struct {
	UUID string `json:"uuid"`
	Name string `json:"name"`
	Text string `json:"text"`
}

// stamp writes a time with a fraction only where there is one (libraries-api.md §1.5).
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.999999Z") }

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func taskOf(ctx context.Context, t *app.LibraryTask) MigrationTask {
	v := MigrationTask{UUID: t.UUID.String(), State: t.State, StateText: t.State, Completed: t.Completed, Total: t.Total, Attempts: t.Attempts,
		Created: stamp(t.Created), Modified: stamp(t.Modified), Artifacts: make([]string, len(t.Artifacts)), Parameters: make([]migrationSourceView, len(t.Sources))}
	for i, a := range t.Artifacts {
		v.Artifacts[i] = api.Absolute(ctx, ArtifactPath+"/"+a.UUID.String())
	}
	for i, m := range t.Sources {
		v.Parameters[i] = migrationSourceView{Source: m.Source, Level: m.Level, Repeat: m.Repeat, KeepURLs: m.KeepSlugs, Collection: collectionOf(m),
			Forwarded: m.Forwarded, Failed: m.Failed}
	}
	return v
}

// previewOf tells a preview (Y2, Y3).
func previewOf(p app.LibraryPreview) migrationPreviewView {
	v := migrationPreviewView{State: "success", Unsupported: p.Unsupported, Limit: p.Limit, Total: p.Total, Components: p.Components,
		Sections: p.Sections, Subsections: p.Subsections, Units: p.Units}
	if p.Total > 0 {
		v.Percentage = float64(p.Unsupported) / float64(p.Total) * 100
	}
	switch {
	case p.Over:
		v.State = "block_limit_reached"
	case p.Unsupported > 0:
		v.State = "partial"
	}
	return v
}

// courseOf tells of a course in the list of imports (Y7).
func courseOf(c app.LibraryCourse) importedView {
	v := importedView{Task: c.Task, Source: importedName{c.Source, c.Title}, Collection: collectionOf(c.LibraryImport), State: cmp.Or(c.Ended, "In Progress")}
	if c.Total > 0 {
		v.Progress = min(1, float64(c.Completed)/float64(c.Total))
	}
	return v
}
