package proxypool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"github.com/caddy-proxypool/proxypool/internal/proxytest"
)

// byNetworkProxy is a site that reaches the target with Caddy's own transport
// through the active proxy.
func byNetworkProxy(t *testing.T, target, options string) string {
	t.Helper()
	if strings.HasPrefix(target, "https") {
		options += "\n\t\t\ttls_trust_pool file " + proxytest.CAFile(t)
	}
	return fmt.Sprintf("http://127.0.0.1:{port} {\n\treverse_proxy %s {\n\t\theader_up Host {upstream_hostport}\n\t\ttransport http {\n\t\t\t%s\n\t\t}\n\t}\n}\n", target, options)
}

// passedOn is how many requests or tunnels the proxy passed on to an origin.
func passedOn(p *proxytest.Proxy, o *proxytest.Origin) int {
	return p.Connects(o.Addr()) + p.Forwards(o.Addr())
}

// TestNetworkProxy goes through the active proxy, with each kind of proxy and of
// target.
func TestNetworkProxy(t *testing.T) {
	kinds := []proxytest.ProxyConfig{
		{Kind: proxytest.HTTP},
		{Kind: proxytest.HTTP, Username: "some user", Password: "p@ss:w/rd"},
		{Kind: proxytest.HTTPS, Username: "some user", Password: "p@ss:w/rd"},
		{Kind: proxytest.SOCKS5},
		{Kind: proxytest.SOCKS5, Username: "some user", Password: "p@ss:w/rd"},
	}
	for _, kind := range kinds {
		for _, secure := range []bool{false, true} {
			if kind.Kind == proxytest.HTTPS && !secure {
				continue // the transport has no trust where its target has no TLS
			}
			t.Run(fmt.Sprintf("%s/password=%v/TLS=%v", kind.Kind, kind.Password != "", secure), func(t *testing.T) {
				origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: secure})
				proxy := proxytest.NewProxy(t, kind)
				s := serve(t, onePool(t, "", proxy), byNetworkProxy(t, origin.URL(), "network_proxy proxy_pool"))
				s.get(client(t), "/")
				if passedOn(proxy, origin) != 1 || origin.Requests() != 1 {
					t.Errorf("%d through the proxy, %d at the origin; want 1 and 1", passedOn(proxy, origin), origin.Requests())
				}
				if strings.Contains(captured.String(), "ss:w") || strings.Contains(captured.String(), url.QueryEscape("p@ss:w/rd")) {
					t.Error("the password is in the log")
				}
			})
		}
	}
}

// TestNetworkProxyFollows: each request goes through the proxy that is active
// then, and nowhere where none is.
func TestNetworkProxyFollows(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("TLS=%v", secure), func(t *testing.T) {
			origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: secure, HTTP2: secure})
			first, second := proxytest.NewProxy(t, proxytest.ProxyConfig{}), proxytest.NewProxy(t, proxytest.ProxyConfig{})
			s := serve(t, onePool(t, "", first, second), byNetworkProxy(t, origin.URL(), "versions 1.1\n\t\t\tnetwork_proxy proxy_pool main"))
			steps := []struct {
				action      string // on P1 or P2
				status      int
				one, two    int // accepted connections
				atTheOrigin int
			}{
				{"", 200, 1, 0, 1},
				{"P1/mark-down", 200, 1, 1, 2},
				{"P2/disable", 502, 1, 1, 2},
				{"P2/enable", 200, 1, 1, 3}, // on the connection that stands
				{"P1/mark-healthy", 200, 1, 1, 4},
			}
			c := client(t)
			for _, step := range steps {
				if step.action != "" {
					s.call(http.MethodPost, "/proxy_pool/proxies/main/"+step.action, nil)
				}
				resp, body := s.do(c, http.MethodGet, "/", "", "")
				if resp.StatusCode != step.status || first.Accepted() != step.one || second.Accepted() != step.two || origin.Requests() != step.atTheOrigin {
					t.Errorf("after %q: %s (%q), connections %d and %d, origin %d; want %+v",
						step.action, resp.Status, body, first.Accepted(), second.Accepted(), origin.Requests(), step)
				}
			}
		})
	}
}

