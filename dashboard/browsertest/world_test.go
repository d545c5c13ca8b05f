package browsertest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const root = "../.."

// caddyBinary is Caddy with the module, and seedBinary what gives its books a
// past. Both are built once.
var caddyBinary, seedBinary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "browsertest-")
	if err != nil {
		panic(err)
	}
	caddyBinary, seedBinary = filepath.Join(dir, "caddy"), filepath.Join(dir, "seedbooks")
	build := exec.CommandContext(context.Background(), "go", "build", "-o", dir, "./cmd/caddy", "./internal/seedbooks")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		panic(fmt.Sprintf("building Caddy: %v\n%s", err, out))
	}
	code := m.Run()
	quitChromium()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// world is a Caddy with a dashboard at /proxies/.
type world struct {
	t           *testing.T
	site, admin string
	cmd         *exec.Cmd
	ended       chan struct{}
}

// upstream is a forward proxy that answers itself, for whatever it is asked.
func upstream(t *testing.T, answer http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	return s.URL
}

func fine(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") }

// slow is one that makes its proxy degraded.
func slow(w http.ResponseWriter, r *http.Request) {
	timer := time.NewTimer(400 * time.Millisecond) // of the network that it stands for
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
	}
	fine(w, r)
}

// refuses is one whose address the API has blocked: only checks get through.
func refuses(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/check") {
		fine(w, r)
		return
	}
	http.Error(w, "too many", http.StatusTooManyRequests)
}

// unwell is one that gets through to the checks and to nobody else.
func unwell(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/check") {
		fine(w, r)
		return
	}
	panic(http.ErrAbortHandler)
}

// large is one through which much comes.
func large(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/check") {
		fine(w, r)
		return
	}
	_, _ = w.Write(make([]byte, 1<<20))
}

// everyStatus is two pools with a proxy in every status, once they were asked.
func everyStatus(t *testing.T) string {
	closed := freeAddr(t)
	return fmt.Sprintf(`
		usage_log on
		pool main {
			max_failures 1
			proxy VPS-Germany-Main %s {
				type vps
				priority 1
			}
			proxy Datacenter-1 %s {
				type datacenter
				priority 2
			}
			proxy VPS-Finland %s {
				type vps
				priority 3
			}
			proxy Datacenter-2 http://%s {
				type datacenter
			}
			proxy Datacenter-3 %s {
				type datacenter
			}
			proxy "<img>" %s {
				type other
			}
			proxy Residential http://user:hush@%s {
				type residential
				cost_per_gb 12
				budget 50USD month hard
			}
			block {
				status 429
			}
			health_check {
				url http://check.example.com/check
				expect 200
				interval 1s
				metered_interval 1s
				slow 300ms
			}
		}
		pool scraping {
			proxy Metered-1 %s {
				type residential
				cost_per_gb 8
				budget 2MB day hard
			}
			proxy Metered-2 %s {
				type residential
				cost_per_gb 10
				budget 20USD month
			}
			health_check {
				url http://check.example.com/check
				expect 200
				interval 1s
				metered_interval 1s
			}
		}`, upstream(t, refuses), upstream(t, fine), upstream(t, unwell), closed, upstream(t, slow), upstream(t, fine),
		strings.TrimPrefix(upstream(t, fine), "http://"), upstream(t, large), upstream(t, large))
}

// manyProxies is a pool of n that nobody checks.
func manyProxies(n int) string {
	var b strings.Builder
	b.WriteString("pool main {\nhealth_check off\n")
	for i := range n {
		fmt.Fprintf(&b, "proxy Proxy-%04d http://198.51.100.%d:%d\n", i, i%250+1, 3000+i)
	}
	return b.String() + "}\n"
}

// lastPort counts upwards below the ports that the system gives to connections,
// which come and go in great numbers while other tests run.
var lastPort = 11_000 + 7919*os.Getpid()%20_000

func freeAddr(t *testing.T) string {
	t.Helper()
	for range 1000 {
		lastPort++
		addr := fmt.Sprintf("127.0.0.1:%d", lastPort)
		if l, err := net.Listen("tcp", addr); err == nil {
			_ = l.Close()
			return addr
		}
	}
	t.Fatal("no port is free")
	return ""
}

