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

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/google/go-cmp/cmp"

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
			req.Header.Set(name, value)
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
		s.call("POST", "/proxy_pool/proxies/main/P1/enable", nil)
		s.load(s.pool, page(""))
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

func TestDashboardOfOnePool(t *testing.T) {
	two := "pool a {\nhealth_check off\nproxy X http://127.0.0.1:1\n}\npool b {\nhealth_check off\nproxy Y http://u:secret@127.0.0.1:1\n}"
	s := serve(t, two, page("actions on\npool b"))
	token := "X-Proxy-Pool-Token: " + s.token()
	for path, status := range map[string]int{
		"status": 200, "status?pool=b": 200, "status?pool=a": 404, "snapshot": 200, "usage": 200, "events?pool=a": 404,
	} {
		resp, body := s.visit("GET", "/proxies/api/"+path)
		if resp.StatusCode != status || strings.Contains(body, "a/X") || strings.Contains(body, "secret") {
			t.Errorf("%s: %s %s", path, resp.Status, body)
		}
	}
	for path, status := range map[string]int{"proxies/a/X/disable": 404, "proxies/%61/X/disable": 404, "proxies/b/Y/disable": 200} {
		if resp, body := s.visit("POST", "/proxies/api/"+path, token, "Origin: "+s.url); resp.StatusCode != status {
			t.Errorf("%s: %s %s", path, resp.Status, body)
		}
	}
}

// TestDashboardLive: a page is told all, then what changes, and let go at a reload.
func TestDashboardLive(t *testing.T) {
	s := serve(t, onePool(t, "", proxytest.NewProxy(t, proxytest.ProxyConfig{}), proxytest.NewProxy(t, proxytest.ProxyConfig{})), page(""))
	if resp, _ := s.visit("HEAD", "/proxies/api/live"); resp.StatusCode != 200 {
		t.Errorf("HEAD: %s", resp.Status)
	}
	req, _ := http.NewRequestWithContext(t.Context(), "GET", s.url+"/proxies/api/live", nil)
	resp, err := client(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got := resp.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Fatalf("%s %s", resp.Status, got)
	}
	lines := bufio.NewScanner(resp.Body)
	next := func() (name string, frame struct{ Rows []liveRow }) {
		t.Helper()
		for lines.Scan() {
			if after, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
				name = after
			} else if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				if err := json.Unmarshal([]byte(data), &frame); err != nil {
					t.Fatal(err)
				}
				return name, frame
			}
		}
		t.Fatalf("the stream ended: %v", lines.Err())
		return
	}
	if name, frame := next(); name != "full" || len(frame.Rows) != 2 {
		t.Fatalf("%s %+v", name, frame)
	}
	s.call("POST", "/proxy_pool/proxies/main/P2/mark-down", nil)
	name, frame := next()
	for len(frame.Rows) == 0 {
		name, frame = next()
	}
	if name != "delta" || len(frame.Rows) != 1 || frame.Rows[0].Name != "P2" || frame.Rows[0].Status != "down" {
		t.Errorf("%s %+v", name, frame)
	}
	s.reload()
	for lines.Scan() {
	}
	if err := lines.Err(); err != nil {
		t.Errorf("at the reload: %v", err)
	}
}

func TestDashboardDropsSlowPages(t *testing.T) {
	s := serve(t, onePool(t, "", proxytest.NewProxy(t, proxytest.ProxyConfig{})), page(""))
	d := &Dashboard{app: runningApps()[0]}
	l := newLive(&painter{dashboard: d})
	defer l.wait()
	defer l.end()
	slow := l.join()
	for i := range livePending + 1 {
		s.call("POST", "/proxy_pool/proxies/main/P1/"+[]string{"mark-down", "mark-healthy"}[i%2], nil)
		l.look(&l.last.taken)
	}
	frames := 0
	for range slow.frames {
		frames++
	}
	if frames != livePending {
		t.Errorf("%d frames before it was dropped", frames)
	}
	var pages []*livePage
	for page := l.join(); page != nil; page = l.join() {
		pages = append(pages, page)
	}
	if len(pages) != maxLivePages {
		t.Errorf("%d pages at once", len(pages))
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

func TestDashboardDirective(t *testing.T) {
	tests := []struct{ name, directive, want string }{
		{"bare", "proxy_pool_dashboard", `{"handle":[{"handler":"proxy_pool_dashboard"}]}`},
		{"path", "proxy_pool_dashboard /x/*", `{"match":[{"path":["/x","/x/*"]}],"handle":[{"handler":"proxy_pool_dashboard","path":"/x"}]}`},
		{"path without star", "proxy_pool_dashboard /x", `{"match":[{"path":["/x","/x/*"]}],"handle":[{"handler":"proxy_pool_dashboard","path":"/x"}]}`},
		{"every path", "proxy_pool_dashboard *", `{"handle":[{"handler":"proxy_pool_dashboard"}]}`},
		{"options", "proxy_pool_dashboard {\nactions on\nallow_remote\npool main\n}", `{"handle":[{"actions":true,"allow_remote":true,"handler":"proxy_pool_dashboard","pool":"main"}]}`},
		{"word", "proxy_pool_dashboard x", "error: expected a matcher"},
		{"two words", "proxy_pool_dashboard /x y", "error: unexpected argument"},
		{"star within", "proxy_pool_dashboard /x/*/y", "error: with * at its end alone"},
		{"unknown option", "proxy_pool_dashboard {\nnope\n}", "error: expected one of actions, allow_remote, pool"},
		{"bad switch", "proxy_pool_dashboard {\nactions maybe\n}", "error: actions"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(":80 {\n"+test.directive+"\n}\n"), map[string]any{"filename": "Caddyfile"})
			if wrong, ok := strings.CutPrefix(test.want, "error: "); ok {
				if err == nil || !strings.Contains(err.Error(), wrong) {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var config struct {
				Apps struct {
					HTTP struct {
						Servers map[string]struct{ Routes []json.RawMessage }
					}
				}
			}
			if err := json.Unmarshal(adapted, &config); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, string(config.Apps.HTTP.Servers["srv0"].Routes[0])); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
