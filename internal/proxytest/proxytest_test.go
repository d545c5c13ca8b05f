package proxytest

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// client speaks through a proxy, and gives up quickly.
func client(t *testing.T, p *Proxy) *http.Client {
	t.Helper()
	u, err := url.Parse(p.URL())
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{RootCAs: CAPool()}
	transport := &http.Transport{Proxy: http.ProxyURL(u), TLSClientConfig: config}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 300 * time.Millisecond}
}

func get(t *testing.T, c *http.Client, o *Origin) (string, error) {
	t.Helper()
	resp, err := c.Get(o.URL())
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

// TestModes takes each kind of proxy through each mode that stops it, and back.
func TestModes(t *testing.T) {
	t.Parallel()
	modes := map[string]Mode{
		"refuse": Refuse, "reset": Reset, "silent": Silent, "grant then silent": GrantThenSilent, "backlog full": BacklogFull,
		"garbage for TLS": TLSGarbage, "nonsense": Nonsense, "endless header": EndlessHeader, "407": Status(407), "502": Status(502),
		"break": BreakMidAnswer(50), "drop": DropBeforeAnswer, "slow": Slow(time.Second),
	}
	for _, kind := range []Kind{HTTP, HTTPS, SOCKS5} {
		for name, mode := range modes {
			t.Run(kind.String()+"/"+name, func(t *testing.T) {
				t.Parallel()
				o := NewOrigin(t, OriginConfig{TLS: true})
				p := NewProxy(t, ProxyConfig{Kind: kind, Username: "u", Password: "p"})
				for _, standing := range []bool{false, true} {
					c := client(t, p)
					if standing {
						if _, err := get(t, c, o); err != nil {
							t.Fatalf("before: %v", err)
						}
					}
					addr := p.Addr()
					p.MustSetMode(t, mode)
					if _, err := get(t, c, o); err == nil && (!standing || mode.freezes() || mode.resets()) {
						t.Errorf("a good answer (standing connection: %v)", standing)
					}
					p.MustSetMode(t, Works)
					if p.Addr() != addr {
						t.Errorf("listens on %s after %s", p.Addr(), addr)
					}
					if body, err := get(t, client(t, p), o); err != nil || body != answerJSON {
						t.Errorf("back again: %q, %v", body, err)
					}
				}
			})
		}
	}
}

func TestRefuseIsRefusal(t *testing.T) {
	p := NewProxy(t, ProxyConfig{})
	p.MustSetMode(t, Refuse)
	if _, err := net.Dial("tcp", p.Addr()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("got %v, want a refusal", err)
	}
}

func TestBreakMidAnswerOnStandingTunnel(t *testing.T) {
	o := NewOrigin(t, OriginConfig{TLS: true, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, strings.Repeat("x", 10_000))
	})})
	p := NewProxy(t, ProxyConfig{})
	c := client(t, p)
	if _, err := get(t, c, o); err != nil {
		t.Fatal(err)
	}
	p.MustSetMode(t, BreakMidAnswer(6000))
	resp, err := c.Get(o.URL())
	if err != nil {
		t.Fatalf("the answer's head did not come: %v", err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err == nil || len(body) >= 10_000 {
		t.Errorf("read %d bytes, %v; want a part and an error", len(body), err)
	}
}

func TestAbsoluteForm(t *testing.T) {
	o := NewOrigin(t, OriginConfig{})
	p := NewProxy(t, ProxyConfig{Username: "u", Password: "p"})
	c := client(t, p)
	if body, err := get(t, c, o); err != nil || body != answerJSON {
		t.Fatalf("got %q, %v", body, err)
	}
	p.MustSetMode(t, Status(429))
	resp, err := c.Get(o.URL())
	if err != nil || resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Proxy-Status") == "" {
		t.Fatalf("got %v, %v; want the proxy's 429", resp, err)
	}
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	p.MustSetMode(t, Status(407))
	resp, err = c.Get(o.URL())
	if err != nil || resp.StatusCode != http.StatusProxyAuthRequired || resp.Header.Get("Proxy-Authenticate") == "" {
		t.Fatalf("got %v, %v; want that the proxy asks for a password", resp, err)
	}
	resp.Body.Close()
	if p.Forwards(o.Addr()) != 3 || p.Accepted() != 1 || o.Requests() != 1 {
		t.Errorf("%d forwarded on %d connections, %d arrived", p.Forwards(o.Addr()), p.Accepted(), o.Requests())
	}
}

func TestOrigin(t *testing.T) {
	o := NewOrigin(t, OriginConfig{TLS: true, HTTP2: true, IPv6: true})
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: CAPool()}, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequest(http.MethodPost, o.URL()+"/echo", strings.NewReader("hello"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set(RequestIDHeader, "one")
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); string(body) != "hello" || resp.ProtoMajor != 2 {
		t.Errorf("got %s %q", resp.Proto, body)
	}
	if o.Seen("one") != 1 || o.Seen("two") != 0 {
		t.Errorf("seen %d and %d times, want 1 and 0", o.Seen("one"), o.Seen("two"))
	}
	if pem, err := os.ReadFile(CAFile(t)); err != nil || !bytes.Contains(pem, []byte("BEGIN CERTIFICATE")) {
		t.Errorf("CA file: %v", err)
	}
}
