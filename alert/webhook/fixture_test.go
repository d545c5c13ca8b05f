package webhook

import (
	"net/http"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-proxypool/proxypool/alert"
)

// asked is what a notifier asked its environment for.
type asked struct {
	ways     []string
	patience time.Duration
}

// environment has one transport for all ways.
func environment(ways http.RoundTripper, what *asked) *alert.Env {
	return &alert.Env{
		Language: alert.English, Location: time.UTC,
		Transport: func(names []string, patience time.Duration) (http.RoundTripper, error) {
			if what != nil {
				*what = asked{names, patience}
			}
			return ways, nil
		},
	}
}

// load makes the destination of a configuration in JSON. Its words are made up.
func load(t *testing.T, config string, ways http.RoundTripper) *hook {
	t.Helper()
	n := new(Notifier)
	if err := caddy.StrictUnmarshalJSON([]byte(config), n); err != nil {
		t.Fatal(err)
	}
	if err := n.Provision(caddy.Context{Context: t.Context()}); err != nil {
		t.Fatal(err)
	}
	destinations, err := n.Destinations(environment(ways, nil))
	if err != nil || len(destinations) != 1 {
		t.Fatalf("got %d destinations, error %v", len(destinations), err)
	}
	h := destinations[0].(*hook)
	h.render = func(a *alert.Alert) alert.Text {
		return alert.Text{HTML: "<b>not for webhooks</b>", Plain: "<" + string(a.Kind) + ">\nو & more"}
	}
	return h
}

// sample is an alert with a little in it.
func sample() *alert.Alert {
	return &alert.Alert{
		Version: alert.Version, ID: 1767258000000000001, Kind: alert.KindTest, Priority: alert.Normal,
		Time: time.Date(2026, 1, 1, 9, 0, 0, 0, time.UTC),
	}
}
