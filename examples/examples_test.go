// Package examples_test tries out the examples: each is adapted and validated,
// and the quickstart is run as its README says.
package examples_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/caddy-proxypool/proxypool"
)

// TestExamples validates every Caddyfile here as "caddy validate" does. That
// needs no network, and warns of nothing, bad formatting included.
func TestExamples(t *testing.T) {
	for _, name := range []string{"VPS_PASS", "DC1_PASS", "RES_PASS", "WEATHER_API_KEY", "HOOK_SECRET", "APP_PROXY_PASSWORD", "VPS_PASS_HASH"} {
		t.Setenv(name, "p@ss/{w}:rd")
	}
	t.Setenv("DASHBOARD_PASSWORD_HASH", "$2a$14$Zkx19XLiW6VYouLHR5NmfOFU0z2GTNmpkT/5qqR7hx4IjWJPDhjvG")
	t.Setenv("ADMIN_TELEGRAM_BOT_TOKEN", "123456789:AA-secret")
	t.Setenv("ADMIN_TELEGRAM_CHAT_ID", "4711")
	paths, err := filepath.Glob("*/*Caddyfile")
	if err != nil || len(paths) < 11 {
		t.Fatalf("found %d Caddyfiles: %v", len(paths), err)
	}
	for _, path := range paths {
		t.Run(path, func(t *testing.T) {
			input, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			adapted, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt(input, map[string]any{"filename": path})
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range warnings {
				t.Errorf("line %d: %s", w.Line, w.Message)
			}
			if !bytes.Equal(caddyfile.Format(input), input) {
				t.Error(`not formatted, expected what "caddy fmt" writes`)
			}
			if err := caddy.Validate(configAway(t, adapted)); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestReadmes validates the Caddyfiles in the READMEs that stand for themselves:
// the shortest one, and that of a VPS.
func TestReadmes(t *testing.T) {
	for _, name := range []string{"RES_PASS", "VPS_PASS_HASH"} {
		t.Setenv(name, "secret")
	}
	for _, path := range []string{"../README.md", "../README.fa.md"} {
		t.Run(filepath.Base(path), func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			blocks := regexp.MustCompile("(?s)```caddyfile\n(\\{\n.*?)```").FindAllStringSubmatch(string(text), -1)
			if len(blocks) != 2 {
				t.Fatalf("found %d Caddyfiles, want 2", len(blocks))
			}
			for _, block := range blocks {
				adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(block[1]), nil)
				if err != nil {
					t.Errorf("%v in\n%s", err, block[1])
					continue
				}
				if err := caddy.Validate(configAway(t, adapted)); err != nil {
					t.Errorf("%v in\n%s", err, block[1])
				}
			}
		})
	}
}

// TestSites validates the sites in the documentation, each with a pool beside it.
func TestSites(t *testing.T) {
	for _, name := range []string{"APP_PROXY_PASSWORD", "VPS_PASS_HASH"} {
		t.Setenv(name, "secret")
	}
	const app = "{\n\tproxy_pool {\n\t\tpool main {\n\t\t\tproxy Own direct\n\t\t}\n\t}\n}\n\n"
	for path, least := range map[string]int{"../README.md": 1, "../README.fa.md": 1, "../docs/forward-front.md": 1} {
		t.Run(filepath.Base(path), func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			sites := regexp.MustCompile("(?s)```caddyfile\n(:.*?)```").FindAllStringSubmatch(string(text), -1)
			if len(sites) < least {
				t.Fatalf("found %d sites, want at least %d", len(sites), least)
			}
			for _, site := range sites {
				adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(app+site[1]), nil)
				if err != nil {
					t.Errorf("%v in\n%s", err, site[1])
					continue
				}
				if err := caddy.Validate(configAway(t, adapted)); err != nil {
					t.Errorf("%v in\n%s", err, site[1])
				}
			}
		})
	}
}

// configAway is the configuration with everything that Caddy stores in a
// directory of the test.
func configAway(t *testing.T, raw []byte) *caddy.Config {
	t.Helper()
	var config caddy.Config
	if err := json.Unmarshal(raw, &config); err != nil {
		t.Fatal(err)
	}
	config.StorageRaw = caddyconfig.JSONModuleObject(
		map[string]string{"root": t.TempDir()}, "module", "file_system", nil)
	return &config
}
