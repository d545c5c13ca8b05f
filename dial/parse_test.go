package dial

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"
)

func TestReadConnectAnswer(t *testing.T) {
	tests := []struct {
		name, answer string
		status       int
		rest         string
		reason       string // of the error; "EOF" for the reader's own
	}{
		{"ok", "HTTP/1.1 200 OK\r\n\r\n", 200, "", ""},
		{"1.0", "HTTP/1.0 200 Connection established\r\nVia: x\r\n\r\n", 200, "", ""},
		{"no phrase", "HTTP/1.1 204\r\n\r\nrest", 204, "rest", ""},
		{"line feeds", "HTTP/1.1 200 OK\nA: b\n\nrest\n\n", 200, "rest\n\n", ""},
		{"rest", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n\r\n\r\nabc", 200, "\r\n\r\nabc", ""},
		{"interim", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nA: b\r\n\r\nHTTP/1.1 403 No\r\n\r\nbody", 403, "body", ""},
		{"switch", "HTTP/1.1 101 No\r\n\r\n", 101, "", ""},
		{"cut", "HTTP/1.1 200 OK\r\n", 0, "", "EOF"},
		{"nothing", "", 0, "", "EOF"},
		{"not HTTP", "220 mail ESMTP\r\n", 0, "", ReasonProxyNonsense},
		{"garbage behind interim", "HTTP/1.1 100 Continue\r\n\r\nxyz", 0, "", ReasonProxyNonsense},
		{"bad status", "HTTP/1.1 2x0 OK\r\n\r\n", 0, "", ReasonProxyNonsense},
		{"status too small", "HTTP/1.1 099 OK\r\n\r\n", 0, "", ReasonProxyNonsense},
		{"status too long", "HTTP/1.1 2000 OK\r\n\r\n", 0, "", ReasonProxyNonsense},
		{"no status", "HTTP/1.1\r\n\r\n", 0, "", ReasonProxyNonsense},
		{"no version", "HTTP/ 200\r\n\r\n", 0, "", ReasonProxyNonsense},
		{"endless", "HTTP/1.1 200 OK\r\nA: " + strings.Repeat("x", 2*maxConnectHead), 0, "", ReasonProxyNonsense},
		{"endless interim", strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", maxConnectHead/10), 0, "", ReasonProxyNonsense},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, slow := range []bool{false, true} {
				all := strings.NewReader(test.answer)
				var r io.Reader = all
				if slow {
					r = iotest.OneByteReader(r)
				}
				status, rest, err := readConnectAnswer(r)
				if left, _ := io.ReadAll(all); err == nil {
					rest = append(rest, left...)
				}
				if status != test.status || string(rest) != test.rest || reasonOf(err) != test.reason {
					t.Errorf("slow=%v: got %d, %q, %v; want %d, %q, %s", slow, status, rest, err, test.status, test.rest, test.reason)
				}
			}
		})
	}
}

func reasonOf(err error) string {
	var e *Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &e):
		return e.Reason
	default:
		return "EOF"
	}
}

// pipe reads what a proxy says and forgets what it is told.
type pipe struct {
	io.Reader
	said bytes.Buffer
}

func (p *pipe) Write(b []byte) (int, error) { return p.said.Write(b) }

func TestSOCKS(t *testing.T) {
	granted := "\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"
	tests := []struct {
		name, host, answer string
		auth               bool
		said               string
		reason             string
	}{
		{"name", "a.b", "\x05\x00" + granted, false, "\x05\x01\x00\x05\x01\x00\x03\x03a.b\x01\xbb", ""},
		{"IPv4", "1.2.3.4", "\x05\x00" + granted, false, "\x05\x01\x00\x05\x01\x00\x01\x01\x02\x03\x04\x01\xbb", ""},
		{"IPv4 in IPv6", "::ffff:1.2.3.4", "\x05\x00" + granted, false, "\x05\x01\x00\x05\x01\x00\x01\x01\x02\x03\x04\x01\xbb", ""},
		{"IPv6", "::1", "\x05\x00" + granted, false, "\x05\x01\x00\x05\x01\x00\x04" + strings.Repeat("\x00", 15) + "\x01\x01\xbb", ""},
		{"bound name", "::1", "\x05\x00\x05\x00\x00\x03\x02xy\x00\x00", false, "", ""},
		{"bound IPv6", "::1", "\x05\x00\x05\x00\x00\x04" + strings.Repeat("\x00", 18), false, "", ""},
		{"login", "a.b", "\x05\x02\x01\x00" + granted, true, "\x05\x02\x00\x02\x01\x01u\x02pw\x05\x01\x00\x03\x03a.b\x01\xbb", ""},
		{"login not wanted", "a.b", "\x05\x00" + granted, true, "\x05\x02\x00\x02\x05\x01\x00\x03\x03a.b\x01\xbb", ""},
		{"login refused", "a.b", "\x05\x02\x01\x01", true, "", ReasonProxyAuth},
		{"no method", "a.b", "\x05\xff", true, "", ReasonProxyAuth},
		{"login not offered", "a.b", "\x05\x02", false, "\x05\x01\x00", ReasonProxyNonsense},
		{"refused, short", "a.b", "\x05\x00\x05\x05", false, "", ReasonTunnelRefused},
		{"refused, unknown", "a.b", "\x05\x00\x05\xc8", false, "", ReasonTunnelRefused},
		{"other version", "a.b", "\x04\x00", false, "", ReasonProxyNonsense},
		{"HTTP", "a.b", "HTTP/1.1 400 Bad Request", false, "", ReasonProxyNonsense},
		{"bad address type", "a.b", "\x05\x00\x05\x00\x00\x09", false, "", ReasonProxyNonsense},
		{"cut", "a.b", "\x05\x00\x05\x00\x00\x01\x00", false, "", "EOF"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := &pipe{Reader: iotest.OneByteReader(strings.NewReader(test.answer + "the target's"))}
			if test.reason == "EOF" {
				p.Reader = strings.NewReader(test.answer)
			}
			err := socks(p, hostPort{test.host, 443}, Proxy{HasAuth: test.auth, Username: "u", Password: "pw"})
			if reasonOf(err) != test.reason {
				t.Errorf("got %v, want %q", err, test.reason)
			}
			if test.said != "" && p.said.String() != test.said {
				t.Errorf("said %q, want %q", p.said.String(), test.said)
			}
			if rest, _ := io.ReadAll(p); err == nil && string(rest) != "the target's" {
				t.Errorf("left %q for the target", rest)
			}
		})
	}
}