// TestNetworkProxyTwoAddresses: http and https have an address each, and either
// may be direct.
func TestNetworkProxyTwoAddresses(t *testing.T) {
	plain := proxytest.NewOrigin(t, proxytest.OriginConfig{})
	secure := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true})
	forHTTP, forHTTPS := proxytest.NewProxy(t, proxytest.ProxyConfig{}), proxytest.NewProxy(t, proxytest.ProxyConfig{Kind: proxytest.SOCKS5})
	tests := []struct {
		name        string
		http, https string
		one, two    int // requests and tunnels
		target      *proxytest.Origin
	}{
		{"http", forHTTP.URL(), forHTTPS.URL(), 1, 0, plain},
		{"https", forHTTP.URL(), forHTTPS.URL(), 0, 1, secure},
		{"http through direct", direct, forHTTPS.URL(), 0, 0, plain},
		{"https through direct", forHTTP.URL(), direct, 0, 0, secure},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			pools := fmt.Sprintf("pool main {\nhealth_check off\nproxy Two {\nhttp_url %s\nhttps_url %s\n}\n}", test.http, test.https)
			one, two, seen := passedOn(forHTTP, test.target), passedOn(forHTTPS, test.target), test.target.Requests()
			s := serve(t, pools, byNetworkProxy(t, test.target.URL(), "network_proxy proxy_pool"))
			s.get(client(t), "/")
			one, two, seen = passedOn(forHTTP, test.target)-one, passedOn(forHTTPS, test.target)-two, test.target.Requests()-seen
			if one != test.one || two != test.two || seen != 1 {
				t.Errorf("%d for http, %d for https, %d at the origin; want %d, %d, 1", one, two, seen, test.one, test.two)
			}
		})
	}
}

// TestNetworkProxyMetered: a metered proxy stands in, unless its budget is hard,
// which nobody could keep to.
func TestNetworkProxyMetered(t *testing.T) {
	tests := []struct {
		name, budget string
		status       int
	}{
		{"no budget", "", 200},
		{"soft budget", "budget 1GB month", 200},
		{"hard budget", "budget 1GB month hard", 502},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			origin := proxytest.NewOrigin(t, proxytest.OriginConfig{})
			free, metered := proxytest.NewProxy(t, proxytest.ProxyConfig{}), proxytest.NewProxy(t, proxytest.ProxyConfig{})
			pools := fmt.Sprintf("pool main {\nhealth_check off\nproxy Free %s\nproxy Metered %s {\npriority 1\ncost_per_gb 10\n%s\n}\n}", free.URL(), metered.URL(), test.budget)
			s := serve(t, pools, byNetworkProxy(t, origin.URL(), "network_proxy proxy_pool"))
			s.get(client(t), "/")
			if metered.Accepted() != 0 || free.Accepted() != 1 {
				t.Errorf("connections: %d metered, %d free; want 0 and 1", metered.Accepted(), free.Accepted())
			}
			s.call(http.MethodPost, "/proxy_pool/proxies/main/Free/disable", nil)
			if resp, _ := s.do(client(t), http.MethodGet, "/", "", ""); resp.StatusCode != test.status {
				t.Errorf("without a free proxy: %s, want %d", resp.Status, test.status)
			}
		})
	}
}

// TestNetworkProxyMisdirected: the Host of a client does not choose what an HTTP
// proxy is asked for.
func TestNetworkProxyMisdirected(t *testing.T) {
	origin, other := proxytest.NewOrigin(t, proxytest.OriginConfig{}), proxytest.NewOrigin(t, proxytest.OriginConfig{})
	tests := []struct {
		name   string
		kind   proxytest.Kind
		host   string // sent upstream
		status int
	}{
		{"somebody else", proxytest.HTTP, other.Addr(), 502},
		{"the upstream", proxytest.HTTP, origin.Addr(), 200},
		{"no host at all", proxytest.HTTP, "a@b", 502},
		{"somebody else, SOCKS", proxytest.SOCKS5, other.Addr(), 200},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			proxy := proxytest.NewProxy(t, proxytest.ProxyConfig{Kind: test.kind})
			site := strings.ReplaceAll(byNetworkProxy(t, origin.URL(), "network_proxy proxy_pool"), "{upstream_hostport}", test.host)
			s := serve(t, onePool(t, "", proxy), site)
			if resp, body := s.do(client(t), http.MethodGet, "/", "", ""); resp.StatusCode != test.status {
				t.Errorf("got %s %q, want %d", resp.Status, body, test.status)
			}
			if n := passedOn(proxy, other); n != 0 || other.Requests() != 0 {
				t.Errorf("the proxy was asked for the client's host %d times, which saw %d", n, other.Requests())
			}
		})
	}
}

