package oldcourse

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// Overview is what the platform said of a course with an old key, as it said it last, and what was found of the course in the
// old store itself. Texts are "" and pointers nil where it said nothing.
type Overview struct {
	Key                            string
	Org, Title                     string
	Location                       string // of the root block, with the course's run where that was missing from it
	Version                        *int64 // of the platform's table when the row was written
	Start, End                     *time.Time
	EnrollmentStart, EnrollmentEnd *time.Time
	Made, Modified                 *time.Time
	SelfPaced, StaffOnly, Invited  *bool
	Visibility, Language           string
	PassingGrade                   string // a number
	ImageURL, ShortDescription     string
	Effort                         string
	Data                           json.RawMessage // every column that the platform had, and "tabs"; null where it had no row
	Problem                        string          // what of it cannot be read, "" for nothing
	Filled                         *time.Time      // when that was taken over
	ScanBytes                      *int64          // of its documents in the old store
	ScanEdit, Scanned              *time.Time      // its last edit there, and when it was looked at
	ScanContent                    json.RawMessage // an object with what of [Unavailable] was found there; null where nobody has looked
}

// Unavailable are what the platform took from the content itself whenever it was asked for, and no table has (DEP-22). A scan
// of the old store keeps them.
var Unavailable = []string{"textbooks", "pdf_textbooks", "html_textbooks", "allow_public_wiki_access", "edxnotes", "hide_progress_tab"}

// Lazy returns which of [Unavailable] an overview has neither from the platform nor from a scan.
func (o Overview) Lazy() []string {
	has := map[string]json.RawMessage{}
	for _, object := range []json.RawMessage{o.Data, o.ScanContent} {
		_ = json.Unmarshal(object, &has) // what cannot be read has none of them
	}
	return slices.DeleteFunc(slices.Clone(Unavailable), func(name string) bool { _, there := has[name]; return there })
}

// ours reports whether a row of the platform's is about an old course: its key has the old form, or no form at all, so that it
// is broken and has no better place.
func ours(id string) bool {
	if k, ok := ParseKey(id); ok {
		return !k.Course.IsZero()
	}
	return !strings.Contains(id, ":")
}

// overviewOf makes an overview of a row. What cannot be read is told of in Problem, and the rest is there.
func overviewOf(columns []string, values []any, tabs []string) (Overview, error) {
	data := map[string]any{}
	var problems []string
	for i, name := range columns {
		v, err := known[name].typed(values[i])
		if err != nil {
			problems = append(problems, fmt.Sprintf("%s: %v", name, err))
		}
		data[name] = v
	}
	if tabs != nil {
		data["tabs"] = tabs
	}
	text := func(name string) string { s, _ := data[name].(string); return s }
	o := Overview{Key: text("id"), Org: text("org"), Title: text("display_name"), Location: text("_location"), Visibility: text("catalog_visibility"),
		Language: text("language"), ImageURL: text("course_image_url"), ShortDescription: text("short_description"), Effort: text("effort")}
	if err := db.CheckIdentifier(o.Key, 255); err != nil {
		return o, err
	}
	if o.Key == "" {
		return o, fault.Errorf(fault.Invalid, "id", "it is empty")
	}
	number := func(name string) string { n, _ := data[name].(json.Number); return n.String() }
	o.PassingGrade = number("lowest_passing_grade")
	if n, err := strconv.ParseInt(number("version"), 10, 64); err == nil {
		o.Version = &n
	}
	when := func(names ...string) *time.Time {
		for _, name := range names {
			if known[name] != moments {
				continue
			}
			if t, err := time.Parse(moment, text(name)); err == nil {
				return &t
			}
		}
		return nil
	}
	o.Start, o.End = when("start_date", "start"), when("end_date", "end")
	o.EnrollmentStart, o.EnrollmentEnd, o.Made, o.Modified = when("enrollment_start"), when("enrollment_end"), when("created"), when("modified")
	truth := func(name string) *bool {
		if b, ok := data[name].(bool); ok {
			return &b
		}
		return nil
	}
	o.SelfPaced, o.StaffOnly, o.Invited = truth("self_paced"), truth("visible_to_staff_only"), truth("invitation_only")
	if k, ok := ParseKey(o.Key); !ok {
		problems = append(problems, "id: it is not the key of a course")
	} else {
		o.Key = k.Text
		root, err := k.Root(o.Location)
		if err != nil {
			problems = append(problems, fmt.Sprintf("_location: %v", err))
		} else {
			o.Location = root.Usage.String()
		}
	}
	o.Problem = strings.Join(problems, "; ")
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(data); err != nil {
		return o, err
	}
	o.Data = bytes.TrimSpace(out.Bytes())
	return o, nil
}
