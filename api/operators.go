package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"net/netip"
	"strings"
)

// operators says who may read what is for operators only.
type operators struct {
	nets  []netip.Prefix // besides loopback
	token string         // "" means none
}

// admit reports whether a request comes from an operator: with the token, or from an allowed address. A request that a
// proxy without our trust passed on comes from nobody knows where, even if the proxy itself is on this machine.
func (o *operators) admit(r *http.Request) bool {
	if scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && o.token != "" && strings.EqualFold(scheme, "Bearer") {
		got, want := sha256.Sum256([]byte(strings.TrimSpace(token))), sha256.Sum256([]byte(o.token))
		return subtle.ConstantTimeCompare(got[:], want[:]) == 1
	}
	i := of(r)
	return i.client.IsValid() && !i.forwarded && (i.client.IsLoopback() || contains(o.nets, i.client))
}
