package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddy-proxypool/proxypool/internal/caddytest"
	"github.com/caddy-proxypool/proxypool/internal/proxytest"
)

// apiName is what the clients call. The proxies alone know where it is, so that
// nothing arrives past them; and clients that call localhost past their proxy
// don't this.
const apiName = "api.example.test"

// clients is a world of two proxies, cheap and dear, and an API behind them.
type clients struct {
	api         *proxytest.Origin
	cheap, dear *proxytest.Proxy
	caddy       *process
	env         []string // of every client
}

func newClients(t *testing.T) *clients {
	t.Helper()
	c := &clients{api: proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true, Handler: http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			_, _ = fmt.Fprintf(w, "hello %s", r.Header.Get("Proxy-Authorization"))
		})})}
	knows := proxytest.ProxyConfig{Hosts: map[string]string{apiName + ":443": c.api.Addr()}}
	c.cheap, c.dear = proxytest.NewProxy(t, knows), proxytest.NewProxy(t, knows)
	ca := proxytest.CAFile(t)
	c.caddy = start(t, forwarding(setup{Site: "proxy_pool https://" + apiName, Pools: fmt.Sprintf(`storage memory
pool main {
	tls_trust_pool file %s
	keepalive off
	health_check off
	proxy Cheap %s
	proxy Dear %s {
		cost_per_gb 12
	}
}`, ca, c.cheap.URL(), c.dear.URL())}, ""))
	c.env = append(caddytest.Environ(), "PYTHONDONTWRITEBYTECODE=1", "CADDY_ADMIN=http://"+c.caddy.Admin,
		"REQUESTS_CA_BUNDLE="+ca, "SSL_CERT_FILE="+ca, "CURL_CA_BUNDLE="+ca, "NODE_EXTRA_CA_CERTS="+ca)
	return c
}

// proxy is what HTTPS_PROXY is set to.
func (c *clients) proxy(password string) string {
	u := url.URL{Scheme: "http", User: url.UserPassword(appName, password), Host: c.caddy.Front}
	return u.String()
}

// run runs a client, and returns what it wrote.
func (c *clients) run(t *testing.T, command []string, env ...string) (output string, ok bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env = append(append([]string(nil), c.env...), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err == nil
}

// over waits until the connections of a client that has ended are gone.
func (c *clients) over(t *testing.T) {
	t.Helper()
	caddytest.Eventually(t, "nobody is connected to the proxies", 10*time.Second, func() bool {
		return c.cheap.Standing()+c.dear.Standing() == 0
	})
}

// needs is for a program that a client runs in.
func needs(t *testing.T, program string) {
	t.Helper()
	if caddytest.Program(program) == "" {
		caddytest.Lacks(t, program)
	}
}

// TestClients runs the programs of examples/clients: through the forward front, of
// which they are told by HTTPS_PROXY and nothing else, and through the reverse front,
// whose URL they are given in place of the API's.
//
//nolint:tparallel // one after the other, because they share the proxies
func TestClients(t *testing.T) {
	t.Parallel()
	c := newClients(t)
	const dir = "../examples/clients/"
	for _, client := range []struct {
		name    string
		command func(t *testing.T) []string
	}{
		{"curl", func(t *testing.T) []string {
			needs(t, "curl")
			return []string{dir + "curl.sh"}
		}},
		{"requests", func(t *testing.T) []string {
			return []string{caddytest.PythonWith(t, "requests"), dir + "python/requests_via_proxy.py"}
		}},
		{"Django", func(t *testing.T) []string {
			return []string{caddytest.PythonWith(t, "requests, django"), djangoProject(t)}
		}},
		{"Node", func(t *testing.T) []string {
			needs(t, "node")
			return []string{"node", dir + "node/fetch.mjs"}
		}},
		{"Go", func(t *testing.T) []string {
			built := filepath.Join(t.TempDir(), "client")
			if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", built, dir+"go").CombinedOutput(); err != nil {
				t.Fatalf("building the client: %v\n%s", err, out)
			}
			return []string{built}
		}},
	} {
		t.Run(client.name, func(t *testing.T) { c.try(t, client.command(t)) })
	}
}

