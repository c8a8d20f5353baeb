package api

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/openlectern/lectern/fault"
)

// ParsePrefixes reads networks as flags have them: CIDRs or single addresses.
func ParsePrefixes(flag string, texts []string) ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, text := range texts {
		text = strings.TrimSpace(text)
		p, err := netip.ParsePrefix(text)
		if err != nil {
			a, aerr := netip.ParseAddr(text)
			if aerr != nil {
				return nil, fault.Errorf(fault.Usage, flag, "%q is neither a network nor an address", text).WithNext("write it like 10.0.0.0/8 or 127.0.0.1")
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		all = append(all, p.Masked())
	}
	return all, nil
}

func contains(nets []netip.Prefix, a netip.Addr) bool {
	for _, n := range nets {
		if n.Contains(a) {
			return true
		}
	}
	return false
}

// forwardings are the headers by which a proxy speaks for somebody else.
var forwardings = []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", "Via"}

// whence fills in who is at the other end. Only a trusted proxy is believed: of X-Forwarded-For the last address that is
// not a trusted proxy's itself counts, as everything before it may be made up.
func (f *front) whence(i *info, r *http.Request) {
	peer := peerOf(r)
	i.peer, i.client = peer, peer
	if !contains(f.trusted, peer) {
		for _, h := range forwardings {
			i.forwarded = i.forwarded || r.Header.Get(h) != ""
		}
		return
	}
	if id := r.Header.Get("X-Request-Id"); goodID(id) {
		i.id = id
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for n := len(hops) - 1; n >= 0; n-- {
		a, ok := hop(hops[n])
		if !ok {
			return
		}
		i.client = a
		if !contains(f.trusted, a) {
			return
		}
	}
}

// hop reads one address of X-Forwarded-For, which some proxies write with a port.
func hop(text string) (netip.Addr, bool) {
	text = strings.TrimSpace(text)
	if a, err := netip.ParseAddr(text); err == nil {
		return a.Unmap().WithZone(""), true
	}
	if ap, err := netip.ParseAddrPort(text); err == nil {
		return ap.Addr().Unmap().WithZone(""), true
	}
	return netip.Addr{}, false
}

func peerOf(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap().WithZone("")
}
