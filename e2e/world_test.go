package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-proxypool/proxypool/internal/caddytest"
	"github.com/caddy-proxypool/proxypool/internal/proxytest"
)

// world is all that is outside of Caddy: an origin and proxies, which count,
// and a file that outlives processes.
type world struct {
	t       *testing.T
	origin  *proxytest.Origin
	proxies []*proxytest.Proxy // P1, P2, ...
	prices  []float64          // in dollars for a GB
	file    string
	ca      string

	blockOne atomic.Bool // the next answer blocks whoever asked
}

// newWorld makes a proxy for each price.
func newWorld(t *testing.T, prices ...float64) *world {
	t.Helper()
	w := &world{
		t: t, prices: prices, ca: proxytest.CAFile(t),
		file: filepath.Join(t.TempDir(), "books", "proxy_pool.db"),
	}
	w.origin = proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true, Handler: http.HandlerFunc(w.answer)})
	for range prices {
		w.proxies = append(w.proxies, proxytest.NewProxy(t, proxytest.ProxyConfig{}))
	}
	return w
}

// answer is how the origin answers: with what was sent, or some text.
func (w *world) answer(rw http.ResponseWriter, r *http.Request) {
	if w.blockOne.CompareAndSwap(true, false) {
		rw.Header().Set("X-Blocked", "yes")
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	if len(body) == 0 {
		body = someText
	}
	_, _ = rw.Write(body)
}

var someText = bytes.Repeat([]byte("some text. "), 30)

// setup is a pool of the proxies, of which all take their turns, and that is not
// checked.
func (w *world) setup() setup {
	var b strings.Builder
	fmt.Fprintf(&b, `storage sqlite %s
usage_log on
pool main {
	tls_trust_pool file %s
	health_check off
	order round_robin
	block {
		header X-Blocked *
		for 1h
	}
`, w.file, w.ca)
	for i, p := range w.proxies {
		fmt.Fprintf(&b, "\tproxy P%d %s {\n\t\tpriority 1\n\t\tcost_per_gb %g\n\t}\n", i+1, p.URL(), w.prices[i])
	}
	b.WriteString("}\n")
	return setup{Pools: b.String(), Site: "proxy_pool " + w.origin.URL()}
}

// id is what the API calls a proxy.
func id(i int) string { return fmt.Sprintf("main/P%d", i+1) }

// seen is what the proxies saw, by their IDs. They know nothing of requests in tunnels.
func (w *world) seen() map[string]used {
	seen := make(map[string]used, len(w.proxies))
	for i, p := range w.proxies {
		out, in := p.Bytes()
		seen[id(i)] = used{In: in, Out: out}
	}
	return seen
}

// quiet waits until nobody is connected to the proxies, and all that was sent has
// been counted.
func (w *world) quiet() {
	w.t.Helper()
	for i, p := range w.proxies {
		caddytest.Eventually(w.t, fmt.Sprintf("connections of proxy %d are gone", i+1), 10*time.Second, func() bool { return p.Standing() == 0 })
	}
}

// still is a condition: the proxies counted nothing since it was asked before.
func (w *world) still() func() bool {
	before := int64(-1)
	return func() bool {
		var now int64
		for _, u := range w.seen() {
			now += u.Bytes()
		}
		defer func() { before = now }()
		return now == before
	}
}
