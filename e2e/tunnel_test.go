package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddy-proxypool/proxypool/internal/caddytest"
	"github.com/caddy-proxypool/proxypool/internal/proxytest"
)

// TestTunnelReload reloads under load of GET and POST through tunnels, on tunnels
// that are kept over all reloads and on one for each request. Nothing fails, and
// no byte is lost.
func TestTunnelReload(t *testing.T) {
	t.Parallel()
	const clients = 16
	for name, keep := range map[string]bool{"kept tunnels": true, "new tunnels": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 2, 2, 12)
			s := forwarding(w.setup(), "")
			p := start(t, s)
			d := &tunneler{front: p.Front}
			l := caddytest.PutThrough(t, d.transport(clients, keep), w.origin.URL(), clients, 5*time.Millisecond)
			for range 5 {
				before := l.Answered.Load()
				caddytest.Eventually(t, "some are answered", 20*time.Second, func() bool { return l.Answered.Load() > before+300 })
				if err := p.Reload(s); err != nil {
					t.Fatal(err)
				}
			}
			before := l.Answered.Load()
			caddytest.Eventually(t, "more are answered", 20*time.Second, func() bool { return l.Answered.Load() > before+300 })
			l.MustSucceed(t)
			if n := d.opened.Load(); keep && n != clients {
				t.Errorf("%d clients opened %d tunnels", clients, n)
			}
			w.quiet()
			w.tunnelsBooked(p, d.opened.Load())
		})
	}
}

// tunnelsBooked waits until each tunnel is a request in the books, and checks
// that all the proxies' bytes are there, too.
func (w *world) tunnelsBooked(p *process, opened int64) {
	w.t.Helper()
	var total used
	caddytest.Eventually(w.t, "every tunnel is in the books", 10*time.Second, func() bool {
		total = used{}
		for _, u := range p.usage() {
			total = total.Plus(u)
		}
		return total.Requests >= opened
	})
	if total.Requests != opened || total.Failed > 0 {
		w.t.Errorf("%d tunnels were opened, the books have %d, of which %d failed", opened, total.Requests, total.Failed)
	}
	w.bytesBooked(p.usage())
}

// bytesBooked checks that the books have every byte that the proxies counted, but
// for the farewells at the end of tunnels: who has closed does not read the other's.
func (w *world) bytesBooked(usage map[string]used) {
	w.t.Helper()
	seen := w.seen()
	for i, p := range w.proxies {
		booked, counted := usage[id(i)], seen[id(i)]
		most := farewell * int64(p.Accepted())
		if unread, unheard := counted.In-booked.In, booked.Out-counted.Out; min(unread, unheard) < 0 || max(unread, unheard) > most {
			w.t.Errorf("%s: %+v in the books, the proxy counted %+v; they may differ by %d", id(i), booked, counted, most)
		}
	}
}

// TestTunnelKill: kill -9 forgets at most the last second of what is carried in
// tunnels that stand, and nothing is billed that was not carried.
func TestTunnelKill(t *testing.T) {
	t.Parallel()
	const clients = 8
	w := newWorld(t, 2, 2, 12)
	line := w.watch(t)
	s := forwarding(w.setup(), "")
	p := start(t, s)
	d := &tunneler{front: p.Front}
	l := caddytest.PutThrough(t, d.transport(clients, true), w.origin.URL(), clients, 5*time.Millisecond)
	began := time.Now()
	caddytest.Eventually(t, "tunnels are used for three seconds", 20*time.Second, func() bool { return time.Since(began) > 3*time.Second })
	killed := time.Now()
	p.Kill()
	l.Stop()
	w.quiet()

	next := start(t, w.setup())
	var booked used
	for i, u := range next.usage() {
		booked = booked.Plus(u)
		if counted := w.seen()[i]; u.In > counted.In || u.Out > counted.Out {
			t.Errorf("%s: %+v in the books, the proxy counted %+v", i, u, counted)
		}
	}
	for i := range w.proxies {
		w.costsAt(i, next.usage()[id(i)], w.prices[i], clients)
	}
	lag := line.lag(killed, func(s sample) bool { return s.bytes <= booked.Bytes() })
	if allowed := maxLag + line.stalled(killed.Add(-2*maxLag), killed); lag > allowed {
		t.Errorf("the last %v are forgotten, allowed are %v", lag, allowed)
	}
	t.Logf("%d of %d bytes are in the books, the last %v are forgotten", booked.Bytes(), line.now().bytes, lag)
}

