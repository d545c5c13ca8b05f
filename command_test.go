package proxypool

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/caddy-proxypool/proxypool/internal/proxytest"
)

// typed is what came of a command.
type typed struct {
	out, errors string
	code        int
}

// enter runs `caddy proxy-pool` with these arguments in this process.
func enter(ctx context.Context, out *safeBuffer, args ...string) typed {
	root := &cobra.Command{Use: "proxy-pool", SilenceUsage: true}
	buildCommand(root)
	var errors bytes.Buffer
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(&errors)
	err := root.ExecuteContext(ctx)
	came := typed{out: out.String(), errors: errors.String()}
	switch {
	case err == nil:
	case err.Error() == "exiting with status 2":
		came.code = 2
	default:
		came.code = 1
	}
	return came
}

func (s *server) enter(args ...string) typed {
	s.t.Helper()
	return enter(s.t.Context(), new(safeBuffer), append(args, "--address", s.admin)...)
}

// safeBuffer may be read while it is written.
type safeBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

const twoPools = `pool main {
	health_check off
	proxy VPS http://user:secret@127.0.0.1:1 {
		type vps
	}
	proxy مسکونی http://127.0.0.1:2 {
		type residential
		cost_per_gb 12
	}
}
pool b {
	health_check off
	proxy VPS http://127.0.0.1:3
	proxy Only-B http://127.0.0.1:4
}`

// TestCommand: what each subcommand prints, and how it ends.
func TestCommand(t *testing.T) {
	s := serve(t, twoPools, reverse("https://127.0.0.1:1", "pool main"))
	steps := []struct {
		args, want string // want is a regular expression
		code       int
	}{
		{"status", `(?s)PROXY.*\n→  main/VPS +vps +healthy +yes .*\n   .?main/.?مسکونی.*\n→  b/VPS .*b/Only-B.*4 proxies: 4 healthy.*\nPool main: VPS carries the traffic, 2 of 2 usable\.\n`, 0},
		{"status --pool b", `(?s)PROXY.*\n→  VPS .*\n   Only-B .*2 proxies: 2 healthy`, 0},
		{"disable main/VPS", `VPS +vps +disabled +no`, 0},
		{"status", `4 proxies: 3 healthy, 1 disabled`, 0},
		{"disable main/مسکونی", `disabled`, 0},
		{"status", `Pool main has no usable proxy`, 2},
		{"status --pool b", `2 healthy`, 0},
		{"active --pool main", `No proxy can be handed out`, 2},
		{"explain api.example.org --pool main", `(?s)api\.example\.org:443 in pool main.*VPS +no +disabled.*None of 2 is usable`, 2},
		{"enable main/VPS", `VPS +vps +healthy +yes`, 0},
		{"active --pool main", `VPS +https +http://user:secret@127\.0\.0\.1:1\n`, 0},
		{"explain api.example.org --pool main", `(?m)^1 +VPS +yes +usable$`, 0},
		{"mark-down b/VPS", `down +no`, 0},
		{"mark-healthy b/VPS", `healthy +yes`, 0},
		{"unblock b/VPS", `healthy`, 0},
		{"reset-stats b/VPS", `healthy`, 0},
		{"usage", `(?s)From .* to .*PROXY +REQUESTS.*main/VPS +0 .*total +0`, 0},
		{"usage --by day --pool b", `(?s)DAY +REQUESTS.*total`, 0},
		{"events --pool b", `(?s)TIME +PROXY +FROM +TO.*b/VPS +down +healthy +marked healthy\n.*b/VPS +healthy +down +marked down`, 0},
		{"events --limit 1 --pool b", `(?s)^TIME[^\n]*\n[^\n]*b/VPS +down +healthy +marked healthy\n$`, 0},
		{"log", `No requests found\. They are kept where usage_log is on`, 0},
		{"log --failed", `No requests`, 0},
	}
	for _, step := range steps {
		t.Run(step.args, func(t *testing.T) {
			came := s.enter(strings.Fields(step.args)...)
			if !regexp.MustCompile(step.want).MatchString(came.out) || came.code != step.code || came.errors != "" {
				t.Errorf("ended with %d, want %d and %s\n%s%s", came.code, step.code, step.want, came.out, came.errors)
			}
			if strings.Contains(came.out, "secret") && !strings.HasPrefix(step.args, "active") {
				t.Errorf("a password is shown:\n%s", came.out)
			}
		})
	}
}

