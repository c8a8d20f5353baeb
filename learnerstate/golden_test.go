package learnerstate_test

import (
	"bytes"
	"encoding/json"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/openlectern/lectern/internal/golden"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/learnerstate"
)

// TestGoldenState maps the learners' rows of every set that has some: the blocks are those that the real store reads, the states
// those that the real problem engine wrote. Rows map where their course has their block, and no others do.
func TestGoldenState(t *testing.T) {
	t.Parallel()
	files := golden.Glob(t, "modulestore/*/courseware_studentmodule.csv")
	if len(files) == 0 {
		t.Fatal("no rows of learners")
	}
	for _, file := range files {
		t.Run(path.Base(path.Dir(file)), func(t *testing.T) {
			t.Parallel()
			mapSet(t, "modulestore/"+path.Base(path.Dir(file)))
		})
	}
}

func mapSet(t *testing.T, set string) {
	t.Helper()
	var store struct {
		Courses []struct {
			Key      string `json:"course_key"`
			Branches map[string]struct {
				Blocks []struct {
					Key string `json:"usage_key"`
				} `json:"blocks"`
			} `json:"branches"`
		} `json:"courses"`
	}
	if err := json.Unmarshal(golden.ReadGz(t, set+"/expected.json.gz"), &store); err != nil {
		t.Fatal(err)
	}
	var all []learnerstate.Course
	blocks := map[string]map[string]bool{}
	for _, c := range store.Courses {
		from, err := keys.ParseCourse(c.Key)
		if err != nil {
			t.Fatal(err)
		}
		run, _ := from.Run()
		to, err := keys.NewCourse(from.Org(), from.Code(), run+".new")
		if err != nil {
			t.Fatal(err)
		}
		var pairs []string
		blocks[c.Key] = map[string]bool{}
		for _, branch := range c.Branches {
			for _, b := range branch.Blocks {
				u, err := keys.ParseUsage(b.Key)
				if err != nil {
					t.Fatal(err)
				}
				k, err := to.Usage(u.Type(), u.ID())
				if err != nil {
					t.Fatal(err)
				}
				blocks[c.Key][b.Key] = true
				pairs = append(pairs, b.Key, k.String())
			}
		}
		all = append(all, of(c.Key, to.String(), pairs...))
	}
	maps := map[string]*learnerstate.Map{}
	for _, c := range all {
		m, err := learnerstate.NewMap(c, all)
		if err != nil {
			t.Fatal(err)
		}
		maps[c.Source] = m
	}
	var found, ids int64
	var lost []string
	inner := regexp.MustCompile(`"i4x-[^"]*"`)
	tally := learnerstate.Tally{Limit: 1000, Rewrites: true}
	err := learnerstate.ReadCSV(bytes.NewReader(golden.Read(t, set+"/courseware_studentmodule.csv")), set, func(r learnerstate.Row) error {
		if blocks[r.Course][r.Module] {
			found++
			if strings.HasPrefix(r.Module, "i4x:") && strings.Contains(r.Module, "/problem/") {
				ids += int64(len(inner.FindAllString(r.State, -1)))
			}
		} else {
			lost = append(lost, r.Module)
		}
		return tally.Add(maps[r.Course], r)
	})
	if err != nil {
		t.Fatal(err)
	}
	got := tally.Report()
	if got.All.Maps != found || got.All.Rows != found+int64(len(lost)) || len(got.Lost) != len(lost) || len(lost) == 0 {
		t.Errorf("%+v, want %d that map and %d that do not", got.All, found, len(lost))
	}
	for i, l := range got.Lost {
		if l.Module != lost[i] || l.Outcome != learnerstate.NotInMap {
			t.Errorf("%+v, want %s", l, lost[i])
		}
	}
	if last := got.Lost[len(got.Lost)-1]; last.Reason != learnerstate.Deleted {
		t.Errorf("the last row: %+v", last)
	}
	var keys, unreadable int64
	for _, w := range got.Rewrites {
		keys += w.Answers + w.Correct + w.Inputs
		unreadable += w.Unreadable
	}
	if keys != ids || unreadable != 0 {
		t.Errorf("%d keys to rewrite, want %d; %d states unreadable", keys, ids, unreadable)
	}
}
