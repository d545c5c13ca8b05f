package proxypool

import (
	"strings"
	"testing"
)

// TestDashboardOpenToAll: the warning comes where others may see the page and
// nothing before it asks who they are.
func TestDashboardOpenToAll(t *testing.T) {
	const login = "{\n\t\tadmin $2a$14$Zkx19XLiW6VYouLHR5NmfOFU0z2GTNmpkT/5qqR7hx4IjWJPDhjvG\n\t}\n"
	const open = "proxy_pool_dashboard /proxies/* {\n\t\tallow_remote\n\t}\n"
	for _, test := range []struct {
		name, site string
		warns      bool
	}{
		{"local", ":8081 {\n\tproxy_pool_dashboard\n}", false},
		{"open", ":8081 {\n\t" + open + "}", true},
		{"of a host", "http://pool.example.com {\n\t" + open + "}", true},
		{"basic_auth", ":8081 {\n\tbasic_auth " + login + open + "}", false},
		{"basic_auth of a host", "http://pool.example.com {\n\tbasic_auth " + login + open + "}", false},
		{"basic_auth of the page", ":8081 {\n\tbasic_auth /proxies/* " + login + open + "}", false},
		{"basic_auth of another path", ":8081 {\n\tbasic_auth /other/* " + login + open + "}", true},
		{"basic_auth of the page alone", ":8081 {\n\tbasic_auth /proxies/ " + login + open + "}", true},
		{"basic_auth of another site", "http://a.example.com {\n\tbasic_auth " + login + "}\nhttp://b.example.com {\n\t" + open + "}", true},
		{"basic_auth after it", ":8081 {\n\troute {\n\t" + open + "basic_auth " + login + "\n}\n}", true},
		{"handle", ":8081 {\n\thandle /ops/* {\n\t\tbasic_auth " + login + "proxy_pool_dashboard /ops/proxies/* {\n\t\tallow_remote\n\t}\n}\n}", false},
		{"before handle_path", ":8081 {\n\tbasic_auth " + login + "handle_path /ops/* {\n\t\tproxy_pool_dashboard {\n\t\tallow_remote\n\t}\n}\n}", false},
		{"forward_auth", ":8081 {\n\tforward_auth 127.0.0.1:9000 {\n\t\turi /login\n\t}\n\t" + open + "}", false},
		{"a client's certificate", "https://pool.example.com {\n\ttls internal {\n\t\tclient_auth {\n\t\t\tmode require\n\t\t}\n\t}\n\t" + open + "}", false},
		{"a certificate that may be left out", "https://pool.example.com {\n\ttls internal {\n\t\tclient_auth {\n\t\t\tmode request\n\t\t}\n\t}\n\t" + open + "}", true},
		{"a certificate for another site", "https://a.example.com {\n\ttls internal {\n\t\tclient_auth {\n\t\t\tmode require\n\t\t}\n\t}\n}\nhttps://b.example.com {\n\ttls internal\n\t" + open + "}", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := validateSite(t, frontSite("allow *", test.site)); err != nil {
				t.Fatal(err)
			}
			if times := strings.Count(captured.String(), "no basic_auth, forward_auth or client certificate was seen before it"); times > 1 || (times == 1) != test.warns {
				t.Errorf("warned %d times", times)
			}
		})
	}
}
