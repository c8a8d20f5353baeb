package definitions

import (
	_ "embed"
	"strings"
)

// Names of the icons of Open edX's design system, Paragon 24, one a line.
//
//go:embed icons.txt
var iconList string

var icons = func() map[string]bool {
	m := map[string]bool{}
	for name := range strings.Lines(iconList) {
		m[strings.TrimSpace(name)] = true
	}
	return m
}()
