package proxypool

import (
	"crypto/subtle"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// tokenHeader is the field in which the page shows that it read the token: no
// other origin can read it, nor send a field of its own without asking first.
const tokenHeader = "X-Proxy-Pool-Token" // #nosec G101 -- the name of a field

// hosts are those of the routes that lead to a handler: the names of its site.
// What matches any name, or what the request itself says, is none.
func (s *site) hosts() (hosts []caddyhttp.MatchHost) {
	for _, step := range s.way {
		for _, set := range step.route.MatcherSets {
			for _, matcher := range set {
				if m, ok := matcher.(*caddyhttp.MatchHost); ok {
					hosts = append(hosts, slices.DeleteFunc(slices.Clone(*m), matchesAnyHost))
				}
			}
		}
	}
	return hosts
}

func matchesAnyHost(pattern string) bool {
	return strings.Trim(pattern, "*.") == "" || strings.Contains(pattern, "{http.")
}

// admits says why a visitor is not to see the page: without allow_remote all but
// those on this machine, who called it by a name of this machine or of its site.
// A page elsewhere whose name was made to lead to 127.0.0.1 is of our origin for
// a browser, and only its Host tells.
func (d *Dashboard) admits(r *http.Request) error {
	if d.AllowRemote {
		return nil
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !peer.Addr().Unmap().IsLoopback() {
		return errors.New("the dashboard is for this machine alone; see allow_remote in its documentation")
	}
	if field := forwardedBy(r.Header); field != "" {
		return errors.New("the dashboard is for this machine alone, and the request was forwarded: it has the field " + field + "; see allow_remote in its documentation")
	}
	if !isLoopbackHost(r.Host) && !d.isOwnHost(r) {
		return errors.New("the dashboard is asked for by a host name that is none of its site; use localhost, or name the host in the site's address")
	}
	return nil
}

// forwardedBy is a field that proxies add, empty where there is none.
func forwardedBy(header http.Header) string {
	for field := range header {
		canonical := http.CanonicalHeaderKey(strings.ReplaceAll(field, "_", "-"))
		if strings.Contains(canonical, "Forward") || strings.HasSuffix(canonical, "-Ip") || strings.HasSuffix(canonical, "Clientip") {
			return canonical // X-Forwarded-For, X-Real-Ip, True-Client-Ip and what else they are called
		}
		switch canonical {
		case "Via", "X-Via", "Cdn-Loop", "Cf-Ray", "Remote-Addr", "X-Remote-Addr", "X-Envoy-External-Address", "X-Original-Host":
			return canonical
		}
	}
	return ""
}

func isLoopbackHost(hostport string) bool {
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.Trim(hostport, "[]")
	}
	if strings.Trim(port, "0123456789") != "" {
		return false
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

func (d *Dashboard) isOwnHost(r *http.Request) bool {
	for _, m := range d.hosts {
		if ok, err := m.MatchWithError(r); ok && err == nil {
			return true
		}
	}
	return false
}

// mayAct says why a request may not change anything.
func (d *Dashboard) mayAct(r *http.Request) error {
	if !d.Actions {
		return refused("the dashboard is read only: write \"actions on\" into it")
	}
	if !isSameOrigin(r) {
		return refused("actions are for the page of the dashboard alone")
	}
	shown := []byte(r.Header.Get(tokenHeader))
	if subtle.ConstantTimeCompare(shown, []byte(d.app.registry.token)) != 1 {
		return refused("the token is missing or old: load the page again")
	}
	return nil
}

// isSameOrigin reports whether a page of our own sent the request. Browsers say
// so with each POST; what says nothing is no page.
func isSameOrigin(r *http.Request) bool {
	site, origin := r.Header.Get("Sec-Fetch-Site"), r.Header.Get("Origin")
	if site == "" && origin == "" || site != "" && site != "same-origin" {
		return false
	}
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	if err != nil || len(r.Header["Origin"]) > 1 || u.Host == "" || r.TLS != nil && u.Scheme != "https" {
		return false // whoever listens in can write a page of http://
	}
	return strings.EqualFold(u.Host, r.Host)
}
