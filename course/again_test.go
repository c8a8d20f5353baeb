package course

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/db"
)

// TestImportAgain holds that an import which is known by its digest reports what comparing all of the course reports,
// and that it is not known once anything else has happened, or asked for in another way.
func TestImportAgain(t *testing.T) {
	t.Parallel()
	withDraft := strings.Replace(small, "what is 1", "what is one", 1)
	fewer := strings.Replace(small, "\tstatic/a.txt A\n", "", 1)
	for name, c := range map[string]struct {
		im    Import
		first []string
		trees []string
	}{
		"published":   {Import{}, nil, []string{small}},
		"with drafts": {Import{}, nil, []string{small, withDraft}},
		"kept files":  {Import{KeepAssets: true}, []string{small}, []string{fewer}},
		"drafts only": {Import{DraftsOnly: true}, []string{small}, []string{withDraft}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEveryEngine(t, func(t *testing.T, s *site) {
				if c.first != nil {
					_, err := s.bring(Import{}, c.first...)
					s.must(err)
				}
				_, err := s.bring(c.im, c.trees...)
				s.must(err)
				if !s.known() {
					t.Fatal("the import was not noted")
				}
				short, err := s.bring(c.im, c.trees...)
				s.must(err)
				s.must(s.update(func(tx *db.Tx) error {
					_, err := tx.Exec(s.ctx, `DELETE FROM lectern_import`)
					return err
				}))
				whole, err := s.bring(c.im, c.trees...)
				s.must(err)
				if diff := cmp.Diff(whole, short); diff != "" {
					t.Errorf("report (-whole +short):\n%s", diff)
				}
				if s.known() {
					t.Error("an import that wrote nothing was noted")
				}
			})
		})
	}
}

func TestImportAfterOtherChanges(t *testing.T) {
	t.Parallel()
	edited := strings.Replace(small, "what is 1", "edited", 1)
	for name, change := range map[string]func(s *site){
		"edit": func(s *site) {
			s.must(s.do(func(tx *db.Tx, c *Course) error {
				_, err := c.Edit(s.ctx, tx, s.files, id("problem/p1"), []byte(`<problem display_name="p1"><p>edited</p></problem>`), nil, Author{})
				return err
			}))
		},
		"import":      func(s *site) { _, err := s.bring(Import{}, edited); s.must(err) },
		"drafts only": func(s *site) { _, err := s.bring(Import{DraftsOnly: true}, edited); s.must(err) },
		"deletion": func(s *site) {
			s.must(s.do(func(tx *db.Tx, c *Course) error {
				_, err := c.Remove(s.ctx, tx, s.files, Author{})
				return err
			}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := onSQLite(t)
			_, err := s.bring(Import{}, small)
			s.must(err)
			change(s)
			report, err := s.bring(Import{}, small)
			s.must(err)
			if report.ChangeLog == nil {
				t.Error("the second import wrote nothing")
			}
			for _, moment := range []string{"draft", "published"} {
				if diff := cmp.Diff(small, s.at(moment)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", moment, diff)
				}
			}
		})
	}
}

// known reports whether the database has the note of an import.
func (s *site) known() (known bool) {
	s.t.Helper()
	s.must(s.db.View(s.ctx, func(tx *db.Tx) error {
		return tx.Query(s.ctx, `SELECT 1 FROM lectern_import`, nil, func(*db.Row) error { known = true; return nil })
	}))
	return known
}
