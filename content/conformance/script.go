package conformance

import (
	"encoding/json"
	"fmt"
)

// scenario is a line of golden/publishing.jsonl; golden/README.md says what the fields mean.
type scenario struct {
	Name    string
	Steps   []step
	Results []result
	Final   final
}

type step struct {
	Op           string
	Name         string
	Ref          string
	Pkg          string
	Entity       string
	Of           string
	Type         string
	Kind         string
	Code         string
	Action       string
	By           string
	Message      string
	Title        *string
	Num          int
	Version      *int
	Dependencies *bool
	Children     *[]child
	Media        map[string]*string
	Deps         []string
	Entities     []string
	Steps        []step
}

// child is a ref, or an object with a pin.
type child struct {
	Entity string
	Pin    int
}

func (c *child) UnmarshalJSON(b []byte) error {
	if b[0] == '"' {
		return json.Unmarshal(b, &c.Entity)
	}
	type plain child
	return json.Unmarshal(b, (*plain)(c))
}

type result struct {
	Error       *failure
	DraftLogs   []log   `json:"draft_logs"`
	PublishLogs []log   `json:"publish_logs"`
	Events      []event `json:"events"`
}

type failure struct {
	Kind string
	Text json.RawMessage
}

type log struct {
	Log     int64
	Pkg     string
	By      *string
	At      int
	Message string
	Records []record
	Some    [][2]string `json:"side_effects"`
	Full    [][2]string `json:"side_effects_full"` // where the reference left some out
}

type record struct {
	Entity   string
	Old, New *int
	Digest   string
	Direct   *bool
}

type event struct {
	Type    string
	Title   string
	Pkg     string
	By      *string
	At      int
	Log     int64
	Changes []change
}

type change struct {
	Entity   string
	Old, New *int
	Direct   *bool
	Restored bool
}

type final struct {
	Entities    []entity
	Unpublished map[string][]string
	WithDeleted map[string][]string `json:"unpublished_with_deleted"`
	Deletes     map[string][]string `json:"unpublished_deletes"`
	History     map[string]history
}

type entity struct {
	Entity          string
	Pkg             string
	Type            string
	Draft           branch
	Published       branch
	DraftDigest     *string `json:"draft_digest"`
	PublishedDigest *string `json:"published_digest"`
	DraftLog        int64   `json:"draft_log"`
	PublishedLog    int64   `json:"published_log"`
	Versions        []version
	Rows            map[string][]row
	// Counts and flags; an error of the reference is a string here.
	CountDraft     any `json:"count_draft"`
	CountPublished any `json:"count_published"`
	Contains       any `json:"contains_unpublished"`
	ChildrenDraft  any `json:"children_draft"`
	ChildrenPub    any `json:"children_published"`
}

type version struct {
	Num   int
	ID    int64
	Title string
	Deps  []string
}

// row is a child of a container version: ref and pinned number.
type row struct {
	Ref string
	Pin *int
}

func (r *row) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, &[]any{&r.Ref, &r.Pin}) }

// branch is "absent", null or a number.
type branch struct {
	absent bool
	num    int
}

func (b *branch) UnmarshalJSON(j []byte) error {
	if b.absent = string(j) == `"absent"`; b.absent {
		return nil
	}
	return json.Unmarshal(j, &b.num) // null leaves 0
}

type history struct {
	Draft   []draftEntry
	Publish []publishEntry
}

// draftEntry is old number, new number, log.
type draftEntry struct {
	Old, New *int
	Log      int64
}

func (d *draftEntry) UnmarshalJSON(b []byte) error {
	return json.Unmarshal(b, &[]any{&d.Old, &d.New, &d.Log})
}

type publishEntry struct {
	Log          int64
	Old, New     *int
	Direct       *bool
	Entries      []int64
	Contributors []string
}

// parse reads a line of publishing.jsonl.
func parse(line []byte) (s scenario, err error) {
	if err = json.Unmarshal(line, &s); err == nil && len(s.Results) != len(s.Steps) {
		err = fmt.Errorf("%d results for %d steps", len(s.Results), len(s.Steps))
	}
	return s, err
}
