package convert

import (
	"strconv"

	"github.com/openlectern/lectern/modulestore"
)

// Break is something that does not go on as before even after a conversion without fault (modulestore.md §5.7).
type Break struct {
	What  string `json:"what"`
	Text  string `json:"text"`
	Count *int   `json:"count"` // nil where it cannot be known here
}

func itoa(i int) string { return strconv.Itoa(i) }

// count counts blocks.
func (c *converter) count(r *Report) {
	r.Blocks.Types = map[string]int{}
	r.Blocks.Inside = len(c.inside)
	for _, id := range c.ids.list {
		r.Blocks.Types[id.Type]++
		if c.src.Draft.Block(id) != nil {
			r.Blocks.Draft++
		}
		switch {
		case c.src.Published != nil && c.src.Published.Block(id) != nil:
			r.Blocks.Published++
		default:
			r.Blocks.Private++
		}
		if modulestore.IsDetached(id.Type) {
			r.Blocks.Pages++
		}
		if reason := c.ids.of[id].reason; reason == ReasonName || reason == ReasonType {
			r.Renamed++
		}
	}
}
