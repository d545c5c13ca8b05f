package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddy-proxypool/proxypool/internal/caddytest"
	"github.com/caddy-proxypool/proxypool/internal/proxytest"
)

// traffic is one kind of it, in a pool of its own.
type traffic struct {
	origin  proxytest.OriginConfig
	proxies []proxytest.ProxyConfig
	modes   []proxytest.Mode // of the proxies, where they do not work
	checks  bool
	drive   func(t *testing.T, url string)
	breaks  bool // connections are broken off by the proxy
}

// TestBytes: what usage says of each proxy is what the proxy counted, whatever
// went over it: to the byte where no connection was broken off.
func TestBytes(t *testing.T) {
	t.Parallel()
	one := func(kind proxytest.Kind) []proxytest.ProxyConfig { return []proxytest.ProxyConfig{{Kind: kind}} }
	login := []proxytest.ProxyConfig{{Username: "user", Password: "password"}}
	secure, h2, plain := proxytest.OriginConfig{TLS: true}, proxytest.OriginConfig{TLS: true, HTTP2: true}, proxytest.OriginConfig{}
	failing := func(m proxytest.Mode) traffic {
		return traffic{origin: secure, proxies: make([]proxytest.ProxyConfig, 2), modes: []proxytest.Mode{m}, drive: small, breaks: true}
	}
	measure(t, map[string]traffic{
		"h1":           {origin: secure, proxies: one(proxytest.HTTP), drive: mixed},
		"h2":           {origin: h2, proxies: one(proxytest.HTTP), drive: mixed},
		"absolute":     {origin: plain, proxies: one(proxytest.HTTP), drive: mixed},
		"login":        {origin: secure, proxies: login, drive: mixed},
		"secure-proxy": {origin: secure, proxies: one(proxytest.HTTPS), drive: mixed},
		"socks":        {origin: secure, proxies: one(proxytest.SOCKS5), drive: mixed},
		"socks-plain":  {origin: plain, proxies: one(proxytest.SOCKS5), drive: mixed},
		"upgrade":      {origin: secure, proxies: one(proxytest.HTTP), drive: upgraded},
		"upgrade-http": {origin: plain, proxies: one(proxytest.HTTP), drive: upgraded},
		"checks":       {origin: secure, proxies: one(proxytest.HTTP), drive: small, checks: true},
		"refuses":      failing(proxytest.Status(http.StatusBadGateway)),
		"wants-login":  failing(proxytest.Status(http.StatusProxyAuthRequired)),
		"drops":        failing(proxytest.DropBeforeAnswer),
		"nonsense":     failing(proxytest.Nonsense),
		"garbage":      failing(proxytest.TLSGarbage),
		"breaks":       failing(proxytest.BreakMidAnswer(3000)),
	})
}

// measure drives each kind through one Caddy and compares.
func measure(t *testing.T, kinds map[string]traffic) {
	t.Helper()
	ca := proxytest.CAFile(t)
	var pools, site strings.Builder
	proxies := make(map[string]*proxytest.Proxy) // by their IDs
	for name, k := range kinds {
		k.origin.Handler = http.HandlerFunc(answerAll)
		origin := proxytest.NewOrigin(t, k.origin)
		check := "off"
		if k.checks {
			check = "{\n\t\turl " + origin.URL() + "\n\t\tinterval 200ms\n\t\tmetered_interval 200ms\n\t\texpect 200\n\t}"
		}
		fmt.Fprintf(&pools, "pool %s {\n\ttls_trust_pool file %s\n\thealth_check %s\n\tmax_failures 1000\n", name, ca, check)
		for i, config := range k.proxies {
			p := proxytest.NewProxy(t, config)
			if i < len(k.modes) {
				p.MustSetMode(t, k.modes[i])
			}
			proxies[fmt.Sprintf("%s/P%d", name, i+1)] = p
			trust := ""
			if config.Kind == proxytest.HTTPS {
				trust = "tls_trust_pool file " + ca
			}
			fmt.Fprintf(&pools, "\tproxy P%d %s {\n\t\tpriority %d\n\t\t%s\n\t}\n", i+1, p.URL(), i+1, trust)
		}
		pools.WriteString("}\n")
		fmt.Fprintf(&site, "handle /%s/* {\n\tproxy_pool %s {\n\t\tpool %s\n\t}\n}\n", name, origin.URL(), name)
	}
	p := start(t, setup{Pools: "storage sqlite books.db\n" + pools.String(), Site: site.String()})
	for name, k := range kinds {
		k.drive(t, p.URL+"/"+name)
	}
	for id, proxy := range proxies {
		if k := kinds[strings.Split(id, "/")[0]]; k.checks {
			// No check may begin between the two counts.
			if err := p.Call(http.MethodPost, "/proxy_pool/proxies/"+id+"/disable", nil); err != nil {
				t.Fatal(err)
			}
		}
		agree(t, p, id, proxy, kinds[strings.Split(id, "/")[0]])
	}
}

