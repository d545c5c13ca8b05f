package proxypool

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/caddyauth"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/fileserver"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
)

// certainty is what is known before there is a request.
type certainty int

const (
	never certainty = iota
	maybe
	always
)

// checkShadow refuses a front before which something else answers every CONNECT.
// Of what it does not know it expects nothing: a front that may be reached is
// right.
func (s *site) checkShadow() error {
	for _, step := range s.way {
		if connectMatches(step.route) == never {
			return nil // the front is not for CONNECT
		}
	}
	for _, step := range s.way {
		name := answering(step.before, step.route.Group)
		if name == "" {
			name = firstAnswering(handlersBefore(step.route, forwardDirective))
		}
		if name != "" {
			return shadowedBy(name)
		}
	}
	return nil
}

// shadowedBy says what to write instead.
func shadowedBy(name string) error {
	hint := ""
	if name == "basic_auth" {
		hint = ", or let the front ask itself, with a basic_auth in its block"
	}
	return fmt.Errorf("%q answers before it; give it a matcher, or write route { ... } with %s first%s", name, forwardDirective, hint)
}

// answering is the first of the routes' handlers that answers every CONNECT. A
// route of a group that takes every CONNECT leaves none to the group's others.
func answering(routes caddyhttp.RouteList, group string) string {
	taken := make(map[string]certainty) // by groups
	for i := range routes {
		route := &routes[i]
		matches := connectMatches(route)
		if route.Group != "" {
			before := taken[route.Group]
			taken[route.Group] = max(before, matches)
			matches = min(matches, always-before)
		}
		if matches != always {
			continue
		}
		if name := firstAnswering(handlersOf(route)); name != "" {
			return name
		}
		if route.Terminal || route.Group != "" && route.Group == group {
			return "handle"
		}
	}
	return ""
}

// firstAnswering is the first handler that answers every CONNECT.
func firstAnswering(handlers []caddyhttp.MiddlewareHandler) string {
	for _, handler := range handlers {
		if name := answers(handler); name != "" {
			return name
		}
	}
	return ""
}

// answers is what a Caddyfile calls a handler that never hands a CONNECT on, or
// that asks for a login in a field that is not meant for proxies. It is empty
// for all others.
func answers(handler caddyhttp.MiddlewareHandler) string {
	switch h := handler.(type) {
	case *caddyhttp.Subroute:
		return answering(h.Routes, "")
	case *caddyhttp.StaticError:
		return "error"
	case *caddyhttp.StaticResponse:
		return answersStatic(h)
	case *fileserver.FileServer:
		if !h.PassThru {
			return "file_server"
		}
	case *reverseproxy.Handler:
		return answersProxied(h)
	case *caddyauth.Authentication:
		if len(h.Providers)+len(h.ProvidersRaw) == 1 && (h.Providers["http_basic"] != nil || h.ProvidersRaw["http_basic"] != nil) {
			return "basic_auth"
		}
	case *Handler:
		return "proxy_pool"
	}
	return ""
}

func answersStatic(h *caddyhttp.StaticResponse) string {
	switch {
	case h.Abort:
		return "abort"
	case h.StatusCode.Int() == http.StatusEarlyHints: // early hints, the answer comes from the next
		return ""
	case h.Headers.Get("Location") != "":
		return "redir"
	default:
		return "respond"
	}
}

// answersProxied looks at reverse_proxy, which may hand on what its upstream
// answered. In forward_auth that is asked whether there is a login.
func answersProxied(h *reverseproxy.Handler) string {
	switch {
	case len(h.HandleResponse) == 0:
		return "reverse_proxy"
	case h.Rewrite != nil && h.Rewrite.Method != "":
		return "forward_auth"
	default:
		return ""
	}
}

// handlersOf are the handlers of a route. Where they were not provisioned yet,
// they are as they are configured.
func handlersOf(route *caddyhttp.Route) []caddyhttp.MiddlewareHandler {
	if route.HandlersRaw == nil {
		return route.Handlers
	}
	return readHandlers(route.HandlersRaw)
}

// handlersBefore are the handlers of a handler's own route, or of one that leads
// to it, that come before it. There are none where it is not to be found.
func handlersBefore(route *caddyhttp.Route, name string) []caddyhttp.MiddlewareHandler {
	for i, raw := range route.HandlersRaw {
		if bytes.Contains(raw, []byte(`"`+name+`"`)) {
			return readHandlers(route.HandlersRaw[:i])
		}
	}
	return nil
}

// readHandlers reads handlers without provisioning them. What cannot be read is
// for Caddy to refuse.
func readHandlers(list []json.RawMessage) []caddyhttp.MiddlewareHandler {
	var handlers []caddyhttp.MiddlewareHandler
	for _, raw := range list {
		var named struct {
			Handler string `json:"handler"`
		}
		if json.Unmarshal(raw, &named) != nil {
			continue
		}
		module, err := caddy.GetModule("http.handlers." + named.Handler)
		if err != nil {
			continue
		}
		handler, ok := module.New().(caddyhttp.MiddlewareHandler)
		if ok && json.Unmarshal(raw, handler) == nil {
			handlers = append(handlers, handler)
		}
	}
	return handlers
}

// connectMatches reports whether a CONNECT gets past a route's matchers. It is
// certain where they look at the method and the path alone.
func connectMatches(route *caddyhttp.Route) certainty {
	switch {
	case len(route.MatcherSetsRaw) > 0: // not provisioned yet
		return maybe
	case len(route.MatcherSets) == 0:
		return always
	}
	return anyMatches(route.MatcherSets)
}

func anyMatches(sets []caddyhttp.MatcherSet) certainty {
	best := never
	for _, set := range sets {
		worst := always
		for _, matcher := range set {
			worst = min(worst, connectMatched(matcher))
		}
		best = max(best, worst)
	}
	return best
}

func connectMatched(matcher any) certainty {
	switch m := matcher.(type) {
	case *caddyhttp.MatchNot:
		return always - anyMatches(m.MatcherSets)
	case *caddyhttp.MatchMethod, *caddyhttp.MatchPath, *caddyhttp.MatchPathRE:
		matched, err := m.(caddyhttp.RequestMatcherWithError).MatchWithError(connectProbe())
		switch {
		case err != nil:
			return maybe
		case matched:
			return always
		default:
			return never
		}
	default:
		return maybe
	}
}
