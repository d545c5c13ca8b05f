package proxypool

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"syscall"

	"github.com/caddy-proxypool/proxypool/dial"
)

// guard is what a front may reach through direct, where no proxy stands between
// its clients and the network of this machine. Empty lets everything pass;
// "public" refuses addresses of no public host; "public,10.0.0.0/8" lets those
// of the prefixes pass, too. Equal guards are equal strings.
type guard string

// guardPublic is how every guard begins that refuses anything.
const guardPublic = "public"

// newGuard refuses what is not public, but for what the prefixes hold, as
// [parsePrefixes] reads them.
func newGuard(allowPrivate []netip.Prefix) guard {
	allowed := slices.Clone(allowPrivate)
	slices.SortFunc(allowed, netip.Prefix.Compare)
	words := []string{guardPublic}
	for _, p := range slices.Compact(allowed) {
		words = append(words, p.String())
	}
	return guard(strings.Join(words, ","))
}

// checkPrivate refuses what allow_private need not name.
func checkPrivate(prefixes []netip.Prefix) error {
	for _, p := range prefixes {
		if isPublicRange(p) {
			return fmt.Errorf("allow_private: %s is public already; which targets are allowed, allow says", rangeText(p))
		}
	}
	return nil
}

// rangeText is a range as it is written, one address without its length.
func rangeText(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

// isPublicRange reports whether all addresses of a range may be dialled anyhow.
func isPublicRange(p netip.Prefix) bool {
	if p.Addr().Is6() && (p.Bits() < globalUnicast.Bits() || !globalUnicast.Contains(p.Addr())) {
		return false
	}
	for _, e := range embeddings {
		if e.prefix.Overlaps(p) {
			return false // it may carry a private address
		}
	}
	return !slices.ContainsFunc(notPublic, p.Overlaps)
}

// control refuses to dial an address. It is called with the very address that
// is dialled, after names were resolved: a name that resolves to something else
// the second time gains nothing. The error is a [dial.Error] with the reason
// [dial.ReasonNotAllowed].
func (g guard) control(_, address string, _ syscall.RawConn) error {
	if g == "" {
		return nil
	}
	where, err := netip.ParseAddrPort(address)
	if err != nil {
		return notAllowed("the address to be dialled is not an IP address and a port")
	}
	if !g.lets(where.Addr()) {
		return notAllowed(fmt.Sprintf("address %s is not public, and allow_private does not name it", where.Addr()))
	}
	return nil
}

func notAllowed(why string) error {
	return &dial.Error{Reason: dial.ReasonNotAllowed, Err: fmt.Errorf("dialling target: %s", why)}
}

// lets reports whether an address may be dialled. An address of a mechanism
// that carries IPv4 in IPv6 is judged by the IPv4 address in it, as that is
// where its packets end up.
func (g guard) lets(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("") // with a zone it is in no prefix
	if g.allows(addr) {
		return true
	}
	if inner, ok := embeddedIPv4(addr); ok {
		return g.allows(inner) || isPublic(inner)
	}
	return isPublic(addr)
}

// allows reports whether one of the guard's prefixes holds the address.
func (g guard) allows(addr netip.Addr) bool {
	_, prefixes, _ := strings.Cut(string(g), ",")
	for word := range strings.SplitSeq(prefixes, ",") {
		if p, err := netip.ParsePrefix(word); err == nil && p.Contains(addr) {
			return true
		}
	}
	return false
}

// isPublic reports whether an address may belong to a host of the public
// Internet.
func isPublic(addr netip.Addr) bool {
	if addr.Is6() && !globalUnicast.Contains(addr) {
		return false
	}
	return !slices.ContainsFunc(notPublic, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// globalUnicast is all of IPv6 that IANA gives out to public hosts (IPv6 Global
// Unicast Address Assignments; RFC 4291, 2.4). Outside are loopback, unique
// local fc00::/7, link-local fe80::/10, site-local fec0::/10, multicast
// ff00::/8, the local-use NAT64 64:ff9b:1::/48 (RFC 8215), in which IPv4 may
// stand anywhere, and the discard prefix 100::/64.
var globalUnicast = netip.MustParsePrefix("2000::/3")

// notPublic are the addresses that no public host has. The source, where no
// other is named, are IANA's registries of special-purpose addresses (RFC 6890
// and what updated it): what they call not globally reachable.
var notPublic = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),        // this network, RFC 791; 0.0.0.0 is the host itself
	netip.MustParsePrefix("10.0.0.0/8"),       // private, RFC 1918
	netip.MustParsePrefix("100.64.0.0/10"),    // behind a carrier's NAT, RFC 6598; 100.100.100.200 is Alibaba's metadata
	netip.MustParsePrefix("127.0.0.0/8"),      // loopback, RFC 1122, 3.2.1.3
	netip.MustParsePrefix("168.63.129.16/32"), // Azure's wire server, documented by Azure: public by number alone
	netip.MustParsePrefix("169.254.0.0/16"),   // link-local, RFC 3927; 169.254.169.254 is the metadata of most clouds
	netip.MustParsePrefix("172.16.0.0/12"),    // private, RFC 1918
	netip.MustParsePrefix("192.0.0.0/24"),     // protocol assignments, RFC 6890; 192.0.0.192 is Oracle's metadata
	netip.MustParsePrefix("192.0.2.0/24"),     // documentation, RFC 5737
	netip.MustParsePrefix("192.168.0.0/16"),   // private, RFC 1918
	netip.MustParsePrefix("198.18.0.0/15"),    // benchmarks, RFC 2544
	netip.MustParsePrefix("198.51.100.0/24"),  // documentation, RFC 5737
	netip.MustParsePrefix("203.0.113.0/24"),   // documentation, RFC 5737
	netip.MustParsePrefix("224.0.0.0/4"),      // multicast, RFC 5771
	netip.MustParsePrefix("240.0.0.0/4"),      // reserved, RFC 1112; 255.255.255.255 is everybody on the link, RFC 919

	netip.MustParsePrefix("2001::/23"),     // protocol assignments, RFC 2928: Teredo 2001::/32 (RFC 4380) among them, which hides IPv4
	netip.MustParsePrefix("2001:db8::/32"), // documentation, RFC 3849
	netip.MustParsePrefix("3fff::/20"),     // documentation, RFC 9637
}

// embeddings are where an IPv4 address stands in an IPv6 address, and its first
// byte there. IPv4-mapped addresses are none of them: they are IPv4.
var embeddings = []struct {
	prefix netip.Prefix
	at     int
}{
	{netip.MustParsePrefix("::/96"), 12},           // IPv4-compatible, RFC 4291, 2.5.5.1
	{netip.MustParsePrefix("::ffff:0:0:0/96"), 12}, // IPv4-translated, RFC 2765, 2.1
	{netip.MustParsePrefix("64:ff9b::/96"), 12},    // NAT64, RFC 6052, 2.1
	{netip.MustParsePrefix("2002::/16"), 2},        // 6to4, RFC 3056, 2
}

// embeddedIPv4 is the IPv4 address that an IPv6 address carries.
func embeddedIPv4(addr netip.Addr) (inner netip.Addr, ok bool) {
	if addr.IsUnspecified() || addr.IsLoopback() {
		return netip.Addr{}, false // in ::/96, and no IPv4
	}
	bytes := addr.As16()
	for _, e := range embeddings {
		if e.prefix.Contains(addr) {
			return netip.AddrFrom4([4]byte(bytes[e.at:])), true
		}
	}
	return netip.Addr{}, false
}