func FuzzReadConnectAnswer(f *testing.F) {
	for _, seed := range []string{
		"HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 100 Continue\n\nHTTP/1.0 407 No\r\nA: b\r\n\r\nrest", "HTTP/1.1 2", "\x05\x00", "HTTP/1.1 200\r\n\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		status, rest, err := readConnectAnswer(bytes.NewReader(answer))
		slowStatus, _, slowErr := readConnectAnswer(iotest.OneByteReader(bytes.NewReader(answer)))
		if err == nil && (status < 100 || status > 999 || !bytes.HasSuffix(answer, rest) && len(answer) < 4<<10) {
			t.Errorf("status %d, rest %q", status, rest)
		}
		if status != slowStatus || reasonOf(err) != reasonOf(slowErr) {
			t.Errorf("read at once: %d, %v; byte by byte: %d, %v", status, err, slowStatus, slowErr)
		}
	})
}

func FuzzSOCKSReplies(f *testing.F) {
	for _, seed := range []string{"\x05\x00\x05\x00\x00\x01abcdef", "\x05\x02\x01\x00\x05\x05", "\x05\xff", "\x05\x00\x05\x00\x00\x03\xff"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		err := socks(&pipe{Reader: bytes.NewReader(answer)}, hostPort{"a.b", 443}, Proxy{HasAuth: true, Username: "u", Password: "secret-pw"})
		if err == nil && answer[0] != socksVersion {
			t.Error("a tunnel without SOCKS")
		}
		if err != nil && strings.Contains(err.Error(), "secret-pw") {
			t.Errorf("%q holds the password", err)
		}
	})
}

func TestAbsoluteURL(t *testing.T) {
	tests := map[string]string{
		"http://a.b/c%2Fd?q=1":     "http://a.b/c%2Fd?q=1",
		"http://a.b":               "http://a.b/",
		"http://a.b:81/?":          "http://a.b:81/?",
		"http://[::1]:81//x":       "http://[::1]:81//x",
		"http://a.b//evil.test/":   "http://a.b//evil.test/",
		"http://a.b/http://x.test": "http://a.b/http://x.test",
	}
	for in, want := range tests {
		u, err := url.Parse(in)
		if err != nil {
			t.Fatal(err)
		}
		if got := absoluteURL(u).RequestURI(); got != want {
			t.Errorf("%s becomes %s, want %s", in, got, want)
		}
	}
	star := &url.URL{Scheme: "http", Host: "a.b", Path: "*"}
	if got := absoluteURL(star).RequestURI(); got != "http://a.b" {
		t.Errorf("* becomes %s", got)
	}
	opaque := &url.URL{Scheme: "http", Host: "a.b", Opaque: "//evil.test/x", Path: "/y"}
	if got := absoluteURL(opaque).RequestURI(); got != "http://a.b/y" {
		t.Errorf("an opaque part leads to %s", got)
	}
}

func TestProxyMade(t *testing.T) {
	tests := []struct {
		name, field, value string
		status             int
		want               bool
	}{
		{"407 of the target", "", "", 407, false},
		{"407 that asks for a password", "Proxy-Authenticate", "Basic realm=x", 407, true},
		{"407 with Proxy-Status", "Proxy-Status", "proxy.test; error=http_request_denied", 407, true},
		{"407 of squid", "X-Squid-Error", "ERR_CACHE_ACCESS_DENIED 0", 407, true},
		{"502 of the target", "", "", 502, false},
		{"429 of the target", "Retry-After", "1", 429, false},
		{"429 with Proxy-Status", "Proxy-Status", "proxy.test; error=http_request_denied", 429, true},
		{"second member", "Proxy-Status", `a, b;details="x;y";error=dns_timeout`, 504, true},
		{"error in a string only", "Proxy-Status", `a; details="; error=x \"; error=y"`, 502, false},
		{"other parameter", "Proxy-Status", "a; errors=1; received-status=502", 502, false},
		{"squid", "X-Squid-Error", "ERR_ACCESS_DENIED 0", 403, true},
		{"authenticate", "Proxy-Authenticate", "Basic", 403, true},
		{"tinyproxy with a wrong password", "Server", "tinyproxy/1.11.1", 401, true},
		{"tinyproxy that reaches nobody", "Server", "tinyproxy/1.11.1", 500, true},
		{"tinyproxy that is not allowed to", "Server", "tinyproxy/1.11.1", 403, true},
		{"401 of the target", "WWW-Authenticate", "Basic", 401, false},
		{"500 of the target", "Server", "nginx", 500, false},
		{"200 with Proxy-Status", "Proxy-Status", "a; error=x", 200, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			resp := &http.Response{StatusCode: test.status, Header: http.Header{}}
			if test.field != "" {
				resp.Header.Set(test.field, test.value)
			}
			if got := (&HTTPConn{absoluteForm: true}).ProxyMade(resp); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
			if (&HTTPConn{}).ProxyMade(resp) {
				t.Error("an answer through a tunnel is told to be the proxy's")
			}
		})
	}
}
