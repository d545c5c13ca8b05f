package proxypool

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/caddy-proxypool/proxypool/internal/proxytest"
)

// TestMetricsOfRefusals: what the forward front does not let in is counted by the
// status that the client gets, and is no attempt.
func TestMetricsOfRefusals(t *testing.T) {
	p := proxytest.NewProxy(t, proxytest.ProxyConfig{})
	s := serve(t, onePool(t, "", p), strings.Replace(forwardSite("basic_auth app secret"), "allow *", "allow allowed.example", 1))
	connect := func(target, login string) {
		t.Helper()
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %[1]s\r\n%s\r\n", target, login)
		if _, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil {
			t.Fatal(err)
		}
	}
	const login = "Proxy-Authorization: Basic YXBwOnNlY3JldA==\r\n"
	connect("allowed.example:443", "")
	connect("other.example:443", login)
	connect("other.example", login)
	if diff := s.scrape().differ(map[string]float64{
		`requests_total{code="407",pool="main"}`:              1,
		`requests_total{code="403",pool="main"}`:              1,
		`requests_total{code="400",pool="main"}`:              1,
		`requests_total{code="2xx",pool="main"}`:              0,
		`attempts_total{outcome="ok",pool="main",proxy="P1"}`: 0,
	}); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
