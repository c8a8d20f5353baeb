package publishing

import (
	"bytes"
	"testing"

	"github.com/google/uuid"
)

// TestUUIDs shows that the UUIDs of a batch are random ones, all different and in order.
func TestUUIDs(t *testing.T) {
	t.Parallel()
	list := uuids(1000)
	for i, u := range list {
		if u.Version() != 4 || u.Variant() != uuid.RFC4122 {
			t.Errorf("%s is no random UUID", u)
		}
		if i > 0 && bytes.Compare(list[i-1][:], u[:]) >= 0 {
			t.Errorf("%s comes before %s", list[i-1], u)
		}
	}
	if one, another := uuids(1)[0], uuids(1)[0]; one == another {
		t.Error("the same again")
	}
}
