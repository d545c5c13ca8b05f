package proxypool

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/caddy-proxypool/proxypool/internal/proxytest"
)

// withServers is the global options of pools, and options of all servers.
func withServers(pools, options string) string {
	return pools + "}\nservers {\n" + options + "\n" // the brace behind the pools closes these
}

// speech is one end of a tunnel.
type speech interface {
	say(text string)
	hear(want string)
}

// chat has both ends speak for a while.
func chat(a, b speech, d time.Duration) {
	tick := time.NewTicker(d / 10)
	defer tick.Stop()
	for range 10 {
		<-tick.C
		a.say("hello")
		b.hear("hello")
		b.say("and back")
		a.hear("and back")
	}
}

// TestServerTimeouts: those of the server, which are for requests, do not end
// tunnels.
func TestServerTimeouts(t *testing.T) {
	p := proxytest.NewProxy(t, proxytest.ProxyConfig{})
	target := newSpeaker(t)
	for name, timeouts := range map[string]string{
		"of whole requests":      "write 500ms\nread_body 500ms",
		"of those that are idle": "write_idle 500ms\nread_body_idle 500ms",
		"of both":                "write 500ms\nread_body 500ms\nwrite_idle 200ms\nread_body_idle 200ms",
		"of whole requests only": "write 500ms\nread_body 500ms\nwrite_idle -1s\nread_body_idle -1s",
	} {
		pools := withServers(trustingPool(t, p), "timeouts {\n"+timeouts+"\n}")
		t.Run(name+"/HTTP 1", func(t *testing.T) {
			s := serve(t, pools, forwardSite(""))
			c := s.dial()
			c.connect(target.addr)
			far := target.next(t)
			chat(c, far, time.Second)
			_ = far.Close()
			c.end()
		})
		t.Run(name+"/HTTP 2", func(t *testing.T) {
			s := serve(t, pools, secureSite(""))
			c := s.connect2(target.addr)
			far := target.next(t)
			<-time.After(600 * time.Millisecond)
			chat(c, far, time.Second)
			_ = c.Close()
			far.end()
			far.say("the rest")
			_ = far.Close()
			c.hear("the rest")
			if rest, err := io.ReadAll(c.Reader); err != nil || len(rest) > 0 {
				t.Errorf("the client got %q and %v, want a clean end", rest, err)
			}
		})
	}
}

// TestServerLetsGo: a server that has given up a connection leaves it alone, also
// where the tunnel took longer to open than the server has for a request.
func TestServerLetsGo(t *testing.T) {
	silent, p := proxytest.NewProxy(t, proxytest.ProxyConfig{}), proxytest.NewProxy(t, proxytest.ProxyConfig{})
	silent.MustSetMode(t, proxytest.Silent)
	target := newSpeaker(t)
	pools := withServers(trustingPool(t, silent, p), "timeouts {\nwrite 100ms\n}")
	s := serve(t, pools, forwardSite("\t\thedge_delay 200ms"))
	c := s.dial()
	c.connect(target.addr)
	far := target.next(t)
	eventually(t, "the access log has the request", func() bool {
		return strings.Contains(captured.String(), `"handled request"`)
	})
	chat(c, far, 100*time.Millisecond)
	for line := range strings.Lines(captured.String()) {
		if strings.Contains(line, "hijacked") {
			t.Errorf("the server complains: %s", line)
		}
		if strings.Contains(line, `"handled request"`) && !strings.Contains(line, `"status":200`) {
			t.Errorf("the access log has no status: %s", line)
		}
	}
}

// TestListenerWrappers: tunnels end on wrapped connections as they do on others.
func TestListenerWrappers(t *testing.T) {
	const proxyProtocol = "listener_wrappers {\nproxy_protocol {\nallow 127.0.0.0/8\n}\n}"
	for name, tc := range map[string]struct{ options, header string }{
		"proxy_protocol":              {proxyProtocol, "PROXY TCP4 127.0.0.9 127.0.0.1 1 2\r\n"},
		"proxy_protocol not spoken":   {proxyProtocol, ""},
		"HTTP 1 alone":                {"protocols h1", ""},
		"HTTP 1 alone behind another": {proxyProtocol + "\nprotocols h1", "PROXY TCP4 127.0.0.9 127.0.0.1 1 2\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			p := proxytest.NewProxy(t, proxytest.ProxyConfig{})
			target := newSpeaker(t) // its own: when the tunnel broke, the pool tries the target
			s := serve(t, withServers(trustingPool(t, p), tc.options), forwardSite(""))
			open := func(early string) (c, far *connection) {
				c = s.dial()
				c.say(tc.header + "CONNECT " + target.addr + " HTTP/1.1\r\nHost: x\r\n\r\n" + early)
				c.answer()
				return c, target.next(t)
			}
			// The target has said all, and listens on.
			early := strings.Repeat("sent along ", 10_000)
			c, far := open(early)
			far.hear(early)
			chat(c, far, 10*time.Millisecond)
			_ = far.Conn.(*net.TCPConn).CloseWrite()
			c.end()
			c.say("the rest")
			far.hear("the rest")
			_ = c.Close()
			far.end()

			// A tunnel that breaks does not look like one that ended well.
			c, far = open("")
			far.say("half of")
			c.hear("half of")
			p.MustSetMode(t, proxytest.Reset)
			defer p.MustSetMode(t, proxytest.Works)
			if rest, err := io.ReadAll(c.r); err == nil {
				t.Errorf("the client got %q and a clean end from a tunnel that broke", rest)
			}
		})
	}
}
