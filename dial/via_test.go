package dial_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/caddy-proxypool/proxypool/dial"
	"github.com/caddy-proxypool/proxypool/internal/proxytest"
)

// TestVia: the proxy reads the field in CONNECT, and nobody else does.
func TestVia(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, via string
		want      []string
	}{
		{"none", "", nil},
		{"one", "1.1 abc-123", []string{"1.1 abc-123"}},
		{"with a comment", "1.1 front (a loop, if you see it twice)", []string{"1.1 front (a loop, if you see it twice)"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			proxy, heads := listenForHead(t)
			d := &dial.Dialer{Proxy: dial.Proxy{Scheme: "http", Addr: proxy, HasAuth: true, Username: user, Password: password}, Via: test.via}
			c, err := d.Tunnel(t.Context(), "api.example:443", nil)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			head := <-heads
			if diff := cmp.Diff(test.want, head.Header["Via"]); diff != "" {
				t.Errorf("field Via (-want +got):\n%s", diff)
			}
			if head.Host != "api.example:443" || head.Header.Get("Proxy-Authorization") == "" {
				t.Errorf("the other fields of CONNECT suffered: Host %q, %v", head.Host, head.Header)
			}
		})
	}
}

// listenForHead is a proxy that grants one tunnel and tells what it was asked.
func listenForHead(t *testing.T) (addr string, heads <-chan *http.Request) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	asked := make(chan *http.Request, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		req, err := http.ReadRequest(bufio.NewReader(conn))
		if err != nil {
			return
		}
		asked <- req
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
	}()
	return l.Addr().String(), asked
}

// TestViaStaysWithTheProxy: whatever the way, the target is not told.
func TestViaStaysWithTheProxy(t *testing.T) {
	t.Parallel()
	for _, way := range []string{"http", "https", "socks5", "direct"} {
		for _, secure := range []bool{false, true} {
			told := make(chan http.Header, 1)
			origin := proxytest.NewOrigin(t, proxytest.OriginConfig{
				TLS:     secure,
				Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { told <- r.Header }),
			})
			var proxy *proxytest.Proxy
			if kind, ok := kinds[way]; ok {
				proxy = proxytest.NewProxy(t, proxytest.ProxyConfig{Kind: kind})
			}
			d := dialerFor(t, proxy)
			d.Via = "1.1 abc-123"
			do(t, mustOpen(t, d, targetOf(origin)), newRequest(t.Context(), t, "GET", origin.URL(), ""))
			if header := <-told; header.Get("Via") != "" {
				t.Errorf("%s, TLS %v: the target was told Via %q", way, secure, header.Get("Via"))
			}
		}
	}
}

// TestViaRefused: a value cannot end its line, and is dialled with for nothing.
func TestViaRefused(t *testing.T) {
	t.Parallel()
	proxy := proxytest.NewProxy(t, proxytest.ProxyConfig{})
	for _, via := range []string{"1.1 a\r\nProxy-Authorization: Basic x", "1.1 a\n", "1.1 a\r", "1.1 \x00", "\x7f"} {
		d := dialerFor(t, proxy)
		d.Via = via
		_, err := d.Tunnel(t.Context(), "127.0.0.1:9", nil)
		if err == nil {
			t.Errorf("%q was accepted", via)
			continue
		}
		if e := asError(t, err); e.Reason != dial.ReasonBadProxy || e.ProxyFault() || strings.ContainsAny(e.Error(), "\r\n") {
			t.Errorf("%q: got %s, proxy's fault %v, %q", via, e.Reason, e.ProxyFault(), e)
		}
	}
	if n := proxy.Accepted(); n != 0 {
		t.Errorf("the proxy was dialled %d times, want 0", n)
	}
}
