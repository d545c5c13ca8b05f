package proxypool

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-proxypool/proxypool/internal/proxytest"
)

// forwardSite is a site that is nothing but the forward front, on loopback.
func forwardSite(options string) string {
	return fmt.Sprintf(":{port} {\n\tbind 127.0.0.1\n\tlog\n\tproxy_pool_forward {\n\t\tallow *\n%s\n\t}\n}\n", options)
}

// trustingPool is a pool of the proxies, each cheaper than the next, whose own
// certificates are the test's.
func trustingPool(t *testing.T, proxies ...*proxytest.Proxy) string {
	t.Helper()
	pool := onePool(t, "", proxies...)
	trust := fmt.Sprintf("\t\ttls_trust_pool file %s\n", proxytest.CAFile(t))
	for _, p := range proxies {
		if strings.HasPrefix(p.URL(), "https:") {
			pool = strings.Replace(pool, p.URL()+" {\n", p.URL()+" {\n"+trust, 1)
		}
	}
	return pool
}

// through is a client that has the server as its proxy, and trusts the test's
// origins.
func (s *server) through(user *url.Userinfo) *http.Client {
	s.t.Helper()
	proxy, err := url.Parse(s.url)
	if err != nil {
		s.t.Fatal(err)
	}
	proxy.User = user
	transport := &http.Transport{
		Proxy: http.ProxyURL(proxy), MaxIdleConnsPerHost: 128, DisableCompression: true,
		TLSClientConfig: &tls.Config{RootCAs: proxytest.CAPool(), MinVersion: tls.VersionTLS12},
	}
	s.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 20 * time.Second}
}

// fetch gets a URL, which must be answered with 200.
func fetch(t *testing.T, c *http.Client, target string) string {
	t.Helper()
	resp, err := c.Get(target)
	if err != nil {
		t.Fatalf("GET %s: %v", target, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s, %v: %s", target, resp.Status, err, body)
	}
	return string(body)
}

// connection is a client's connection to the front, by hand.
type connection struct {
	testing.TB
	net.Conn
	r *bufio.Reader
}

func (s *server) dial() *connection {
	s.t.Helper()
	c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.port))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(15 * time.Second))
	return &connection{s.t, c, bufio.NewReader(c)}
}

func (c *connection) say(text string) {
	c.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		c.Fatalf("writing: %v", err)
	}
}

// answer reads the head of an answer.
func (c *connection) answer() *http.Response {
	c.Helper()
	resp, err := http.ReadResponse(c.r, &http.Request{Method: http.MethodConnect})
	if err != nil {
		c.Fatalf("reading answer: %v", err)
	}
	return resp
}

// connect opens a tunnel.
func (c *connection) connect(target string) {
	c.Helper()
	c.say("CONNECT " + target + " HTTP/1.1\r\nHost: " + target + "\r\n\r\n")
	resp := c.answer()
	if resp.StatusCode != http.StatusOK {
		c.Fatalf("CONNECT %s: %s", target, resp.Status)
	}
	if len(resp.Header) > 0 {
		c.Errorf("the answer to CONNECT has fields: %v", resp.Header)
	}
}

// hear reads exactly the text.
func (c *connection) hear(want string) {
	c.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(c.r, got); err != nil || string(got) != want {
		c.Fatalf("heard %.99q (%v), want %.99q", got, err, want)
	}
}

// end reads the end of the connection.
func (c *connection) end() {
	c.Helper()
	if n, err := c.r.Read(make([]byte, 100)); err != io.EOF {
		c.Fatalf("read %d bytes and %v, want the end", n, err)
	}
}

// speaker is a target of which each connection is the test's.
type speaker struct {
	addr  string
	conns chan *net.TCPConn
}

func newSpeaker(t *testing.T) *speaker {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &speaker{ln.Addr().String(), make(chan *net.TCPConn, 64)}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			_ = c.SetDeadline(time.Now().Add(20 * time.Second))
			s.conns <- c.(*net.TCPConn)
		}
	}()
	return s
}

