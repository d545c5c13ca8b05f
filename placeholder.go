package proxypool

import (
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-proxypool/proxypool/pool"
)

// placeholders gives the request's story to the placeholders, which are asked
// for when the access log is written.
func (p *passage) placeholders(r *http.Request) { givePlaceholders(r, &p.trace) }

// givePlaceholders gives a story to the placeholders of its request.
func givePlaceholders(r *http.Request, t *pool.Trace) {
	if repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
		repl.Map(func(key string) (any, bool) { return placeholder(t, key) })
	}
}

const placeholderPrefix = "http.proxy_pool."

// placeholder is the value of one placeholder of a request's story.
func placeholder(t *pool.Trace, key string) (any, bool) {
	name, ours := strings.CutPrefix(key, placeholderPrefix)
	if !ours {
		return nil, false
	}
	switch name {
	case "proxy":
		return t.Proxy, true
	case "pool":
		return t.Pool, true
	case "target":
		return t.Target, true
	case "attempts":
		return t.Attempts(), true
	case "connect_ms":
		return t.Connect.Milliseconds(), true
	case "error":
		return t.Err, true
	case "trail":
		return t.String(), true
	}
	return nil, false
}

// placeholderNames are all of them, for where they are set one by one.
var placeholderNames = []string{"proxy", "pool", "target", "attempts", "connect_ms", "error", "trail"}
