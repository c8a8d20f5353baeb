package split

import (
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/modulestore"
)

// MirrorTable is the SQL table with the index (modulestore.md §2.2).
const MirrorTable = "split_modulestore_django_splitmodulestorecourseindex"

// MirrorColumns are the columns of the mirror that are read, all of them needed.
var MirrorColumns = []string{"objectid", "course_id", "draft_version", "published_version", "library_version", "wiki_slug", "edited_by_id", "edited_on", "last_update"}

// ReadMirror reads the SQL mirror of the index as comma-separated values whose first line names the columns, as a dump of
// the table by any tool has them. Empty texts are none.
func ReadMirror(r io.Reader) ([]Index, error) {
	in := csv.NewReader(r)
	head, err := in.Read()
	if err != nil {
		return nil, fmt.Errorf("no line with the names of the columns: %w", err)
	}
	at := map[string]int{}
	for i, name := range head {
		at[name] = i
	}
	for _, name := range MirrorColumns {
		if _, ok := at[name]; !ok {
			return nil, fmt.Errorf("no column %s: this is not the table %s", name, MirrorTable)
		}
	}
	var all []Index
	for {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		line, _ := in.FieldPos(0)
		x, err := MirrorRow(func(name string) string { return row[at[name]] })
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		all = append(all, x)
	}
}

// MirrorRow reads a row of the mirror by the names of [MirrorColumns]. Empty texts are none; a moment is one of SQL's texts or of
// RFC 3339, in UTC where it does not say.
func MirrorRow(field func(column string) string) (x Index, err error) {
	x.Name, x.WikiSlug = field("course_id"), field("wiki_slug")
	if x.Key, err = keys.ParseCourse(x.Name); err != nil {
		return x, err
	}
	ids := []struct {
		name string
		to   *modulestore.ID
	}{{"draft_version", &x.Draft}, {"published_version", &x.Published}, {"library_version", &x.Library}, {"objectid", (*modulestore.ID)(&x.ID)}}
	for _, id := range ids {
		text := field(id.name)
		if text == "" {
			continue
		}
		v, err := keys.ParseVersion(text)
		if err != nil {
			return x, fmt.Errorf("%s: %w", id.name, err)
		}
		*id.to = modulestore.ID(v)
	}
	for name, to := range map[string]*time.Time{"edited_on": &x.EditedOn, "last_update": &x.LastUpdate} {
		text := field(name)
		if text == "" {
			continue
		}
		if *to, err = mirrorTime(text); err != nil {
			return x, fmt.Errorf("%s: %w", name, err)
		}
	}
	if text := field("edited_by_id"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return x, fmt.Errorf("edited_by_id: %w", err)
		}
		x.EditedBy = &n
	}
	return x, nil
}

func mirrorTime(text string) (time.Time, error) {
	for _, layout := range []string{"2006-01-02 15:04:05.999999", "2006-01-02 15:04:05.999999Z07:00", time.RFC3339Nano} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no moment", text)
}

// Merge joins the two indexes of a site: the mirror counts, and what MongoDB says otherwise is a problem of the course, also a
// course that only one of them has (SP-5, SP-6). Courses that only MongoDB has are left out, as they are deleted ones. With no
// mirror, what MongoDB says counts. The result is ordered by key.
func Merge(mongo, mirror []Index) (all []Index, problems map[string]*modulestore.Tally) {
	problems = map[string]*modulestore.Tally{}
	of := func(name string) *modulestore.Tally {
		if problems[name] == nil {
			problems[name] = &modulestore.Tally{}
		}
		return problems[name]
	}
	all = slices.Clone(mongo)
	if mirror != nil {
		all = slices.Clone(mirror)
		byName := make(map[string]*Index, len(mongo))
		for i := range mongo {
			byName[mongo[i].Name] = &mongo[i]
		}
		for i := range mirror {
			x := &mirror[i]
			old := byName[x.Name]
			delete(byName, x.Name)
			switch {
			case old == nil:
				of(x.Name).Add(modulestore.IndexesDiffer, "MongoDB has no row")
			case old.Draft != x.Draft:
				of(x.Name).Add(modulestore.IndexesDiffer, differ(DraftBranch, old.Draft, x.Draft))
			case old.Published != x.Published:
				of(x.Name).Add(modulestore.IndexesDiffer, differ(PublishedBranch, old.Published, x.Published))
			case old.Library != x.Library:
				of(x.Name).Add(modulestore.IndexesDiffer, differ(LibraryBranch, old.Library, x.Library))
			}
		}
		for name := range byName {
			of(name).Add(modulestore.IndexesDiffer, "SQL has no row")
		}
	}
	slices.SortStableFunc(all, func(a, b Index) int { return cmp.Compare(a.Name, b.Name) })
	return all, problems
}

func differ(branch string, mongo, sql modulestore.ID) string {
	return fmt.Sprintf("%s is at %q in MongoDB and at %q in SQL", branch, mongo, sql)
}