func (s *speaker) next(t *testing.T) *connection {
	t.Helper()
	select {
	case c := <-s.conns:
		t.Cleanup(func() { _ = c.Close() })
		return &connection{t, c, bufio.NewReader(c)}
	case <-time.After(10 * time.Second):
		t.Fatal("the target was never reached")
		return nil
	}
}

func TestForwardFront(t *testing.T) {
	secure := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true})
	plain := proxytest.NewOrigin(t, proxytest.OriginConfig{})
	for name, kind := range map[string]proxytest.ProxyConfig{
		"http":                   {},
		"http with a password":   {Username: "user", Password: "secret"},
		"https":                  {Kind: proxytest.HTTPS},
		"socks5":                 {Kind: proxytest.SOCKS5},
		"socks5 with a password": {Kind: proxytest.SOCKS5, Username: "user", Password: "secret"},
	} {
		t.Run(name, func(t *testing.T) {
			p := proxytest.NewProxy(t, kind)
			s := serve(t, "usage_log on\n"+trustingPool(t, p), forwardSite(""))
			c := s.through(nil)
			for range 3 {
				fetch(t, c, secure.URL()+"/hello")
				fetch(t, c, plain.URL()+"/hello")
			}
			if n := p.Connects(secure.Addr()); n != 1 {
				t.Errorf("%d tunnels for three requests on one connection, want 1", n)
			}
			c.CloseIdleConnections()
			var rows []logRow
			eventually(t, "four rows in the usage log", func() bool {
				var answer struct {
					Rows []logRow `json:"rows"`
				}
				s.call(http.MethodGet, "/proxy_pool/log", &answer)
				rows = answer.Rows
				return len(rows) == 4
			})
			in, out := int64(0), int64(0)
			for _, row := range rows {
				in, out = in+row.BytesIn, out+row.BytesOut
				if row.Method == http.MethodConnect && (row.Target != secure.Addr() || row.Status != 200 || row.Path != "" || !row.Success) {
					t.Errorf("the tunnel's row is %+v", row)
				}
			}
			eventually(t, "the log has every byte", func() bool {
				fromClient, toClient := p.Bytes()
				return in == toClient && out == fromClient
			})
			if log := captured.String(); !strings.Contains(log, `"tunnel ended"`) {
				t.Error("the log has no line for the tunnel's end")
			}
		})
	}
}

func TestTunnelHalfClose(t *testing.T) {
	p := proxytest.NewProxy(t, proxytest.ProxyConfig{})
	target := newSpeaker(t)
	s := serve(t, trustingPool(t, p), forwardSite(""))

	t.Run("by the client", func(t *testing.T) {
		c := s.dial()
		c.connect(target.addr)
		far := target.next(t)
		c.say("all that I say")
		_ = c.Conn.(*net.TCPConn).CloseWrite()
		far.hear("all that I say")
		far.end()
		far.say("and what I answer")
		c.hear("and what I answer")
		_ = far.Close()
		c.end()
	})
	t.Run("by the target", func(t *testing.T) {
		c := s.dial()
		c.connect(target.addr)
		far := target.next(t)
		far.say("all that I say")
		_ = far.Conn.(*net.TCPConn).CloseWrite()
		c.hear("all that I say")
		c.end()
		c.say("and what I answer")
		far.hear("and what I answer")
		_ = c.Close()
		far.end()
	})
}

// TestTunnelFailsOver: whatever the first proxies do, the client is told 200
// once, when the tunnel stands.
func TestTunnelFailsOver(t *testing.T) {
	origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true})
	for name, mode := range map[string]proxytest.Mode{
		"refuses":               proxytest.Refuse,
		"resets":                proxytest.Reset,
		"wants a password":      proxytest.Status(407),
		"refuses the tunnel":    proxytest.Status(403),
		"is overloaded":         proxytest.Status(502),
		"talks nonsense":        proxytest.Nonsense,
		"has an endless header": proxytest.EndlessHeader,
		"drops":                 proxytest.DropBeforeAnswer,
		"is silent":             proxytest.Silent,
	} {
		t.Run(name, func(t *testing.T) {
			first, second := proxytest.NewProxy(t, proxytest.ProxyConfig{}), proxytest.NewProxy(t, proxytest.ProxyConfig{})
			first.MustSetMode(t, mode)
			s := serve(t, trustingPool(t, first, second), forwardSite("\t\thedge_delay 100ms"))
			c := s.through(nil)
			for range 5 {
				start := time.Now()
				fetch(t, c, origin.URL()+"/hello")
				if took := time.Since(start); took > 2*time.Second {
					t.Errorf("a request took %v", took)
				}
				c.CloseIdleConnections()
			}
			if n := second.Connects(origin.Addr()); n != 5 {
				t.Errorf("%d tunnels through the second proxy, want 5", n)
			}
		})
	}
}