// agree checks that usage says what the proxy counted: to the byte, but for the
// farewells that nobody waits for where connections are closed and, where they
// are broken off, for what was sent into a broken one.
func agree(t *testing.T, p *process, id string, proxy *proxytest.Proxy, k traffic) {
	t.Helper()
	const intoBroken = 500 // a request, and a farewell
	var u, missing used
	within := 5 * time.Second
	if k.checks || k.breaks {
		within = time.Second
	}
	equal := caddytest.ComesTrue(within, func() bool {
		out, in := proxy.Bytes()
		u = p.usage()[id]
		missing = used{In: in, Out: out}.Minus(used{In: u.In, Out: u.Out})
		return missing == used{}
	})
	conns := int64(proxy.Accepted())
	switch {
	case equal:
	case k.checks && missing.Out == 0 && missing.In > 0 && missing.In <= farewell*conns:
	case k.breaks && max(missing.Out, -missing.Out, missing.In, -missing.In) <= intoBroken*conns:
	default:
		t.Errorf("%s: usage has %d bytes in and %d out, the proxy counted %d and %d more, on %d connections", id, u.In, u.Out, missing.In, missing.Out, conns)
	}
	if u.Bytes() == 0 && !k.breaks {
		t.Errorf("%s: nothing went over it", id)
	}
	t.Logf("%s: %d bytes in and %d out, lacking %d and %d", id, u.In, u.Out, missing.In, missing.Out)
}

// answerAll answers with what was asked for: an echo, a megabyte, some text, or
// a connection that echoes.
func answerAll(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Header.Get("Upgrade") != "":
		conn, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		fmt.Fprint(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		_, _ = io.Copy(conn, buffered)
	case strings.HasSuffix(r.URL.Path, "/megabyte"):
		_, _ = w.Write(make([]byte, 1<<20))
	default:
		body, err := io.ReadAll(r.Body)
		if err == nil && len(body) == 0 {
			body = someText
		}
		_, _ = w.Write(body)
	}
}

// small is some requests that get whatever answer.
func small(t *testing.T, url string) {
	t.Helper()
	for range 20 {
		resp, err := http.Get(url + "/small")
		if err != nil {
			t.Error(err)
			continue
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}
}

// mixed is small requests, downloads and uploads, which all succeed.
func mixed(t *testing.T, url string) {
	t.Helper()
	small(t, url)
	for n := range 3 {
		for path, body := range map[string][]byte{"/megabyte": nil, "/echo": bytes.Repeat([]byte{'x'}, 300_000*n)} {
			resp, err := http.Post(url+path, "text/plain", bytes.NewReader(body))
			if err != nil {
				t.Error(err)
				continue
			}
			got, err := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if err != nil || resp.StatusCode != http.StatusOK || len(body) > 0 && len(got) != len(body) {
				t.Errorf("%s%s: %s, %d bytes, %v", url, path, resp.Status, len(got), err)
			}
		}
	}
}

// upgraded echoes over a connection that became something else.
func upgraded(t *testing.T, url string) {
	t.Helper()
	addr, path, _ := strings.Cut(strings.TrimPrefix(url, "http://"), "/")
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	fmt.Fprintf(conn, "GET /%s/up HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n", path, addr)
	br := bufio.NewReader(conn)
	resp, err := http.ReadResponse(br, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("upgrading: %v, %v", resp, err)
	}
	for range 20 {
		if _, err := conn.Write(make([]byte, 10_000)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.CopyN(io.Discard, br, 10_000); err != nil {
			t.Fatal(err)
		}
	}
}
