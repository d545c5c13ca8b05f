package proxypool

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	"github.com/caddy-proxypool/proxypool/internal/caddytest"
	"github.com/caddy-proxypool/proxypool/internal/proxytest"
)

func TestMain(m *testing.M) {
	home, err := os.MkdirTemp("", "proxypool-test-")
	if err != nil {
		panic(err)
	}
	for _, name := range []string{"HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"} {
		if err := os.Setenv(name, home); err != nil {
			panic(err)
		}
	}
	caddy.RegisterModule(logCapture{})
	caddy.RegisterModule(eventEar{})
	caddy.RegisterModule(&bareHandler{})
	httpcaddyfile.RegisterHandlerDirective("proxypool_test_bare", parseBare)
	httpcaddyfile.RegisterDirectiveOrder("proxypool_test_bare", httpcaddyfile.Before, "reverse_proxy")
	code := m.Run()
	_ = os.RemoveAll(home)
	os.Exit(code)
}

// server is a real Caddy in this process, of which there is one at a time.
type server struct {
	t     testing.TB
	url   string // of the first site
	admin string
	port  int
	pool  string // the Caddyfile's pools
	sites string
}

// serve starts Caddy with pools and with sites, in whose text {port} stands for
// the port of the server's url.
func serve(t testing.TB, pools, sites string) *server {
	t.Helper()
	s := &server{t: t, port: freePort(t), pool: pools, sites: sites}
	adminPort := freePort(t)
	s.url, s.admin = fmt.Sprintf("http://127.0.0.1:%d", s.port), fmt.Sprintf("127.0.0.1:%d", adminPort)
	captured.reset()
	s.load(pools, sites)
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Errorf("stopping Caddy: %v", err)
		}
	})
	return s
}

// config is the Caddy JSON of pools and sites. The books are kept in memory,
// where pools does not say otherwise.
func (s *server) config(pools, sites string) []byte {
	s.t.Helper()
	if !strings.Contains(pools, "storage ") {
		pools = "storage memory\n" + pools
	}
	text := fmt.Sprintf(`{
	admin %s
	auto_https off
	skip_install_trust
	persist_config off
	grace_period 5s
	log {
		output proxypool_test
		level DEBUG
	}
	proxy_pool {
%s
	}
}
%s
`, s.admin, pools, strings.ReplaceAll(sites, "{port}", fmt.Sprint(s.port)))
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		s.t.Fatalf("adapting: %v\n%s", err, text)
	}
	return adapted
}

func (s *server) load(pools, sites string) {
	s.t.Helper()
	s.loadJSON(s.config(pools, sites))
}

// loadJSON loads a configuration, and waits until Caddy has let go of the sockets
// of the one before: who connects to those is reset.
func (s *server) loadJSON(config []byte) {
	s.t.Helper()
	if err := caddy.Load(config, true); err != nil {
		s.t.Fatalf("loading: %v", err)
	}
	eventually(s.t, "no address is listened on twice", func() bool {
		addrs := listening()
		slices.Sort(addrs)
		return len(slices.Compact(slices.Clone(addrs))) == len(addrs)
	})
}

// listening lists the addresses that are listened on, once for each socket; on
// Linux alone.
func listening() (addrs []string) {
	for _, file := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, _ := os.ReadFile(file)
		for line := range strings.Lines(string(text)) {
			if field := strings.Fields(line); len(field) > 3 && field[3] == "0A" {
				addrs = append(addrs, field[1])
			}
		}
	}
	return addrs
}

func (s *server) reload() {
	s.t.Helper()
	s.load(s.pool, s.sites)
}

// reverse is a site that is nothing but the reverse front to a target.
func reverse(target, options string) string {
	return fmt.Sprintf("http://127.0.0.1:{port} {\n\tproxy_pool %s {\n%s\n\t}\n}\n", target, options)
}

// onePool is a pool that is not checked and trusts the test's origins.
func onePool(t testing.TB, options string, proxies ...*proxytest.Proxy) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "pool main {\n\ttls_trust_pool file %s\n\thealth_check off\n%s\n", proxytest.CAFile(t), options)
	for i, p := range proxies {
		fmt.Fprintf(&b, "\tproxy P%d %s {\n\t\tpriority %d\n\t}\n", i+1, p.URL(), i+1)
	}
	return b.String() + "}\n"
}

func freePort(t testing.TB) int {
	t.Helper()
	_, port, _ := net.SplitHostPort(caddytest.FreeAddr(t))
	return must(strconv.Atoi(port))
}

// client is a fresh client with no memory of other tests.
func client(t testing.TB) *http.Client {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 128, DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 20 * time.Second}
}

// do sends a request and returns the answer with its body read.
func (s *server) do(c *http.Client, method, path, id, body string) (*http.Response, string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if body == "" {
		req.Body = http.NoBody
	}
	if id != "" {
		req.Header.Set(proxytest.RequestIDHeader, id)
	}
	resp, err := c.Do(req)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatalf("%s %s: reading answer: %v", method, path, err)
	}
	return resp, string(text)
}

// get is a GET that must be answered with 200.
func (s *server) get(c *http.Client, path string) string {
	s.t.Helper()
	resp, body := s.do(c, http.MethodGet, path, "", "")
	if resp.StatusCode != http.StatusOK {
		s.t.Fatalf("GET %s: %s: %s", path, resp.Status, body)
	}
	return body
}

// call calls the admin API and decodes its answer into the given value.
func (s *server) call(method, path string, into any) *http.Response {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, "http://"+s.admin+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := client(s.t).Do(req)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	if into != nil {
		if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
			s.t.Fatalf("%s %s: decoding: %v", method, path, err)
		}
	}
	return resp
}

// row is the status row of a proxy of the pool main.
func (s *server) row(name string) statusRow {
	s.t.Helper()
	var answer statusAnswer
	s.call(http.MethodGet, "/proxy_pool/status", &answer)
	for _, row := range answer.Proxies {
		if row.Name == name {
			return row
		}
	}
	s.t.Fatalf("the status has no proxy %q", name)
	return statusRow{}
}

// eventually waits until a condition holds, and fails where it never does.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(15 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-deadline.C:
			t.Fatalf("never happened: %s", what)
		case <-tick.C:
		}
	}
}

// captured is everything that Caddy logged since the server started.
var captured logBuffer

type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.buf.Reset()
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// logCapture is a log output of Caddy that writes to captured.
type logCapture struct{}

func (logCapture) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "caddy.logging.writers.proxypool_test", New: func() caddy.Module { return new(logCapture) }}
}
func (logCapture) String() string                                   { return "test" }
func (logCapture) WriterKey() string                                { return "test" }
func (logCapture) OpenWriter() (io.WriteCloser, error)              { return nopCloser{&captured}, nil }
func (*logCapture) UnmarshalCaddyfile(d *caddyfile.Dispenser) error { d.Next(); return nil }

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

// runningApps are the configurations of the app that were started.
func runningApps() []*App {
	registry, err := acquireRegistry()
	if err != nil {
		panic(err)
	}
	defer releaseRegistry()
	registry.mu.Lock()
	defer registry.mu.Unlock()
	return slices.Clone(registry.running)
}

// loadApp provisions an app of its own, beside the one that runs.
func loadApp(t *testing.T, s *server, pools string, app *App) {
	t.Helper()
	var config struct {
		Apps map[string]json.RawMessage `json:"apps"`
	}
	if err := json.Unmarshal(s.config(pools, ""), &config); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(config.Apps["proxy_pool"], app); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	t.Cleanup(cancel)
	if err := app.Provision(ctx); err != nil {
		t.Fatal(err)
	}
}