// TestTunnelKeepsOddAnswers: what a proxy sends with its 200 that means nothing
// is not for the client, and what is the target's already is.
func TestTunnelOddAnswers(t *testing.T) {
	p := proxytest.NewProxy(t, proxytest.ProxyConfig{})
	target := newSpeaker(t)
	s := serve(t, trustingPool(t, p), forwardSite(""))

	p.MustSetMode(t, proxytest.BodyInConnect200)
	c := s.dial()
	c.connect(target.addr)
	far := target.next(t)
	far.say("hello")
	c.hear("hello")

	p.MustSetMode(t, proxytest.DataBehindAnswer)
	c = s.dial()
	c.connect(target.addr)
	far = target.next(t)
	c.hear(proxytest.EarlyData)
	far.say("hello")
	c.hear("hello")
	c.say("and back")
	far.hear("and back")
}

// TestEarlyBytes: what a client sends behind CONNECT without waiting belongs to
// the tunnel where there is one, and is no request where there is none.
func TestEarlyBytes(t *testing.T) {
	p := proxytest.NewProxy(t, proxytest.ProxyConfig{})
	target := newSpeaker(t)
	s := serve(t, trustingPool(t, p), strings.Replace(forwardSite(""), "allow *", "allow "+target.addr, 1))
	c := s.dial()
	c.say("CONNECT " + target.addr + " HTTP/1.1\r\nHost: x\r\n\r\nfirst words")
	if resp := c.answer(); resp.StatusCode != http.StatusOK {
		t.Fatalf("answer %s", resp.Status)
	}
	target.next(t).hear("first words")

	c = s.dial()
	c.say("CONNECT other.example:443 HTTP/1.1\r\nHost: x\r\n\r\nCONNECT " + target.addr + " HTTP/1.1\r\nHost: x\r\n\r\n")
	if resp := c.answer(); resp.StatusCode != http.StatusForbidden {
		t.Fatalf("answer %s, want 403", resp.Status)
	}
	rest, _ := io.ReadAll(c.r)
	if strings.Contains(string(rest), "HTTP/1.1") {
		t.Errorf("what came behind a refused CONNECT was answered: %q", rest)
	}
}

func TestTunnelIdleTimeout(t *testing.T) {
	p := proxytest.NewProxy(t, proxytest.ProxyConfig{})
	target := newSpeaker(t)
	s := serve(t, "usage_log on\n"+trustingPool(t, p), forwardSite("\t\tidle_timeout 1s"))
	c := s.dial()
	c.connect(target.addr)
	far := target.next(t)
	start := time.Now()
	c.end() // although the client never said anything
	far.end()
	if took := time.Since(start); took < 900*time.Millisecond || took > 5*time.Second {
		t.Errorf("the tunnel ended after %v, want 1s to 2s", took)
	}
	eventually(t, "a line about it", func() bool {
		return strings.Contains(captured.String(), `"reason":"idle_timeout"`)
	})
}

