package cli_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openlectern/lectern/sample"
)

// taskDoc is a task as the API tells it (libraries-api.md §10.2), or an error.
type taskDoc struct {
	UUID           string
	State          string
	CompletedSteps int `json:"completed_steps"`
	TotalSteps     int `json:"total_steps"`
	Attempts       int
	Artifacts      []string
	Parameters     []struct {
		Source           string
		CompositionLevel string             `json:"composition_level"`
		Repeat           string             `json:"repeat_handling_strategy"`
		Collection       *map[string]string `json:"target_collection"`
		Forward          bool               `json:"forward_source_to_target"`
		Failed           bool               `json:"is_failed"`
	}
	Target string
	Slug   *string   `json:"target_collection_slug"`
	Slugs  []*string `json:"target_collection_slug_list"`
	Detail string
}

const migrations = "/api/modulestore_migrator/v1/"

// settled waits until a task has ended.
func (c *caller) settled(id string) (d taskDoc) {
	c.t.Helper()
	for range 1200 {
		d = taskDoc{}
		if status := c.send(http.MethodGet, migrations+"migrations/"+id+"/", "", nil, &d); status != http.StatusOK {
			c.t.Fatalf("task %s: %d %s", id, status, d.Detail)
		}
		if slices.Contains([]string{"Succeeded", "Failed", "Canceled"}, d.State) {
			return d
		}
		time.Sleep(50 * time.Millisecond)
	}
	c.t.Fatalf("task %s is still at %q; standard error: %s", id, d.State, c.errs)
	return d
}