// try runs a client where all works, where the first proxy is broken, and with a
// wrong password.
func (c *clients) try(t *testing.T, command []string) {
	const token = "/bot123456:AA-token/getMe"
	for _, step := range []struct {
		name        string
		mode        proxytest.Mode
		password    string
		ok          bool
		prints      string // a regular expression
		cheap, dear int    // tunnels
		reverse     bool
	}{
		{"works", proxytest.Works, appPassword, true, `(?s)200.*hello|hello.*200`, 1, 0, false},
		{"the first proxy is dead", proxytest.Refuse, appPassword, true, `(?s)200.*hello|hello.*200`, 0, 1, false},
		{"the first proxy is back", proxytest.Works, appPassword, true, `(?s)200.*hello|hello.*200`, 1, 0, false},
		{"reverse front", proxytest.Works, "", true, `(?s)200.*hello|hello.*200`, 1, 0, true},
		{"reverse front, and the first proxy is dead", proxytest.Refuse, "", true, `(?s)200.*hello|hello.*200`, 0, 1, true},
		{"wrong password", proxytest.Works, "wrong", false, `407|Proxy Authentication Required`, 0, 0, false},
	} {
		c.cheap.MustSetMode(t, step.mode)
		if step.mode == proxytest.Works { // in place of a check that finds out
			if err := c.caddy.Act("Cheap", "mark-healthy"); err != nil {
				t.Fatal(err)
			}
		}
		asked, cheap, dear := c.api.Requests(), c.cheap.Connects(apiName+":443"), c.dear.Connects(apiName+":443")
		base, env := "https://"+apiName, []string{"HTTPS_PROXY=" + c.proxy(step.password), "PROXY_POOL_URL=" + c.proxy(step.password)}
		words := command
		if step.reverse {
			base, env = c.caddy.URL, nil
			if command[0] == "node" { // the example is about proxies alone
				words = []string{"node", "--input-type=module", "-e",
					"const a = await fetch(process.argv[1]); console.log(a.status, await a.text())"}
			}
		}
		out, ok := c.run(t, append(slices.Clone(words), base+token), env...)
		c.over(t) // a tunnel that the next step cuts would raise suspicion, and a probe
		asked, cheap, dear = c.api.Requests()-asked, c.cheap.Connects(apiName+":443")-cheap, c.dear.Connects(apiName+":443")-dear
		if ok != step.ok || asked != step.cheap+step.dear || cheap != step.cheap || dear != step.dear {
			t.Errorf("%s: succeeded %v, the API was asked %d times, %d tunnels through the cheap proxy and %d through the dear one; want %+v\n%s",
				step.name, ok, asked, cheap, dear, step, out)
		}
		if !regexp.MustCompile(step.prints).MatchString(out) {
			t.Errorf("%s: printed nothing that matches %q:\n%s", step.name, step.prints, out)
		}
		for _, secret := range []string{"Basic", appPassword, url.QueryEscape(appPassword), token} {
			if strings.Contains(out, secret) {
				t.Errorf("%s: printed %q:\n%s", step.name, secret, out)
			}
		}
	}
}

// djangoProject makes a project whose settings begin with those of the examples,
// and returns a program of it that calls a URL.
func djangoProject(t *testing.T) (program string) {
	t.Helper()
	dir := t.TempDir()
	settings, err := os.ReadFile("../examples/clients/python/django_settings.py")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"settings.py": string(settings) + "\nSECRET_KEY = 'of this test'\nINSTALLED_APPS = []\n",
		"call.py": `import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
os.environ.pop("HTTPS_PROXY", None)  # of this test; the settings have it
import django
django.setup()
import requests
try:
    answer = requests.get(sys.argv[1], timeout=30)
except requests.RequestException as error:
    sys.exit(str(error.args[0].reason))
print(answer.status_code, answer.text)
`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "call.py")
}

// TestActiveProxy runs the program that asks the pool for a proxy, and goes past
// Caddy. Where none is usable it calls nobody.
func TestActiveProxy(t *testing.T) {
	t.Parallel()
	c := newClients(t)
	command := []string{caddytest.PythonWith(t, "requests"), "../examples/clients/python/get_active_proxy.py", "https://" + apiName}
	for _, step := range []struct {
		name    string
		disable []string
		ok      bool
		prints  string
		through *proxytest.Proxy
	}{
		{"the cheap one", nil, true, "hello", c.cheap},
		{"the dear one", []string{"Cheap"}, true, "hello", c.dear},
		{"none", []string{"Dear"}, false, "NoProxyUsable: no proxy of the pool is usable now", nil},
	} {
		for _, name := range step.disable {
			if err := c.caddy.Act(name, "disable"); err != nil {
				t.Fatal(err)
			}
		}
		asked, before := c.api.Requests(), 0
		if step.through != nil {
			before = step.through.Connects(apiName + ":443")
		}
		out, ok := c.run(t, command)
		if ok != step.ok || !strings.Contains(out, step.prints) {
			t.Errorf("%s: succeeded %v, printed\n%s", step.name, ok, out)
		}
		want := 0
		if step.through != nil {
			want = 1
			if n := step.through.Connects(apiName+":443") - before; n != 1 {
				t.Errorf("%s: %d tunnels", step.name, n)
			}
		}
		if n := c.api.Requests() - asked; n != want {
			t.Errorf("%s: the API was asked %d times, want %d", step.name, n, want)
		}
	}
	c.caddy.Stop()
	if out, ok := c.run(t, command); ok || !strings.Contains(out, "NoProxyUsable: asking Caddy for a proxy") {
		t.Errorf("without Caddy: succeeded %v, printed\n%s", ok, out)
	}
}
