package dial_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/caddy-proxypool/proxypool/dial"
	"github.com/caddy-proxypool/proxypool/internal/proxytest"
)

const (
	user     = "some-user"
	password = "p@ss:w/rd"
)

// TestReach goes every way there is: each kind of proxy, with and without
// password, to each kind of target, over IPv4 and IPv6.
func TestReach(t *testing.T) {
	t.Parallel()
	for _, ipv6 := range []bool{false, true} {
		for _, way := range []string{"http", "https", "socks5", "direct"} {
			for _, auth := range []bool{false, true} {
				for _, target := range []string{"http", "https", "h2"} {
					if auth && way == "direct" {
						continue
					}
					t.Run(fmt.Sprintf("%s/auth=%v/%s/ipv6=%v", way, auth, target, ipv6), func(t *testing.T) {
						t.Parallel()
						testReach(t, way, target, auth, ipv6)
					})
				}
			}
		}
	}
}

var kinds = map[string]proxytest.Kind{"http": proxytest.HTTP, "https": proxytest.HTTPS, "socks5": proxytest.SOCKS5}

func testReach(t *testing.T, way, target string, auth, ipv6 bool) {
	t.Helper()
	var mu sync.Mutex
	var leaked []string
	origin := proxytest.NewOrigin(t, proxytest.OriginConfig{
		TLS: target != "http", HTTP2: target == "h2", IPv6: ipv6,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			for name, values := range r.Header {
				if strings.HasPrefix(name, "Proxy-") {
					leaked = append(leaked, fmt.Sprint(name, values))
				}
			}
			body, _ := io.ReadAll(r.Body)
			fmt.Fprintf(w, "%s %s %s", r.Method, r.RequestURI, body)
		}),
	})
	var proxy *proxytest.Proxy
	if kind, ok := kinds[way]; ok {
		config := proxytest.ProxyConfig{Kind: kind, IPv6: ipv6}
		if auth {
			config.Username, config.Password = user, password
		}
		proxy = proxytest.NewProxy(t, config)
	}
	d := dialerFor(t, proxy)
	m := new(meter)
	d.Meter = m
	ready := 0
	c, err := d.Open(t.Context(), targetOf(origin), func() { ready++ })
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	if ready != 1 {
		t.Errorf("proxyReady was called %d times, want 1", ready)
	}
	if got, want := c.Multiplexed(), target == "h2"; got != want {
		t.Errorf("Multiplexed() = %v, want %v", got, want)
	}
	wantAbsolute := target == "http" && strings.HasPrefix(way, "http")
	if c.AbsoluteForm() != wantAbsolute {
		t.Errorf("AbsoluteForm() = %v, want %v", c.AbsoluteForm(), wantAbsolute)
	}
	for i := range 3 {
		req := newRequest(t.Context(), t, "POST", origin.URL()+"/a%2Fb?q=1", "hello")
		req.Header.Set("Proxy-Authorization", "Basic of-somebody-else")
		resp, body := do(t, c, req)
		if want := "POST /a%2Fb?q=1 hello"; resp.StatusCode != http.StatusOK || body != want {
			t.Fatalf("answer %d: %d %q, want 200 %q", i, resp.StatusCode, body, want)
		}
		if req.Header.Get("Proxy-Authorization") == "" || req.URL.Opaque != "" {
			t.Error("the caller's request was modified")
		}
	}
	if origin.Conns() != 1 && !wantAbsolute {
		t.Errorf("the target saw %d connections, want 1", origin.Conns())
	}
	mu.Lock()
	defer mu.Unlock()
	if len(leaked) > 0 {
		t.Errorf("the target was told %v", leaked)
	}
	c.Close()
	if proxy != nil {
		compareBytes(t, proxy, c, m)
	}
}

// compareBytes compares what dial counted with what the proxy counted.
func compareBytes(t *testing.T, proxy *proxytest.Proxy, c *dial.HTTPConn, m *meter) {
	t.Helper()
	eventually(t, "end of the proxy's connection", func() bool { return proxy.Standing() == 0 })
	in, out := c.Bytes()
	if fromClient, toClient := proxy.Bytes(); out != fromClient || in > toClient || toClient-in > 200 {
		// What arrives after the close, such as TLS saying goodbye, nobody reads.
		t.Errorf("counted %d in and %d out, the proxy %d and %d", in, out, toClient, fromClient)
	}
	if in != m.in.Load() || out != m.out.Load() {
		t.Errorf("counted %d in and %d out, the meter %d and %d", in, out, m.in.Load(), m.out.Load())
	}
}

func TestBytesAgreeWithProxy(t *testing.T) {
	for way, kind := range kinds {
		t.Run(way, func(t *testing.T) {
			origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true})
			proxy := proxytest.NewProxy(t, proxytest.ProxyConfig{Kind: kind})
			c := mustOpen(t, dialerFor(t, proxy), targetOf(origin))
			do(t, c, newRequest(t.Context(), t, "POST", origin.URL()+"/echo", strings.Repeat("x", 300_000)))
			eventually(t, "equal counts", func() bool {
				in, out := c.Bytes()
				fromClient, toClient := proxy.Bytes()
				return in == toClient && out == fromClient && in > 300_000 && out > 300_000
			})
		})
	}
}

