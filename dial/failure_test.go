package dial_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/caddy-proxypool/proxypool/dial"
	"github.com/caddy-proxypool/proxypool/internal/proxytest"
)

// verdict is what an error says of itself.
type verdict struct {
	reason  string
	proxy   bool // is to blame
	status  int
	timeout bool
}

func verdictOf(t *testing.T, err error) verdict {
	t.Helper()
	e := asError(t, err)
	return verdict{e.FailureReason(), e.ProxyFault(), e.Status, e.Timeout()}
}

// TestFailures has each way in which a proxy fails, with its name and blame.
func TestFailures(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		mode  proxytest.Mode
		http  verdict
		socks verdict // zero: as http
	}{
		{"refuse", proxytest.Refuse, verdict{dial.ReasonDialRefused, true, 0, false}, verdict{}},
		{"reset", proxytest.Reset, verdict{dial.ReasonProxyDropped, true, 0, false}, verdict{}},
		{"drop", proxytest.DropBeforeAnswer, verdict{dial.ReasonProxyDropped, true, 0, false}, verdict{}},
		{"401", proxytest.Status(401), verdict{dial.ReasonProxyAuth, true, 401, false}, verdict{dial.ReasonTunnelRefused, false, 0, false}},
		{"402", proxytest.Status(402), verdict{dial.ReasonProxyPayment, true, 402, false}, verdict{dial.ReasonTunnelRefused, false, 0, false}},
		{"403", proxytest.Status(403), verdict{dial.ReasonTunnelRefused, false, 403, false}, verdict{dial.ReasonTunnelRefused, false, 0, false}},
		{"407", proxytest.Status(407), verdict{dial.ReasonProxyAuth, true, 407, false}, verdict{dial.ReasonProxyAuth, true, 0, false}},
		{"429", proxytest.Status(429), verdict{dial.ReasonProxyRateLimited, true, 429, false}, verdict{dial.ReasonTunnelRefused, false, 0, false}},
		{"502", proxytest.Status(502), verdict{dial.ReasonTunnelRefused, false, 502, false}, verdict{dial.ReasonTunnelRefused, false, 0, false}},
		{"302", proxytest.Status(302), verdict{dial.ReasonTunnelRefused, false, 302, false}, verdict{dial.ReasonTunnelRefused, false, 0, false}},
		{"silent", proxytest.Silent, verdict{dial.ReasonProxySilent, true, 0, true}, verdict{}},
		{"grant then silent", proxytest.GrantThenSilent, verdict{dial.ReasonTargetTLSTimeout, false, 0, true}, verdict{}},
		{"backlog full", proxytest.BacklogFull, verdict{dial.ReasonDialTimeout, true, 0, true}, verdict{}},
		{"garbage for TLS", proxytest.TLSGarbage, verdict{dial.ReasonTargetTLS, false, 0, false}, verdict{}},
		{"nonsense", proxytest.Nonsense, verdict{dial.ReasonProxyNonsense, true, 0, false}, verdict{}},
		{"endless header", proxytest.EndlessHeader, verdict{dial.ReasonProxyNonsense, true, 0, false}, verdict{}},
		{"break in TLS", proxytest.BreakMidAnswer(100), verdict{dial.ReasonTargetReset, false, 0, false}, verdict{}},
	}
	for _, test := range tests {
		for way, kind := range kinds {
			t.Run(test.name+"/"+way, func(t *testing.T) {
				t.Parallel()
				origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true})
				proxy := proxytest.NewProxy(t, proxytest.ProxyConfig{Kind: kind})
				proxy.MustSetMode(t, test.mode)
				want := test.http
				if kind == proxytest.SOCKS5 && test.socks != (verdict{}) {
					want = test.socks
				}
				limit := patience
				if want.timeout {
					limit = 400 * time.Millisecond
				}
				ctx, cancel := context.WithTimeout(t.Context(), limit)
				defer cancel()
				began := time.Now()
				_, err := dialerFor(t, proxy).Open(ctx, targetOf(origin), nil)
				if got := verdictOf(t, err); got != want {
					t.Errorf("got %+v (%v), want %+v", got, err, want)
				}
				if took := time.Since(began); took > limit+2*time.Second {
					t.Errorf("took %v", took)
				}
			})
		}
	}
}

// TestDirectFailures: without a proxy, nothing is a proxy's fault.
func TestDirectFailures(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	plain := proxytest.NewOrigin(t, proxytest.OriginConfig{})
	secure := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true})
	forbidden := errors.New("forbidden")
	tests := []struct {
		name    string
		target  dial.Target
		control func(string, string, syscall.RawConn) error
		want    verdict
	}{
		{"refused", dial.Target{Scheme: "http", Addr: closed.Addr().String()}, nil, verdict{reason: dial.ReasonDialRefused}},
		{"no TLS", dial.Target{Scheme: "https", Addr: plain.Addr()}, nil, verdict{reason: dial.ReasonTargetTLS}},
		{"unknown authority", dial.Target{Scheme: "https", Addr: secure.Addr()}, nil, verdict{reason: dial.ReasonTargetTLS}},
		{
			"forbidden", dial.Target{Scheme: "http", Addr: plain.Addr()},
			func(string, string, syscall.RawConn) error { return forbidden }, verdict{reason: dial.ReasonDialFailed},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := dialerFor(t, nil)
			d.Control = test.control
			_, err := d.Open(t.Context(), test.target, nil)
			if got := verdictOf(t, err); got != test.want {
				t.Errorf("got %+v (%v), want %+v", got, err, test.want)
			}
			if test.control != nil && !errors.Is(err, forbidden) {
				t.Errorf("%v does not wrap the error of Control", err)
			}
		})
	}
}

