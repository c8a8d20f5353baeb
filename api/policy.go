package api

import (
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// inlineScript finds scripts that stand in a page, those with an address too.
var inlineScript = regexp.MustCompile(`(?is)<script\b([^>]*)>(.*?)</script>`)

var hasSource = regexp.MustCompile(`(?i)(?:^|\s)src\s*=`)

// clientPolicy is the Content-Security-Policy of a stock client's page. Scripts are those of its own origin, and the
// few that the bundler wrote into the page, by their digests: the name of the theme's files is one. Styles may be inline,
// as the client's components write them. Pictures may come from any https host, since courses name theirs so and the
// footer's logo does; calls go to this server and to the sites that the configuration names.
func clientPolicy(page []byte, origins map[string]bool) string {
	scripts := []string{"'self'"}
	for _, m := range inlineScript.FindAllSubmatch(page, -1) {
		if !hasSource.Match(m[1]) && len(m[2]) > 0 {
			sum := sha256.Sum256(m[2])
			scripts = append(scripts, "'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'")
		}
	}
	others := slices.Sorted(maps.Keys(origins))
	with := func(own ...string) string { return strings.Join(append(own, others...), " ") }
	return strings.Join([]string{
		"default-src 'self'",
		"script-src " + strings.Join(scripts, " "),
		"style-src 'self' 'unsafe-inline'",
		"img-src 'self' data: blob: https:",
		"font-src 'self' data:",
		"media-src 'self' blob: https:",
		"connect-src " + with("'self'"),
		"frame-src " + with("'self'"),
		"worker-src 'self' blob:",
		"object-src 'none'",
		"base-uri 'self'",
		"form-action " + with("'self'"),
		"frame-ancestors 'self'",
	}, "; ")
}
