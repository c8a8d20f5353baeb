package course

import (
	"reflect"
	"testing"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/db"
)

// A unit whose list is the same version in both branches may still hold other blocks in each: deletions leave it alone.
func TestLoadStateSharesNoUnitWithOtherChildren(t *testing.T) {
	t.Parallel()
	s := onSQLite(t)
	_, err := s.bring(Import{}, "\n\tcourse/course T\n\t\tvertical/u U\n\t\t\tproblem/p1 one\n\t\t\tproblem/p2 two\n")
	s.must(err)
	s.must(s.remove("problem/p1"))
	_, err = s.publish()
	s.must(err)
	s.must(s.restore("p1"))
	s.must(s.remove("problem/p2"))
	s.must(s.do(func(tx *db.Tx, c *Course) error {
		st, err := c.LoadState(s.ctx, tx, s.files)
		if err != nil {
			return err
		}
		got := [][]courseware.BlockID{st.Published.Blocks[id("vertical/u")].Children, st.Draft.Blocks[id("vertical/u")].Children}
		if want := [][]courseware.BlockID{ids("problem/p2"), ids("problem/p1")}; !reflect.DeepEqual(got, want) {
			t.Errorf("published and drafted children are %v, want %v", got, want)
		}
		return nil
	}))
}
