package main

import "strings"

// leftOut are the pieces of the pages that cannot be tried here, by how they
// begin, with the reason. All else is.
var leftOut = []struct{ begins, reason string }{
	{"app ──▶", "a drawing"},
	{"*/5 * * * *", "a line for cron, whose command is tried where it is shown by itself"},
	{"🔔 پروکسی", "a message in Persian of a proxy that the quickstart has not; alert/testdata has them all"},
	{`{"level":"info","logger":"http.log.access"`, "shortened, as the page says; an example's test compares it"},
	{"$ curl -s -w '%header{x-proxy-trail}\\n' localhost:8180/", "needs a proxy that reads a request and breaks, or an API that limits addresses, beside the quickstart; package pool tests both"},
}

// whyLeftOut is the reason, empty where a piece is tried.
func whyLeftOut(text string) string {
	for _, l := range leftOut {
		if strings.HasPrefix(strings.TrimSpace(text), l.begins) {
			return l.reason
		}
	}
	return ""
}

// inPlace is what is typed in place of what a page shows: the module is not
// published, and there is no network to ask for versions.
var inPlace = strings.NewReplacer(
	"xcaddy build --with github.com/caddy-proxypool/proxypool",
	`xcaddy build "$(go list -m -f '{{.Version}}' github.com/caddyserver/caddy/v2)" --with github.com/caddy-proxypool/proxypool@v0.0.0=.`,
)
