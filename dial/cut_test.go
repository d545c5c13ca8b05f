package dial_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/caddy-proxypool/proxypool/internal/proxytest"
)

// TestMeterCutsOff: what runs stops within a read of what the meter allows, and
// the proxy has its connection back.
func TestMeterCutsOff(t *testing.T) {
	for way, kind := range kinds {
		t.Run(way, func(t *testing.T) {
			const size, limit = 4 << 20, 1 << 20
			origin := proxytest.NewOrigin(t, proxytest.OriginConfig{
				Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					_, _ = w.Write(make([]byte, size))
				}),
			})
			proxy := proxytest.NewProxy(t, proxytest.ProxyConfig{Kind: kind})
			d, m := dialerFor(t, proxy), new(meter)
			m.limit.Store(limit)
			d.Meter = m
			c, err := d.Open(t.Context(), targetOf(origin), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if !c.Reserve() {
				t.Fatal("no place on a new connection")
			}
			resp, err := c.RoundTrip(newRequest(t.Context(), t, "GET", origin.URL()+"/", ""))
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if n, err := io.Copy(io.Discard, resp.Body); err == nil {
				t.Errorf("all %d bytes arrived", n)
			}
			if in, out := c.Bytes(); in+out < limit || in+out > limit+64<<10 {
				t.Errorf("%d bytes crossed, want %d and at most a read more", in+out, limit)
			}
			eventually(t, "end of the proxy's connection", func() bool { return proxy.Standing() == 0 })
			eventually(t, "no further requests are taken", func() bool { return !c.Alive() })
		})
	}
}
