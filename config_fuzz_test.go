package proxypool

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/google/go-cmp/cmp"
)

// FuzzConfig loads anything as the app's JSON, as "caddy validate" does. Nothing
// panics, no error shows a password, and what was taken is taken again.
func FuzzConfig(f *testing.F) {
	const password = "Passw0rd-4711"
	for _, config := range appConfigs(f) {
		f.Add(strings.ReplaceAll(config, "user:", "USER@"))
	}
	for _, pool := range []string{
		`{"proxies":[{"name":"A","url":"http://USER@192.0.2.1"}]}`, `{"proxies":[{"name":"A","url":"direct"}],"health_check":{"urls":["https://USER@x/"]}}`,
		`{"proxies":[{"name":"USER@","url":"direct"}]}`, `{"proxies":[{"name":"A","url":"http://{env.USER@}"}]}`, `{"name":"USER@"}`, `null`,
		`{"proxies":[null]}`, `{"proxies":[{"name":"A","url":"direct","budget":{"usd":1e300,"per":"USER@"}}]}`, `{"block":[null,{"status":[429],"header":{"USER@":["*"]}}]}`,
		`{"hedge_delay":"USER@"}`, `{"proxies":[{"name":"A","http_url":"socks5://USER@h:1","https_url":"direct"}],"hedge_delay":-1,"keepalive":-1,"health_check":{"disabled":true}}`,
	} {
		f.Add(`{"storage":{"module":"memory"},"pools":[` + pool + `]}`)
	}
	f.Add(`{"storage":{"module":"USER@"}}`)
	f.Add(`{"storage":{"module":"sqlite","path":"{env.USER@}"},"timezone":"USER@"}`)
	f.Add(`{"alerts":{"notifiers":[{"notifier":"webhook","url":"https://USER@h/x","secret":"USER@","via":["direct"]},{"notifier":"telegram","token":"USER@","chat_id":"4"}]}}`)
	f.Add(`{"usage_log":{"enabled":true,"redact":[{"regexp":"USER@(","replacement":"$1"}]}}`)
	f.Fuzz(func(t *testing.T, raw string) {
		// Caddy's own sources of CAs may go to the network.
		if strings.Contains(raw, "tls_trust_pool") || strings.Contains(raw, `\u`) || strings.Contains(raw, "{file.") {
			return
		}
		raw = strings.ReplaceAll(raw, "USER@", "user:"+password+"@")
		config, err := provisionedConfig(t, []byte(raw))
		if err != nil {
			if strings.Contains(err.Error(), password) && !strings.HasPrefix(err.Error(), "decoding") {
				t.Errorf("%s: an error shows the password: %v", raw, err)
			}
			return
		}
		again, err := provisionedConfig(t, config)
		if err != nil {
			t.Fatalf("%s: was taken, and not again: %v", config, err)
		}
		if diff := cmp.Diff(string(config), string(again)); diff != "" {
			t.Errorf("%s: another configuration the second time: %s", raw, diff)
		}
	})
}

// provisionedConfig provisions an app of a configuration, lets go of it, and
// returns the configuration as the app has it, without what modules have taken.
func provisionedConfig(t *testing.T, raw []byte) ([]byte, error) {
	t.Helper()
	app := new(App)
	if err := caddy.StrictUnmarshalJSON(raw, app); err != nil {
		return nil, decodingError{err}
	}
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	defer cancel()
	defer func() {
		if err := app.Cleanup(); err != nil {
			t.Errorf("cleaning up: %v", err)
		}
	}()
	if err := app.Provision(ctx); err != nil {
		return nil, err
	}
	config, err := json.Marshal(AppConfig{Timezone: app.Timezone, UsageLog: app.UsageLog, Pools: app.Pools})
	if err != nil {
		t.Fatal(err)
	}
	return config, nil
}

// decodingError is one of Caddy's JSON decoder, whose words are not ours.
type decodingError struct{ error }

func (e decodingError) Error() string { return "decoding: " + e.error.Error() }

// appConfigs are the app's configurations in the examples.
func appConfigs(tb testing.TB) []string {
	tb.Helper()
	files, err := filepath.Glob("examples/*/Caddyfile")
	if err != nil || len(files) == 0 {
		tb.Fatalf("%d examples, %v", len(files), err)
	}
	var configs []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt(text, map[string]any{"filename": file})
		if err != nil { // it needs another plugin
			continue
		}
		var config struct {
			Apps map[string]json.RawMessage `json:"apps"`
		}
		if err := json.Unmarshal(adapted, &config); err != nil {
			tb.Fatal(err)
		}
		configs = append(configs, string(config.Apps["proxy_pool"]))
	}
	return configs
}
