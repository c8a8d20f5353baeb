package media

import (
	"strings"
	"testing"
)

func TestDigest(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{ // vectors of content-model.md §8
		"hello":               "b5531c7037f06c9f2947132a6a77202c308e8939",
		"":                    "3345524abf6bbe1809449224b5972c41790b6cf2",
		"<problem></problem>": "9479fc48519a2a90c73353dcc51dca650cf61e37",
	} {
		got, size, err := Digest(strings.NewReader(in))
		if err != nil || got != want || size != int64(len(in)) {
			t.Errorf("Digest(%q) = %s, %d, %v, want %s, %d", in, got, size, err, want, len(in))
		}
		if got := DigestBytes([]byte(in)); got != want {
			t.Errorf("DigestBytes(%q) = %s, want %s", in, got, want)
		}
	}
}

func TestParseSum(t *testing.T) {
	t.Parallel()
	good := "b5531c7037f06c9f2947132a6a77202c308e8939"
	if s, ok := parseSum(good); !ok || s.String() != good {
		t.Errorf("parseSum(%q) = %v, %v", good, s, ok)
	}
	for _, bad := range []string{"", good[1:], good + "0", strings.ToUpper(good), "../" + good[3:], strings.Repeat("g", 40)} {
		if _, ok := parseSum(bad); ok {
			t.Errorf("parseSum(%q) takes it", bad)
		}
	}
}
