package dial_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/caddy-proxypool/proxypool/internal/proxytest"
)

// BenchmarkRoundTrip is one request after the other on one connection; compare
// its allocations with those of the protocol's own client connection.
func BenchmarkRoundTrip(b *testing.B) {
	for name, http2 := range map[string]bool{"HTTP1": false, "HTTP2": true} {
		b.Run(name, func(b *testing.B) {
			origin := proxytest.NewOrigin(b, proxytest.OriginConfig{TLS: true, HTTP2: http2})
			proxy := proxytest.NewProxy(b, proxytest.ProxyConfig{})
			c, err := dialerFor(b, proxy).Open(b.Context(), targetOf(origin), nil)
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, origin.URL(), nil)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				c.Reserve()
				resp, err := c.RoundTrip(req)
				if err != nil {
					b.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
		})
	}
}
