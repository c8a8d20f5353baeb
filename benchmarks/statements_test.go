package main

import (
	"fmt"
	"testing"
)

// TestStatementCounts holds that the number of statements of every operation on many rows grows with the number of
// batches, not of rows.
func TestStatementCounts(t *testing.T) {
	t.Parallel()
	const (
		n     = 1000
		batch = 500 // the smallest batch: identifiers in one IN list
		each  = 20  // statements that may be repeated for every batch
	)
	for _, j := range []struct {
		name string
		run  func(*bench) error
		most map[string]int // statements for n at most, by piece of work
	}{
		{"create", benchCreate, map[string]int{"create": 25}},
		{"edit", benchEdit, map[string]int{"edit": 30, "publish": 20}},
		{"outline", benchOutline, map[string]int{"outline draft": 10, "outline published": 10}},
		{"problems", benchProblems, map[string]int{"problems import": 130, "problems again": 60, "problems export": 60}},
	} {
		t.Run(j.name, func(t *testing.T) {
			t.Parallel()
			one, two := pieces(t, newBench(t, n), j.run), pieces(t, newBench(t, 2*n), j.run)
			for piece, most := range j.most {
				a, b := one[piece].Statements, two[piece].Statements
				if a == 0 || a > most {
					t.Errorf("%s of %d: %d statements, want at most %d", piece, n, a, most)
				}
				if grown, allowed := b-a, n/batch*each; grown > allowed {
					t.Errorf("%s: %d more statements for %d more, want at most %d (%d a batch)", piece, grown, n, allowed, each)
				}
			}
		})
	}
}

// TestStatementsOfOneEdit holds that one edit costs the same in a course of any size.
func TestStatementsOfOneEdit(t *testing.T) {
	t.Parallel()
	var counts []int
	for _, n := range []int{250, 1000} {
		counts = append(counts, pieces(t, newBench(t, n), benchEditEach)["edit-each"].Statements)
	}
	const most = 25 // in one edit
	if counts[0] != counts[1] || counts[1] > most*someEdits {
		t.Errorf("%d edits cost %s statements in courses of 250 and 1,000, want the same and at most %d each", someEdits, fmt.Sprint(counts), most)
	}
}
