package db

import (
	"database/sql/driver"
	"slices"
	"strings"
)

const (
	// minRun is from how many ids on that follow one another a statement names the first and the last instead of all. Rows
	// that were made together have such ids, and an engine finds a range in one go.
	minRun = 64
	// arrayLen is how many values one array on PostgreSQL carries. A list of placeholders of that length would be planned
	// anew, value by value.
	arrayLen = 4096
)

// part is a statement of a call with a list: what stands in the place of the marker and of the word IN before it, and its
// arguments.
type part struct {
	text string
	args []any
}

// array is a list of values that PostgreSQL takes as one argument.
type array []any

// value converts the elements. The result is what the driver takes for an array of any type.
func (a array) value(e *encoder) (driver.Value, error) {
	out := make([]any, len(a))
	for i, v := range a {
		x, err := e.value(v)
		if err != nil {
			return nil, err
		}
		out[i] = x
	}
	return out, nil
}

// parts cuts a long list in the way that costs the engine least: numbers of a statement that changes rows into runs, on
// PostgreSQL texts and numbers into arrays. ok is false where lists of placeholders are as good.
func parts[T any](e Engine, write bool, ids []T) (list []part, ok bool) {
	if len(ids) <= maxIn {
		return nil, false
	}
	rest := make([]any, 0, len(ids))
	switch ids := any(ids).(type) {
	case []int64:
		for _, r := range runs(ids) {
			if write && len(r) >= minRun {
				list = append(list, part{"BETWEEN ? AND ?", []any{r[0], r[len(r)-1]}})
				continue
			}
			for _, id := range r {
				rest = append(rest, id)
			}
		}
	case []string:
		for _, s := range ids {
			rest = append(rest, s)
		}
	default:
		return nil, false
	}
	if e != PostgreSQL {
		if len(list) == 0 {
			return nil, false
		}
		for chunk := range slices.Chunk(rest, maxIn) {
			chunk = padded(chunk)
			list = append(list, part{"IN " + placeholders(len(chunk)), chunk})
		}
		return list, true
	}
	for chunk := range slices.Chunk(rest, arrayLen) {
		list = append(list, part{"= ANY (?)", []any{array(chunk)}})
	}
	return list, true
}

// runs cuts numbers, in order and each once, into lists of those that follow one another.
func runs(ids []int64) (list [][]int64) {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	ids = slices.Compact(ids)
	start := 0
	for i := range ids {
		if i+1 == len(ids) || ids[i+1] != ids[i]+1 {
			list = append(list, ids[start:i+1])
			start = i + 1
		}
	}
	return list
}

// beforeIn returns the texts between lists without the word IN that each ends in; ok is false where another word is there.
func beforeIn(texts []string) (bare []string, ok bool) {
	bare = slices.Clone(texts)
	for i, t := range texts[:len(texts)-1] {
		before, in := strings.CutSuffix(strings.TrimRight(t, " "), " IN")
		if !in || strings.HasSuffix(strings.TrimRight(before, " "), " NOT") {
			return nil, false
		}
		bare[i] = before + " "
	}
	return bare, true
}
