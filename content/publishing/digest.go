package publishing

import (
	"encoding/hex"
	"slices"
	"strconv"

	"golang.org/x/crypto/blake2b"
)

// hash computes the digests of the nodes (content-model.md §8).
func (g *graph) hash() {
	var live []leaf
	var text []byte
	for _, i := range g.order {
		n := &g.nodes[i]
		n.digest = ""
		if n.now == 0 {
			continue
		}
		live = append(live[:0], n.leaves...)
		for _, c := range n.causes {
			if dep := &g.nodes[c]; dep.now != 0 {
				live = append(live, leaf{dep.now, dep.digest})
			}
		}
		n.digest, text = digest(live, text)
	}
}

// digest returns the dependency digest of a version whose live dependencies these are: "" without any, else BLAKE2b of 4
// bytes over one line `version id:digest` for each, sorted by id. It sorts live, and uses buf for the text.
func digest(live []leaf, buf []byte) (string, []byte) {
	if len(live) == 0 {
		return "", buf
	}
	slices.SortFunc(live, func(a, b leaf) int { return int(a.version - b.version) })
	buf = buf[:0]
	for i, l := range live {
		if i > 0 {
			buf = append(buf, '\n')
		}
		buf = strconv.AppendInt(buf, int64(l.version), 10)
		buf = append(buf, ':')
		buf = append(buf, l.digest...)
	}
	h, err := blake2b.New(4, nil)
	if err != nil {
		panic(err) // only for a size or key out of range
	}
	h.Write(buf)
	var sum [4]byte
	return hex.EncodeToString(h.Sum(sum[:0])), buf
}
