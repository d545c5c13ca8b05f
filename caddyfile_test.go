package proxypool

import (
	"encoding/json"
	"errors"
	goflag "flag" // flag is a function of the command
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
)

// loaded is a part of a configuration, as Caddy loads it into a module.
type loaded interface{ validate() error }

// TestFixturesLoad loads the JSON of every fixture that adapts into the structs:
// nothing of it is refused or lost.
func TestFixturesLoad(t *testing.T) {
	fixtures, err := filepath.Glob("caddyfile/testdata/*.caddyfiletest")
	if err != nil || len(fixtures) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	for _, path := range fixtures {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		_, config, _ := strings.Cut(string(raw), "\n----------\n")
		if !strings.HasPrefix(config, "{") {
			continue
		}
		t.Run(strings.TrimSuffix(filepath.Base(path), ".caddyfiletest"), func(t *testing.T) {
			var tree any
			if err := json.Unmarshal([]byte(config), &tree); err != nil {
				t.Fatal(err)
			}
			if found := loadParts(t, tree); found == 0 {
				t.Error("nothing of the module in it")
			}
		})
	}
}

// loadParts finds what is the module's in a configuration and loads it.
func loadParts(t *testing.T, tree any) (found int) {
	t.Helper()
	switch node := tree.(type) {
	case []any:
		for _, v := range node {
			found += loadParts(t, v)
		}
	case map[string]any:
		switch {
		case node["handler"] == moduleName:
			delete(node, "handler")
			load(t, node, new(HandlerConfig))
			return 1
		case node["handler"] == forwardDirective:
			delete(node, "handler")
			load(t, node, new(FrontConfig))
			return 1
		case node["handler"] == dashboardDirective:
			delete(node, "handler")
			load(t, node, new(DashboardConfig))
			return 1
		case node["from"] == moduleName:
			delete(node, "from")
			load(t, node, new(NetworkProxy))
			return 1
		case node["protocol"] == moduleName:
			delete(node, "protocol")
			load(t, node, new(Transport))
			return 1
		}
		for key, v := range node {
			if key == moduleName {
				load(t, v, new(AppConfig))
				found++
				continue
			}
			found += loadParts(t, v)
		}
	}
	return found
}

func load(t *testing.T, part any, into loaded) {
	t.Helper()
	before, err := json.Marshal(part)
	if err != nil {
		t.Fatal(err)
	}
	if err := caddy.StrictUnmarshalJSON(before, into); err != nil {
		t.Fatal(err)
	}
	if err := into.validate(); err != nil {
		t.Error(err)
	}
	if after := canonical(t, into); after != string(before) {
		t.Errorf("loaded\n%s\nbecame\n%s", before, after)
	}
}

// canonical is the JSON of v with its keys in order.
func canonical(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var tree any
	if err := json.Unmarshal(raw, &tree); err != nil {
		t.Fatal(err)
	}
	raw, err = json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// FuzzCaddyfile reads anything as each of the module's Caddyfile parts. Nothing
// panics, no error shows a password, and what was read is valid when loaded.
func FuzzCaddyfile(f *testing.F) {
	const password = "Passw0rd-4711"
	for i, path := range must(filepath.Glob("caddyfile/testdata/*.caddyfiletest")) {
		// A fuzzer first weighs every seed, at 0.1 to 0.5 s of a busy machine for each.
		if goflag.Lookup("test.fuzz").Value.String() != "" && i%8 != 0 {
			continue
		}
		input, _, _ := strings.Cut(string(must(os.ReadFile(path))), "\n----------\n")
		f.Add(input)
	}
	f.Add("proxy_pool {\npool {\nproxy http://USER@192.0.2.1\n}\n}")
	f.Add("proxy_pool {\npool {\nproxy A {\nhttp_url http://192.0.2.1:USER@\n}\n}\n}")
	f.Add("proxy_pool http://USER@host/ USER@ {\nUSER@x y\n}")
	f.Add("proxy_pool {\nusage_log USER@\n}")
	f.Add("proxy_pool {\nusage_log on {\nredact USER@( USER@x USER@\n}\n}")
	f.Add("proxy_pool {\nalerts {\nlanguage USER@\n}\n}")
	f.Add("proxy_pool {\nalerts {\nUSER@ x\n}\n}")
	f.Add("proxy_pool {\nalerts USER@ {\ndaily_report USER@\n}\n}")
	f.Add("proxy_pool {\nalerts {\nwebhook http://USER@h/x USER@ {\nsecret USER@ x\nheader X USER@\nvia USER@\ntimeout USER@\n}\n}\n}")
	f.Add("proxy_pool {\nalerts {\nwebhook ftp://USER@h/x\n}\n}")
	f.Add("proxy_pool {\nstorage sqlite USER@x USER@\n}")
	f.Add("proxy_pool {\npool {\nproxy A direct {\nbudget 5GB USER@x USER@\ntraffic_alert USER@\n}\n}\n}")
	f.Add("proxy_pool_forward USER@ {\nallow *\n}")
	f.Add("proxy_pool_forward {\nallow USER@host https://USER@host/\n}")
	f.Add("proxy_pool_forward {\nbasic_auth USER@ x y\n}")
	f.Add("proxy_pool_forward {\nbasic_auth USER@x USER@y\nclients USER@\n}")
	f.Add("proxy_pool_forward {\nallow *\nbasic_auth app USER@\nbasic_auth app USER@\n}")
	f.Add("proxy_pool_forward {\nallow_private USER@\nopen_to_everyone USER@\n}")
	f.Add("proxy_pool_dashboard USER@ {\nactions USER@\n}")
	f.Add("proxy_pool_dashboard {\nallow_remote USER@\npool USER@/x\n}")
	f.Fuzz(func(t *testing.T, input string) {
		// What Caddy's own parsers of CA sources say is theirs.
		secret := !strings.Contains(input, "tls_trust_pool")
		input = strings.ReplaceAll(input, "USER@", "user:"+password+"@")
		tokens, err := caddyfile.Tokenize([]byte(input), "Caddyfile")
		if err != nil || len(tokens) == 0 {
			return
		}
		handler, front, transport, dashboard := new(Handler), new(ForwardFront), new(Transport), new(Dashboard)
		app, appErr := parseGlobalOption(caddyfile.NewDispenser(tokens), nil)
		handlerErr := handler.UnmarshalCaddyfile(caddyfile.NewDispenser(tokens))
		frontErr := front.UnmarshalCaddyfile(caddyfile.NewDispenser(tokens))
		transportErr := transport.UnmarshalCaddyfile(caddyfile.NewDispenser(tokens))
		dashboardErr := dashboard.UnmarshalCaddyfile(caddyfile.NewDispenser(tokens))
		if err := errors.Join(appErr, handlerErr, frontErr, transportErr, dashboardErr); secret && err != nil && strings.Contains(err.Error(), password) {
			t.Errorf("an error shows the password: %v", err)
		}
		if appErr == nil {
			config := new(AppConfig)
			if err := caddy.StrictUnmarshalJSON(app.(httpcaddyfile.App).Value, config); err != nil {
				t.Errorf("adapted JSON does not load: %v", err)
			}
			if err := config.validate(); err != nil {
				t.Errorf("adapted, but not valid: %v", err)
			}
		}
		for part, err := range map[loaded]error{handler: handlerErr, front: frontErr, transport: transportErr, dashboard: dashboardErr} {
			if invalid := part.validate(); err == nil && invalid != nil {
				t.Errorf("adapted, but not valid: %v", invalid)
			}
		}
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