// TestCommandErrors: the command fails with what is wrong, and with no usage.
func TestCommandErrors(t *testing.T) {
	s := serve(t, twoPools, reverse("https://127.0.0.1:1", "pool main"))
	tests := []struct{ args, want string }{
		{"status --pool nope", `unknown pool "nope"`},
		{"status 5s", "status takes no argument without --watch"},
		{"status --watch soon", `expected an interval of at least 100ms such as 2s, got "soon"`},
		{"status --watch=1ms", "expected an interval"},
		{"disable VPS", `expected main/VPS or b/VPS, got "VPS"`},
		{"disable Nope", `no pool has a proxy "Nope"`},
		{"disable main/Nope", `pool "main" has no proxy "Nope"`},
		{"disable", "disable: expected a proxy such as main/VPS, got 0 arguments"},
		{"explain a b", "explain: expected a target such as api.telegram.org, got 2 arguments"},
		{"check main/VPS", "health_check off"},
		{"check main/VPS --pool main", "got both"},
		{"active", "expected the name of a pool"},
		{"explain ftp://x --pool main", "expected a host"},
		{"usage --by month", "expected proxy, target, hour or day"},
		{"events --limit 5000", "expected a number from 1 to 1000"},
		{"alerts test", "no destinations of alerts are configured"},
		{"explode", `unknown command "explode"`},
		{"status --nope", "unknown flag: --nope"},
	}
	for _, test := range tests {
		t.Run(test.args, func(t *testing.T) {
			came := s.enter(strings.Fields(test.args)...)
			if !strings.Contains(came.errors, test.want) || came.code != 1 || strings.Contains(came.out+came.errors, "Usage:") {
				t.Errorf("ended with %d\n%s%s", came.code, came.out, came.errors)
			}
		})
	}
}

// TestCommandNobody: the address that was tried is told, whoever is there.
func TestCommandNobody(t *testing.T) {
	answer := func(status int, text string) string {
		other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			fmt.Fprint(w, text)
		}))
		t.Cleanup(other.Close)
		return strings.TrimPrefix(other.URL, "http://")
	}
	tests := []struct{ name, address, want string }{
		{"nobody", "127.0.0.1:1", "asking Caddy at 127.0.0.1:1: dial tcp 127.0.0.1:1: connect: connection refused"},
		{"no socket", "unix//nowhere/sock", "asking Caddy at unix//nowhere/sock: dial unix /nowhere/sock"},
		{"Caddy without the module", answer(404, "404 page not found"), "it seems to lack this module"},
		{"no Caddy", answer(200, "<html>"), "it is not that of Caddy's admin endpoint"},
		{"refused", answer(403, `{"error":"host not allowed: x"}`), "host not allowed: x"},
		{"broken", answer(500, ""), "it answered 500 Internal Server Error"},
		{"no address", "127.0.0.1:1-5", "expected one port"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			came := enter(t.Context(), new(safeBuffer), "status", "--address", test.address)
			if !strings.Contains(came.errors, test.want) || !strings.Contains(came.errors, test.address) || came.code != 1 {
				t.Errorf("ended with %d: %s%s", came.code, came.out, came.errors)
			}
		})
	}
}

// TestCommandJSON: scripts get what the API answers, and the same exit codes.
func TestCommandJSON(t *testing.T) {
	s := serve(t, "pool main {\nhealth_check off\nproxy P1 http://127.0.0.1:1\n}", reverse("https://127.0.0.1:1", ""))
	for _, args := range []string{"explain api.example.org", "active", "usage --from 2026-01-01 --to 2026-01-02", "events"} {
		t.Run(args, func(t *testing.T) {
			came := s.enter(strings.Fields(args + " --json")...)
			path := map[string]string{
				"explain api.example.org":                 "explain?target=api.example.org",
				"usage --from 2026-01-01 --to 2026-01-02": "usage?from=2026-01-01&to=2026-01-02",
			}[args]
			if path == "" {
				path = args
			}
			resp, body := s.asIs("/proxy_pool/" + path)
			if diff := cmp.Diff(body, came.out); diff != "" || resp.StatusCode != 200 {
				t.Errorf("%s (-API +command):\n%s", resp.Status, diff)
			}
		})
	}
}

// asIs is an answer of the admin API as it is.
func (s *server) asIs(path string) (*http.Response, string) {
	s.t.Helper()
	resp, err := client(s.t).Get("http://" + s.admin + path)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	var text bytes.Buffer
	if _, err := text.ReadFrom(resp.Body); err != nil {
		s.t.Fatal(err)
	}
	return resp, text.String()
}

