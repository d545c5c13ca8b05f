package dial_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/http2"

	"github.com/caddy-proxypool/proxypool/dial"
	"github.com/caddy-proxypool/proxypool/internal/proxytest"
)

// closeTeller tells that it was closed.
type closeTeller struct {
	*strings.Reader
	closed bool
}

func (b *closeTeller) Close() error {
	b.closed = true
	return nil
}

// TestBadRequests: what cannot be sent is known from what went wrong on the way,
// and costs HTTP/2 no connection.
func TestBadRequests(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(*http.Request)
	}{
		{"no URL", func(r *http.Request) { r.URL = nil }},
		{"method", func(r *http.Request) { r.Method = "GET /other" }},
		{"field name", func(r *http.Request) { r.Header["A B"] = []string{"x"} }},
		{"field value", func(r *http.Request) { r.Header["A"] = []string{"x\r\nB: y"} }},
		{"trailer", func(r *http.Request) { r.Trailer = http.Header{"A B": nil} }},
		{"forbidden trailer", func(r *http.Request) { r.Trailer, r.ContentLength = http.Header{"Content-Length": nil}, -1 }},
		{"host, which HTTP/1.1 leaves out", func(r *http.Request) { r.Host = "a\x00b" }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			eachProtocol(t, func(t *testing.T, origin *proxytest.Origin, _ *proxytest.Proxy, c *dial.HTTPConn) {
				t.Helper()
				if strings.HasPrefix(test.name, "host") && !c.Multiplexed() {
					return
				}
				wantBadRequest(t, c, origin.URL(), dial.ReasonBadRequest, test.spoil)
				if c.Alive() != c.Multiplexed() {
					t.Errorf("alive: %v, HTTP/2: %v", c.Alive(), c.Multiplexed())
				}
				if c.Multiplexed() {
					do(t, c, newRequest(t.Context(), t, "GET", origin.URL(), ""))
				}
			})
		})
	}
}

// TestBadRequestToProxy is a request in absolute-form.
func TestBadRequestToProxy(t *testing.T) {
	noLeaks(t)
	origin := proxytest.NewOrigin(t, proxytest.OriginConfig{})
	proxy := proxytest.NewProxy(t, proxytest.ProxyConfig{})
	for name, spoil := range map[string]func(*http.Request){
		"no URL":    func(r *http.Request) { r.URL = nil },
		"no host":   func(r *http.Request) { r.URL = &url.URL{Scheme: "http", Path: "/"} },
		"no header": func(r *http.Request) { r.Header = nil },
		"query":     func(r *http.Request) { r.URL.RawQuery = "\r\nX: y" },
	} {
		t.Run(name, func(t *testing.T) {
			c := mustOpen(t, dialerFor(t, proxy), targetOf(origin))
			wantBadRequest(t, c, origin.URL(), dial.ReasonBadRequest, spoil)
		})
	}
	if n := proxy.Forwards(origin.Addr()); n != 0 {
		t.Errorf("%d requests arrived", n)
	}
}

// TestRequestHeaderTooLarge: a target on HTTP/2 says how large a header may be.
func TestRequestHeaderTooLarge(t *testing.T) {
	noLeaks(t)
	c := framed(t, func(fr *http2.Framer, id uint32) {
		fr.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: []byte{0x88}, EndHeaders: true, EndStream: true})
	}, http2.Setting{ID: http2.SettingMaxHeaderListSize, Val: 4096})
	if err := c.Ping(t.Context()); err != nil { // until the settings came
		t.Fatal(err)
	}
	wantBadRequest(t, c, "https://api.test/", dial.ReasonRequestHeaderTooLarge, func(r *http.Request) {
		r.Header.Set("Cookie", strings.Repeat("x", 5000))
	})
	do(t, c, newRequest(t.Context(), t, "GET", "https://api.test/", ""))
}

// wantBadRequest sends a request that something is wrong with.
func wantBadRequest(t *testing.T, c *dial.HTTPConn, url, reason string, spoil func(*http.Request)) {
	t.Helper()
	body := &closeTeller{Reader: strings.NewReader("hello")}
	req := newRequest(t.Context(), t, "POST", url, "")
	req.Body, req.ContentLength = body, 5
	spoil(req)
	c.Reserve()
	_, err := c.RoundTrip(req)
	if e := asSendError(t, err); !e.BadRequest() || !e.Unsent() || e.FailureReason() != reason || !body.closed {
		t.Errorf("got %s (bad request: %v, unsent: %v, body closed: %v, %v), want %s",
			e.FailureReason(), e.BadRequest(), e.Unsent(), body.closed, err, reason)
	}
	if n := c.InFlight(); n != 0 {
		t.Errorf("%d in flight", n)
	}
}

// TestNoURLNamesAnotherHost: whatever the caller's URL is, the target, or the
// proxy, gets a path of the target's.
func TestNoURLNamesAnotherHost(t *testing.T) {
	tests := []struct {
		name string
		url  url.URL
		want string
	}{
		{"opaque", url.URL{Opaque: "http://evil.test/x", Path: "/y", RawQuery: "q"}, "/y?q"},
		{"opaque, no path", url.URL{Opaque: "http://evil.test/x"}, "/"},
		{"opaque authority", url.URL{Opaque: "//evil.test/x", Path: "/a/b", RawPath: "/a%2Fb"}, "/a%2Fb"},
		{"path", url.URL{Path: "http://evil.test/x"}, "/http://evil.test/x"},
		{"raw path", url.URL{Path: "http://evil.test/x", RawPath: "http:%2F/evil.test/x"}, "/http:%2F/evil.test/x"},
	}
	for _, way := range []string{"http", "https", "h2", "proxy"} {
		origin := proxytest.NewOrigin(t, proxytest.OriginConfig{
			TLS: way == "https" || way == "h2", HTTP2: way == "h2",
			Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.RequestURI) }),
		})
		var proxy *proxytest.Proxy
		if way == "proxy" {
			proxy = proxytest.NewProxy(t, proxytest.ProxyConfig{})
		}
		for _, test := range tests {
			t.Run(way+"/"+test.name, func(t *testing.T) {
				c := mustOpen(t, dialerFor(t, proxy), targetOf(origin))
				req := newRequest(t.Context(), t, "GET", origin.URL(), "")
				u := test.url
				u.Scheme, u.Host = origin.Scheme(), origin.Addr()
				req.URL = &u
				if _, got := do(t, c, req); got != test.want {
					t.Errorf("the target was asked for %q, want %q", got, test.want)
				}
				if u.Opaque != test.url.Opaque || u.Path != test.url.Path {
					t.Error("the caller's URL was modified")
				}
			})
		}
	}
}
