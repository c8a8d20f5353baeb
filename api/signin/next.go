package signin

import (
	"net/url"
	"strings"
)

// home is where people go who do not say where to.
const home = "/"

// next returns where to send a browser that asks to be sent to a place: an absolute URL of an origin of ours, or a path of
// this server. Anything else, and anything that browsers read in another way than we do (backslashes, control characters,
// two slashes), is [home].
func (h *Handlers) next(asked string) string {
	if asked == "" || len(asked) > 4096 || strings.ContainsAny(asked, "\\") || strings.IndexFunc(asked, control) >= 0 {
		return home
	}
	u, err := url.Parse(asked)
	switch {
	case err != nil || u.Opaque != "" || u.User != nil:
		return home
	case u.Scheme == "" && u.Host == "":
		if !strings.HasPrefix(asked, "/") || strings.HasPrefix(asked, "//") {
			return home
		}
		return asked
	case u.Scheme == "" || u.Host == "" || !h.origins[originOf(u)]:
		return home
	}
	return asked
}

// control reports what browsers drop or trim from addresses, and what is not ASCII, which is escaped in an address.
func control(r rune) bool { return r <= ' ' || r >= 0x7f }