// TestNetworkProxyRefused: mistakes are told when the configuration is loaded.
func TestNetworkProxyRefused(t *testing.T) {
	one := "pool main {\nhealth_check off\nproxy A http://127.0.0.1:3\n}\n"
	two := one + "pool other {\nhealth_check off\nproxy A http://127.0.0.1:3\n}\n"
	tests := []struct {
		name, pools, options, want string
	}{
		{"unknown pool", one, "network_proxy proxy_pool nope", `pool "nope" does not exist, expected one of main`},
		{"one of several", two, "network_proxy proxy_pool", "expected the name of a pool, one of main, other"},
		{"HTTP/3", one, "versions 3\nnetwork_proxy proxy_pool", "versions 3: no network proxy is asked for HTTP/3"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := serve(t, one, "")
			err := caddy.Load(s.config(test.pools, byNetworkProxy(t, "https://127.0.0.1:3", test.options)), true)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

// TestNetworkProxyWarns where connections outlive the proxy that is active.
func TestNetworkProxyWarns(t *testing.T) {
	const warning = "connections of HTTP/2 are used on"
	tests := []struct {
		name, target, options string
		warns                 bool
	}{
		{"both versions", "https://127.0.0.1:3", "network_proxy proxy_pool", true},
		{"HTTP/1.1", "https://127.0.0.1:3", "versions 1.1\n network_proxy proxy_pool", false},
		{"without TLS", "http://127.0.0.1:3", "network_proxy proxy_pool", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			serve(t, "pool main {\nhealth_check off\nproxy A http://127.0.0.1:3\n}", byNetworkProxy(t, test.target, test.options))
			if got := strings.Contains(captured.String(), warning); got != test.warns {
				t.Errorf("warned %v, want %v", got, test.warns)
			}
		})
	}
}

// TestNetworkProxyWaits: no address is given out before the process knows what
// it knew before, and none to a client that has left by then.
func TestNetworkProxyWaits(t *testing.T) {
	serve(t, "pool main {\nhealth_check off\nproxy A http://127.0.0.1:3\n}", "")
	pool := runningApp().pools[0]
	synctest.Test(t, func(t *testing.T) {
		begun := make(chan struct{})
		n := &NetworkProxy{app: &App{begun: begun}, pool: pool}
		ask := func(ctx context.Context) (time.Duration, *url.URL, error) {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://api.example/", nil)
			if err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			u, err := n.ProxyFunc()(req)
			return time.Since(start), u, err
		}
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, u, err := ask(impatient); u != nil || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a client that left got %v and %v", u, err)
		}
		time.AfterFunc(2*time.Second, func() { close(begun) })
		if waited, u, err := ask(t.Context()); waited != 2*time.Second || u == nil || err != nil {
			t.Errorf("after %s got %v and %v, want an address after 2s", waited, u, err)
		}
	})
}

// TestNetworkProxyMayTryAgain: reverse_proxy is told that nothing was sent, so
// that it may wait for a proxy with a POST, too.
func TestNetworkProxyMayTryAgain(t *testing.T) {
	s := serve(t, "pool main {\nhealth_check off\nproxy A http://user:hidden@127.0.0.1:3\n}", "")
	s.call(http.MethodPost, "/proxy_pool/proxies/main/A/disable", nil)
	app := runningApp()
	n := &NetworkProxy{app: app, pool: app.pools[0]}
	u, err := n.proxyFor(&http.Request{URL: &url.URL{Scheme: "https", Host: "api.example"}})
	if dial := (reverseproxy.DialError{}); u != nil || !errors.As(err, &dial) {
		t.Errorf("got %v and %v (%T), want a DialError", u, err, err)
	}
	if err != nil && strings.Contains(err.Error(), "hidden") {
		t.Errorf("the password is in the error: %v", err)
	}
}

// TestNetworkProxyACME: an issuer asks for its directory through the active
// proxy. Its name is one that only the proxy knows.
func TestNetworkProxyACME(t *testing.T) {
	const ca = "acme.test:443"
	asked := make(chan string, 1)
	origin := proxytest.NewOrigin(t, proxytest.OriginConfig{
		TLS: true,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			select {
			case asked <- r.URL.Path:
			default:
			}
			http.Error(w, "no account today", http.StatusForbidden)
		}),
	})
	config := proxytest.ProxyConfig{Hosts: map[string]string{ca: origin.Addr()}, Username: "user", Password: "p@ss:w/rd"}
	first, second := proxytest.NewProxy(t, config), proxytest.NewProxy(t, config)
	s := serve(t, onePool(t, "", first, second), "")
	s.call(http.MethodPost, "/proxy_pool/proxies/main/P1/disable", nil)
	s.loadJSON(withIssuer(t, s.config(s.pool, ""), ca, proxytest.CAFile(t)))
	select {
	case path := <-asked:
		if path != "/directory" {
			t.Errorf("the CA was asked for %s first, want /directory", path)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the CA was never asked")
	}
	if first.Accepted() != 0 || second.Connects(ca) == 0 {
		t.Errorf("connections to P1: %d, tunnels of P2: %d; want none and some", first.Accepted(), second.Connects(ca))
	}
}

// withIssuer adds a certificate to a configuration, from an ACME CA that is
// reached through the pool main.
func withIssuer(t *testing.T, config []byte, ca, caFile string) []byte {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal(config, &all); err != nil {
		t.Fatal(err)
	}
	all["apps"].(map[string]any)["tls"] = map[string]any{
		"certificates": map[string]any{"automate": []string{"front.proxypool.net"}},
		"automation": map[string]any{"policies": []any{map[string]any{
			"issuers": []any{map[string]any{
				"module": "acme", "ca": "https://" + ca + "/directory",
				"trusted_roots_pem_files": []string{caFile},
				"network_proxy":           map[string]any{"from": "proxy_pool", "pool": "main"},
			}},
		}}},
	}
	out, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