// TestServeMigrations brings a course into a library over HTTP, as the stock clients do (libraries-api.md §10), with its rights and bad input.
func TestServeMigrations(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := &pair{T: t, db: filepath.Join(dir, "store.db"), data: filepath.Join(dir, "data")}
	src := filepath.Join(dir, "src")
	if err := os.CopyFS(src, sample.Course()); err != nil {
		t.Fatal(err)
	}
	const shelf = "lib:Acme:Shelf"
	p.command(nil, "course", "import", src)
	p.command(nil, "library", "create", shelf, "--title", "The Shelf")
	callers := map[string]*caller{}
	for _, name := range []string{"chris", "root", "jo"} {
		args := []string{"user", "add", name, "--email", name + "@example.org"}
		if name != "jo" {
			args = append(args, "--superuser")
		}
		p.command(nil, args...)
		callers[name] = &caller{token: p.newToken(name)}
	}
	s := serve(t, "--db", p.db, "--data", p.data)
	s.eventually("/readyz", 200)
	for _, c := range callers {
		c.serving = s
	}
	c, root, jo := callers["chris"], callers["root"], callers["jo"]
	post := func(c *caller, path, body string, into any) int {
		t.Helper()
		return c.send(http.MethodPost, migrations+path, "application/json", strings.NewReader(body), into)
	}

	// Before anything: a preview, and lists without anything.
	var preview map[string]any
	both := url.Values{"source_key": {sample.CourseKey}, "target_key": {shelf}}.Encode()
	if status := c.send(http.MethodGet, migrations+"migration_preview/?"+both, "", nil, &preview); status != http.StatusOK || preview["state"] != "success" ||
		preview["blocks_limit"] != 1000.0 || preview["sections"] == 0.0 || preview["total_components"] == 0.0 {
		t.Fatalf("%d %v", status, preview)
	}
	if total := preview["total_components"].(float64) + preview["sections"].(float64) + preview["subsections"].(float64) + preview["units"].(float64); total != preview["total_blocks"] {
		t.Errorf("%v: the parts are %v together", preview, total)
	}
	var page struct {
		Count    int
		Next     *string
		Previous *string
		NumPages int `json:"num_pages"`
		Current  int `json:"current_page"`
		Start    int
		Results  []taskDoc
	}
	if status := c.send(http.MethodGet, migrations+"migrations/", "", nil, &page); status != http.StatusOK || page.Count != 0 || page.NumPages != 1 || page.Results == nil {
		t.Errorf("%d %+v", status, page)
	}

	// What the clients send: more than the document has, and nulls.
	var d taskDoc
	status := post(c, "migrations/", `{"source": "`+sample.CourseKey+`", "target": "`+shelf+`", "composition_level": "section", "create_collection": true,
		"target_collection_slug": null, "forward_source_to_target": null, "further": 1}`, &d)
	if status != http.StatusCreated || d.Target != shelf || d.TotalSteps != 11 || len(d.Parameters) != 1 || d.Parameters[0].Source != sample.CourseKey {
		t.Fatalf("%d %+v", status, d)
	}
	d = c.settled(d.UUID)
	if d.State != "Succeeded" || d.CompletedSteps != 11 || d.Attempts != 1 || d.Parameters[0].Failed || !d.Parameters[0].Forward || d.Parameters[0].Collection == nil || len(d.Artifacts) != 0 {
		t.Fatalf("%+v", d)
	}
	first, slug := d.UUID, (*d.Parameters[0].Collection)["key"]

	var info map[string][]map[string]any
	asked := url.Values{"source_keys": {sample.CourseKey, "nonsense", "course-v1:Acme+Gone+1", "A/B/C"}}.Encode()
	if status := c.send(http.MethodGet, migrations+"migration_info/?"+asked, "", nil, &info); status != http.StatusOK || len(info) != 1 || len(info[sample.CourseKey]) != 1 {
		t.Fatalf("%d %v", status, info)
	}
	if i := info[sample.CourseKey][0]; i["target_key"] != shelf || i["target_title"] != "The Shelf" || i["target_collection_key"] != slug || i["source_key"] != sample.CourseKey {
		t.Errorf("%v", i)
	}
	var blocks []map[string]any
	if status := c.send(http.MethodGet, migrations+"migration_blocks/?target_key="+url.QueryEscape(shelf), "", nil, &blocks); status != http.StatusOK || float64(len(blocks)) != preview["total_blocks"] {
		t.Errorf("%d, %d blocks, want %v", status, len(blocks), preview["total_blocks"])
	}
	for _, b := range blocks {
		target, _ := b["target_key"].(string)
		if !strings.HasPrefix(target, "lb:Acme:Shelf:") && !strings.HasPrefix(target, "lct:Acme:Shelf:") {
			t.Errorf("%v", b)
		}
	}
	count := func(query string) int {
		t.Helper()
		var list []map[string]any
		if status := c.send(http.MethodGet, migrations+"migration_blocks/?target_key="+url.QueryEscape(shelf)+query, "", nil, &list); status != http.StatusOK {
			t.Errorf("%s: %d", query, status)
		}
		return len(list)
	}
	for query, want := range map[string]int{
		"&is_failed=true": 0, "&is_failed=false": len(blocks), "&task_uuid=" + first: len(blocks), "&task_uuid=0198c0de-0000-7000-8000-000000000000": 0,
		"&source_key=" + url.QueryEscape(sample.CourseKey): len(blocks), "&target_collection_key=" + slug: len(blocks), "&target_collection_key=other": 0,
	} {
		if got := count(query); got != want {
			t.Errorf("%s: %d blocks, want %d", query, got, want)
		}
	}
	var courses []struct {
		Task       string `json:"task_uuid"`
		Source     map[string]string
		Collection map[string]string `json:"target_collection"`
		State      string
		Progress   float64
	}
	if status := c.send(http.MethodGet, migrations+"library/"+shelf+"/migrations/courses/", "", nil, &courses); status != http.StatusOK || len(courses) != 1 || courses[0].State != "Succeeded" ||
		courses[0].Progress != 1 || courses[0].Task != first || courses[0].Collection["key"] != slug || courses[0].Source["display_name"] == sample.CourseKey {
		t.Errorf("%d %+v", status, courses)
	}
	// Y4: the same once more would make nothing.
	if status := c.send(http.MethodGet, migrations+"migration_preview/?repeat_handling_strategy=skip&"+both, "", nil, &preview); status != http.StatusOK || preview["total_blocks"] != 0.0 {
		t.Errorf("%d %v", status, preview)
	}

	// Several as one task, one of which is not there: that fails all (V5), with the reason.
	var bulk taskDoc
	if status := post(c, "bulk_migration/", `{"sources": ["`+sample.CourseKey+`", "course-v1:Acme+Gone+1"], "target": "`+shelf+`",
		"repeat_handling_strategy": "fork", "target_collection_slug_list": ["`+slug+`", null]}`, &bulk); status != http.StatusCreated || bulk.TotalSteps != 17 || len(bulk.Slugs) != 2 {
		t.Fatalf("%d %+v", status, bulk)
	}
	bulk = c.settled(bulk.UUID)
	if bulk.State != "Failed" || !bulk.Parameters[0].Failed || !bulk.Parameters[1].Failed || len(bulk.Artifacts) != 1 || bulk.Parameters[0].Repeat != "fork" || bulk.Parameters[1].Source != "course-v1:Acme+Gone+1" {
		t.Fatalf("%+v", bulk)
	}
	var artifact map[string]string
	path := bulk.Artifacts[0][strings.Index(bulk.Artifacts[0], "/api/"):]
	if status := c.send(http.MethodGet, path, "", nil, &artifact); status != http.StatusOK || artifact["name"] != "Error" || !strings.Contains(artifact["text"], "Gone") {
		t.Errorf("%d %v", status, artifact)
	}
	if status := c.send(http.MethodGet, migrations+"migrations/?page_size=1&page=2", "", nil, &page); status != http.StatusOK || page.Count != 2 || page.NumPages != 2 || page.Current != 2 || page.Start != 1 ||
		page.Next != nil || page.Previous == nil || len(page.Results) != 1 || page.Results[0].UUID != first {
		t.Errorf("%d %+v", status, page)
	}

	// Others' tasks are not there; who may not is told so, and nothing is begun.
	var e map[string]any
	for _, c := range []struct {
		who          *caller
		method, path string
		body         string
		status       int
		says         string
	}{
		{root, http.MethodGet, migrations + "migrations/" + first + "/", "", http.StatusNotFound, "task"},
		{root, http.MethodGet, path, "", http.StatusNotFound, ""},
		{jo, http.MethodPost, migrations + "migrations/" + first + "/cancel/", "", http.StatusForbidden, "staff"},
		{jo, http.MethodPost, migrations + "migrations/", `{"source": "` + sample.CourseKey + `", "target": "` + shelf + `"}`, http.StatusForbidden, "permission"},
		{jo, http.MethodGet, migrations + "migration_preview/?" + both, "", http.StatusForbidden, "permission"},
		{jo, http.MethodGet, migrations + "migration_blocks/?target_key=" + shelf, "", http.StatusForbidden, "permission"},
		{jo, http.MethodGet, migrations + "library/" + shelf + "/migrations/courses/", "", http.StatusForbidden, "permission"},
		{c, http.MethodDelete, migrations + "migrations/" + first + "/", "", http.StatusMethodNotAllowed, ""},
		{c, http.MethodPut, migrations + "migrations/" + first + "/", "{}", http.StatusMethodNotAllowed, ""},
		{c, http.MethodPatch, migrations + "migrations/" + first + "/", "{}", http.StatusMethodNotAllowed, ""},
		{c, http.MethodGet, migrations + "migrations/nonsense/", "", http.StatusNotFound, ""},
		{c, http.MethodGet, migrations + "migrations/?page=7", "", http.StatusNotFound, "page"},
		{c, http.MethodGet, migrations + "migration_info/", "", http.StatusBadRequest, "detail"},
		{c, http.MethodGet, migrations + "migration_blocks/", "", http.StatusBadRequest, `"error":`},
		{c, http.MethodGet, migrations + "migration_blocks/?target_key=lib:No:Such", "", http.StatusNotFound, "lib:No:Such"},
		{c, http.MethodGet, migrations + "migration_blocks/?task_uuid=1&target_key=" + shelf, "", http.StatusBadRequest, "task_uuid"},
		{c, http.MethodGet, migrations + "migration_preview/?source_key=A&target_key=" + shelf, "", http.StatusBadRequest, "source_key"},
		{c, http.MethodGet, migrations + "library/nonsense/migrations/courses/", "", http.StatusNotFound, "nonsense"},
		{c, http.MethodPost, migrations + "migrations/", `{"source": "` + sample.CourseKey + `", "target": "library-v1:A+B"}`, http.StatusBadRequest, "target"},
		{c, http.MethodPost, migrations + "migrations/", `{"source": "` + shelf + `", "target": "` + shelf + `"}`, http.StatusBadRequest, "source"},
		{c, http.MethodPost, migrations + "migrations/", `{"source": "` + sample.CourseKey + `", "target": "` + shelf + `", "composition_level": "course"}`, http.StatusBadRequest, "composition_level"},
		{c, http.MethodPost, migrations + "migrations/", `{"source": "` + sample.CourseKey + `", "target": "` + shelf + `", "repeat_handling_strategy": "x"}`, http.StatusBadRequest, "repeat_handling_strategy"},
		{c, http.MethodPost, migrations + "migrations/", `{"source": "` + sample.CourseKey + `", "target": "` + shelf + `", "target_collection_slug": "none"}`, http.StatusBadRequest, "collection"},
		{c, http.MethodPost, migrations + "bulk_migration/", `{"sources": ["` + sample.CourseKey + `", "` + sample.CourseKey + `"], "target": "` + shelf + `"}`, http.StatusBadRequest, "twice"},
		{c, http.MethodPost, migrations + "bulk_migration/", `{"sources": ["` + sample.CourseKey + `"], "target": "` + shelf + `", "target_collection_slug_list": []}`, http.StatusBadRequest, "target_collection_slug_list"},
		{c, http.MethodPost, migrations + "bulk_migration/", `{"sources": [], "target": "` + shelf + `"}`, http.StatusBadRequest, "sources"},
		{c, http.MethodPost, migrations + "migrations/", `{"target": "` + shelf + `"}`, http.StatusBadRequest, "source"},
	} {
		var text []byte
		got := c.who.send(c.method, c.path, "application/json", strings.NewReader(c.body), &text)
		if got != c.status || !strings.Contains(string(text), c.says) || json.Unmarshal(text, &e) != nil {
			t.Errorf("%s %s %s: %d %s, want %d with %q", c.method, c.path, c.body, got, text, c.status, c.says)
		}
	}
	if status := c.send(http.MethodGet, migrations+"migrations/?page=last", "", nil, &page); status != http.StatusOK || page.Count != 2 {
		t.Errorf("something was begun: %d %+v", status, page)
	}
	// A task that has ended stays as it is (T3).
	if status := root.send(http.MethodPost, migrations+"migrations/"+first+"/cancel/", "", nil, &d); status != http.StatusOK || d.State != "Succeeded" {
		t.Errorf("%d %+v", status, d)
	}
}
