package proxypool

import (
	"fmt"
	"net/netip"

	parse "github.com/caddy-proxypool/proxypool/caddyfile"
)

// clientList are the addresses that may use a forward front. An empty list is
// everybody's.
type clientList []netip.Prefix

func newClientList(ranges []string) (clientList, error) {
	return parsePrefixes("clients", ranges)
}

// admits reports whether a client may use the front. One without an address,
// behind a Unix socket, is on no list.
func (l clientList) admits(addr netip.Addr) bool {
	return len(l) == 0 || anyContains(l, addr)
}

// anyContains reports whether an address is in one of the ranges. An IPv4
// address in IPv6 counts as IPv4, and zones do not count.
func anyContains(ranges []netip.Prefix, addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	for _, r := range ranges {
		if r.Contains(addr) {
			return true
		}
	}
	return false
}

// parsePrefixes reads ranges of addresses: CIDRs, or single addresses.
func parsePrefixes(option string, words []string) ([]netip.Prefix, error) {
	var ranges []netip.Prefix
	for _, word := range words {
		r, ok := parsePrefix(word)
		switch whole := r.Masked(); {
		case !ok:
			return nil, fmt.Errorf("%s: expected a range such as 10.0.0.0/8 or fd00::/8, or an IP address, got %s", option, parse.Quote(word))
		case r != whole:
			return nil, fmt.Errorf("%s: %s is an address within a range, did you mean %s or %s?", option, parse.Quote(word), whole, r.Addr())
		}
		ranges = append(ranges, r)
	}
	return ranges, nil
}

// parsePrefix reads one range. IPv4 in IPv6 ("::ffff:10.0.0.0/104") is made IPv4.
func parsePrefix(word string) (netip.Prefix, bool) {
	if addr, err := netip.ParseAddr(word); err == nil {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), addr.Zone() == ""
	}
	r, err := netip.ParsePrefix(word)
	if err != nil {
		return r, false
	}
	const mapped = 96 // bits before the IPv4 address
	if r.Addr().Is4In6() && r.Bits() >= mapped {
		r = netip.PrefixFrom(r.Addr().Unmap(), r.Bits()-mapped)
	}
	return r, true
}
