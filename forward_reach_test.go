package proxypool

import (
	"fmt"
	"net"
	"net/http"
	"testing"

	"github.com/caddy-proxypool/proxypool/internal/proxytest"
)

const directPool = "pool main {\n\thealth_check off\n\tproxy Own direct\n}\n"

// TestForwardDirect: without a proxy, what is private is not reached, in either
// form, unless it is named.
func TestForwardDirect(t *testing.T) {
	origin := proxytest.NewOrigin(t, proxytest.OriginConfig{})
	for name, tc := range map[string]struct {
		options string
		want    int
	}{
		"by default":   {"", http.StatusForbidden},
		"another":      {"\t\tallow_private 10.0.0.0/8", http.StatusForbidden},
		"where named":  {"\t\tallow_private 127.0.0.0/8", http.StatusOK},
		"one of names": {"\t\tallow_private 127.0.0.1 ::1", http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, directPool, forwardSite(tc.options))
			for _, host := range []string{"127.0.0.1", "localhost"} {
				addr := net.JoinHostPort(host, origin.Port())
				c := s.dial()
				c.say("CONNECT " + addr + " HTTP/1.1\r\nHost: x\r\n\r\n")
				if resp := c.answer(); resp.StatusCode != tc.want {
					t.Errorf("CONNECT %s: %s, want %d", addr, resp.Status, tc.want)
				}
				resp, err := s.through(nil).Get("http://" + addr + "/hello")
				if err != nil {
					t.Fatal(err)
				}
				_ = resp.Body.Close()
				if resp.StatusCode != tc.want {
					t.Errorf("GET %s: %s, want %d", addr, resp.Status, tc.want)
				}
			}
			if row := s.row("Own"); row.FailureCount != 0 || row.FailedRequests != 0 || len(row.FailingFor) != 0 {
				t.Errorf("a refused address counts as a failure: %+v", row)
			}
		})
	}
}

// TestForwardSharesNothing: a connection that one front may use is not another's.
func TestForwardSharesNothing(t *testing.T) {
	origin := proxytest.NewOrigin(t, proxytest.OriginConfig{})
	other := freePort(t)
	s := serve(t, directPool, forwardSite("\t\tallow_private 127.0.0.1")+
		fmt.Sprintf(":%d {\n\tbind 127.0.0.1\n\tproxy_pool_forward {\n\t\tallow *\n\t}\n}\n", other))
	fetch(t, s.through(nil), origin.URL()+"/hello")
	s.url = fmt.Sprintf("http://127.0.0.1:%d", other)
	resp, err := s.through(nil).Get(origin.URL() + "/hello")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("answer %s, want 403", resp.Status)
	}
}

// TestForwardLoop: a proxy that leads back to the front is noticed at once, and
// the next one takes its place.
func TestForwardLoop(t *testing.T) {
	origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true})
	good := proxytest.NewProxy(t, proxytest.ProxyConfig{})
	// Through another front, with a pool of its own, and back.
	port, between := freePort(t), freePort(t)
	pools := fmt.Sprintf("pool main {\n\thealth_check off\n\tproxy Round http://127.0.0.1:%d\n\tproxy Good %s {\n\t\tpriority 99\n\t}\n}\n", between, good.URL()) +
		fmt.Sprintf("pool between {\n\thealth_check off\n\tproxy Back http://127.0.0.1:%d\n}\n", port)
	s := serve(t, pools, "")
	s.port, s.url = port, fmt.Sprintf("http://127.0.0.1:%d", port)
	site := ":%d {\n\tbind 127.0.0.1\n\tproxy_pool_forward {\n\t\tpool %s\n\t\tallow *\n\t}\n}\n"
	s.load(pools, fmt.Sprintf(site, port, "main")+fmt.Sprintf(site, between, "between"))
	for range 4 {
		c := s.through(nil)
		fetch(t, c, origin.URL()+"/hello")
		c.CloseIdleConnections()
	}
	if n := good.Connects(origin.Addr()); n != 4 {
		t.Errorf("%d tunnels through the good proxy, want 4", n)
	}
	plain := proxytest.NewOrigin(t, proxytest.OriginConfig{})
	for range 4 {
		fetch(t, s.through(nil), plain.URL()+"/hello")
	}
	if n := good.Forwards(plain.Addr()); n != 4 {
		t.Errorf("%d requests in absolute-form through the good proxy, want 4", n)
	}
	if row := s.row("Round"); row.TotalRequests > 8 {
		t.Errorf("%d attempts through the proxy that leads back, want at most 8", row.TotalRequests)
	}
}

// TestForwardNext: what is not for a proxy is for the next handler.
func TestForwardNext(t *testing.T) {
	p := proxytest.NewProxy(t, proxytest.ProxyConfig{})
	s := serve(t, trustingPool(t, p), ":{port} {\nbind 127.0.0.1\nroute {\nproxy_pool_forward {\nallow *\n}\nrespond \"a site\"\n}\n}")
	if got := fetch(t, client(t), s.url+"/"); got != "a site" {
		t.Errorf("got %q from the site", got)
	}
	c := s.dial()
	c.say("GET https://example.com/ HTTP/1.1\r\nHost: example.com\r\n\r\n")
	if resp := c.answer(); resp.StatusCode != http.StatusOK {
		t.Errorf("answer %s, want the site's", resp.Status)
	}
	if p.Accepted() != 0 {
		t.Error("a request for the site went to a proxy")
	}
}