// start runs Caddy until the test is over. The books are in memory, unless the
// pools begin with another storage.
func start(t *testing.T, pools, options string) *world {
	t.Helper()
	w := &world{t: t, site: freeAddr(t), admin: freeAddr(t), ended: make(chan struct{})}
	dir := t.TempDir()
	_, port, _ := net.SplitHostPort(w.site)
	if !strings.HasPrefix(pools, "storage ") {
		pools = "storage memory\n" + pools
	}
	scraping := ""
	if strings.Contains(pools, "pool scraping") {
		scraping = "handle_path /scrape/* {\nproxy_pool http://shop.example.com {\npool scraping\n}\n}"
	}
	config := fmt.Sprintf(`{
	admin %s
	auto_https off
	skip_install_trust
	persist_config off
	proxy_pool {
%s
	}
}
http://127.0.0.1:%s {
	bind 127.0.0.1
	proxy_pool_dashboard /proxies/* {
		%s
	}
	handle_path /call/* {
		proxy_pool http://api.example.com {
			pool main
		}
	}
	%s
}
`, w.admin, pools, port, options, scraping)
	file := filepath.Join(dir, "Caddyfile")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	w.cmd = exec.CommandContext(context.Background(), caddyBinary, "run", "--adapter", "caddyfile", "--config", file)
	w.cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	w.cmd.Stdout, w.cmd.Stderr = &log, &log
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { // ends with Caddy
		defer close(w.ended)
		_ = w.cmd.Wait()
	}()
	t.Cleanup(func() {
		w.stop()
		if t.Failed() {
			t.Logf("Caddy said:\n%s", tail(log.String(), 3000))
		}
	})
	w.until("Caddy answers", func() bool {
		resp, err := http.Get(w.page())
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	return w
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

func (w *world) page() string { return "http://" + w.site + "/proxies/" }

// stop ends Caddy, if it still runs.
func (w *world) stop() {
	_ = w.cmd.Process.Kill()
	<-w.ended
}

// until waits for something to hold.
func (w *world) until(what string, holds func() bool) {
	w.t.Helper()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-deadline.C:
			w.t.Fatalf("never happened: %s", what)
		case <-w.ended:
			w.t.Fatalf("Caddy ended before: %s", what)
		case <-tick.C:
		}
	}
}

// request sends a request through a pool.
func (w *world) request(path string) {
	w.t.Helper()
	resp, err := http.Get("http://" + w.site + path)
	if err != nil {
		w.t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
}

// act does something over the admin API, as somebody else would.
func (w *world) act(proxy, action string) {
	w.t.Helper()
	resp, err := http.Post("http://"+w.admin+"/proxy_pool/proxies/main/"+url.PathEscape(proxy)+"/"+action, "", nil)
	if err != nil {
		w.t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		w.t.Fatalf("%s %s: %s", action, proxy, resp.Status)
	}
}

// row is what the status says of a proxy.
func (w *world) row(proxy string) (row struct {
	Status    string
	Active    bool
	Requests  int64    `json:"total_requests"`
	Failing   []string `json:"failing_for"`
	LastCheck string   `json:"last_check"`
	Budget    struct{ Spent bool }
}) {
	w.t.Helper()
	resp, err := http.Get("http://" + w.admin + "/proxy_pool/status")
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Proxies []json.RawMessage
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		w.t.Fatal(err)
	}
	for _, raw := range answer.Proxies {
		var named struct{ Name string }
		if json.Unmarshal(raw, &named) == nil && named.Name == proxy {
			if err := json.Unmarshal(raw, &row); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	return row
}

// inEveryStatus starts a pool with a proxy in every status.
func inEveryStatus(t *testing.T, options string) *world {
	t.Helper()
	w := start(t, everyStatus(t), options)
	w.act("<img>", "disable")
	w.act("Datacenter-1", "disable") // until others have failed
	w.until("every status", func() bool {
		main, failing := w.row("VPS-Germany-Main"), w.row("VPS-Finland")
		if main.Status != "blocked" || len(failing.Failing) == 0 {
			w.request("/call/x")
		}
		spent := w.row("Metered-1").Budget.Spent
		if !spent {
			w.request("/scrape/x")
		}
		return main.Status == "blocked" && len(failing.Failing) == 1 && spent &&
			w.row("Datacenter-2").Status == "down" && w.row("Datacenter-3").Status == "degraded"
	})
	w.act("Datacenter-1", "enable")
	for range 3 {
		w.request("/call/x")
	}
	return w
}
