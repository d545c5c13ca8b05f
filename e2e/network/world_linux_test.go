package network

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddy-proxypool/proxypool/internal/caddytest"
	"github.com/caddy-proxypool/proxypool/internal/proxytest"
)

// apiAddr is the target. The proxies alone know where it is, so that nothing
// arrives past them.
const apiAddr = "api.example.test:443"

// near is the weather of a proxy that is near and well.
var near = weather{delay: 10 * time.Millisecond}

// upstream is a proxy at the far end of a wire.
type upstream struct {
	*proxytest.Proxy
	name string
	wire *wire
}

// world is Caddy at home, three proxies each at the end of its own wire, and the
// API behind them.
type world struct {
	t                    *testing.T
	origin               *proxytest.Origin
	cheap, dear, metered *upstream // dear is free, too, but comes later
	caddy                *caddytest.Process
}

// terms is how a scenario differs from others.
type terms struct {
	http2  bool
	cheap  weather // at the start
	pool   string  // more options of the pool
	checks string  // options of health_check, besides url and expect
}

const seed = 7

func newWorld(t *testing.T, with terms) *world {
	t.Helper()
	needNamespaces(t)
	w := &world{t: t}
	w.origin = proxytest.NewOrigin(t, proxytest.OriginConfig{
		TLS: true, HTTP2: with.http2, Ordinary: true, Handler: http.HandlerFunc(answer),
	})
	w.cheap, w.dear, w.metered = w.newUpstream("Cheap", seed), w.newUpstream("Dear", seed+1), w.newUpstream("Metered", seed+2)
	w.cheap.wire.set(with.cheap)
	w.caddy = caddytest.Start(t, caddytest.Setup{
		Pools: fmt.Sprintf(`storage memory
pool main {
	tls_trust_pool file %s
	proxy Cheap %s {
		type vps
	}
	proxy Dear %s {
		type datacenter
	}
	proxy Metered %s {
		cost_per_gb 12
	}
	%s
	health_check {
		url https://%s/check
		expect 200
		%s
	}
}`, proxytest.CAFile(t), w.cheap.URL(), w.dear.URL(), w.metered.URL(), with.pool, apiAddr, with.checks),
		Site: `header >X-Trail "{http.proxy_pool.trail}"
	proxy_pool https://` + apiAddr,
		Forward: "proxy_pool_forward {\n\tallow *\n}",
	})
	w.eventually("the first checks passed", 20*time.Second, func() bool { return w.status()["Cheap"].LastCheck != "" })
	return w
}

func (w *world) newUpstream(name string, seed uint64) *upstream {
	w.t.Helper()
	u := &upstream{name: name}
	f := newFar(w.t, seed, func(ip net.IP) (err error) {
		u.Proxy, err = proxytest.StartProxy(proxytest.ProxyConfig{IP: ip, Hosts: map[string]string{apiAddr: w.origin.Addr()}})
		return err
	})
	w.t.Cleanup(u.Close)
	u.wire = f.wire
	u.wire.set(near)
	return u
}

// answer is how the API answers: with what was sent, as many bytes as are asked
// for, or a few.
func answer(rw http.ResponseWriter, r *http.Request) {
	n, _ := strconv.Atoi(r.URL.Query().Get("bytes"))
	switch {
	case r.Method == http.MethodPost:
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(rw, "done")
	case n > 0:
		rw.Header().Set("Content-Length", strconv.Itoa(n))
		_, _ = rw.Write(make([]byte, n))
	default:
		_, _ = io.WriteString(rw, strings.Repeat("some text. ", 30))
	}
}

// row is what the status says of a proxy.
type row struct {
	Name       string   `json:"name"`
	Status     string   `json:"status"`
	Usable     bool     `json:"usable"`
	FailingFor []string `json:"failing_for"`
	LastCheck  string   `json:"last_check"`
	LastError  string   `json:"last_error"`
}

// well reports whether the proxy is used for the API.
func (r row) well() bool { return r.Usable && len(r.FailingFor) == 0 }

func (w *world) status() map[string]row {
	w.t.Helper()
	var s struct{ Proxies []row }
	if err := w.caddy.Call(http.MethodGet, "/proxy_pool/status", &s); err != nil {
		w.t.Fatal(err)
	}
	rows := make(map[string]row)
	for _, r := range s.Proxies {
		rows[r.Name] = r
	}
	return rows
}

// downs is how often a proxy went down.
func (w *world) downs(name string) (n int) {
	w.t.Helper()
	var events struct {
		Rows []struct{ Proxy, To string }
	}
	if err := w.caddy.Call(http.MethodGet, "/proxy_pool/events?limit=1000", &events); err != nil {
		w.t.Fatal(err)
	}
	for _, e := range events.Rows {
		if e.Proxy == name && e.To == "down" {
			n++
		}
	}
	return n
}

var hedgesLine = regexp.MustCompile(`(?m)^caddy_proxy_pool_hedges_total\{pool="main"\} (\d+)`)

// hedges is how many connects were started because another one was overdue.
func (w *world) hedges() int {
	w.t.Helper()
	resp, err := http.Get("http://" + w.caddy.Admin + "/metrics")
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	found := hedgesLine.FindSubmatch(text)
	if found == nil {
		w.t.Fatal("no metric tells of hedges")
	}
	n, _ := strconv.Atoi(string(found[1]))
	return n
}

func (w *world) eventually(what string, within time.Duration, condition func() bool) {
	w.t.Helper()
	caddytest.Eventually(w.t, what, within, condition)
}

// pass lets time pass under load. The load runs on by itself.
func pass(d time.Duration) { <-time.After(d) }
