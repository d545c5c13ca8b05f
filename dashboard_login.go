package proxypool

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/caddyauth"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"github.com/caddyserver/caddy/v2/modules/caddytls"
)

// openToAll is the warning for a page that others may see, and before which
// nothing was found that asks who they are.
const openToAll = "others than this machine may see the dashboard, and no basic_auth, forward_auth or client certificate was seen before it; " +
	"unless something else asks for a login, whoever reaches the site sees it"

// asksForLogin reports whether something before the page asks who a visitor is,
// as far as can be seen from here: routes that are invoked by name, or a server
// before Caddy, cannot.
func (s *site) asksForLogin(path string) bool {
	if slices.ContainsFunc(s.server.TLSConnPolicies, s.asksForCertificate) {
		return true
	}
	for i, step := range s.way {
		at := "" // of what was taken off the path here nothing is known
		if i == len(s.way)-1 {
			at = path
		}
		otherSites := i == 0 && step.route.Terminal // as Caddyfiles' addresses become routes
		if !otherSites && routesAsk(step.before, at) || slices.ContainsFunc(handlersBefore(step.route, dashboardDirective), asks) {
			return true
		}
	}
	return false
}

// asksForCertificate reports whether a policy, which is not provisioned yet,
// demands a certificate of whoever visits the site.
func (s *site) asksForCertificate(policy *caddytls.ConnectionPolicy) bool {
	demands := policy.ClientAuthentication
	if demands == nil || !demands.Active() || demands.Mode == "request" || demands.Mode == "verify_if_given" {
		return false
	}
	var names []string
	if json.Unmarshal(policy.MatchersRaw["sni"], &names) != nil {
		return len(policy.MatchersRaw) == 0
	}
	return slices.ContainsFunc(s.hosts(), func(hosts caddyhttp.MatchHost) bool {
		return slices.ContainsFunc(hosts, func(host string) bool { return slices.Contains(names, host) })
	})
}

// routesAsk reports whether one of the routes that a request for the page at a
// path passes asks for a login.
func routesAsk(routes caddyhttp.RouteList, path string) bool {
	return slices.ContainsFunc(routes, func(route caddyhttp.Route) bool {
		return leadsThrough(&route, path) && slices.ContainsFunc(handlersOf(&route), asks)
	})
}

// leadsThrough reports whether requests for the page and for what is below it
// get past the matchers of paths of a route.
func leadsThrough(route *caddyhttp.Route, path string) bool {
	if path == "" || len(route.MatcherSets) == 0 {
		return true
	}
	return slices.ContainsFunc(route.MatcherSets, func(set caddyhttp.MatcherSet) bool {
		for _, matcher := range set {
			m, ok := matcher.(*caddyhttp.MatchPath)
			if !ok {
				continue
			}
			for _, below := range []string{"/", "/api/snapshot"} {
				if matched, err := m.MatchWithError(probeAt(path + below)); err != nil || !matched {
					return false
				}
			}
		}
		return true
	})
}

func probeAt(path string) *http.Request {
	probe := connectProbe()
	probe.Method, probe.Host, probe.URL = http.MethodGet, "example.com", &url.URL{Path: path}
	return probe
}

// asks reports whether a handler lets nobody pass without a login.
func asks(handler caddyhttp.MiddlewareHandler) bool {
	switch h := handler.(type) {
	case *caddyauth.Authentication:
		return true
	case *reverseproxy.Handler:
		return answersProxied(h) == "forward_auth"
	case *caddyhttp.Subroute:
		return routesAsk(h.Routes, "")
	default:
		// Modules of others, by the name that such have.
		module, ok := handler.(caddy.Module)
		return ok && strings.Contains(string(module.CaddyModule().ID), "auth")
	}
}
