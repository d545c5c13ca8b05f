package proxypool

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-proxypool/proxypool/internal/proxytest"
)

// waysOf are the ways of a configuration that runs.
func waysOf(t *testing.T, patience time.Duration, names ...string) *ways {
	t.Helper()
	carries, err := runningApps()[0].waysTo(names, patience)
	if err != nil {
		t.Fatal(err)
	}
	return carries.(*ways)
}

// post posts a body along the ways and returns the answer, or the error.
func post(t *testing.T, along http.RoundTripper, url, body string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := along.RoundTrip(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text), nil
}

// tried are the names of the ways in the order in which they are tried now.
func (w *ways) tried() string {
	var names []string
	for _, way := range w.inOrder(time.Now()) {
		names = append(names, way.name)
	}
	return strings.Join(names, " ")
}

func TestWaysOpenAndClosed(t *testing.T) {
	origin := proxytest.NewOrigin(t, proxytest.OriginConfig{})
	proxy := proxytest.NewProxy(t, proxytest.ProxyConfig{Hosts: map[string]string{"127.0.0.1:1": origin.Addr()}})
	serve(t, onePool(t, "", proxy), "")

	w := waysOf(t, 5*time.Second)
	if got := w.tried(); got != "direct main" {
		t.Errorf("the default is %q", got)
	}
	if got, err := post(t, w, origin.URL()+"/echo", "hello"); err != nil || got != "hello" {
		t.Errorf("%q, %v", got, err)
	}
	if proxy.Accepted() != 0 {
		t.Error("direct went through the proxy")
	}
	// What is refused directly gets through the pool, with its body.
	if got, err := post(t, w, "http://127.0.0.1:1/echo", "hello"); err != nil || got != "hello" {
		t.Errorf("%q, %v", got, err)
	}
	if got := w.tried(); got != "main direct" {
		t.Errorf("then %q are tried, expected the closed way to rest", got)
	}
	// A way that rests is the last resort.
	proxy.MustSetMode(t, proxytest.Refuse)
	if got, err := post(t, w, origin.URL()+"/echo", "again"); err != nil || got != "again" {
		t.Errorf("%q, %v", got, err)
	}
	if got := w.tried(); got != "direct main" {
		t.Errorf("then %q are tried", got)
	}
	_, err := post(t, w, "http://127.0.0.1:1/bot123:secret/x", "")
	if want := "direct: connect: connection refused; main: dial_refused"; err == nil || err.Error() != want {
		t.Errorf("error %v, expected %s", err, want)
	}
	if n := origin.Requests(); n != 3 {
		t.Errorf("%d requests, expected 3", n)
	}
}

// TestWaysPatience: what gets no answer in time is closed, also where the
// request was sent.
func TestWaysPatience(t *testing.T) {
	stuck := make(chan struct{})
	slow := proxytest.NewOrigin(t, proxytest.OriginConfig{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-stuck:
		case <-r.Context().Done():
		}
	})})
	t.Cleanup(func() { close(stuck) })
	quick := proxytest.NewOrigin(t, proxytest.OriginConfig{})
	proxy := proxytest.NewProxy(t, proxytest.ProxyConfig{Hosts: map[string]string{slow.Addr(): quick.Addr()}})
	serve(t, onePool(t, "", proxy), "")
	w := waysOf(t, 300*time.Millisecond, "direct", "main")
	start := time.Now()
	if got, err := post(t, w, slow.URL()+"/echo", "hello"); err != nil || got != "hello" {
		t.Errorf("%q, %v", got, err)
	}
	if took := time.Since(start); took < 300*time.Millisecond || took > 3*time.Second {
		t.Errorf("took %s", took)
	}
	if got := w.tried(); got != "main direct" {
		t.Errorf("then %q are tried", got)
	}
}

// TestLastWay has all the time there is.
func TestLastWay(t *testing.T) {
	slow := proxytest.NewOrigin(t, proxytest.OriginConfig{Delay: 500 * time.Millisecond})
	serve(t, "pool main {\nproxy Own direct\n}\n", "")
	if _, err := post(t, waysOf(t, 100*time.Millisecond, "direct"), slow.URL()+"/echo", "hello"); err != nil {
		t.Error(err)
	}
	if n := slow.Requests(); n != 1 {
		t.Errorf("sent %d times", n)
	}
}

func TestWaysRest(t *testing.T) {
	w := &way{name: "direct"}
	now := time.Now()
	var rests []time.Duration
	for range 7 {
		w.closed(now)
		rests = append(rests, w.until.Sub(now))
	}
	if rests[0] != minRest || rests[1] != 2*minRest || rests[6] != maxRest {
		t.Errorf("rests for %v", rests)
	}
	w.opened()
	if !w.until.IsZero() {
		t.Error("still rests")
	}
}

// TestDirectIsDirect, whatever the environment says.
func TestDirectIsDirect(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	if newDirect().(*http.Transport).Proxy != nil {
		t.Error("direct goes by the environment")
	}
}

// hole is a network in front of a server: it can swallow all that goes over the
// connections that stand, as a NAT does that forgot them.
type hole struct {
	net.Listener
	mu    sync.Mutex
	conns []*sinking
}

type sinking struct {
	net.Conn
	sunk atomic.Bool
}

func (s *sinking) Read(p []byte) (int, error) {
	for {
		if n, err := s.Conn.Read(p); err != nil || !s.sunk.Load() {
			return n, err
		}
	}
}

func (h *hole) Accept() (net.Conn, error) {
	c, err := h.Listener.Accept()
	if err != nil {
		return nil, err
	}
	s := &sinking{Conn: c}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.conns = append(h.conns, s)
	return s, nil
}

func (h *hole) swallow() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.conns {
		c.sunk.Store(true)
	}
}

// TestWaysDeadConnection: what goes over a connection that died unnoticed fails
// once, and not until the kernel gives up.
func TestWaysDeadConnection(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Proto)
	}))
	h := &hole{Listener: server.Listener}
	server.Listener, server.EnableHTTP2 = h, true
	server.StartTLS()
	t.Cleanup(server.Close)
	trust := server.Client().Transport.(*http.Transport).TLSClientConfig
	w := &ways{patience: 300 * time.Millisecond, list: []*way{newWay("direct", func() http.RoundTripper {
		direct := newDirect().(*http.Transport)
		direct.TLSClientConfig = trust.Clone()
		return direct
	})}}
	if got, err := post(t, w, server.URL, ""); err != nil || !strings.HasPrefix(got, "HTTP/2") {
		t.Fatalf("%q, %v", got, err)
	}
	h.swallow()
	if _, err := post(t, w, server.URL, ""); err == nil {
		t.Fatal("something got through")
	}
	if got, err := post(t, w, server.URL, ""); err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// TestWaysThroughTheNext: what a proxy swallowed goes through the next one, and
// not through the same one at each try.
func TestWaysThroughTheNext(t *testing.T) {
	origin := proxytest.NewOrigin(t, proxytest.OriginConfig{})
	swallows, next := proxytest.NewProxy(t, proxytest.ProxyConfig{}), proxytest.NewProxy(t, proxytest.ProxyConfig{})
	swallows.MustSetMode(t, proxytest.DropBeforeAnswer)
	serve(t, onePool(t, "", swallows, next), "")
	if got, err := post(t, waysOf(t, time.Second, "main"), origin.URL()+"/echo", "hello"); err != nil || got != "hello" {
		t.Errorf("%q, %v", got, err)
	}
	if swallows.Accepted() == 0 || origin.Requests() != 1 {
		t.Errorf("%d connections to the first proxy, %d requests", swallows.Accepted(), origin.Requests())
	}
}
