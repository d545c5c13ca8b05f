package proxypool

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-proxypool/proxypool/internal/proxytest"
)

// rawly sends bytes as they are, and reads the answer, closed by the server.
func (s *server) rawly(request string) string {
	s.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(conn, strings.ReplaceAll(request, "\n", "\r\n")); err != nil {
		s.t.Fatal(err)
	}
	answer, _ := io.ReadAll(conn)
	return string(answer)
}

// TestDashboardHosts: whatever a browser can be made to send as the Host of a
// name that was made to lead here is refused.
func TestDashboardHosts(t *testing.T) {
	hosts := []caddyhttp.MatchHost{{"pool.example.com", "*.ops.example.com"}}
	for host, admitted := range map[string]bool{
		"localhost": true, "LocalHost:8081": true, "localhost.": true, "127.0.0.1": true, "127.0.0.1.:80": true,
		"127.9.9.9:1": true, "[::1]": true, "[::1]:8081": true, "[::ffff:127.0.0.1]:1": true,
		"pool.example.com": true, "POOL.example.com:8081": true, "a.ops.example.com": true,

		"": false, ":8081": false, ".": false, "evil.example.net": false, "localhost.evil.example.net": false,
		"127.0.0.1.evil.example.net": false, "127.0.0.1.nip.io": false, "evil.example.net:127": false,
		"0.0.0.0": false, "[::]": false, "192.168.1.1": false, "[fe80::1%25lo]": false, "2130706433": false, "0x7f.1": false,
		"localhost:80:80": false, "localhost@evil.example.net": false, "evil.example.net#localhost": false,
		"xn--lcalhost-9za": false, "lоcalhost": false, "ⓛocalhost": false, "localhost evil": false, "localhost\x00": false,
		"pool.example.com.evil.example.net": false, "xpool.example.com": false, "a.b.ops.example.com": false, "ops.example.com": false,
	} {
		r := httptest.NewRequestWithContext(contextWithReplacer(t.Context()), http.MethodGet, "/", nil)
		r.Host, r.RemoteAddr = host, "127.0.0.1:4000"
		if err := (&Dashboard{hosts: hosts}).admits(r); (err == nil) != admitted {
			t.Errorf("%q: %v", host, err)
		}
	}
}

func contextWithReplacer(ctx context.Context) context.Context {
	return context.WithValue(ctx, caddy.ReplacerCtxKey, caddy.NewReplacer())
}

func TestDashboardPeers(t *testing.T) {
	for peer, admitted := range map[string]bool{
		"127.0.0.1:1": true, "127.1.2.3:1": true, "[::1]:1": true, "[::ffff:127.0.0.1]:1": true,
		"": false, "@": false, "@abstract": false, "/run/caddy.sock": false, "pipe": false, "127.0.0.1": false,
		"192.0.2.1:1": false, "10.0.0.1:1": false, "[::ffff:192.0.2.1]:1": false, "[fe80::1%lo]:1": false, "0.0.0.0:1": false, "[::]:1": false,
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.Host, r.RemoteAddr = "localhost", peer
		if err := new(Dashboard).admits(r); (err == nil) != admitted {
			t.Errorf("%q: %v", peer, err)
		}
	}
}

func TestDashboardForwarders(t *testing.T) {
	for field, admitted := range map[string]bool{
		"X-Forwarded-For": false, "x_forwarded_for": false, "X-Forwarded_Proto": false, "X-Forwarded-Prefix": false, "Forwarded": false,
		"FORWARDED": false, "X-Original-Forwarded-For": false, "X-Forward-For": false, "Via": false, "X-Via": false,
		"X-Real-Ip": false, "x-real-ip": false, "X-REAL_IP": false, "Client-Ip": false, "X-Client-Ip": false, "X-Cluster-Client-Ip": false,
		"True-Client-Ip": false, "Fastly-Client-Ip": false, "Fly-Client-Ip": false, "Cf-Connecting-Ip": false, "Cf-Ray": false,
		"Cdn-Loop": false, "X-Azure-Clientip": false, "X-Envoy-External-Address": false, "X-Original-Host": false, "X-ProxyUser-Ip": false,

		"User-Agent": true, "Cookie": true, "X-Proxy-Pool-Token": true, "Sec-Fetch-Site": true, "Accept": true, "Dnt": true, "Priority": true,
	} {
		for _, value := range []string{"x", ""} {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
			r.Host, r.RemoteAddr = "localhost", "127.0.0.1:1"
			r.Header[field] = []string{value}
			if err := new(Dashboard).admits(r); (err == nil) != admitted {
				t.Errorf("%s with %q: %v", field, value, err)
			}
		}
	}
}

