package soak

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddy-proxypool/proxypool/internal/caddytest"
	"github.com/caddy-proxypool/proxypool/internal/proxytest"
	"github.com/caddy-proxypool/proxypool/internal/telegramtest"
)

// kind of proxy that is in the pool.
type proxyKind struct {
	name  string
	kind  proxytest.Kind
	login bool
	price float64 // at first, in dollars for a GB
	lines string  // of its configuration
}

var proxies = []proxyKind{
	{name: "Vps", kind: proxytest.HTTP, lines: "type vps"},
	{name: "Secure", kind: proxytest.HTTPS, lines: "type datacenter"},
	{name: "Socks", kind: proxytest.SOCKS5, login: true},
	{name: "Metered", kind: proxytest.HTTP, login: true, price: 2},
	{name: "Metered-Secure", kind: proxytest.HTTPS, login: true, price: 3},
	{name: "Metered-Socks", kind: proxytest.SOCKS5, price: 5, lines: "traffic_alert 2MB"},
	{name: "Limited", kind: proxytest.HTTP, price: 12, lines: "budget 0.05USD total hard"},
}

// guardians are those that may be the one that works: not that whose budget is
// spent some time.
var guardians = []int{0, 1, 2, 3, 4, 5}

// failures are the ways in which proxies fail.
var failures = []struct {
	name string
	mode proxytest.Mode
}{
	{"refuses", proxytest.Refuse},
	{"resets", proxytest.Reset},
	{"silent", proxytest.Silent},
	{"grants, then silent", proxytest.GrantThenSilent},
	{"takes no connection", proxytest.BacklogFull},
	{"wants a login", proxytest.Status(http.StatusProxyAuthRequired)},
	{"forbids", proxytest.Status(http.StatusForbidden)},
	{"bad gateway", proxytest.Status(http.StatusBadGateway)},
	{"too many", proxytest.Status(http.StatusTooManyRequests)},
	{"garbage for TLS", proxytest.TLSGarbage},
	{"nonsense", proxytest.Nonsense},
	{"endless header", proxytest.EndlessHeader},
	{"drops", proxytest.DropBeforeAnswer},
	{"breaks at once", proxytest.BreakMidAnswer(1)},
	{"breaks in a header", proxytest.BreakMidAnswer(60)},
	{"breaks in a body", proxytest.BreakMidAnswer(20_000)},
	{"slow", proxytest.Slow(200 * time.Millisecond)},
	{"very slow", proxytest.Slow(1500 * time.Millisecond)},
}

// world is all that is outside of Caddy, and counts.
type world struct {
	t       *testing.T
	secure  *proxytest.Origin // of https://
	plain   *proxytest.Origin // of http://
	moody   *proxytest.Origin // which blocks
	proxies [][2]*proxytest.Proxy
	bot     *telegramtest.Server
	hook    *hook
	dir     string // of the store
	canFill bool
	ca      string
	seen    *seen
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, ca: proxytest.CAFile(t), seen: newSeen(), hook: newHook(t)}
	handler := http.HandlerFunc(w.seen.answer)
	w.secure = proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true, HTTP2: true, Handler: handler})
	w.plain = proxytest.NewOrigin(t, proxytest.OriginConfig{Handler: handler})
	w.moody = proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true, Handler: handler})
	w.bot = telegramtest.NewServer(t)
	w.dir, w.canFill = storeDir(t)
	for _, k := range proxies {
		var both [2]*proxytest.Proxy
		for i := range both {
			config := proxytest.ProxyConfig{Kind: k.kind}
			if k.login {
				config.Username, config.Password = "user", fmt.Sprintf("password-%d", i)
			}
			both[i] = proxytest.NewProxy(t, config)
		}
		w.proxies = append(w.proxies, both)
	}
	return w
}

// shape is a configuration as far as it changes.
type shape struct {
	proxies []proxyShape
	options int
}

type proxyShape struct {
	gone       bool
	wrongLogin bool
	instance   int
	price      float64
}

func firstShape() (s shape) {
	for _, k := range proxies {
		s.proxies = append(s.proxies, proxyShape{price: k.price})
	}
	return s
}

// options are the pool's, of which those at any place are in force together.
var options = []string{
	"",
	"order round_robin\nhedge_delay 100ms",
	"order least_latency\nmax_failures 1",
	"hedge_delay off\nmax_failures 2",
	"prefer_healthy on\nkeepalive 2s",
	"hedge_metered_delay off",
}

// setup is the configuration of a shape.
func (w *world) setup(s shape) caddytest.Setup {
	var b strings.Builder
	fmt.Fprintf(&b, `storage sqlite %s
usage_log on
alerts {
	cooldown 3s
	telegram {
		token %s
		chat_id 4711
		api_url %s
		via direct
	}
	webhook %s
}
pool main {
	tls_trust_pool file %s
	connect_timeout 3s
	response_timeout 12s
	replay_buffer 64KiB
	%s
	block {
		header X-Blocked *
		for 2s
	}
	health_check {
		url %s/check
		expect 200
		interval 2s
		metered_interval 3s
		recovery_interval 500ms
		timeout 3s
	}
`, filepath.Join(w.dir, "proxy_pool.db"), telegramtest.Token, w.bot.URL(), w.hook.url(), w.ca,
		strings.ReplaceAll(options[s.options%len(options)], "\n", "\n\t"), w.secure.URL())
	for i, p := range s.proxies {
		if !p.gone {
			b.WriteString(w.proxy(i, p))
		}
	}
	b.WriteString("}\n")
	return caddytest.Setup{
		Pools: b.String(),
		Site: fmt.Sprintf("handle /s/* {\n\tproxy_pool %s\n}\nhandle /p/* {\n\tproxy_pool %s\n}\nhandle /b/* {\n\tproxy_pool %s\n}\n",
			w.secure.URL(), w.plain.URL(), w.moody.URL()),
		Forward: "proxy_pool_forward {\n\tallow *\n}\n",
	}
}

// proxy is one proxy's part of the configuration.
func (w *world) proxy(i int, p proxyShape) string {
	k, url := proxies[i], w.proxies[i][p.instance].URL()
	if p.wrongLogin {
		url = strings.Replace(url, "password-", "wrong-", 1)
	}
	text := fmt.Sprintf("\tproxy %s %s {\n\t\t%s\n", k.name, url, k.lines)
	if p.price > 0 {
		text += fmt.Sprintf("\t\tcost_per_gb %g\n", p.price)
	}
	if k.kind == proxytest.HTTPS {
		text += "\t\ttls_trust_pool file " + w.ca + "\n"
	}
	return text + "\t}\n"
}

// traffic is what crossed the connections with both instances of a proxy.
func (w *world) traffic(i int) (in, out int64) {
	for _, p := range w.proxies[i] {
		from, to := p.Bytes()
		in, out = in+to, out+from
	}
	return in, out
}

// accepted is how many connections a proxy has taken.
func (w *world) accepted(i int) int64 {
	return int64(w.proxies[i][0].Accepted() + w.proxies[i][1].Accepted())
}
