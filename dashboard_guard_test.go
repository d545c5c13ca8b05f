package proxypool

import (
	"fmt"
	"strings"
	"testing"

	"github.com/caddy-proxypool/proxypool/internal/proxytest"
)

func TestDashboardIsForThisMachine(t *testing.T) {
	proxy := proxytest.NewProxy(t, proxytest.ProxyConfig{})
	s := serve(t, onePool(t, "", proxy), page("")+"http://:{port} {\n\tproxy_pool_dashboard\n}\n")
	port := fmt.Sprint(s.port)
	tests := []struct {
		name   string
		fields []string
		status int
	}{
		{"by address", nil, 200},
		{"localhost", []string{"Host: localhost:" + port}, 200},
		{"loopback in IPv6", []string{"Host: [::1]:" + port}, 200},
		{"a rebound name", []string{"Host: evil.example.net:" + port}, 403},
		{"a name that looks local", []string{"Host: localhost.example.net"}, 403},
		{"an address that is not ours", []string{"Host: 192.0.2.1"}, 403},
		{"X-Forwarded-For", []string{"Host: localhost", "X-Forwarded-For: 192.0.2.1"}, 403},
		{"X-Forwarded-Host", []string{"Host: localhost", "X-Forwarded-Host: x"}, 403},
		{"Forwarded", []string{"Host: localhost", "Forwarded: for=192.0.2.1"}, 403},
		{"Via", []string{"Host: localhost", "Via: 1.1 x"}, 403},
		{"X-Real-IP", []string{"Host: localhost", "X-Real-IP: 192.0.2.1"}, 403},
		{"X-Original-Forwarded-For", []string{"Host: localhost", "X-Original-Forwarded-For: 192.0.2.1"}, 403},
		{"X-Client-IP", []string{"Host: localhost", "X-Client-IP: 192.0.2.1"}, 403},
		{"CF-Connecting-IP", []string{"Host: localhost", "CF-Connecting-IP: 192.0.2.1"}, 403},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := "/api/status"
			if test.fields == nil {
				path = "/proxies/api/status"
			}
			if resp, body := s.visit("GET", path, test.fields...); resp.StatusCode != test.status {
				t.Errorf("%s %s", resp.Status, body)
			}
		})
	}
	t.Run("a name of the site", func(t *testing.T) {
		if resp, body := s.visit("GET", "/proxies/api/status", "Host: pool.example.com:"+port); resp.StatusCode != 200 {
			t.Errorf("%s %s", resp.Status, body)
		}
	})
}

func TestDashboardIsForOthersWhereAllowed(t *testing.T) {
	proxy := proxytest.NewProxy(t, proxytest.ProxyConfig{})
	s := serve(t, onePool(t, "", proxy), "http://:{port} {\n\tproxy_pool_dashboard {\n\t\tallow_remote\n\t}\n}\n")
	if resp, body := s.visit("GET", "/api/status", "Host: ops.example.net", "X-Forwarded-For: 192.0.2.1"); resp.StatusCode != 200 {
		t.Errorf("%s %s", resp.Status, body)
	}
}

func TestDashboardActions(t *testing.T) {
	proxy := proxytest.NewProxy(t, proxytest.ProxyConfig{})
	s := serve(t, onePool(t, "", proxy), page("actions on"))
	token := "X-Proxy-Pool-Token: " + s.token()
	own, fetch := "Origin: "+s.url, "Sec-Fetch-Site: same-origin"
	tests := []struct {
		name, method string
		fields       []string
		status       int
	}{
		{"of the page", "POST", []string{token, own, fetch}, 200},
		{"origin alone", "POST", []string{token, own}, 200},
		{"fetch site alone", "POST", []string{token, fetch}, 200},
		{"no token", "POST", []string{own, fetch}, 403},
		{"wrong token", "POST", []string{"X-Proxy-Pool-Token: nope", own, fetch}, 403},
		{"no page at all", "POST", []string{token}, 403},
		{"two origins", "POST", []string{token, own, "Origin: https://evil.example.net"}, 403},
		{"another origin", "POST", []string{token, "Origin: https://evil.example.net"}, 403},
		{"no origin to speak of", "POST", []string{token, "Origin: null"}, 403},
		{"another site", "POST", []string{token, own, "Sec-Fetch-Site: cross-site"}, 403},
		{"the same site only", "POST", []string{token, own, "Sec-Fetch-Site: same-site"}, 403},
		{"GET", "GET", []string{token, own, fetch}, 405},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s.call("POST", "/proxy_pool/proxies/main/P1/enable", nil)
			resp, body := s.visit(test.method, "/proxies/api/proxies/main/P1/disable", test.fields...)
			if resp.StatusCode != test.status || s.row("P1").Active != (test.status != 200) {
				t.Errorf("%s %s", resp.Status, body)
			}
		})
	}
	t.Run("read only", func(t *testing.T) {
		// Elsewhere: at the old address the site before would answer for a moment.
		s := serve(t, onePool(t, "", proxy), page(""))
		own := "Origin: " + s.url
		s.call("POST", "/proxy_pool/proxies/main/P1/enable", nil)
		for _, path := range []string{"proxies/main/P1/disable", "health-check", "alerts/test"} {
			if resp, body := s.visit("POST", "/proxies/api/"+path, token, own, fetch); resp.StatusCode != 403 || !strings.Contains(body, "read only") {
				t.Errorf("%s: %s %s", path, resp.Status, body)
			}
		}
		if got := s.token(); got != "" || !s.row("P1").Active {
			t.Errorf("token %q", got)
		}
	})
}
