package proxypool

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/caddy-proxypool/proxypool/internal/proxytest"
)

// TestWays reaches each kind of target through each kind of proxy.
func TestWays(t *testing.T) {
	for _, kind := range []proxytest.Kind{proxytest.HTTP, proxytest.HTTPS, proxytest.SOCKS5} {
		for _, target := range []proxytest.OriginConfig{{}, {TLS: true}, {TLS: true, HTTP2: true}, {TLS: true, IPv6: true}} {
			for _, password := range []string{"", "p@ss:w/rd%20"} {
				t.Run(fmt.Sprintf("%v/%+v/%t", kind, target, password != ""), func(t *testing.T) {
					config := proxytest.ProxyConfig{Kind: kind}
					if password != "" {
						config.Username, config.Password = "user", password
						t.Setenv("PROXY_PASS", password)
					}
					origin := proxytest.NewOrigin(t, target)
					proxy := proxytest.NewProxy(t, config)
					address := fmt.Sprintf("%v://%s", kind, proxy.Addr())
					if password != "" {
						address = fmt.Sprintf("%v://user:{env.PROXY_PASS}@%s", kind, proxy.Addr())
					}
					ca := proxytest.CAFile(t)
					trust := ""
					if kind == proxytest.HTTPS {
						trust = "tls_trust_pool file " + ca
					}
					pools := fmt.Sprintf("pool main {\nhealth_check off\ntls_trust_pool file %s\nproxy Only %s {\n%s\n}\n}", ca, address, trust)
					s := serve(t, pools, reverse(origin.URL(), ""))
					c := client(t)
					for range 3 {
						if got := s.get(c, "/"); !strings.Contains(got, `"ok":true`) {
							t.Fatalf("got %q", got)
						}
					}
					if password != "" && strings.Contains(captured.String(), password) {
						t.Error("the password is in the log")
					}
					// What targets send behind their answers may still be under way.
					eventually(t, "the bytes agree with what the proxy counted", func() bool {
						in, out := proxy.Bytes()
						return s.row("Only").TrafficMB == float64(in+out)/(1<<20)
					})
				})
			}
		}
	}
}

// TestDirect reaches a target without any proxy.
func TestDirect(t *testing.T) {
	origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true})
	pools := fmt.Sprintf("pool {\nhealth_check off\ntls_trust_pool file %s\nproxy Own direct\n}", proxytest.CAFile(t))
	s := serve(t, pools, reverse(origin.URL(), ""))
	s.get(client(t), "/")
	if row := s.row("Own"); row.URL != "direct" || row.Priority != 40 || row.TotalRequests != 1 || row.TrafficMB == 0 {
		t.Errorf("got %+v", row)
	}
}

// TestUntrusted: a target whose certificate is not trusted is not spoken to.
func TestUntrusted(t *testing.T) {
	origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true})
	proxy := proxytest.NewProxy(t, proxytest.ProxyConfig{})
	s := serve(t, fmt.Sprintf("pool main {\nhealth_check off\nproxy P1 %s\n}", proxy.URL()), reverse(origin.URL(), ""))
	resp, body := s.do(client(t), http.MethodGet, "/", "", "")
	if resp.StatusCode != http.StatusBadGateway || !strings.Contains(body, "target_tls") || origin.Requests() != 0 {
		t.Errorf("got %s %s", resp.Status, body)
	}
}

// echoHead answers with the request's head as the origin saw it.
func echoHead(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "%s %s\nHost: %s\n", r.Method, r.RequestURI, r.Host)
	fields := make([]string, 0, len(r.Header))
	for field, values := range r.Header {
		fields = append(fields, field+": "+strings.Join(values, ","))
	}
	slices.Sort(fields)
	fmt.Fprintln(w, strings.Join(fields, "\n"))
}