func TestDashboardOrigins(t *testing.T) {
	for _, test := range []struct {
		name, url, origin, site string
		ours                    bool
	}{
		{"of the page", "http://localhost:8081/", "http://localhost:8081", "same-origin", true},
		{"with TLS", "https://pool.example.com/", "https://pool.example.com", "same-origin", true},
		{"behind a server that ends TLS", "http://pool.example.com/", "https://pool.example.com", "", true},
		{"of a browser that tells no site", "http://localhost:8081/", "http://LOCALHOST:8081", "", true},
		{"of no page", "http://localhost:8081/", "", "", false},
		{"typed in", "http://localhost:8081/", "", "none", false},
		{"another port", "http://localhost:8081/", "http://localhost:8080", "same-site", false},
		{"another port of an older browser", "http://localhost:8081/", "http://localhost:8080", "", false},
		{"without TLS, of a page with", "https://pool.example.com/", "http://pool.example.com", "", false},
		{"of a frame without origin", "http://localhost:8081/", "null", "same-origin", false},
		{"of a file", "http://localhost:8081/", "file://", "", false},
		{"a host in the user's place", "http://localhost:8081/", "http://localhost:8081@evil.example.net", "", false},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, test.url, nil)
		for name, value := range map[string]string{"Origin": test.origin, "Sec-Fetch-Site": test.site} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		if got := isSameOrigin(r); got != test.ours {
			t.Errorf("%s: %t", test.name, got)
		}
	}
}

// TestDashboardAnswersStrangers sends what no browser would.
func TestDashboardAnswersStrangers(t *testing.T) {
	s := serve(t, onePool(t, "", proxytest.NewProxy(t, proxytest.ProxyConfig{}))+"}\nservers {\n\tprotocols h1 h2c\n", ":{port} {\n\tbind 127.0.0.1\n\tproxy_pool_dashboard /proxies/* {\n\t\tactions on\n\t}\n}\n")
	const own = "Host: localhost\nConnection: close\n"
	for _, test := range []struct{ name, request, want string }{
		{"no host", "GET /proxies/api/status HTTP/1.0\n\n", "403 Forbidden"},
		{"an empty host", "GET /proxies/api/status HTTP/1.1\nHost:\nConnection: close\n\n", "400 Bad Request"},
		{"two hosts", "GET /proxies/api/status HTTP/1.1\nHost: localhost\nHost: evil.example.net\nConnection: close\n\n", "400 Bad Request"},
		{"a name that begins as an address", "GET /proxies/api/status HTTP/1.1\nHost: 127.0.0.1:80.example.net\nConnection: close\n\n", "403 Forbidden"},
		{"a host in the request line", "GET http://localhost/proxies/api/status HTTP/1.1\n" + own + "\n", "Content-Length: 0\r\n"}, // handed on
		{"a field that is folded", "GET /proxies/api/status HTTP/1.1\n" + own + "Via:\n \n\n", "403 Forbidden"},
		{"encoded slash of the API", "GET /proxies%2Fapi/status HTTP/1.1\n" + own + "\n", "404 Not Found"},
		{"encoded slash in the API", "GET /proxies/api%2Fstatus HTTP/1.1\n" + own + "\n", "404 Not Found"},
		{"dots", "GET /proxies/x/../api/status HTTP/1.1\n" + own + "\n", "404 Not Found"},
		{"encoded dots", "GET /proxies/api/%2e%2e/app.js HTTP/1.1\n" + own + "\n", "404 Not Found"},
		{"two slashes", "GET /proxies//api/status HTTP/1.1\n" + own + "\n", "404 Not Found"},
		{"two slashes at the end", "GET /proxies// HTTP/1.1\n" + own + "\n", "404 Not Found"},
		{"a path that leads out", "GET /proxies/..%2f..%2fgo.mod HTTP/1.1\n" + own + "\n", "Content-Length: 0\r\n"},
		{"OPTIONS", "OPTIONS /proxies/api/health-check HTTP/1.1\n" + own + "Origin: http://evil.example.net\nAccess-Control-Request-Method: POST\n\n", "405 Method Not Allowed"},
		{"OPTIONS of the page", "OPTIONS /proxies/ HTTP/1.1\n" + own + "\n", "405 Method Not Allowed"},
		{"TRACE", "TRACE /proxies/ HTTP/1.1\n" + own + "\n", "405 Method Not Allowed"},
		{"PUT", "PUT /proxies/api/proxies/main/P1/disable HTTP/1.1\n" + own + "\n", "405 Method Not Allowed"},
		{"a body that is not read", "POST /proxies/api/proxies/main/P1/disable HTTP/1.1\n" + own + "Content-Length: 10000000000\n\n", "403 Forbidden"},
		{"HEAD", "HEAD /proxies/api/status HTTP/1.1\n" + own + "\n", "200 OK"},
		{"a method in another's name", "GET /proxies/api/proxies/main/P1/disable HTTP/1.1\n" + own + "X-HTTP-Method-Override: POST\n\n", "405 Method Not Allowed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			answer := s.rawly(test.request)
			if !strings.Contains(answer, test.want) || strings.Contains(answer, "Access-Control") {
				t.Errorf("%.600s", answer)
			}
		})
	}
	if !s.row("P1").Active {
		t.Error("something was disabled")
	}
	t.Run("HTTP/2", func(t *testing.T) {
		transport := &http.Transport{Protocols: new(http.Protocols)}
		transport.Protocols.SetUnencryptedHTTP2(true)
		t.Cleanup(transport.CloseIdleConnections)
		for authority, status := range map[string]int{"localhost": 200, "evil.example.net": 403} {
			req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/proxies/api/status", nil)
			req.Host = authority
			resp, err := transport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.ProtoMajor != 2 || resp.StatusCode != status {
				t.Errorf("%s: %s %s", authority, resp.Proto, resp.Status)
			}
		}
	})
}