func TestWrongName(t *testing.T) {
	origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true})
	target := targetOf(origin)
	target.TLS.ServerName = "somebody.else.example"
	_, err := dialerFor(t, nil).Open(t.Context(), target, nil)
	if e := asError(t, err); e.Reason != dial.ReasonTargetTLS {
		t.Errorf("got %v, want target_tls", err)
	}
}

func TestUntrustedProxy(t *testing.T) {
	proxy := proxytest.NewProxy(t, proxytest.ProxyConfig{Kind: proxytest.HTTPS})
	d := dialerFor(t, proxy)
	d.TLS = nil
	_, err := d.Open(t.Context(), dial.Target{Scheme: "https", Addr: "api.test:443"}, func() { t.Error("proxyReady was called") })
	if got, want := verdictOf(t, err), (verdict{dial.ReasonProxyTLS, true, 0, false}); got != want {
		t.Errorf("got %+v (%v), want %+v", got, err, want)
	}
}

func TestBadArguments(t *testing.T) {
	proxy := proxytest.NewProxy(t, proxytest.ProxyConfig{Kind: proxytest.SOCKS5, Username: strings.Repeat("u", 256), Password: "p"})
	long := dialerFor(t, proxy)
	short := dialerFor(t, proxy)
	short.Proxy.Username = "u"
	tests := []struct {
		name   string
		dialer *dial.Dialer
		addr   string
		want   verdict
	}{
		{"long user", long, "api.test:443", verdict{dial.ReasonBadProxy, true, 0, false}},
		{"unknown scheme", &dial.Dialer{Proxy: dial.Proxy{Scheme: "ftp"}}, "api.test:443", verdict{dial.ReasonBadProxy, true, 0, false}},
		{"no port", short, "api.test", verdict{reason: dial.ReasonBadTarget}},
		{"port 0", short, "api.test:0", verdict{reason: dial.ReasonBadTarget}},
		{"no host", short, ":443", verdict{reason: dial.ReasonBadTarget}},
		{"line end in host", short, "api.test\r\nX-Evil: 1:443", verdict{reason: dial.ReasonBadTarget}},
		{"space in host", short, "api test:443", verdict{reason: dial.ReasonBadTarget}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := test.dialer.Tunnel(t.Context(), test.addr, nil)
			if got := verdictOf(t, err); got != test.want {
				t.Errorf("got %+v (%v), want %+v", got, err, test.want)
			}
		})
	}
	t.Run("long host", func(t *testing.T) {
		open := dialerFor(t, proxytest.NewProxy(t, proxytest.ProxyConfig{Kind: proxytest.SOCKS5}))
		_, err := open.Tunnel(t.Context(), strings.Repeat("h", 256)+":443", nil)
		if got, want := verdictOf(t, err), (verdict{reason: dial.ReasonBadTarget}); got != want {
			t.Errorf("got %+v (%v), want %+v", got, err, want)
		}
	})
}

// TestCancel cancels in each stage. It is nobody's fault.
func TestCancel(t *testing.T) {
	stages := map[string]proxytest.Mode{
		"dial": proxytest.BacklogFull, "handshake": proxytest.Silent, "target TLS": proxytest.GrantThenSilent,
	}
	for stage, mode := range stages {
		for way, kind := range kinds {
			t.Run(stage+"/"+way, func(t *testing.T) {
				noLeaks(t)
				proxy := proxytest.NewProxy(t, proxytest.ProxyConfig{Kind: kind})
				origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true})
				proxy.MustSetMode(t, mode)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				target := targetOf(origin)
				d := dialerFor(t, proxy)
				done := make(chan error, 1)
				go func() {
					_, err := d.Open(ctx, target, nil)
					done <- err
				}()
				if stage != "dial" {
					eventually(t, "connection", func() bool { return proxy.Standing() == 1 })
				}
				runtime.Gosched()
				began := time.Now()
				cancel()
				err := <-done
				if took := time.Since(began); took > time.Second {
					t.Errorf("took %v after the cancellation", took)
				}
				if got, want := verdictOf(t, err), (verdict{reason: dial.ReasonCanceled}); got != want {
					t.Errorf("got %+v (%v), want %+v", got, err, want)
				}
				if !errors.Is(err, context.Canceled) {
					t.Errorf("%v is not context.Canceled", err)
				}
				if stage != "dial" {
					eventually(t, "end of the connection", func() bool { return proxy.Standing() == 0 })
				}
			})
		}
	}
}

// TestUnreachableTarget: the proxy is fine, the target is not.
func TestUnreachableTarget(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	for way, kind := range kinds {
		t.Run(way, func(t *testing.T) {
			proxy := proxytest.NewProxy(t, proxytest.ProxyConfig{Kind: kind})
			ready := false
			_, err := dialerFor(t, proxy).Open(t.Context(),
				dial.Target{Scheme: "https", Addr: closed.Addr().String(), TLS: new(tls.Config)}, func() { ready = true })
			if e := asError(t, err); e.Reason != dial.ReasonTunnelRefused || e.ProxyFault() || !ready {
				t.Errorf("got %v, proxy reached: %v; want tunnel_refused behind a proxy that was reached", err, ready)
			}
		})
	}
}
