package examples_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"

	"github.com/caddy-proxypool/proxypool/internal/caddytest"
	"github.com/caddy-proxypool/proxypool/internal/proxytest"
)

// What the clients call. The name is known to the proxy alone, so that nothing
// arrives past it.
const (
	clientsTarget = "api.example.test"
	clientsToken  = "123456:AA-token"
)

// clientWorld is a proxy with a login, and an API behind it, with TLS and without.
type clientWorld struct {
	proxy         *proxytest.Proxy
	secure, plain *proxytest.Origin
	ca            string
}

func newClientWorld(t *testing.T) *clientWorld {
	t.Helper()
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/missing") {
			http.Error(w, "not here", http.StatusNotFound)
			return
		}
		_, _ = fmt.Fprintf(w, "hello %s", r.Header.Get("Proxy-Authorization"))
	})
	w := &clientWorld{
		secure: proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true, Handler: api}),
		plain:  proxytest.NewOrigin(t, proxytest.OriginConfig{Handler: api}),
		ca:     proxytest.CAFile(t),
	}
	w.proxy = proxytest.NewProxy(t, proxytest.ProxyConfig{
		Username: "app", Password: "p@ss:w/rd",
		Hosts: map[string]string{clientsTarget + ":443": w.secure.Addr(), clientsTarget + ":80": w.plain.Addr()},
	})
	return w
}

// asked is how many requests arrived at the API.
func (w *clientWorld) asked() int { return w.secure.Requests() + w.plain.Requests() }

// run runs a client with only these variables of the environment and what every
// program needs, and returns what it wrote.
func (w *clientWorld) run(t *testing.T, command []string, env ...string) (output string, ok bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "PYTHONDONTWRITEBYTECODE=1",
		"REQUESTS_CA_BUNDLE=" + w.ca, "SSL_CERT_FILE=" + w.ca, "CURL_CA_BUNDLE=" + w.ca, "NODE_EXTRA_CA_CERTS=" + w.ca,
	}, env...)
	out, err := cmd.CombinedOutput()
	return string(out), err == nil
}

// clients are the programs by name, with the command that runs each.
func clients(t *testing.T) map[string][]string {
	t.Helper()
	for _, program := range []string{"node", "curl"} {
		if caddytest.Program(program) == "" {
			caddytest.Lacks(t, program)
		}
	}
	built := filepath.Join(t.TempDir(), "client")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", built, "./clients/go").CombinedOutput()
	if err != nil {
		t.Fatalf("building the Go client: %v\n%s", err, out)
	}
	return map[string][]string{
		"python": {python(t), "clients/python/requests_via_proxy.py"},
		"node":   {"node", "clients/node/fetch.mjs"},
		"curl":   {"clients/curl.sh"},
		"go":     {built},
	}
}

func python(t *testing.T) string {
	t.Helper()
	return caddytest.PythonWith(t, "requests, django")
}

// TestClients runs each client through a proxy, as its comment says.
func TestClients(t *testing.T) {
	w := newClientWorld(t)
	wrong := strings.Replace(w.proxy.URL(), "app:", "nobody:", 1)
	const path = clientsTarget + "/bot" + clientsToken
	tests := []struct {
		name, url, proxy string
		ok               bool
		prints           string // a regular expression
		asked            int    // the API
	}{
		{"well", "https://" + path, w.proxy.URL(), true, `(?s)200.*hello|hello.*200`, 1},
		{"without TLS", "http://" + path, w.proxy.URL(), true, `(?s)200.*hello|hello.*200`, 1},
		{"error", "https://" + path + "/missing", w.proxy.URL(), false, `(?s)404.*not here|not here.*404`, 1},
		{"wrong login", "https://" + path, wrong, false, `407|Proxy Authentication Required`, 0},
		{"wrong login without TLS", "http://" + path, wrong, false, `407|Proxy Authentication Required`, 0},
	}
	for name, command := range clients(t) {
		for _, test := range tests {
			t.Run(name+"/"+test.name, func(t *testing.T) {
				before := w.asked()
				out, ok := w.run(t, append(command, test.url),
					"HTTPS_PROXY="+test.proxy, "HTTP_PROXY="+test.proxy, "http_proxy="+test.proxy)
				if asked := w.asked() - before; ok != test.ok || asked != test.asked {
					t.Errorf("succeeded %v, the API was asked %d times; want %v and %d\n%s", ok, asked, test.ok, test.asked, out)
				}
				if !regexp.MustCompile(test.prints).MatchString(out) {
					t.Errorf("printed nothing that matches %q:\n%s", test.prints, out)
				}
				for _, secret := range []string{"ss:w", "ss%3Aw", "Basic", clientsToken} {
					if strings.Contains(out, secret) {
						t.Errorf("printed %q:\n%s", secret, out)
					}
				}
			})
		}
	}
}