// TestDashboardHardensAllAnswers: also those that refuse.
func TestDashboardHardensAllAnswers(t *testing.T) {
	s := serve(t, onePool(t, "", proxytest.NewProxy(t, proxytest.ProxyConfig{})), page(""))
	for path, kind := range map[string]string{
		"/proxies": "", "/proxies/": "text/html; charset=utf-8", "/proxies/app.js": "text/javascript; charset=utf-8", "/proxies/nope": "text/plain; charset=utf-8",
		"/proxies/api/status": "application/json", "/proxies/api/snapshot": "application/json", "/proxies/api/nope": "application/json",
	} {
		for _, fields := range [][]string{nil, {"Origin: http://evil.example.net"}, {"Via: 1.1 x"}} {
			resp, _ := s.visit("GET", path, fields...)
			h := resp.Header
			if resp.StatusCode != http.StatusForbidden && h.Get("Content-Type") != kind {
				t.Errorf("%s is %q", path, h.Get("Content-Type"))
			}
			if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("X-Frame-Options") != "DENY" || h.Get("Content-Security-Policy") == "" ||
				h.Get("Cross-Origin-Resource-Policy") != "same-origin" || h.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s with %v: %v", path, fields, h)
			}
			if (kind == "application/json" || kind == "") && h.Get("Cache-Control") != "no-store" {
				t.Errorf("%s may be kept: %q", path, h.Get("Cache-Control"))
			}
		}
	}
}

// TestDashboardTokenOutlivesReload: pages that are open go on, and those of
// another process do not.
func TestDashboardTokenOutlivesReload(t *testing.T) {
	s := serve(t, onePool(t, "", proxytest.NewProxy(t, proxytest.ProxyConfig{})), page("actions on"))
	disable := func(token string) int {
		resp, _ := s.visit("POST", "/proxies/api/proxies/main/P1/disable", "X-Proxy-Pool-Token: "+token, "Origin: "+s.url)
		return resp.StatusCode
	}
	before := s.token()
	s.reload()
	if status := disable(before); status != 200 {
		t.Errorf("after a reload %d", status)
	}
	s.restart()
	if status := disable(before); status != 403 || s.token() == before {
		t.Errorf("after a restart %d", status)
	}
	for _, token := range []string{"", s.token() + "x", s.token()[1:], strings.ToLower(s.token())} {
		if status := disable(token); status != 403 {
			t.Errorf("with the token %q %d", token, status)
		}
	}
}