func TestCommandCheck(t *testing.T) {
	origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true})
	good, bad := proxytest.NewProxy(t, proxytest.ProxyConfig{}), proxytest.NewProxy(t, proxytest.ProxyConfig{})
	checked := fmt.Sprintf("max_failures 1\nhealth_check {\nurl %s\ninterval 1h\n}", origin.URL())
	s := serve(t, strings.Replace(onePool(t, "", good, bad), "health_check off", checked, 1), reverse(origin.URL(), ""))
	steps := []struct {
		args, want string
		code       int
	}{
		{"check", `(?s)^2 proxies: 2 healthy`, 0},
		{"check P1", `P1 +other +healthy +yes`, 0},
		{"break P2", "", 0},
		{"check", `(?s)^PROXY.*\nP2 +other +down +no .*dial_refused\n\n2 proxies: 1 healthy, 1 down`, 2},
		{"check main/P2", `P2 +other +down +no`, 2},
		{"check P1", `P1 +other +healthy +yes`, 0},
		{"check --json", `^{"message":"Health check completed","results":{.*"down":1`, 2},
	}
	for _, step := range steps {
		if step.args == "break P2" {
			bad.MustSetMode(t, proxytest.Refuse)
			continue
		}
		came := s.enter(strings.Fields(step.args)...)
		if !regexp.MustCompile(step.want).MatchString(came.out) || came.code != step.code {
			t.Errorf("%s: ended with %d, want %d\n%s%s", step.args, came.code, step.code, came.out, came.errors)
		}
	}
}

// TestCommandFindsCaddy: at a socket, and where a configuration says.
func TestCommandFindsCaddy(t *testing.T) {
	s := serve(t, "pool main {\nhealth_check off\nproxy P1 http://127.0.0.1:1\n}", reverse("https://127.0.0.1:1", ""))
	dir := t.TempDir()
	config := filepath.Join(dir, "Caddyfile")
	if err := os.WriteFile(config, []byte("{\n\tadmin "+s.admin+"\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if came := enter(t.Context(), new(safeBuffer), "status", "--config", config); came.code != 0 || !strings.Contains(came.out, "healthy") {
		t.Errorf("--config: %+v", came)
	}
	s.admin = "unix/" + filepath.Join(dir, "admin.sock") + "|0600"
	s.reload()
	for _, address := range []string{s.admin, strings.TrimSuffix(s.admin, "|0600")} {
		if came := enter(t.Context(), new(safeBuffer), "status", "--address", address); came.code != 0 || !strings.Contains(came.out, "healthy") {
			t.Errorf("%s: %+v", address, came)
		}
	}
}

// TestWatch: the status is shown anew, also after Caddy was away for a while.
func TestWatch(t *testing.T) {
	for _, mode := range []string{"table", "json"} {
		t.Run(mode, func(t *testing.T) {
			var mu sync.Mutex
			answer := `{"summary":{"total":1,"healthy":1},"pools":[],"proxies":[{"pool":"main","name":"First","usable":true}],"store":{"ok":true}}`
			caddy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				mu.Lock()
				defer mu.Unlock()
				if answer == "" {
					panic(http.ErrAbortHandler)
				}
				fmt.Fprintln(w, answer)
			}))
			defer caddy.Close()
			set := func(text string) {
				mu.Lock()
				defer mu.Unlock()
				answer = text
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			out, ended := new(safeBuffer), make(chan typed, 1)
			args := []string{"status", "--watch", "100ms", "--address", strings.TrimPrefix(caddy.URL, "http://"), "--json=" + fmt.Sprint(mode == "json")}
			go func() { ended <- enter(ctx, out, args...) }()
			eventually(t, "it is shown twice", func() bool { return strings.Count(out.String(), "First") >= 2 })
			set("")
			if mode == "table" {
				eventually(t, "Caddy is lost", func() bool {
					return strings.Contains(out.String(), "Lost for 0s, trying again: asking Caddy at 127.0.0.1")
				})
			}
			set(`{"summary":{"total":1,"healthy":1},"pools":[],"proxies":[{"pool":"main","name":"Second","usable":true}],"store":{"ok":true}}`)
			eventually(t, "it goes on", func() bool { return strings.Contains(out.String(), "Second") })
			cancel()
			select {
			case came := <-ended:
				if came.code != 0 {
					t.Errorf("ended with %d: %s", came.code, came.errors)
				}
			case <-time.After(5 * time.Second):
				t.Fatal("it did not end")
			}
		})
	}
}

// TestWatchNeedsCaddy: where there is none at the start, it does not wait for one.
func TestWatchNeedsCaddy(t *testing.T) {
	if came := enter(t.Context(), new(safeBuffer), "status", "--watch", "--address", "127.0.0.1:1"); came.code != 1 {
		t.Errorf("ended with %d: %s%s", came.code, came.out, came.errors)
	}
}