// TestClientsWithNamedProxy gives the proxy as an argument, or in the settings.
func TestClientsWithNamedProxy(t *testing.T) {
	w := newClientWorld(t)
	commands := clients(t)
	const url, django = "https://" + clientsTarget, "from django_settings import *; import requests, sys; print(requests.get(sys.argv[1]).text)"
	tests := []struct {
		name    string
		command []string
	}{
		{"python", append(commands["python"], "--proxy", w.proxy.URL(), url)},
		{"go", append(commands["go"], "-proxy", w.proxy.URL(), url)},
		{"curl", append(commands["curl"], url, w.proxy.URL())},
		{"django", []string{commands["python"][0], "-c", django, url}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			before := w.asked()
			out, ok := w.run(t, test.command, "PYTHONPATH=clients/python", "PROXY_POOL_URL="+w.proxy.URL())
			if asked := w.asked() - before; !ok || asked != 1 || !strings.Contains(out, "hello") {
				t.Errorf("succeeded %v, the API was asked %d times, printed\n%s", ok, asked, out)
			}
		})
	}
}

// TestActiveProxyClient asks a real pool. Where it names no proxy, the client
// fails, and calls nothing.
func TestActiveProxyClient(t *testing.T) {
	w := newClientWorld(t)
	admin := "127.0.0.1:" + freePorts(t, "admin")["admin"]
	config := fmt.Sprintf("{\nadmin %s\npersist_config off\nproxy_pool {\nstorage memory\npool main {\nhealth_check off\nproxy One %s\n}\n}\n}\n", admin, w.proxy.URL())
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(config), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		t.Fatal(err)
	}
	if err := caddy.Load(adapted, true); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = caddy.Stop() })
	steps := []struct {
		action string
		ok     bool
		prints string
		asked  int
	}{
		{"", true, "hello", 1},
		{"disable", false, "NoProxyUsable: no proxy of the pool is usable now", 1},
		{"enable", true, "hello", 2},
	}
	for _, step := range steps {
		if step.action != "" {
			act(t, "http://"+admin+"/proxy_pool/proxies/main/One/"+step.action)
		}
		out, ok := w.run(t, []string{python(t), "clients/python/get_active_proxy.py", "https://" + clientsTarget},
			"CADDY_ADMIN=http://"+admin, "HTTPS_PROXY="+w.proxy.URL(), "HTTP_PROXY=http://127.0.0.1:1")
		if ok != step.ok || !strings.Contains(out, step.prints) || w.asked() != step.asked {
			t.Errorf("after %q: succeeded %v, the API was asked %d times, printed\n%s\nwant %+v", step.action, ok, w.asked(), out, step)
		}
	}
	out, ok := w.run(t, []string{python(t), "clients/python/get_active_proxy.py", "https://" + clientsTarget}, "CADDY_ADMIN=http://127.0.0.1:1")
	if ok || !strings.Contains(out, "NoProxyUsable: asking Caddy for a proxy") {
		t.Errorf("without Caddy: succeeded %v, printed\n%s", ok, out)
	}
}

func act(t *testing.T, url string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", url, resp.Status)
	}
}
