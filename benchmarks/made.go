package main

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"strings"
)

// What is made up here is the same in every language (peers/README.md).

// blockXML is the OLX of component i: a head, hexadecimal noise and a tail, 1,024 bytes together.
func blockXML(i, version int) string {
	const size, tail = 1024, "</p></problem>"
	var b strings.Builder
	fmt.Fprintf(&b, `<problem display_name="Problem %d" max_attempts="3"><p>Question %d, version %d.</p><p>`, i, i, version)
	seed := fmt.Sprintf("%d:%d", i, version)
	for b.Len() < size {
		s := sha1.Sum([]byte(seed))
		seed = hex.EncodeToString(s[:])
		b.WriteString(seed + " ")
	}
	return b.String()[:size-len(tail)] + tail
}

func blocks(n, version int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = blockXML(i, version)
	}
	return out
}

func code(i int) string  { return fmt.Sprintf("p%06d", i) }
func title(i int) string { return fmt.Sprintf("Problem %d", i) }

// level is one kind of container of the course: each holds size of what is a level below.
type level struct {
	kind, title string
	size        int
}

// levels are those of the course, bottom to top.
var levels = []level{{"unit", "Unit", 50}, {"subsection", "Subsection", 5}, {"section", "Section", 4}}

// nodes returns how many nodes a course of n components has.
func nodes(n int) int {
	all := n
	for _, l := range levels {
		n = (n + l.size - 1) / l.size
		all += n
	}
	return all
}
