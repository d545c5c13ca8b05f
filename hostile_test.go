package proxypool

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddy-proxypool/proxypool/internal/proxytest"
)

// raw sends bytes to the front and returns the answer.
func (s *server) raw(text string) (status int, body string) {
	s.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, text); err != nil {
		s.t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	all, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, string(all)
}

// TestNoOtherHostOnTheTarget: a request target that is neither a path nor a URL
// would be repeated to the target in absolute-form, which wins over Host there.
func TestNoOtherHostOnTheTarget(t *testing.T) {
	for _, config := range []proxytest.OriginConfig{{TLS: true}, {TLS: true, HTTP2: true}, {}} {
		for _, kind := range []proxytest.Kind{proxytest.HTTP, proxytest.SOCKS5} {
			t.Run(fmt.Sprintf("tls=%t/h2=%t/%v", config.TLS, config.HTTP2, kind), func(t *testing.T) {
				origin := proxytest.NewOrigin(t, config)
				s := serve(t, onePool(t, "", proxytest.NewProxy(t, proxytest.ProxyConfig{Kind: kind})), reverse(origin.URL(), ""))
				for _, target := range []string{"x:http://evil.example/secret", "x:foo", "http:foo"} {
					status, _ := s.raw("GET " + target + " HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
					if status != http.StatusBadRequest {
						t.Errorf("%s: got %d", target, status)
					}
				}
				if origin.Requests() != 0 {
					t.Error("something reached the origin")
				}
				if row := s.row("P1"); row.TotalRequests != 0 {
					t.Errorf("an attempt was made: %+v", row)
				}
			})
		}
	}
}

// TestRequestTrailers pass, through the handler and the transport.
func TestRequestTrailers(t *testing.T) {
	handler := func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s", body, r.Trailer.Get("X-Sum"))
	}
	for _, h2 := range []bool{false, true} {
		origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true, HTTP2: h2, Handler: http.HandlerFunc(handler)})
		for name, directive := range map[string]string{
			"handler":   "proxy_pool " + origin.URL(),
			"transport": "reverse_proxy " + origin.URL() + " {\ntransport proxy_pool\n}",
		} {
			t.Run(fmt.Sprintf("%s/h2=%t", name, h2), func(t *testing.T) {
				s := serve(t, onePool(t, "", proxytest.NewProxy(t, proxytest.ProxyConfig{})), "http://127.0.0.1:{port} {\n"+directive+"\n}")
				_, body := s.raw("POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 42\r\n\r\n")
				if body != "abc 42" {
					t.Errorf("the origin saw %q", body)
				}
			})
		}
	}
}

// TestUnaskedUpgradeIsClosed: a target that switches to what nobody asked for
// leaves no connection behind.
func TestUnaskedUpgradeIsClosed(t *testing.T) {
	handler := func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: evil\r\n\r\n")
		_, _ = io.Copy(io.Discard, conn)
	}
	origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true, Handler: http.HandlerFunc(handler)})
	proxy := proxytest.NewProxy(t, proxytest.ProxyConfig{})
	s := serve(t, onePool(t, "max_failures 100", proxy), reverse(origin.URL(), ""))
	for range 10 {
		if status, body := s.raw("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"); status != http.StatusBadGateway {
			t.Fatalf("got %d %s", status, body)
		}
	}
	eventually(t, "all connections are closed", func() bool { return proxy.Standing() == 0 })
}

// TestRefusedReload: a configuration that Caddy gives up changes nothing for the
// one that goes on: neither prices nor connections.
func TestRefusedReload(t *testing.T) {
	origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true})
	a, b := proxytest.NewProxy(t, proxytest.ProxyConfig{}), proxytest.NewProxy(t, proxytest.ProxyConfig{})
	s := serve(t, onePool(t, "", a), reverse(origin.URL(), ""))
	c := client(t)
	s.get(c, "/")
	var old *App
	for _, app := range runningApps() {
		old = app
	}
	// What Caddy does where our app starts and a server then does not; which of
	// the two starts first is left to chance there.
	refused := &App{AppConfig: AppConfig{}}
	dear := strings.Replace(onePool(t, "", b), "priority 1", "priority 1\ncost_per_gb 1000", 1)
	loadApp(t, s, dear, refused)
	if err := refused.Start(); err != nil {
		t.Fatal(err)
	}
	if err := refused.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := refused.Cleanup(); err != nil {
		t.Fatal(err)
	}
	s.get(c, "/")
	s.call(http.MethodPost, "/proxy_pool/proxies/main/P1/reset-stats", nil)
	accepted := a.Accepted()
	for range 20 {
		s.get(c, "/")
	}
	if n := a.Accepted() - accepted; n != 0 {
		t.Errorf("20 requests made %d connections", n)
	}
	if row := s.row("P1"); row.EstimatedCost != 0 || row.TrafficMB == 0 {
		t.Errorf("billed %v $ for %v MB", row.EstimatedCost, row.TrafficMB)
	}
	if apps := runningApps(); len(apps) != 1 || apps[0] != old {
		t.Error("the state follows another configuration")
	}
}

// TestTransportClientGone: a client that leaves is not held against the upstream.
func TestTransportClientGone(t *testing.T) {
	origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true})
	proxy := proxytest.NewProxy(t, proxytest.ProxyConfig{})
	proxy.MustSetMode(t, proxytest.Silent)
	site := fmt.Sprintf("http://127.0.0.1:{port} {\nreverse_proxy %s {\nfail_duration 1m\ntransport proxy_pool\n}\n}\n", origin.URL())
	s := serve(t, onePool(t, "", proxy), site)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := client(t).Do(req); err == nil {
		resp.Body.Close()
		t.Fatal("expected the client to give up")
	}
	proxy.MustSetMode(t, proxytest.Works)
	s.get(client(t), "/")
}