// TestHygiene: the target learns nothing of the app, gets all else as it was,
// and no credentials of the proxy.
func TestHygiene(t *testing.T) {
	for _, tls := range []bool{true, false} {
		for name, site := range map[string]string{
			"handler":   "http://127.0.0.1:{port} {\n\tproxy_pool %s\n}\n",
			"transport": "http://127.0.0.1:{port} {\n\treverse_proxy %s {\n\t\ttransport proxy_pool\n\t}\n}\n",
		} {
			t.Run(fmt.Sprintf("%s/tls=%t", name, tls), func(t *testing.T) {
				origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: tls, Handler: http.HandlerFunc(echoHead)})
				proxy := proxytest.NewProxy(t, proxytest.ProxyConfig{Username: "user", Password: "secret"})
				s := serve(t, onePool(t, "", proxy), fmt.Sprintf(site, origin.URL()))
				req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/a%2Fb/%C3%BC?x=1;y&%zz", nil)
				if err != nil {
					t.Fatal(err)
				}
				for _, field := range []string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Anything", "Forwarded", "Via", "X-Real-IP", "Proxy-Authorization", "Proxy-Connection", "Keep-Alive", "Connection"} {
					req.Header.Set(field, "leak")
				}
				req.Header.Set("Authorization", "Bearer app")
				req.Header.Set("X-Other", "kept")
				req.Header.Set("User-Agent", "app/1")
				resp, err := client(t).Do(req)
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				body, err := io.ReadAll(resp.Body)
				if err != nil {
					t.Fatal(err)
				}
				want := []string{"GET /a%2Fb/%C3%BC?x=1;y&%zz", "Host: " + origin.Addr(), "Authorization: Bearer app", "User-Agent: app/1", "X-Other: kept"}
				got := strings.Split(strings.TrimSpace(string(body)), "\n")
				if name == "transport" { // reverse_proxy cleans queries by itself
					want[0], got[0] = "", ""
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("the origin saw (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// TestOnlyTheTarget sends request lines that ask for something else.
func TestOnlyTheTarget(t *testing.T) {
	origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true, Handler: http.HandlerFunc(echoHead)})
	other := proxytest.NewOrigin(t, proxytest.OriginConfig{})
	proxy := proxytest.NewProxy(t, proxytest.ProxyConfig{})
	s := serve(t, onePool(t, "", proxy), fmt.Sprintf(":{port} {\nbind 127.0.0.1\nproxy_pool %s\n}", origin.URL()))
	tests := []struct{ name, request, status string }{
		{"another host", "GET /x HTTP/1.1\r\nHost: " + other.Addr() + "\r\n\r\n", "200"},
		{"an absolute URI", "GET http://" + other.Addr() + "/x HTTP/1.1\r\nHost: " + other.Addr() + "\r\n\r\n", "200"},
		{"user info", "GET http://a:b@" + other.Addr() + "/x HTTP/1.1\r\nHost: h\r\n\r\n", "200"},
		{"two slashes", "GET //" + other.Addr() + "/x HTTP/1.1\r\nHost: h\r\n\r\n", "200"},
		{"the asterisk", "OPTIONS * HTTP/1.1\r\nHost: " + other.Addr() + "\r\n\r\n", "200"},
		{"CONNECT", "CONNECT " + other.Addr() + " HTTP/1.1\r\nHost: " + other.Addr() + "\r\n\r\n", "405"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := io.WriteString(conn, test.request); err != nil {
				t.Fatal(err)
			}
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, _ := io.ReadAll(resp.Body)
			if !strings.HasPrefix(resp.Status, test.status) {
				t.Errorf("got %s %s", resp.Status, body)
			}
			if test.status == "200" && !strings.Contains(string(body), "Host: "+origin.Addr()+"\n") && test.name != "the asterisk" {
				t.Errorf("the target saw %s", body)
			}
		})
	}
	if n := other.Requests() + other.Conns() + proxy.Connects(other.Addr()); n != 0 {
		t.Errorf("another host was reached")
	}
}

// TestUpgrade carries a WebSocket-like upgrade, also to a target with HTTP/2.
func TestUpgrade(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("h2=%t", h2), func(t *testing.T) {
			handler := func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Upgrade") != "websocket" {
					return
				}
				conn, rw, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				defer conn.Close()
				_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
				_, _ = io.Copy(conn, rw)
			}
			origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true, HTTP2: h2, Handler: http.HandlerFunc(handler)})
			proxy := proxytest.NewProxy(t, proxytest.ProxyConfig{})
			s := serve(t, onePool(t, "", proxy), reverse(origin.URL(), ""))
			s.get(client(t), "/") // so that an HTTP/2 connection stands
			conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_, _ = io.WriteString(conn, "GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
			br := bufio.NewReader(conn)
			resp, err := http.ReadResponse(br, nil)
			if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
				t.Fatalf("got %v %v", resp, err)
			}
			for _, word := range []string{"hello", "again"} {
				_, _ = io.WriteString(conn, word)
				got := make([]byte, len(word))
				if _, err := io.ReadFull(br, got); err != nil || string(got) != word {
					t.Fatalf("got %q, %v", got, err)
				}
			}
		})
	}
}

