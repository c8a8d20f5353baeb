// Package expected reads what the real stores of Open edX answered about the golden databases, and compares a branch with it.
// It is for tests of the readers.
package expected

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/internal/golden"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/olx/fields"
	"github.com/openlectern/lectern/olx/pyjson"
)

// Database is everything the store said.
type Database struct {
	Courses, Libraries []Course
}

// Course is a course or library.
type Course struct {
	CourseKey     string `json:"course_key"` // of a library too
	Branches      map[string]Branch
	Files         []File
	AssetMetadata []map[string]any `json:"asset_metadata"`
}

// File is one of the content store.
type File struct {
	AssetKey    string          `json:"asset_key"`
	ChunkSize   int64           `json:"chunkSize"`
	ContentType *string         `json:"contentType"`
	DisplayName *string         `json:"displayname"`
	ImportPath  *string         `json:"import_path"`
	Length      int64           `json:"length"`
	Locked      bool            `json:"locked"`
	MD5         *string         `json:"md5"`
	Thumbnail   json.RawMessage `json:"thumbnail_location"`
	UploadDate  time.Time       `json:"uploadDate"`
}

// Branch is one state of a course.
type Branch struct {
	Root      string
	Structure string
	Blocks    []Block
	Preorder  [][2]any
	Orphans   []string
}

// Block is a block of a branch.
type Block struct {
	UsageKey  string `json:"usage_key"`
	Type, ID  string
	Children  []string
	Parent    *string
	Fields    map[string]map[string]json.RawMessage
	Effective map[string]json.RawMessage `json:"effective_inheritable_non_default"`
	Asides    []json.RawMessage

	EditedBy        *int64          `json:"edited_by"`
	EditedOn        *time.Time      `json:"edited_on"`
	SubtreeEditedBy json.RawMessage `json:"subtree_edited_by"`
	SubtreeEditedOn json.RawMessage `json:"subtree_edited_on"`
	PublishedBy     *int64          `json:"published_by"`
	PublishedOn     *time.Time      `json:"published_on"`
	HasPublished    bool            `json:"has_published_version"`
	HasChanges      bool            `json:"has_changes"`

	Definition           *string
	UpdateVersion        *string `json:"update_version"`
	PreviousVersion      *string `json:"previous_version"`
	OriginalUsage        *string `json:"original_usage"`
	OriginalUsageVersion *string `json:"original_usage_version"`
}

// Read reads what was said of a set of golden/modulestore.
func Read(tb testing.TB, set string) *Database {
	tb.Helper()
	var d Database
	if err := json.Unmarshal(golden.ReadGz(tb, "modulestore/"+set+"/expected.json.gz"), &d); err != nil {
		tb.Fatal(err)
	}
	if len(d.Courses)+len(d.Libraries) == 0 {
		tb.Fatalf("%s: no courses", set)
	}
	return &d
}

// Sets returns the names of the golden sets that have a file, by its path inside a set.
func Sets(tb testing.TB, file string) (sets []string) {
	tb.Helper()
	depth := strings.Count(file, "/") + 1
	paths := golden.Glob(tb, "modulestore/*/"+file)
	for _, path := range paths {
		for range depth {
			path = filepath.Dir(path)
		}
		sets = append(sets, filepath.Base(path))
	}
	return sets
}

// Has reports whether a golden set has a file.
func Has(tb testing.TB, set, file string) bool {
	tb.Helper()
	_, err := os.Stat(filepath.Join(golden.Path(tb, "modulestore/"+set), file))
	return err == nil
}

// Rules are what a reader may do otherwise than the store it reads.
type Rules struct {
	// Key writes a block as the store does.
	Key func(courseware.BlockID) string
	// Orphans are those of the branch as the reader knows them.
	Orphans []courseware.BlockID
	// Elsewhere, if not nil, says of which blocks the store takes inherited values from the wrong place (OM-30).
	Elsewhere func(courseware.BlockID) bool
}

