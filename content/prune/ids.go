package prune

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// IDs are row ids in ascending order. As text, neighbours are drawn together: "3-5,9".
type IDs []int64

// MarshalText writes the ids.
func (s IDs) MarshalText() ([]byte, error) {
	var b []byte
	for i := 0; i < len(s); {
		end := i
		for end+1 < len(s) && s[end+1] == s[end]+1 {
			end++
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, s[i], 10)
		if end > i {
			b = append(b, '-')
			b = strconv.AppendInt(b, s[end], 10)
		}
		i = end + 1
	}
	return b, nil
}

// maxIDs is how many ids a plan may name: more than any package has rows, and few enough to read.
const maxIDs = 50_000_000

// UnmarshalText reads ids; they must ascend.
func (s *IDs) UnmarshalText(text []byte) error {
	*s = nil
	if len(text) == 0 {
		return nil
	}
	last := int64(0)
	for _, part := range strings.Split(string(text), ",") {
		from, to, span := strings.Cut(part, "-")
		if !span {
			to = from
		}
		a, err := strconv.ParseInt(from, 10, 64)
		if err != nil {
			return fmt.Errorf("ids: %w", err)
		}
		b, err := strconv.ParseInt(to, 10, 64)
		if err != nil {
			return fmt.Errorf("ids: %w", err)
		}
		if a <= last || b < a || b-a > maxIDs || int64(len(*s))+b-a > maxIDs {
			return fmt.Errorf("ids: %q is out of order", part)
		}
		for id := a; id <= b; id++ {
			*s = append(*s, id)
		}
		last = b
	}
	return nil
}

// sorted returns the distinct ids of a set in order.
func sorted[T ~int64](set map[T]bool) IDs {
	out := make(IDs, 0, len(set))
	for id, in := range set {
		if in {
			out = append(out, int64(id))
		}
	}
	slices.Sort(out)
	return out
}

// of gives ids their type.
func of[T ~int64](s []int64) []T {
	out := make([]T, len(s))
	for i, id := range s {
		out[i] = T(id)
	}
	return out
}
