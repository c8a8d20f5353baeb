package validate

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/olx/pyjson"
)

// grading checks the grading policy: stage 5 of olx.md §4.
func (c *checker) grading() {
	run, _ := c.res.Source.Run()
	file := "policies/" + run + "/grading_policy.json"
	if !c.contains(file) {
		file = "grading_policy.json"
	}
	data, err := c.a.ReadFile(file, 0)
	if err != nil {
		return // the importer has said so
	}
	v, _, err := pyjson.Parse(string(data))
	if err != nil {
		line, text := 0, err.Error()
		var bad *pyjson.Error
		if errors.As(err, &bad) {
			line, text = bad.Line, bad.Text
		}
		c.add(courseware.Error, file, line, badPolicy, "repair the JSON", "not valid JSON: %s", text)
		return
	}
	g := &grader{c, file, string(data)}
	if v.Kind != pyjson.Object {
		g.issue("", "the grading policy is not a JSON object")
		return
	}
	if list, ok := v.Lookup("GRADER"); !ok || list.Kind != pyjson.Array || len(list.Items) == 0 {
		g.issue("GRADER", "GRADER is missing, empty or not a list")
	} else {
		g.graders(list.Items)
	}
	if cutoffs, ok := v.Lookup("GRADE_CUTOFFS"); !ok || cutoffs.Kind != pyjson.Object || len(cutoffs.Keys) == 0 {
		g.issue("GRADE_CUTOFFS", "GRADE_CUTOFFS is missing, empty or not an object")
	} else {
		g.cutoffs(cutoffs)
	}
}

type grader struct {
	c          *checker
	file, text string
}

func (g *grader) issue(key, format string, args ...any) {
	g.c.add(courseware.Error, g.file, lineOf(g.text, key), gradingPolicyIssue, "correct the grading policy", format, args...)
}

func (g *grader) graders(list []pyjson.Value) {
	var types []string
	sum, summable := 0.0, true
	for i, item := range list {
		name := fmt.Sprintf("the grader number %d", i+1)
		if item.Kind != pyjson.Object {
			g.issue("GRADER", "%s is not an object", name)
			summable = false
			continue
		}
		switch t, ok := item.Lookup("type"); {
		case !ok || t.Kind != pyjson.String:
			g.issue("GRADER", "%s has no type, or one that is not text", name)
		case slices.Contains(types, t.Text):
			g.issue(t.Text, "the type %q has more than one grader", t.Text)
		default:
			types = append(types, t.Text)
			name = fmt.Sprintf("the grader %q", t.Text)
		}
		g.count(item, name, "drop_count", 0)
		g.count(item, name, "min_count", 1)
		if label, ok := item.Lookup("short_label"); ok && label.Kind != pyjson.String && label.Kind != pyjson.Null {
			g.issue("short_label", "the short_label of %s is not text", name)
		}
		weight, ok := number(item, "weight")
		if !ok || weight < 0 || weight > 1 {
			g.issue("weight", "the weight of %s is missing or not a number from 0 to 1", name)
			summable = false
		}
		sum += weight
	}
	if summable && math.Abs(sum-1) > 1e-8 {
		g.issue("weight", "the weights sum to %s instead of 1", strconv.FormatFloat(sum, 'g', 6, 64))
	}
}

// count checks a whole number.
func (g *grader) count(item pyjson.Value, name, key string, least float64) {
	v, _ := item.Lookup(key)
	if n, ok := number(item, key); !ok || n < least || strings.ContainsAny(v.Text, ".eE") {
		g.issue(key, "the %s of %s is missing or not a whole number from %v", key, name, least)
	}
}

func number(item pyjson.Value, key string) (float64, bool) {
	v, ok := item.Lookup(key)
	if !ok || v.Kind != pyjson.Number {
		return 0, false
	}
	f, err := strconv.ParseFloat(v.Text, 64)
	return f, err == nil
}

func (g *grader) cutoffs(cutoffs pyjson.Value) {
	const letters = "ABCD"
	issue := func(format string, args ...any) { g.issue("GRADE_CUTOFFS", format, args...) }
	values := map[string]float64{}
	for _, name := range cutoffs.Keys {
		least := 0.0
		switch {
		case name == "Pass":
			least = math.Inf(-1)
		case len(name) != 1 || !strings.Contains(letters, name):
			issue("the grade %q is none of Pass, A, B, C and D", name)
			continue
		}
		f, ok := number(cutoffs, name)
		if !ok || f < least || f > 1 {
			issue("the value of grade %q is not a number from 0 to 1", name)
			continue
		}
		values[name] = f
	}
	switch only := len(cutoffs.Keys) == 1; {
	case !only && slices.Contains(cutoffs.Keys, "Pass"):
		issue("Pass stands beside other grades")
		return
	case only && cutoffs.Keys[0] == "A":
		issue("A is the only grade")
		return
	}
	last, missing := math.Inf(1), ""
	for _, r := range letters {
		name := string(r)
		f, ok := values[name]
		switch {
		case !slices.Contains(cutoffs.Keys, name):
			missing = name
		case missing != "":
			issue("there is a grade %s but none of %s", name, missing)
			return
		case ok && f >= last:
			issue("the value of grade %s is not below that of the better grade", name)
		}
		if ok {
			last = f
		}
	}
}