// Compare reports everything in which a branch differs from what the store said.
func (w Branch) Compare(t *testing.T, b *modulestore.Branch, r Rules) {
	t.Helper()
	if got := r.Key(b.Root); got != w.Root {
		t.Errorf("the root is %s, want %s", got, w.Root)
	}
	if b.Version.String() != w.Structure {
		t.Errorf("the structure is %s, want %s", b.Version, w.Structure)
	}
	var ids, wantIDs []string
	for block := range b.Blocks() {
		ids = append(ids, r.Key(block.ID))
	}
	for _, block := range w.Blocks {
		wantIDs = append(wantIDs, block.UsageKey)
	}
	sortedEqual(t, "blocks", wantIDs, ids)
	if b.Len() != len(w.Blocks) {
		t.Errorf("%d blocks, want %d", b.Len(), len(w.Blocks))
	}
	reached := map[string]*modulestore.Block{}
	var order, wantOrder []string
	for block, depth := range b.Walk() {
		reached[r.Key(block.ID)] = block
		order = append(order, fmt.Sprint(depth, " ", r.Key(block.ID)))
	}
	for _, pair := range w.Preorder {
		// The store names children that are not in the view too (OM-20).
		if slices.Contains(ids, pair[1].(string)) {
			wantOrder = append(wantOrder, fmt.Sprint(pair[0], " ", pair[1]))
		}
	}
	if diff := cmp.Diff(wantOrder, order); diff != "" {
		t.Errorf("preorder (-want +got)\n%s", diff)
	}
	var orphans []string
	for _, id := range r.Orphans {
		orphans = append(orphans, r.Key(id))
	}
	sortedEqual(t, "orphans", w.Orphans, orphans)
	for _, want := range w.Blocks {
		block := b.Block(courseware.BlockID{Type: want.Type, Name: want.ID})
		if block == nil {
			continue
		}
		want.compare(t, b, block, r)
		id, ok := b.Parent(block.ID)
		parent := ""
		if want.Parent != nil {
			parent = *want.Parent
		}
		// The store takes parents that are orphans themselves, or list the block in the other view; by L-7 they are none.
		mine := reached[parent] != nil && slices.Contains(reached[parent].Children, block.ID)
		if ok && r.Key(id) != parent || !ok && mine {
			t.Errorf("%s: the parent is %v, want %s", want.UsageKey, id, parent)
		}
	}
}

func sortedEqual(t *testing.T, what string, want, got []string) {
	t.Helper()
	if diff := cmp.Diff(slices.Sorted(slices.Values(want)), slices.Sorted(slices.Values(got))); diff != "" {
		t.Errorf("%s (-want +got)\n%s", what, diff)
	}
}

func (w Block) compare(t *testing.T, b *modulestore.Branch, block *modulestore.Block, r Rules) {
	t.Helper()
	children := []string{}
	for _, id := range block.Children {
		children = append(children, r.Key(id))
	}
	if diff := cmp.Diff(w.Children, children); diff != "" {
		t.Errorf("%s: children (-want +got)\n%s", w.UsageKey, diff)
	}
	w.compareFields(t, "content", block.Content)
	w.compareFields(t, "settings", block.Settings)
	if !SamePerson(block.Edit.By, w.EditedBy) || !SameMoment(block.Edit.On, w.EditedOn) {
		t.Errorf("%s: edited at %v by %v, want %v", w.UsageKey, block.Edit.On, block.Edit.By, w.EditedOn)
	}
	for _, name := range inheritable {
		want, set := w.Effective[name]
		f, _ := fields.Inherited(name)
		if spec := fields.Lookup(w.Type); spec != nil {
			f, _ = spec.Field(name)
		}
		if !set {
			want = json.RawMessage(f.Default)
		}
		got := b.Setting(block.ID, name)
		if !sameValue(f.Type, got, courseware.Value(want)) && (r.Elsewhere == nil || !r.Elsewhere(block.ID)) {
			t.Errorf("%s: %s counts with %s, want %s", w.UsageKey, name, got, want)
		}
	}
}

// inheritable are the fields that blocks take from above, by what the store may say of them (modulestore.md §4.7).
var inheritable = strings.Fields(`graded start due relative_weeks_due visible_to_staff_only course_edit_method giturl xqa_key graceperiod
	group_access showanswer show_correctness rerandomize days_early_for_beta static_asset_path use_latex_compiler max_attempts
	matlab_api_key user_partitions video_speed_optimizations video_auto_advance video_bumper show_reset_button edxnotes
	in_entrance_exam self_paced`)

// compareFields compares values as package fields understands them.
func (w Block) compareFields(t *testing.T, scope string, got courseware.Fields) {
	t.Helper()
	spec := fields.Lookup(w.Type)
	for name, raw := range w.Fields[scope] {
		kind := fields.String
		if spec != nil {
			f, _ := spec.Field(name)
			kind = f.Type
		}
		if v, ok := got.Lookup(name); !ok || !sameValue(kind, v, courseware.Value(raw)) {
			t.Errorf("%s: %s %s is %q, want %s", w.UsageKey, scope, name, v, raw)
		}
	}
	for _, f := range got {
		if _, ok := w.Fields[scope][f.Name]; !ok {
			t.Errorf("%s: %s has %s as %s, which the store has not", w.UsageKey, scope, f.Name, f.Value)
		}
	}
}

func sameValue(kind fields.Type, a, b courseware.Value) bool {
	plain := func(v courseware.Value) string {
		if kind == fields.Date || kind == fields.Timedelta || kind == fields.RelativeTime {
			v = fields.Normal(kind, v)
		}
		p, _, err := pyjson.Parse(string(v))
		if err != nil {
			return string(v)
		}
		return p.Sorted().Plain()
	}
	return plain(a) == plain(b)
}

// SamePerson reports whether two ids of people are the same, or both none.
func SamePerson(a, b *int64) bool { return a == nil && b == nil || a != nil && b != nil && *a == *b }

// SameMoment reports whether two moments are the same, or both none.
func SameMoment(a time.Time, b *time.Time) bool {
	return b == nil && a.IsZero() || b != nil && a.Equal(*b)
}