// TestStreaming: each piece of an answer arrives when it was written, with 1xx
// before and trailers behind, and Server is the target's.
func TestStreaming(t *testing.T) {
	next := make(chan struct{})
	handler := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("Server", "target")
		w.Header().Set("Trailer", "X-Sum")
		for i := range 3 {
			fmt.Fprintf(w, "data: %d\n\n", i)
			_ = http.NewResponseController(w).Flush()
			<-next
		}
		w.Header().Set("X-Sum", "42")
	}
	for _, h2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("h2=%t", h2), func(t *testing.T) {
			origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true, HTTP2: h2, Handler: http.HandlerFunc(handler)})
			s := serve(t, onePool(t, "", proxytest.NewProxy(t, proxytest.ProxyConfig{})), reverse(origin.URL(), ""))
			var hints []string
			trace := &httptrace.ClientTrace{Got1xxResponse: func(code int, header textproto.MIMEHeader) error {
				hints = append(hints, fmt.Sprint(code, header.Get("Link")))
				return nil
			}}
			req, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), http.MethodGet, s.url, nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := client(t).Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			br := bufio.NewReader(resp.Body)
			for i := range 3 {
				line, err := br.ReadString('\n')
				if err != nil || line != fmt.Sprintf("data: %d\n", i) {
					t.Fatalf("got %q, %v", line, err)
				}
				_, _ = br.ReadString('\n')
				next <- struct{}{}
			}
			if rest, err := io.ReadAll(br); err != nil || len(rest) != 0 {
				t.Fatalf("got %q, %v", rest, err)
			}
			if diff := cmp.Diff([]string{"103</style.css>; rel=preload"}, hints); diff != "" {
				t.Error(diff)
			}
			if got := resp.Trailer.Get("X-Sum"); got != "42" {
				t.Errorf("the trailer is %q", got)
			}
			if got := resp.Header["Server"]; !slices.Equal(got, []string{"target"}) {
				t.Errorf("Server is %q", got)
			}
		})
	}
}

// TestEarlyAnswer: over HTTP/1.1, too, an answer may come while the client still
// sends, and both arrive whole.
func TestEarlyAnswer(t *testing.T) {
	const size, piece = 100_000, 10_000
	for name, length := range map[string]int64{"known length": size, "unknown length": -1} {
		t.Run(name, func(t *testing.T) {
			body, send := io.Pipe()
			got := make(chan int64, 1)
			origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				control := http.NewResponseController(w)
				_ = control.EnableFullDuplex()
				_, _ = w.Write(make([]byte, piece))
				_ = control.Flush()
				n, err := io.Copy(io.Discard, r.Body)
				if err != nil {
					t.Errorf("reading the request: %v", err)
				}
				got <- n
				_, _ = w.Write(make([]byte, piece))
			})})
			s := serve(t, onePool(t, "", proxytest.NewProxy(t, proxytest.ProxyConfig{})), reverse(origin.URL(), ""))
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url, body)
			if err != nil {
				t.Fatal(err)
			}
			req.ContentLength = length
			go func() {
				for range size / piece {
					_, _ = send.Write(make([]byte, piece))
					<-time.After(20 * time.Millisecond)
				}
				_ = send.Close()
			}()
			resp, err := client(t).Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if answer, err := io.ReadAll(resp.Body); len(answer) != 2*piece || err != nil {
				t.Errorf("%d bytes of the answer came, %v", len(answer), err)
			}
			if n := <-got; n != size {
				t.Errorf("the target has %d bytes of the request", n)
			}
		})
	}
}

