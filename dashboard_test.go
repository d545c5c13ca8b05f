package proxypool

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/caddy-proxypool/proxypool/internal/proxytest"
)

// page is a site with a dashboard below /proxies and nothing else.
func page(options string) string {
	return fmt.Sprintf("http://127.0.0.1:{port}, http://pool.example.com:{port} {\n\tproxy_pool_dashboard /proxies/* {\n%s\n\t}\n}\n", options)
}

// visit asks for something with header fields given as "Name: value"; Host may be one.
func (s *server) visit(method, path string, fields ...string) (*http.Response, string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, http.NoBody)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, field := range fields {
		name, value, _ := strings.Cut(field, ": ")
		if name == "Host" {
			req.Host = value
		} else {
			req.Header.Add(name, value)
		}
	}
	c := client(s.t)
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := c.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return resp, string(body)
}

func (s *server) token() string {
	s.t.Helper()
	_, body := s.visit("GET", "/proxies/api/snapshot")
	var answer struct {
		Head liveHead `json:"head"`
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		s.t.Fatalf("%v: %s", err, body)
	}
	return answer.Head.Token
}

func TestDashboardServesPage(t *testing.T) {
	s := serve(t, onePool(t, "", proxytest.NewProxy(t, proxytest.ProxyConfig{})), page(""))
	tests := []struct {
		path   string
		status int
		want   string // in the body, or the Location of a redirect
	}{
		{"/proxies", 308, "./proxies/"},
		{"/proxies?q=x", 308, "./proxies/?q=x"},
		{"/proxies/", 200, "<!doctype html>"},
		{"/PROXIES/", 200, "<!doctype html>"},
		{"/proxies/app.js", 200, "import"},
		{"/proxies/nope.js", 404, ""},
		{"/proxies/../go.mod", 200, ""}, // outside of the page: nothing is there
		{"/proxiesx", 200, ""},
		{"/proxies/api/status", 200, `"id":"main/P1"`},
		{"/proxies/api/snapshot", 200, `"order":["main/P1"]`},
		{"/proxies/api/usage/", 200, `"rows"`},
		{"/proxies/api/active", 404, "passwords"},
		{"/proxies/api/nope", 404, "unknown call"},
	}
	for _, test := range tests {
		t.Run(test.path, func(t *testing.T) {
			resp, body := s.visit("GET", test.path)
			got := body
			if resp.StatusCode == 308 {
				got = resp.Header.Get("Location")
			}
			if resp.StatusCode != test.status || !strings.Contains(got, test.want) {
				t.Errorf("%s %q", resp.Status, got)
			}
		})
	}
	resp, _ := s.visit("GET", "/proxies/")
	for name, want := range map[string]string{"X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	policy := resp.Header.Get("Content-Security-Policy")
	if !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(policy, "unsafe") {
		t.Errorf("policy %q", policy)
	}
	if resp, _ := s.visit("GET", "/proxies/api/status"); resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%v", resp.Header)
	}
}

// TestDashboardRedirectsWithinHandlePath: what was taken off before counts.
func TestDashboardRedirectsWithinHandlePath(t *testing.T) {
	s := serve(t, onePool(t, "", proxytest.NewProxy(t, proxytest.ProxyConfig{})),
		"http://127.0.0.1:{port} {\n\thandle_path /a/b* {\n\t\tproxy_pool_dashboard\n\t}\n}\n")
	if resp, _ := s.visit("GET", "/a/b"); resp.StatusCode != 308 || resp.Header.Get("Location") != "./b/" {
		t.Errorf("%s %v", resp.Status, resp.Header)
	}
	if resp, body := s.visit("GET", "/a/b/"); resp.StatusCode != 200 || !strings.Contains(body, "<!doctype") {
		t.Errorf("%s", resp.Status)
	}
	if resp, _ := s.visit("GET", "/a/b/api/status"); resp.StatusCode != 200 {
		t.Errorf("%s", resp.Status)
	}
}

// TestDashboardLetsProxyRequestsPass: CONNECT and absolute-form are for a front.
func TestDashboardLetsProxyRequestsPass(t *testing.T) {
	s := serve(t, onePool(t, "", proxytest.NewProxy(t, proxytest.ProxyConfig{})),
		":{port} {\n\tbind 127.0.0.1\n\tproxy_pool_dashboard\n\tproxy_pool_forward {\n\t\tallow nobody.example.com\n\t}\n}\n")
	for _, line := range []string{"CONNECT other.example.com:443 HTTP/1.1", "GET http://other.example.com/ HTTP/1.1"} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "%s\r\nHost: other.example.com\r\nConnection: close\r\n\r\n", line)
		answer, _ := bufio.NewReader(conn).ReadString('\n')
		conn.Close()
		if !strings.Contains(answer, " 403 ") {
			t.Errorf("%s: %s", line, answer)
		}
	}
	if resp, body := s.visit("GET", "/"); resp.StatusCode != 200 || !strings.Contains(body, "<!doctype") {
		t.Errorf("%s", resp.Status)
	}
}
