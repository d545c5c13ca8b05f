package dial_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/url"
	"runtime"
	"runtime/pprof"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-proxypool/proxypool/dial"
	"github.com/caddy-proxypool/proxypool/internal/proxytest"
)

// patience is how long a test waits for what must happen soon.
const patience = 10 * time.Second

// eventually waits for what another goroutine is about to bring about.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); !ok(); <-tick.C {
		if time.Since(began) > patience {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// noLeaks fails the test when one of dial's goroutines outlives it. It is
// called before servers are started, so that it looks after they are closed.
func noLeaks(t *testing.T) {
	t.Helper()
	t.Cleanup(func() {
		var dump bytes.Buffer
		ours := func() bool {
			runtime.Gosched()
			dump.Reset()
			_ = pprof.Lookup("goroutine").WriteTo(&dump, 1)
			for _, name := range []string{"proxypool/dial.", "persistConn", "http2.(*"} {
				for stack := range strings.SplitSeq(dump.String(), "\n\n") {
					if strings.Contains(stack, name) && !strings.Contains(stack, "dial_test.noLeaks") {
						return false
					}
				}
			}
			return true
		}
		for began := time.Now(); !ours(); {
			if time.Since(began) > patience {
				t.Fatalf("goroutines left behind:\n%s", dump.String())
			}
		}
	})
}

// meter counts, and allows as much as limit says; 0 allows everything.
type meter struct{ in, out, limit atomic.Int64 }

func (m *meter) Count(in, out int) bool {
	n := m.in.Add(int64(in)) + m.out.Add(int64(out))
	limit := m.limit.Load()
	return limit == 0 || n < limit
}

// dialerFor makes a dialer for a proxy of proxytest, or none for nil.
func dialerFor(tb testing.TB, p *proxytest.Proxy) *dial.Dialer {
	tb.Helper()
	if p == nil {
		return &dial.Dialer{Proxy: dial.Proxy{Scheme: "direct"}}
	}
	u, err := url.Parse(p.URL())
	if err != nil {
		tb.Fatal(err)
	}
	d := &dial.Dialer{
		Proxy: dial.Proxy{Scheme: u.Scheme, Addr: u.Host, HasAuth: u.User != nil, Username: u.User.Username()},
		TLS:   &tls.Config{RootCAs: proxytest.CAPool()},
	}
	d.Proxy.Password, _ = u.User.Password()
	return d
}

func targetOf(o *proxytest.Origin) dial.Target {
	return dial.Target{Scheme: o.Scheme(), Addr: o.Addr(), TLS: &tls.Config{RootCAs: proxytest.CAPool()}}
}

func mustOpen(t *testing.T, d *dial.Dialer, target dial.Target) *dial.HTTPConn {
	t.Helper()
	c, err := d.Open(t.Context(), target, nil)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func newRequest(ctx context.Context, t *testing.T, method, url, body string) *http.Request {
	t.Helper()
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, url, r)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// do sends a request and reads the answer.
func do(t *testing.T, c *dial.HTTPConn, req *http.Request) (*http.Response, string) {
	t.Helper()
	if !c.Reserve() {
		t.Fatal("no free place on the connection")
	}
	resp, err := c.RoundTrip(req)
	if err != nil {
		t.Fatalf("RoundTrip: %v", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("reading answer: %v", err)
	}
	return resp, string(body)
}

func asError(t *testing.T, err error) *dial.Error {
	t.Helper()
	var e *dial.Error
	if !errors.As(err, &e) {
		t.Fatalf("got error %v (%T), want a *dial.Error", err, err)
	}
	return e
}

func asSendError(t *testing.T, err error) *dial.SendError {
	t.Helper()
	var e *dial.SendError
	if !errors.As(err, &e) {
		t.Fatalf("got error %v (%T), want a *dial.SendError", err, err)
	}
	return e
}