// TestErrors: what the client gets where there is no answer.
func TestErrors(t *testing.T) {
	origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true})
	tests := []struct {
		name    string
		mode    proxytest.Mode
		options string
		before  string // an action on the proxy
		status  int
		reason  string
	}{
		{"refused", proxytest.Refuse, "", "", 502, "dial_refused"},
		{"tunnel refused", proxytest.Status(403), "", "", 502, "tunnel_refused"},
		{"silent", proxytest.Silent, "connect_timeout 200ms", "", 504, "proxy_silent"},
		{"disabled", proxytest.Works, "", "disable", 503, "no_proxy"},
	}
	for _, test := range tests {
		for _, routes := range []string{"", "handle_errors {\nrespond \"route {err.status_code}\" 599\n}"} {
			t.Run(fmt.Sprintf("%s/error routes=%t", test.name, routes != ""), func(t *testing.T) {
				proxy := proxytest.NewProxy(t, proxytest.ProxyConfig{})
				proxy.MustSetMode(t, test.mode)
				site := fmt.Sprintf("http://127.0.0.1:{port} {\nproxy_pool %s {\n%s\n}\n%s\n}", origin.URL(), test.options, routes)
				s := serve(t, onePool(t, "", proxy), site)
				if test.before != "" {
					s.call(http.MethodPost, "/proxy_pool/proxies/main/P1/"+test.before, nil)
				}
				resp, body := s.do(client(t), http.MethodGet, "/bot123:SECRET/getMe", "", "")
				switch {
				case routes != "" && (resp.StatusCode != 599 || body != fmt.Sprint("route ", test.status)):
					t.Errorf("got %s %s", resp.Status, body)
				case routes == "" && (resp.StatusCode != test.status || !strings.Contains(body, test.reason)):
					t.Errorf("got %s %s", resp.Status, body)
				}
				if (test.status == 503) != (resp.Header.Get("Retry-After") != "") {
					t.Errorf("Retry-After is %q", resp.Header.Get("Retry-After"))
				}
				if routes == "" && strings.Contains(captured.String(), "SECRET") {
					t.Errorf("the token is in the log:\n%s", captured.String())
				}
			})
		}
	}
}

// TestPlaceholders: the access log can tell the whole story of a request.
func TestPlaceholders(t *testing.T) {
	origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true})
	first, rest := proxytest.NewProxy(t, proxytest.ProxyConfig{}), proxytest.NewProxy(t, proxytest.ProxyConfig{})
	first.MustSetMode(t, proxytest.Refuse)
	for name, directive := range map[string]string{
		"handler":   "proxy_pool " + origin.URL(),
		"transport": "reverse_proxy " + origin.URL() + " {\ntransport proxy_pool main\n}",
	} {
		t.Run(name, func(t *testing.T) {
			site := "http://127.0.0.1:{port} {\nlog {\noutput proxypool_test\n}\n"
			for _, name := range placeholderNames {
				site += fmt.Sprintf("log_append pp_%s {http.proxy_pool.%s}\n", name, name)
			}
			site += directive + "\n}"
			s := serve(t, onePool(t, "", first, rest), site)
			s.get(client(t), "/")
			eventually(t, "the access log is written", func() bool { return strings.Contains(captured.String(), "pp_trail") })
			for _, want := range []string{
				`"pp_proxy":"P2"`, `"pp_pool":"main"`, `"pp_target":"` + origin.Addr() + `"`, `"pp_attempts":2`,
				`"pp_error":""`, `"pp_trail":"P1:dial_refused P2:ok"`,
			} {
				if !strings.Contains(captured.String(), want) {
					t.Errorf("no %s in\n%s", want, captured.String())
				}
			}
		})
	}
}