// TestNamesResolveAtProxy uses a name that nothing here can resolve.
func TestNamesResolveAtProxy(t *testing.T) {
	origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true})
	for _, scheme := range []string{"http", "socks5", "socks5h"} {
		t.Run(scheme, func(t *testing.T) {
			config := proxytest.ProxyConfig{Hosts: map[string]string{"api.test:443": origin.Addr()}}
			if scheme != "http" {
				config.Kind = proxytest.SOCKS5
			}
			proxy := proxytest.NewProxy(t, config)
			d := dialerFor(t, proxy)
			d.Proxy.Scheme = scheme
			target := targetOf(origin)
			target.Addr = "api.test:443"
			c := mustOpen(t, d, target)
			do(t, c, newRequest(t.Context(), t, "GET", "https://api.test/", ""))
			if proxy.Connects("api.test:443") != 1 {
				t.Error("the proxy was not given the name")
			}
		})
	}
}

func TestLeftoverBehindConnectAnswer(t *testing.T) {
	origin := proxytest.NewOrigin(t, proxytest.OriginConfig{})
	proxy := proxytest.NewProxy(t, proxytest.ProxyConfig{})
	proxy.MustSetMode(t, proxytest.DataBehindAnswer)
	c, err := dialerFor(t, proxy).Tunnel(t.Context(), origin.Addr(), nil)
	if err != nil {
		t.Fatalf("Tunnel: %v", err)
	}
	defer c.Close()
	early := make([]byte, len(proxytest.EarlyData))
	if _, err := io.ReadFull(c, early); err != nil || string(early) != proxytest.EarlyData {
		t.Fatalf("read %q, %v; want what came with the answer", early, err)
	}
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if err := c.CloseWrite(); err != nil {
		t.Fatalf("CloseWrite: %v", err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("after what came early: %v, %v", resp, err)
	}
	if !c.Bare() {
		t.Error("Bare() is false with nothing left over")
	}
}

// TestConnectAnswerWithLength: RFC 9110, 9.3.6.
func TestConnectAnswerWithLength(t *testing.T) {
	origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true})
	proxy := proxytest.NewProxy(t, proxytest.ProxyConfig{})
	proxy.MustSetMode(t, proxytest.BodyInConnect200)
	c := mustOpen(t, dialerFor(t, proxy), targetOf(origin))
	do(t, c, newRequest(t.Context(), t, "GET", origin.URL(), ""))
}

func TestHTTP1Only(t *testing.T) {
	origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true, HTTP2: true})
	target := targetOf(origin)
	target.HTTP1Only = true
	if mustOpen(t, dialerFor(t, nil), target).Multiplexed() {
		t.Error("HTTP/2 was offered")
	}
	if len(target.TLS.NextProtos) > 0 || target.TLS.ServerName != "" {
		t.Error("the caller's TLS configuration was modified")
	}
}

func TestSessionResumption(t *testing.T) {
	origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true})
	proxy := proxytest.NewProxy(t, proxytest.ProxyConfig{})
	target := targetOf(origin)
	target.TLS.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	var in [2]int64
	for i := range in {
		c := mustOpen(t, dialerFor(t, proxy), target)
		do(t, c, newRequest(t.Context(), t, "GET", origin.URL(), ""))
		in[i], _ = c.Bytes()
		c.Close()
	}
	if in[1] >= in[0] {
		t.Errorf("the second handshake read %d bytes, the first %d: not resumed", in[1], in[0])
	}
}

func TestProxyNeverShowsCredentials(t *testing.T) {
	p := dial.Proxy{Scheme: "http", Addr: "192.0.2.1:3128", HasAuth: true, Username: user, Password: password}
	d := dial.Dialer{Proxy: p}
	for _, text := range []string{p.String(), fmt.Sprint(p), fmt.Sprintf("%+v %#v %q", p, p, p), fmt.Sprintf("%+v", &d)} {
		if strings.Contains(text, password) || strings.Contains(text, user) {
			t.Errorf("%q holds credentials", text)
		}
	}
	if got, want := p.String(), "http://192.0.2.1:3128"; got != want {
		t.Errorf("String() = %q, want %q", got, want)
	}
	if got := (dial.Proxy{Scheme: "direct"}).String(); got != "direct" {
		t.Errorf("String() = %q, want direct", got)
	}
}

// TestErrorsHoldNoCredentials goes through the failures that know them.
func TestErrorsHoldNoCredentials(t *testing.T) {
	for way, kind := range kinds {
		t.Run(way, func(t *testing.T) {
			proxy := proxytest.NewProxy(t, proxytest.ProxyConfig{Kind: kind, Username: user, Password: "right"})
			d := dialerFor(t, proxy)
			d.Proxy.Password = password
			_, err := d.Open(context.Background(), dial.Target{Scheme: "https", Addr: "api.test:443"}, nil)
			if e := asError(t, err); e.Reason != dial.ReasonProxyAuth || !e.ProxyFault() {
				t.Errorf("got %s (proxy's fault: %v), want proxy_auth, the proxy's", e.Reason, e.ProxyFault())
			}
			if strings.Contains(err.Error(), password) || strings.Contains(err.Error(), user) {
				t.Errorf("%q holds credentials", err)
			}
		})
	}
}