// TestTunnelsAtReload: tunnels go on through a reload on what they began with,
// unless it is no longer allowed.
func TestTunnelsAtReload(t *testing.T) {
	p, other := proxytest.NewProxy(t, proxytest.ProxyConfig{}), proxytest.NewProxy(t, proxytest.ProxyConfig{})
	target := newSpeaker(t)
	site := forwardSite("")
	withUser := func(password string) string { return forwardSite("\t\tbasic_auth app " + password) }
	for name, tc := range map[string]struct {
		before, pool, after string
		want                string // why it ended
	}{
		"nothing changed":               {site, trustingPool(t, p), forwardSite("\t\tconnect_timeout 4s"), ""},
		"another proxy is cheaper now":  {site, strings.Replace(trustingPool(t, p), "\tproxy", "\tproxy Other "+other.URL()+" {\npriority 0\n}\n\tproxy", 1), site, ""},
		"the proxy is gone":             {site, trustingPool(t, other), site, "not_allowed"},
		"the target is not allowed":     {site, trustingPool(t, p), strings.Replace(site, "allow *", "allow api.telegram.org", 1), "not_allowed"},
		"the client is not allowed":     {site, trustingPool(t, p), forwardSite("\t\tclients 10.0.0.0/8"), "not_allowed"},
		"the front is gone":             {site, trustingPool(t, p), ":{port} {\nbind 127.0.0.1\nrespond hello\n}\n", "not_allowed"},
		"a password was asked for":      {site, trustingPool(t, p), withUser("secret"), "not_allowed"},
		"the password is the same":      {withUser("secret"), trustingPool(t, p), withUser("secret"), ""},
		"the password is another one":   {withUser("secret"), trustingPool(t, p), withUser("other"), "not_allowed"},
		"the time after a reload is up": {forwardSite("\t\ttunnel_grace 1s"), trustingPool(t, p), forwardSite("\t\ttunnel_grace 1s"), "tunnel_grace"},
		"there is no time after one":    {forwardSite("\t\ttunnel_grace 0s"), trustingPool(t, p), forwardSite("\t\ttunnel_grace 0s"), "tunnel_grace"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, trustingPool(t, p), tc.before)
			c := s.dial()
			c.say("CONNECT " + target.addr + " HTTP/1.1\r\nProxy-Authorization: Basic YXBwOnNlY3JldA==\r\nHost: x\r\n\r\n")
			if resp := c.answer(); resp.StatusCode != http.StatusOK {
				t.Fatalf("answer %s", resp.Status)
			}
			far := target.next(t)
			s.load(tc.pool, tc.after)
			if tc.want == "" {
				c.say("still here")
				far.hear("still here")
				far.say("so am I")
				c.hear("so am I")
				return
			}
			if _, err := c.r.ReadByte(); err == nil {
				t.Fatal("the tunnel goes on")
			}
			eventually(t, "a line about it", func() bool {
				return strings.Contains(captured.String(), `"reason":"`+tc.want+`"`)
			})
		})
	}
}

// TestTunnelsAtStop: tunnels have some seconds, and the stop does not wait for
// those that end before.
func TestTunnelsAtStop(t *testing.T) {
	p := proxytest.NewProxy(t, proxytest.ProxyConfig{})
	target := newSpeaker(t)
	for name, tc := range map[string]struct {
		grace    string
		ends     bool // by itself
		from, to time.Duration
	}{
		"one that stays":            {"1s", false, 900 * time.Millisecond, 4 * time.Second},
		"one that stays, no time":   {"0s", false, 0, 900 * time.Millisecond},
		"one that ends, by default": {"", true, 0, 4 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			options := ""
			if tc.grace != "" {
				options = "\t\ttunnel_grace " + tc.grace
			}
			s := serve(t, trustingPool(t, p), forwardSite(options))
			c := s.dial()
			c.connect(target.addr)
			far := target.next(t)
			stopped := make(chan time.Duration, 1)
			go func() {
				start := time.Now()
				if err := caddy.Stop(); err != nil {
					t.Errorf("stopping: %v", err)
				}
				stopped <- time.Since(start)
			}()
			if tc.ends {
				_ = far.Close()
				_ = c.Close()
			} else if _, err := c.r.ReadByte(); err == nil {
				t.Error("the tunnel goes on")
			}
			if took := <-stopped; took < tc.from || took > tc.to {
				t.Errorf("the stop took %v, want %v to %v", took, tc.from, tc.to)
			}
		})
	}
}
