package proxypool

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/caddy-proxypool/proxypool/internal/proxytest"
)

// secureSite is the forward front behind TLS, on loopback, where it takes HTTP/2
// as well.
func secureSite(options string) string {
	return fmt.Sprintf(":{port} {\n\tbind 127.0.0.1\n\ttls internal {\n\t\ton_demand\n\t}\n\tlog\n\tproxy_pool_forward {\n\t\tallow *\n%s\n\t}\n}\n", options)
}

// stream2 is a tunnel in a stream of HTTP/2.
type stream2 struct {
	testing.TB
	io.Reader
	*io.PipeWriter
	resp *http.Response
}

// connect2 sends CONNECT over HTTP/2.
func (s *server) connect2(target string) *stream2 {
	s.t.Helper()
	transport := &http.Transport{
		// The certificate is one of this moment.
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true, ServerName: "localhost"},
		Protocols:       new(http.Protocols),
	}
	transport.Protocols.SetHTTP2(true)
	s.t.Cleanup(transport.CloseIdleConnections)
	r, w := io.Pipe()
	req := &http.Request{
		Method: http.MethodConnect, URL: &url.URL{Scheme: "https", Host: fmt.Sprintf("127.0.0.1:%d", s.port)},
		Host: target, Header: http.Header{}, Body: r,
	}
	resp, err := transport.RoundTrip(req.WithContext(s.t.Context()))
	if err != nil {
		s.t.Fatalf("CONNECT over HTTP/2: %v", err)
	}
	s.t.Cleanup(func() { _ = resp.Body.Close() })
	return &stream2{s.t, resp.Body, w, resp}
}

func (s *stream2) say(text string) {
	s.Helper()
	if _, err := io.WriteString(s.PipeWriter, text); err != nil {
		s.Fatal(err)
	}
}

func (s *stream2) hear(want string) {
	s.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(s.Reader, got); err != nil || string(got) != want {
		s.Fatalf("heard %.99q (%v), want %.99q", got, err, want)
	}
}

func TestForwardHTTP2(t *testing.T) {
	p := proxytest.NewProxy(t, proxytest.ProxyConfig{})
	target := newSpeaker(t)
	s := serve(t, trustingPool(t, p), secureSite(""))

	c := s.connect2(target.addr)
	if c.resp.StatusCode != http.StatusOK || c.resp.ProtoMajor != 2 {
		t.Fatalf("answer %s over %s", c.resp.Status, c.resp.Proto)
	}
	far := target.next(t)
	c.say("hello")
	far.hear("hello")
	far.say("and back")
	c.hear("and back")

	// The client has said all, and gets the rest.
	_ = c.Close()
	far.end()
	far.say("the rest")
	_ = far.Close()
	rest, err := io.ReadAll(c.Reader)
	if err != nil || string(rest) != "the rest" {
		t.Errorf("got %q and %v, want the rest", rest, err)
	}

	// A target that breaks does not look like one that has said all.
	c = s.connect2(target.addr)
	far = target.next(t)
	far.say("half of")
	c.hear("half of")
	p.MustSetMode(t, proxytest.Reset)
	if rest, err := io.ReadAll(c.Reader); err == nil {
		t.Errorf("got %q and no error from a tunnel that broke", rest)
	}
	_ = c.Close()
	eventually(t, "a line about the end", func() bool { return strings.Contains(captured.String(), `"reason":"conn_reset"`) })
}

func TestForwardHTTP2Refused(t *testing.T) {
	p := proxytest.NewProxy(t, proxytest.ProxyConfig{})
	p.MustSetMode(t, proxytest.Refuse)
	target := newSpeaker(t)
	s := serve(t, trustingPool(t, p), secureSite(""))
	for target, want := range map[string]int{"noport": 400, target.addr: 502} {
		if c := s.connect2(target); c.resp.StatusCode != want {
			t.Errorf("CONNECT %s: %s, want %d", target, c.resp.Status, want)
		}
	}
}

// TestForwardHTTP2HearsOut: a target that has said all gets what the client still
// says, though a client can only be told so by the stream's end.
func TestForwardHTTP2HearsOut(t *testing.T) {
	p := proxytest.NewProxy(t, proxytest.ProxyConfig{})
	target := newSpeaker(t)
	s := serve(t, trustingPool(t, p), secureSite(""))
	c := s.connect2(target.addr)
	far := target.next(t)
	far.say("go on")
	_ = far.Conn.(*net.TCPConn).CloseWrite()
	c.hear("go on")
	tick := time.NewTicker(50 * time.Millisecond) // in which the end comes through
	defer tick.Stop()
	for range 6 {
		<-tick.C
		c.say("more")
		far.hear("more")
	}
	c.say("the rest")
	_ = c.Close()
	far.hear("the rest")
	far.end()
	if rest, err := io.ReadAll(c.Reader); err != nil || len(rest) > 0 {
		t.Errorf("the client got %q and %v, want the end", rest, err)
	}
}

// TestForwardHTTP2Idle: what ends a tunnel in which nothing moves is its own
// timeout, and not the server's.
func TestForwardHTTP2Idle(t *testing.T) {
	p := proxytest.NewProxy(t, proxytest.ProxyConfig{})
	target := newSpeaker(t)
	s := serve(t, trustingPool(t, p), secureSite("\t\tidle_timeout 1s"))
	c := s.connect2(target.addr)
	far := target.next(t)
	start := time.Now()
	far.end()
	if took := time.Since(start); took < 900*time.Millisecond || took > 5*time.Second {
		t.Errorf("the tunnel ended after %v, want 1s to 2s", took)
	}
	if _, err := io.ReadAll(c.Reader); err != nil {
		t.Errorf("the client saw %v, want a clean end", err)
	}
}
