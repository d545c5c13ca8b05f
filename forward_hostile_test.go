package proxypool

import (
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/caddy-proxypool/proxypool/internal/proxytest"
)

// TestForwardHostile: what is malformed is refused, reaches no proxy, and what
// comes behind it is not taken for another request.
func TestForwardHostile(t *testing.T) {
	p := proxytest.NewProxy(t, proxytest.ProxyConfig{})
	s := serve(t, trustingPool(t, p), forwardSite(""))
	long := strings.Repeat("a", 63)
	long = strings.Join([]string{long, long, long, long, long}, ".")
	for name, tc := range map[string]struct {
		request string
		want    int
	}{
		"no target":                 {"CONNECT  HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		"no port":                   {"CONNECT example.com HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		"an empty port":             {"CONNECT example.com: HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		"port 0":                    {"CONNECT example.com:0 HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		"port 65536":                {"CONNECT example.com:65536 HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		"a negative port":           {"CONNECT example.com:-1 HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		"a port with a sign":        {"CONNECT example.com:+443 HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		"a named port":              {"CONNECT example.com:https HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		"no host":                   {"CONNECT :443 HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		"a user part":               {"CONNECT user@example.com:443 HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		"a URL":                     {"CONNECT http://example.com:443 HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		"a path":                    {"CONNECT /etc/passwd HTTP/1.1\r\nHost: example.com:443\r\n\r\n", 400},
		"a path behind the port":    {"CONNECT example.com:443/path HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		"a query":                   {"CONNECT example.com:443?x HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		"a space":                   {"CONNECT exam ple.com:443 HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		"a control character":       {"CONNECT exam\x01ple.com:443 HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		"a zero byte":               {"CONNECT exam\x00ple.com:443 HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		"an escaped line end":       {"CONNECT example.com%0d%0aX:443 HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		"a bare carriage return":    {"CONNECT example.com\rX:443 HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		"an open bracket":           {"CONNECT [::1:443 HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		"IPv6 without brackets":     {"CONNECT ::1:443 HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		"a zone":                    {"CONNECT [fe80::1%25eth0]:443 HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		"a name too long":           {"CONNECT " + long + ":443 HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		"a body with a length":      {"CONNECT example.com:443 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", 400},
		"a body in chunks":          {"CONNECT example.com:443 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 400},
		"a body in both":            {"CONNECT example.com:443 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
		"two lengths":               {"CONNECT example.com:443 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", 400},
		"a header bomb":             {"CONNECT example.com:443 HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("X: "+strings.Repeat("y", 1000)+"\r\n", 100) + "\r\n", 431},
		"the URL of an https site":  {"POST https://example.com/ HTTP/1.1\r\nHost: example.com\r\nContent-Length: 0\r\n\r\n", 400},
		"a URL of another scheme":   {"GET ftp://example.com/ HTTP/1.1\r\nHost: example.com\r\n\r\n", 400},
		"a URL that is opaque":      {"GET http:example.com HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		"a URL without a host":      {"GET http:///path HTTP/1.1\r\nHost: \r\n\r\n", 400},
		"a URL with a bad port":     {"GET http://example.com:99999/ HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		"a URL with a bad host":     {"GET http://exa_mple..com/ HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		"a URL with an escaped end": {"GET http://example.com%0d%0a/ HTTP/1.1\r\nHost: x\r\n\r\n", 400},
	} {
		t.Run(name, func(t *testing.T) {
			c := s.dial()
			c.TB = t
			isConnect := strings.HasPrefix(tc.request, "CONNECT")
			if isConnect {
				tc.request += "GET http://127.0.0.1:1/smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
			}
			c.say(tc.request)
			resp, err := http.ReadResponse(c.r, nil)
			if err != nil {
				t.Fatalf("reading answer: %v", err)
			}
			if resp.StatusCode != tc.want {
				t.Errorf("answer %s, want %d", resp.Status, tc.want)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			if !isConnect {
				return
			}
			if rest, _ := io.ReadAll(c.r); strings.Contains(string(rest), "HTTP/1.1 ") {
				t.Errorf("what came behind a refused CONNECT was answered: %q", rest)
			}
			if n := p.Accepted(); n != 0 {
				t.Errorf("%d connections reached the proxy", n)
			}
		})
	}
}

// TestForwardAbsolute: of a request in absolute-form the target gets a request of
// its own, with what the client meant, and nothing about the client.
func TestForwardAbsolute(t *testing.T) {
	p := proxytest.NewProxy(t, proxytest.ProxyConfig{})
	seen := make(chan *http.Request, 1)
	origin := proxytest.NewOrigin(t, proxytest.OriginConfig{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen <- r })})
	s := serve(t, trustingPool(t, p), forwardSite("\t\tbasic_auth app secret"))
	c := s.dial()
	c.say("GET http://user:password@" + origin.Addr() + "/a%2Fb?q=1;2 HTTP/1.1\r\nHost: elsewhere.example\r\n" +
		"Proxy-Authorization: Basic YXBwOnNlY3JldA==\r\nProxy-Connection: keep-alive\r\nX-Forwarded-For: 1.2.3.4\r\nVia: 1.1 me\r\nX-Mine: stays\r\n\r\n")
	if resp := c.answer(); resp.StatusCode != http.StatusOK {
		t.Fatalf("answer %s", resp.Status)
	}
	r := <-seen
	if r.Host != origin.Addr() || r.URL.EscapedPath() != "/a%2Fb" || r.URL.RawQuery != "q=1;2" || r.Header.Get("X-Mine") != "stays" {
		t.Errorf("the target got %s %s?%s, X-Mine: %q", r.Host, r.URL.EscapedPath(), r.URL.RawQuery, r.Header.Get("X-Mine"))
	}
	for _, field := range []string{"Proxy-Authorization", "Proxy-Connection", "X-Forwarded-For", "Via", "Forwarded"} {
		if value := r.Header.Get(field); value != "" {
			t.Errorf("the target got %s: %s", field, value)
		}
	}
	if log := captured.String(); strings.Contains(log, "YXBwOnNlY3JldA") || strings.Contains(log, `"secret"`) {
		t.Error("the password is in the log")
	}
}

// TestTunnelClientLeaves: a client that leaves while its tunnel is on its way, or
// stands and is silent, leaves nothing behind.
func TestTunnelClientLeaves(t *testing.T) {
	p := proxytest.NewProxy(t, proxytest.ProxyConfig{})
	target := newSpeaker(t)
	s := serve(t, trustingPool(t, p), forwardSite("\t\tconnect_timeout 1s"))
	s.get(client(t), "/") // whatever is made once
	before := runtime.NumGoroutine()

	p.MustSetMode(t, proxytest.Silent)
	for range 20 {
		c := s.dial()
		c.say("CONNECT " + target.addr + " HTTP/1.1\r\nHost: x\r\n\r\n")
		_ = c.Close()
	}
	p.MustSetMode(t, proxytest.Works)
	eventually(t, "a tunnel again", func() bool {
		c := s.dial()
		defer c.Close()
		c.say("CONNECT " + target.addr + " HTTP/1.1\r\nHost: x\r\n\r\n")
		return c.answer().StatusCode == http.StatusOK
	})
	for range 20 {
		c := s.dial()
		c.connect(target.addr)
		_ = c.Close()
	}
	eventually(t, "nothing is left", func() bool {
		for len(target.conns) > 0 {
			_ = (<-target.conns).Close()
		}
		return runtime.NumGoroutine() <= before+2 && p.Standing() == 0
	})
	if row := s.row("P1"); len(row.FailingFor) != 0 {
		t.Errorf("clients that left are the route's failure: %+v", row)
	}
}

// TestTunnelSlowReader: a client that reads nothing holds up its own tunnel and no
// memory.
func TestTunnelSlowReader(t *testing.T) {
	p := proxytest.NewProxy(t, proxytest.ProxyConfig{})
	target := newSpeaker(t)
	s := serve(t, trustingPool(t, p), forwardSite("\t\tidle_timeout 2s"))
	c := s.dial()
	c.connect(target.addr)
	far := target.next(t)
	_ = far.SetWriteDeadline(time.Now().Add(15 * time.Second))
	chunk := make([]byte, 1<<20)
	sent := 0
	for range 1 << 10 {
		n, err := far.Write(chunk)
		sent += n
		if err != nil {
			break // the idle timeout has ended it
		}
	}
	if sent > 64<<20 {
		t.Errorf("%d bytes went out to a client that reads nothing", sent)
	}
	eventually(t, "a line about it", func() bool { return strings.Contains(captured.String(), `"reason":"idle_timeout"`) })
	if n, err := io.Copy(io.Discard, c.r); err == nil {
		t.Errorf("the client sees a clean end after %d bytes of more", n)
	}
}
