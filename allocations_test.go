package proxypool

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-proxypool/proxypool/internal/proxytest"
)

// bareHandler is what the reverse front is compared with: nothing but
// httputil.ReverseProxy with a Transport that has a proxy.
type bareHandler struct {
	Target string `json:"target"`
	Proxy  string `json:"proxy"`

	proxy *httputil.ReverseProxy
}

func (*bareHandler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.proxypool_test_bare", New: func() caddy.Module { return new(bareHandler) }}
}

func (b *bareHandler) Provision(caddy.Context) error {
	target, err := url.Parse(b.Target)
	if err != nil {
		return err
	}
	proxy, err := url.Parse(b.Proxy)
	if err != nil {
		return err
	}
	b.proxy = &httputil.ReverseProxy{
		Rewrite:    func(r *httputil.ProxyRequest) { r.SetURL(target) },
		BufferPool: copyBuffers,
		Transport: &http.Transport{
			Proxy: http.ProxyURL(proxy), MaxIdleConnsPerHost: 16,
			TLSClientConfig: &tls.Config{RootCAs: proxytest.CAPool(), MinVersion: tls.VersionTLS12},
		},
	}
	return nil
}

func parseBare(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	b := new(bareHandler)
	for h.Next() {
		if !h.Args(&b.Target, &b.Proxy) {
			return nil, h.ArgErr()
		}
	}
	return b, nil
}

func (b *bareHandler) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	b.proxy.ServeHTTP(w, r)
	return nil
}

// requester sends the same request again and again on one connection, and
// allocates next to nothing itself.
type requester struct {
	conn    net.Conn
	br      *bufio.Reader
	request []byte
}

func newRequester(tb testing.TB, addr, request string) *requester {
	tb.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = conn.Close() })
	return &requester{conn: conn, br: bufio.NewReader(conn), request: []byte(request)}
}

func (q *requester) once(tb testing.TB) {
	tb.Helper()
	_ = q.conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := q.conn.Write(q.request); err != nil {
		tb.Fatal(err)
	}
	resp, err := http.ReadResponse(q.br, nil)
	if err != nil {
		tb.Fatal(err)
	}
	n, err := io.Copy(io.Discard, resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || n != allocationsAnswer {
		tb.Fatalf("%s with %d bytes, %v", resp.Status, n, err)
	}
}

// allocations is how many the whole process makes for each of n requests. What
// runs beside them adds a little.
func (q *requester) allocations(tb testing.TB, n int) (count, bytes float64) {
	tb.Helper()
	for range n / 4 {
		q.once(tb) // connections stand, pools are filled
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range n {
		q.once(tb)
	}
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / float64(n), float64(after.TotalAlloc-before.TotalAlloc) / float64(n)
}

const allocationsAnswer = 300 // bytes

// TestAllocations: the reverse front makes at most ten allocations for a request
// beyond those of httputil.ReverseProxy in the same place. Client, proxy and
// origin are in this process too, and the same for both.
func TestAllocations(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	const most = 10
	origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, strings.Repeat("j", allocationsAnswer))
	})})
	proxy := proxytest.NewProxy(t, proxytest.ProxyConfig{})
	barePort := freePort(t)
	s := serve(t, onePool(t, "", proxy)+"usage_log on\n", reverse(origin.URL(), "")+
		fmt.Sprintf("http://127.0.0.1:%d {\n\tproxypool_test_bare %s %s\n}\n", barePort, origin.URL(), proxy.URL()))
	for name, request := range map[string]string{
		"GET":       "GET /bot/getMe HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: test\r\nAccept: */*\r\n\r\n",
		"POST 1 kB": "POST /bot/send HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: test\r\nContent-Length: 1024\r\n\r\n" + strings.Repeat("y", 1024),
	} {
		t.Run(name, func(t *testing.T) {
			ours, oursBytes := newRequester(t, strings.TrimPrefix(s.url, "http://"), request).allocations(t, 2000)
			bare, bareBytes := newRequester(t, fmt.Sprintf("127.0.0.1:%d", barePort), request).allocations(t, 2000)
			t.Logf("a request: %.1f allocations (%.0f B), httputil.ReverseProxy %.1f (%.0f B)", ours, oursBytes, bare, bareBytes)
			if ours-bare > most {
				t.Errorf("%.1f allocations more than httputil.ReverseProxy, at most %d were expected", ours-bare, most)
			}
		})
	}
}