// TestTunnelStop: when Caddy is asked to stop, it gives tunnels three seconds, of
// whatever protocol they are, and waits no longer than they need.
func TestTunnelStop(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]bool{"tunnels that stay": false, "tunnels that end": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 2)
			echo := newEcho(t)
			s := forwarding(w.setup(), "")
			s.Global = "servers {\n\tprotocols h1 h2 h2c\n}"
			p := start(t, s)
			d := &tunneler{front: p.Front}
			one, err := d.dial(t.Context(), echo)
			if err != nil {
				t.Fatal(err)
			}
			defer one.Close()
			tunnels := []io.ReadWriteCloser{one, openStream(t, p.Front, echo)}
			for _, tunnel := range tunnels {
				if err := echoes(tunnel); err != nil {
					t.Fatal(err)
				}
			}
			asked := time.Now()
			p.Terminate()
			caddytest.Eventually(t, "no new tunnel is opened", 3*time.Second, func() bool {
				conn, _, err := d.dialOnce(t.Context(), echo)
				if err == nil {
					_ = conn.Close()
				}
				return err != nil
			})
			for i, tunnel := range tunnels {
				if err := echoes(tunnel); err != nil {
					t.Errorf("tunnel %d does not live until Caddy stops: %v", i, err)
				}
			}
			least, most := 2500*time.Millisecond, 6*time.Second
			if leave {
				least, most = 0, 2500*time.Millisecond
				for _, tunnel := range tunnels {
					_ = tunnel.Close()
				}
			} else {
				for _, tunnel := range tunnels {
					endsWithin(t, tunnel, most)
				}
			}
			p.WaitEnd()
			if took := time.Since(asked); took < least || took > most {
				t.Errorf("Caddy ended after %v, want from %v to %v", took, least, most)
			}
			w.quiet()
			w.bytesBooked(start(t, w.setup()).usage())
		})
	}
}

// TestTunnelLog: each tunnel has a line at its beginning and one at its end, and
// a row in the usage log. No password is in any of it, nor anywhere in the files.
func TestTunnelLog(t *testing.T) {
	t.Parallel()
	const proxyPassword, wrongPassword = "secret-of-the-proxy", "a-guess-that-is-wrong"
	w := newWorld(t, 2)
	w.proxies[0].Close()
	w.proxies[0] = proxytest.NewProxy(t, proxytest.ProxyConfig{Username: "user", Password: proxyPassword})
	p := start(t, forwarding(w.setup(), ""))
	d := &tunneler{front: p.Front}
	client := &http.Client{Transport: d.transport(1, false), Timeout: 20 * time.Second}
	fetch := func() error {
		resp, err := client.Get(w.origin.URL())
		if err != nil {
			return err
		}
		return resp.Body.Close()
	}
	if err := fetch(); err != nil {
		t.Fatal(err)
	}
	if text := askWrong(t, p.Front, wrongPassword); !strings.HasPrefix(text, "HTTP/1.1 407 ") {
		t.Errorf("a wrong password is answered with %s", text)
	}
	w.proxies[0].MustSetMode(t, proxytest.Refuse)
	if err := fetch(); err == nil || !strings.Contains(err.Error(), "502") && !strings.Contains(err.Error(), "503") {
		t.Errorf("without a proxy: %v", err)
	}
	caddytest.Eventually(t, "a line for the tunnel's end", 5*time.Second, func() bool { return len(p.SaidOf("info", `"tunnel ended"`)) == 1 })
	var end struct {
		Pool, Proxy, Target, Client, User, Trail string
	}
	if err := json.Unmarshal([]byte(p.SaidOf("info", `"tunnel ended"`)[0]), &end); err != nil {
		t.Fatal(err)
	}
	if end.Pool != "main" || end.Proxy != "P1" || end.Target != w.origin.Addr() || end.Client != "127.0.0.1" || end.User != appName || end.Trail != "P1:ok" {
		t.Errorf("the line for the tunnel's end has %+v", end)
	}
	for status, user := range map[string]string{`"status":200`: appName, `"status":407`: ""} {
		lines := p.SaidOf("info", status)
		if len(lines) != 1 || !strings.Contains(lines[0], `"method":"CONNECT"`) || !strings.Contains(lines[0], `"user_id":"`+user+`"`) {
			t.Errorf("the access log has with %s: %q", status, lines)
		}
	}
	p.Stop()
	secrets := []string{appPassword, proxyPassword, wrongPassword, login(appPassword)[6:], login(wrongPassword)[6:]}
	noSecrets(t, p.Said(), "the log", secrets)
	files, err := filepath.Glob(filepath.Join(filepath.Dir(w.file), "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("files %q, %v", files, err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		noSecrets(t, content, file, secrets)
	}
}

func noSecrets(t *testing.T, text []byte, where string, secrets []string) {
	t.Helper()
	for _, secret := range secrets {
		if strings.Contains(string(text), secret) {
			t.Errorf("%s holds %q", where, secret)
		}
	}
}
