package proxypool

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// site is where a front stands: its server, and the routes that lead to it.
type site struct {
	server   *caddyhttp.Server
	httpPort uint
	way      []step // from the server's routes to the front's own
}

// step is a route that leads to the front, and those of its list before it.
type step struct {
	route  *caddyhttp.Route
	before caddyhttp.RouteList
}

// siteOf is the site of the front that is being provisioned. Of routes that
// cannot be seen from here, such as named ones, nothing is known.
func siteOf(ctx caddy.Context) (site, bool) {
	server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if !ok {
		return site{}, false
	}
	s := site{server: server, httpPort: caddyhttp.DefaultHTTPPort}
	s.enter(server.Routes)
	for _, module := range ctx.Modules() {
		switch m := module.(type) {
		case *caddyhttp.App:
			if m.HTTPPort != 0 {
				s.httpPort = uint(m.HTTPPort)
			}
		case *caddyhttp.Subroute:
			s.enter(m.Routes)
		}
	}
	return s, true
}

// enter adds the route that is being provisioned, if it is one of these: the
// first whose handlers were not all loaded. By then all have their matchers.
func (s *site) enter(routes caddyhttp.RouteList) {
	for i := range routes {
		if routes[i].HandlersRaw != nil {
			s.way = append(s.way, step{&routes[i], routes[:i]})
			return
		}
	}
}

// checkSite refuses a front that no CONNECT can reach, and one that would be an
// open proxy. A guarded front says itself who may use it.
func checkSite(ctx caddy.Context, allow allowList, guarded bool) error {
	s, ok := siteOf(ctx)
	if !ok {
		return nil
	}
	if err := cmp.Or(s.checkWay(allow), s.checkShadow()); err != nil {
		return fmt.Errorf("no CONNECT can reach this front: %w", err)
	}
	if addr, open := s.onNetwork(); open && !guarded {
		return fmt.Errorf(`this front would be an open proxy for everybody who can reach %s: write "bind 127.0.0.1" into its site, `+
			`or "basic_auth <user> <password>" or "clients <range...>" into the front, `+
			`or "open_to_everyone" where something else guards the network`, addr)
	}
	return nil
}

// crossesNetworkPlain reports a listener on a network without TLS, where a
// password could be read on its way.
func crossesNetworkPlain(ctx caddy.Context) (addr string, yes bool) {
	s, ok := siteOf(ctx)
	if !ok {
		return "", false
	}
	for _, listen := range s.server.Listen {
		if a, err := caddy.ParseNetworkAddress(listen); err == nil && !isLocal(a) && !s.encrypts(a) {
			return listen, true
		}
	}
	return "", false
}

// onNetwork is the first listener that others than this machine can reach.
func (s *site) onNetwork() (addr string, found bool) {
	for _, listen := range s.server.Listen {
		if a, err := caddy.ParseNetworkAddress(listen); err == nil && !isLocal(a) {
			return listen, true
		}
	}
	return "", false
}

// isLocal reports whether an address is one of this machine alone. What a
// descriptor that was handed down (fd/3) listens on is not known.
func isLocal(a caddy.NetworkAddress) bool {
	if a.IsUnixNetwork() || a.Host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(a.Host)
	return err == nil && ip.Unmap().IsLoopback()
}

// encrypts reports whether Caddy serves TLS on all ports of an address.
func (s *site) encrypts(a caddy.NetworkAddress) bool {
	return len(s.server.TLSConnPolicies) > 0 && (s.httpPort < a.StartPort || s.httpPort > a.EndPort)
}

// checkWay walks from the server's routes to the front as a CONNECT does.
func (s *site) checkWay(allow allowList) error {
	for i, step := range s.way {
		var hosts []string
		route := step.route
		passes := len(route.MatcherSets) == 0
		isSite := i == 0 && route.Terminal // as Caddyfiles' addresses become routes
		for _, set := range route.MatcherSets {
			reached, named := matchesConnect(set, allow, isSite)
			passes, hosts = passes || reached, append(hosts, named...)
		}
		switch {
		case passes:
		case len(hosts) == 0:
			return fmt.Errorf("it stands behind a matcher of paths, and CONNECT has no path; "+
				"write %s without a path, and outside of handle_path and of what else has one", forwardDirective)
		case isSite:
			return s.hostOnly(hosts)
		default:
			return fmt.Errorf("it stands behind a matcher of the host %s, which is no target that allow lists", strings.Join(hosts, ", "))
		}
	}
	return nil
}

// matchesConnect reports whether some CONNECT that the front allows gets past a
// set of matchers, and else which hosts it asks for. Host and path are looked
// at, of the other matchers nothing is known.
func matchesConnect(set caddyhttp.MatcherSet, allow allowList, isSite bool) (passes bool, hosts []string) {
	passes = true
	for _, matcher := range set {
		switch m := matcher.(type) {
		case *caddyhttp.MatchHost:
			hosts = append(hosts, *m...)
			// CONNECT to the site's own name would be a request to proxy to
			// itself, and all others pass the site by.
			passes = passes && !isSite && slices.ContainsFunc(*m, allow.mayName)
		case *caddyhttp.MatchPath, *caddyhttp.MatchPathRE:
			matched, err := m.(caddyhttp.RequestMatcherWithError).MatchWithError(connectProbe())
			passes = passes && (matched || err != nil)
		}
	}
	return passes, hosts
}

// connectProbe is a CONNECT for matchers to look at.
func connectProbe() *http.Request {
	ctx := context.WithValue(context.Background(), caddy.ReplacerCtxKey, caddy.NewReplacer())
	r := &http.Request{Method: http.MethodConnect, Host: "example.com:443", URL: &url.URL{Host: "example.com:443"}}
	return r.WithContext(ctx)
}

// hostOnly says what to write instead of an address with nothing but hosts.
func (s *site) hostOnly(hosts []string) error {
	port, encrypted := s.address()
	bare := ":" + strconv.FormatUint(uint64(port), 10)
	write := fmt.Sprintf(`"%s {"`, bare)
	switch {
	case !slices.ContainsFunc(hosts, func(host string) bool { return !isLocal(caddy.NetworkAddress{Host: host}) }):
		write += ` and, in it, "bind 127.0.0.1"`
	case encrypted:
		named := make([]string, len(hosts))
		for i, host := range hosts {
			named[i] = host
			if port != caddyhttp.DefaultHTTPSPort {
				named[i] += bare
			}
		}
		write = fmt.Sprintf(`"%s, %s {" (or ":3128 {" without TLS)`, bare, strings.Join(named, ", "))
	}
	return fmt.Errorf("its site has the host %s, and Caddy answers CONNECT for other hosts with an empty 200; write %s", strings.Join(hosts, ", "), write)
}

// address is the port of the server's first address that has one, and whether
// there is TLS on it.
func (s *site) address() (port uint, encrypted bool) {
	for _, listen := range s.server.Listen {
		if a, err := caddy.ParseNetworkAddress(listen); err == nil && a.StartPort != 0 {
			return a.StartPort, s.encrypts(a)
		}
	}
	if len(s.server.TLSConnPolicies) > 0 {
		return caddyhttp.DefaultHTTPSPort, true
	}
	return caddyhttp.DefaultHTTPPort, false
}
