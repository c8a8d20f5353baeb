package main

import "testing"

// TestStatementCounts holds that the number of statements of every operation on many rows grows with the number of
// batches, not of rows.
func TestStatementCounts(t *testing.T) {
	t.Parallel()
	const (
		n     = 1000
		batch = 500 // the smallest batch: identifiers in one IN list
		each  = 20  // statements that may be repeated for every batch
	)
	cache := t.TempDir()
	for _, j := range []struct {
		name string
		most map[string]int // statements for n at most, by piece of work
	}{
		{"create", map[string]int{"create": 25}},
		{"edit", map[string]int{"edit": 30, "publish": 20}},
		{"outline", map[string]int{"outline draft": 10, "outline published": 10}},
		{"problems", map[string]int{"problems import": 130, "problems again": 60, "problems export": 60}},
	} {
		one, two := pieces(t, j.name, n, cache), pieces(t, j.name, 2*n, cache)
		for piece, most := range j.most {
			if one[piece] == nil || two[piece] == nil {
				t.Fatalf("job %s measured no %s", j.name, piece)
			}
			a, b := one[piece].Statements, two[piece].Statements
			if a == 0 || a > most {
				t.Errorf("%s of %d: %d statements, want at most %d", piece, n, a, most)
			}
			if grown, allowed := b-a, n/batch*each; grown > allowed {
				t.Errorf("%s: %d more statements for %d more, want at most %d (%d a batch)", piece, grown, n, allowed, each)
			}
		}
	}
}

// TestStatementsOfOneEdit holds that one edit costs the same in a course of any size.
func TestStatementsOfOneEdit(t *testing.T) {
	t.Parallel()
	const most = 25 // in one edit
	cache := t.TempDir()
	small := pieces(t, "edit-each", 250, cache)["edit-each"].Statements
	large := pieces(t, "edit-each", 1000, cache)["edit-each"].Statements
	if small != large || large == 0 || large > most*someEdits {
		t.Errorf("%d edits cost %d statements in a course of 250 and %d in one of 1,000, want the same and at most %d each", someEdits, small, large, most)
	}
}