// TestLongPoll: a target that is merely slow is neither left nor blamed, and
// the client's going away is nobody's failure.
func TestLongPoll(t *testing.T) {
	origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true})
	first, rest := proxytest.NewProxy(t, proxytest.ProxyConfig{}), proxytest.NewProxy(t, proxytest.ProxyConfig{})
	s := serve(t, onePool(t, "", first, rest), reverse(origin.URL(), "response_timeout 4s"))
	c := client(t)
	for range 3 {
		s.get(c, "/")
	}
	origin.SetDelay(2500 * time.Millisecond)
	s.get(c, "/poll")
	origin.SetDelay(10 * time.Second)
	if resp, body := s.do(c, http.MethodGet, "/timeout", "slow", ""); resp.StatusCode != http.StatusGatewayTimeout {
		t.Errorf("got %s %s", resp.Status, body)
	}
	impatient := &http.Client{Timeout: 300 * time.Millisecond}
	if resp, err := impatient.Get(s.url + "/gone"); err == nil {
		resp.Body.Close()
		t.Error("expected the client to give up")
	}
	if row := s.row("P1"); row.FailureCount != 0 || len(row.FailingFor) != 0 || row.Status != "healthy" {
		t.Errorf("somebody was blamed: %+v", row)
	}
	if n := rest.Accepted(); n != 0 || origin.Seen("slow") != 1 {
		t.Errorf("the request was sent %d times, %d connections through the next proxy", origin.Seen("slow"), n)
	}
}

// TestMalformedAnswer: what is no HTTP is a clear 502 that ends soon.
func TestMalformedAnswer(t *testing.T) {
	for name, answer := range map[string]string{
		"garbage":        "this is not HTTP\r\n\r\n",
		"endless header": "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 4<<20),
		"bad length":     "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
		"two lengths":    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
	} {
		t.Run(name, func(t *testing.T) {
			handler := func(w http.ResponseWriter, r *http.Request) {
				conn, _, err := http.NewResponseController(w).Hijack()
				if err == nil {
					_, _ = io.WriteString(conn, answer)
					conn.Close()
				}
			}
			origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true, Handler: http.HandlerFunc(handler)})
			s := serve(t, onePool(t, "", proxytest.NewProxy(t, proxytest.ProxyConfig{})), reverse(origin.URL(), ""))
			if resp, body := s.do(client(t), http.MethodGet, "/", "", ""); resp.StatusCode != http.StatusBadGateway || len(body) > 500 {
				t.Errorf("got %s and %d bytes: %.200s", resp.Status, len(body), body)
			}
		})
	}
}

// TestConcealedURL: no URL with a password is in any answer of the API but active.
func TestConcealedURL(t *testing.T) {
	t.Setenv("PROXY_PASS", "hunter2")
	s := serve(t, "pool main {\nhealth_check off\nproxy P1 http://user:{env.PROXY_PASS}@127.0.0.1:1\n}", reverse("https://127.0.0.1:1", ""))
	for _, path := range []string{"/status", "/explain?target=x"} {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.admin+"/proxy_pool"+path, nil)
		resp, err := client(t).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if strings.Contains(string(body), "hunter2") || strings.Contains(string(body), "user") {
			t.Errorf("%s shows credentials: %s", path, body)
		}
	}
	var active map[string]string
	s.call(http.MethodGet, "/proxy_pool/active", &active)
	want := (&url.URL{Scheme: "http", User: url.UserPassword("user", "hunter2"), Host: "127.0.0.1:1"}).String()
	if active["https"] != want {
		t.Errorf("active is %v", active)
	}
}