// TestDashboardMountPoints: the page is where it is said to be, whatever takes
// off paths before it, and its refusals are no errors for error routes.
func TestDashboardMountPoints(t *testing.T) {
	proxy := proxytest.NewProxy(t, proxytest.ProxyConfig{})
	for _, test := range []struct{ name, site, path, location string }{
		{"route", "route /a/* {\n\turi strip_prefix /a\n\tproxy_pool_dashboard /b/*\n}", "/a/b", "./b/"},
		{"route with a query", "route /a/* {\n\turi strip_prefix /a\n\tproxy_pool_dashboard /b/*\n}", "/a/b?q=%22&x=//evil.example.net", "./b/?q=%22&x=//evil.example.net"},
		{"handle_path", "handle_path /a* {\n\tproxy_pool_dashboard /b/*\n}", "/a/b", "./b/"},
		{"Persian", "proxy_pool_dashboard /پروکسی/*", "/%D9%BE%D8%B1%D9%88%DA%A9%D8%B3%DB%8C", "./%D9%BE%D8%B1%D9%88%DA%A9%D8%B3%DB%8C/"},
		{"Persian in small letters", "proxy_pool_dashboard /پروکسی/*", "/%d9%be%d8%b1%d9%88%da%a9%d8%b3%db%8c", "./%d9%be%d8%b1%d9%88%da%a9%d8%b3%db%8c/"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := serve(t, onePool(t, "", proxy), "http://127.0.0.1:{port} {\n"+test.site+"\nhandle_errors {\n\trespond \"error route\" 418\n}\n}\n")
			resp, body := s.visit("GET", test.path)
			if resp.StatusCode != 308 || resp.Header.Get("Location") != test.location {
				t.Fatalf("%s %v %s", resp.Status, resp.Header, body)
			}
			at, _, _ := strings.Cut(test.path, "?")
			if resp, body := s.visit("GET", at+"/"); resp.StatusCode != 200 || !strings.Contains(body, "<!doctype") {
				t.Errorf("%s", resp.Status)
			}
			for below, status := range map[string]int{"/api/status": 200, "/api/nope": 404, "/nope": 404} {
				if resp, body := s.visit("GET", at+below); resp.StatusCode != status || strings.Contains(body, "error route") {
					t.Errorf("%s: %s %s", below, resp.Status, body)
				}
			}
		})
	}
}

// TestDashboardPagesThatDoNotRead are let go, and leave nothing.
func TestDashboardPagesThatDoNotRead(t *testing.T) {
	s := serve(t, onePool(t, "", proxytest.NewProxy(t, proxytest.ProxyConfig{})), page(""))
	conns := make([]net.Conn, 0, maxLivePages)
	for i := range maxLivePages + 1 {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "GET /proxies/api/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
		_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		answer, err := bufio.NewReader(conn).ReadString('\n')
		want := "200 OK"
		if i == maxLivePages {
			want = "503"
		}
		if !strings.Contains(answer, want) {
			t.Fatalf("page %d: %s %v", i+1, answer, err)
		}
		conns = append(conns, conn)
	}
	if resp, _ := s.visit("GET", "/proxies/api/snapshot"); resp.StatusCode != 200 {
		t.Errorf("polling: %s", resp.Status)
	}
	for _, conn := range conns {
		conn.Close()
	}
	eventually(t, "there is room again", func() bool {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		req, _ := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/proxies/api/live", nil)
		resp, err := client(t).Do(req)
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == 200
	})
}

// TestDashboardHostsOfAnySite: a site for all names has none of its own.
func TestDashboardHostsOfAnySite(t *testing.T) {
	s := site{way: []step{{route: &caddyhttp.Route{MatcherSets: []caddyhttp.MatcherSet{{
		&caddyhttp.MatchHost{"*", "*.*", "{http.request.host}", "*.ops.example.com", "pool.example.com"},
	}}}}}}
	if got := fmt.Sprint(s.hosts()); got != "[[*.ops.example.com pool.example.com]]" {
		t.Errorf("hosts %s", got)
	}
}
