package proxypool

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// everyCommand is each subcommand, with what it needs, for the pools of [twoPools].
var everyCommand = []string{
	"status", "status --watch", "check", "check main/VPS", "active --pool main", "explain api.example.org --pool main",
	"usage", "log", "events", "enable main/VPS", "disable main/VPS", "mark-healthy main/VPS", "mark-down main/VPS",
	"unblock main/VPS", "reset-stats main/VPS", "alerts test",
}

// TestCommandExitWithoutCaddy: whatever is asked, where nobody answers as the admin
// endpoint does, the command ends with 1, prints nothing, and says why.
func TestCommandExitWithoutCaddy(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }))
	t.Cleanup(other.Close)
	addresses := map[string]string{
		"nobody": "127.0.0.1:1", "no socket": "unix//nowhere/sock", "no admin endpoint": strings.TrimPrefix(other.URL, "http://"), "no address": "127.0.0.1:x",
	}
	for name, address := range addresses {
		for _, args := range everyCommand {
			for _, more := range []string{"", " --json"} {
				t.Run(name+"/"+args+more, func(t *testing.T) {
					came := enter(t.Context(), new(safeBuffer), append(strings.Fields(args+more), "--address", address)...)
					if came.code != 1 || came.out != "" || !strings.Contains(came.errors, "Error: ") || !strings.Contains(came.errors, address) {
						t.Errorf("ended with %d: %s%s", came.code, came.out, came.errors)
					}
				})
			}
		}
	}
}

// TestCommandEveryJSON: --json prints one line of JSON and nothing else, and the
// exit code is that of the table.
func TestCommandEveryJSON(t *testing.T) {
	s := serve(t, twoPools, reverse("https://127.0.0.1:1", "pool main"))
	wantJSON := func(args string, code int) {
		t.Helper()
		came := s.enter(append(strings.Fields(args), "--json")...)
		if came.code != code || !json.Valid([]byte(came.out)) || strings.Count(came.out, "\n") != 1 || came.errors != "" {
			t.Errorf("%s: ended with %d, want %d: %s%s", args, came.code, code, came.out, came.errors)
		}
		if strings.Contains(came.out, "secret") && !strings.HasPrefix(args, "active") {
			t.Errorf("%s: a password is shown: %s", args, came.out)
		}
	}
	for _, args := range everyCommand {
		switch {
		case strings.Contains(args, "--watch"), strings.HasPrefix(args, "check"), strings.HasPrefix(args, "alerts"): // never end, or fail here
			continue
		}
		wantJSON(args, 0)
	}
	s.enter("disable", "main/VPS")
	s.enter("disable", "main/مسکونی")
	for _, args := range []string{"status", "status --pool main", "active --pool main", "explain x.example --pool main"} {
		wantJSON(args, exitUnusable)
	}
	wantJSON("status --pool b", 0)
}

// TestCommandAddress: --address comes before --config, that before the default,
// which CADDY_ADMIN changes, as with Caddy's own commands.
func TestCommandAddress(t *testing.T) {
	s := serve(t, "pool main {\nhealth_check off\nproxy P1 http://127.0.0.1:1\n}", reverse("https://127.0.0.1:1", ""))
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	right := write("right.Caddyfile", "{\n\tadmin "+s.admin+"\n}\n")
	wrong := write("wrong.json", `{"admin": {"listen": "127.0.0.1:1"}}`)
	silent := write("silent.json", `{}`)
	usual := caddy.DefaultAdminListen
	t.Cleanup(func() { caddy.DefaultAdminListen = usual })
	caddy.DefaultAdminListen = s.admin
	tests := []struct {
		name, errors string
		args         []string
	}{
		{"the default", "", nil},
		{"a configuration", "", []string{"--config", right}},
		{"in a configuration without it, the default", "", []string{"--config", silent}},
		{"a configuration before the default", "127.0.0.1:1: ", []string{"--config", wrong}},
		{"the flag before a configuration", "", []string{"--config", wrong, "--address", s.admin}},
		{"the flag before all", "127.0.0.1:2: ", []string{"--config", right, "--address", "127.0.0.1:2"}},
		{"no such configuration", "no such file", []string{"-c", filepath.Join(dir, "none.json")}},
		{"no such adapter", "nope", []string{"-c", right, "-a", "nope"}},
		{"with a scheme", "http://", []string{"--address", "http://" + s.admin}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			came := enter(t.Context(), new(safeBuffer), append([]string{"status"}, test.args...)...)
			if (came.code != 0) != (test.errors != "") || !strings.Contains(came.errors, test.errors) {
				t.Errorf("ended with %d: %s%s", came.code, came.out, came.errors)
			}
		})
	}
}
