package trash

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// line is a step as JSON, one a line.
type line struct {
	Op      op                  `json:"op"`
	Table   string              `json:"table"`
	Columns []string            `json:"columns"`
	Rows    [][]json.RawMessage `json:"rows"`
	Now     [][]json.RawMessage `json:"now,omitempty"`
}

// Text returns the account of a journal: JSON lines, compressed, in letters that every column holds.
func (j *Journal) Text() (string, error) {
	var out strings.Builder
	letters := base64.NewEncoder(base64.StdEncoding, &out)
	packed := gzip.NewWriter(letters)
	enc := json.NewEncoder(packed)
	enc.SetEscapeHTML(false)
	for _, s := range j.steps {
		names := make([]string, len(s.cols))
		for i, c := range s.cols {
			names[i] = c.name
		}
		l := struct {
			Op      op       `json:"op"`
			Table   string   `json:"table"`
			Columns []string `json:"columns"`
			Rows    [][]any  `json:"rows"`
			Now     [][]any  `json:"now,omitempty"`
		}{s.op, s.table.Name, names, s.rows, s.now}
		if err := enc.Encode(l); err != nil {
			return "", err
		}
	}
	if err := errors.Join(packed.Close(), letters.Close()); err != nil {
		return "", err
	}
	return out.String(), nil
}

// Read makes a journal of its text. tables are all that it may name.
func Read(account string, tables []Table) (*Journal, error) {
	packed, err := gzip.NewReader(base64.NewDecoder(base64.StdEncoding, strings.NewReader(account)))
	if err != nil {
		return nil, fmt.Errorf("trash: %w", err)
	}
	all, err := io.ReadAll(packed)
	if err := errors.Join(err, packed.Close()); err != nil {
		return nil, fmt.Errorf("trash: %w", err)
	}
	byName := make(map[string]Table, len(tables))
	for _, t := range tables {
		byName[t.Name] = t
	}
	j := &Journal{}
	for dec := json.NewDecoder(bytes.NewReader(all)); dec.More(); {
		var l line
		if err := dec.Decode(&l); err != nil {
			return nil, fmt.Errorf("trash: %w", err)
		}
		t, ok := byName[l.Table]
		if !ok {
			return nil, fmt.Errorf("trash: table %s is not known", l.Table)
		}
		s := step{table: t, op: l.Op}
		if s.cols, err = t.pick(l.Columns); err != nil {
			return nil, err
		}
		if s.rows, err = readRows(s.cols, l.Rows); err == nil {
			s.now, err = readRows(s.cols, l.Now)
		}
		if err != nil {
			return nil, fmt.Errorf("trash: rows of %s: %w", t.Name, err)
		}
		j.steps = append(j.steps, s)
	}
	return j, nil
}

func readRows(cols []column, raw [][]json.RawMessage) ([][]any, error) {
	rows := make([][]any, len(raw))
	for i, r := range raw {
		if len(r) != len(cols) {
			return nil, fmt.Errorf("%d values for %d columns", len(r), len(cols))
		}
		rows[i] = make([]any, len(cols))
		for k, c := range cols {
			var err error
			if rows[i][k], err = c.read(r[k]); err != nil {
				return nil, err
			}
		}
	}
	return rows, nil
}
