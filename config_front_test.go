package proxypool

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/google/go-cmp/cmp"
)

func readFront(t *testing.T, config string) (FrontConfig, error) {
	t.Helper()
	var c FrontConfig
	if err := json.Unmarshal([]byte(config), &c); err != nil {
		t.Fatal(err)
	}
	if err := c.resolve(caddy.NewReplacer()); err != nil {
		return c, err
	}
	err := c.validate()
	return c, err
}

// TestForwardFrontMistakes has what shows only in JSON, or in the values of placeholders.
func TestForwardFrontMistakes(t *testing.T) {
	for name, value := range map[string]string{
		"PP_BAD_POOL": "a/b", "PP_BAD_HOST": "https://api.example.com", "PP_BRACES": "{env.PP_UNSET}", "PP_LAN": "lan", "PP_USER": "app", "PP_COLON": "app:secret", "PP_HASH": "$2a$10$secret", "PP_EMPTY": "",
	} {
		t.Setenv(name, value)
	}
	with := func(more string) string { return `{"allow": ["*"], ` + more + `}` }
	users := func(users string) string { return with(`"basic_auth": [` + users + `]`) }
	for name, test := range map[string]struct{ config, want string }{
		"nothing":                 {`{}`, `expected "allow" and the hosts that may be reached, such as "allow api.telegram.org *.instagram.com:443"; nothing passes without it, and "allow *" is everything`},
		"allow nothing":           {`{"allow": []}`, `expected "allow" and the hosts`},
		"allow an empty word":     {`{"allow": [""]}`, `allow: expected a host, *.suffix or *, with a port or without, got "": expected a host`},
		"allow a list in a word":  {`{"allow": ["a.example b.example"]}`, `allow: expected a host, *.suffix or *, with a port or without, got "a.example b.example"`},
		"allow a bad value":       {`{"allow": ["a.example", "{env.PP_BAD_HOST}"]}`, `allow: expected a host, *.suffix or *, with a port or without, got (a URL, not shown)`},
		"allow an unset value":    {`{"allow": ["{env.PP_UNSET}"]}`, `allow: evaluated placeholder {env.PP_UNSET} is empty`},
		"allow braces":            {`{"allow": ["{env.PP_BRACES}"]}`, `allow: the value of {env.PP_BRACES} must not hold a brace`},
		"pool":                    {with(`"pool": "{env.PP_BAD_POOL}"`), `pool: expected a name of 1 to 64 of A-Z a-z 0-9 . _ -, got "a/b"`},
		"clients":                 {with(`"clients": ["{env.PP_LAN}"]`), `clients: expected a range such as 10.0.0.0/8 or fd00::/8, or an IP address, got "lan"`},
		"private":                 {with(`"allow_private": ["10.0.0.0/8", "{env.PP_LAN}"]`), `allow_private: expected a range such as 10.0.0.0/8 or fd00::/8, or an IP address, got "lan"`},
		"private is public":       {with(`"allow_private": ["10.0.0.0/8", "8.8.8.8"]`), `allow_private: 8.8.8.8 is public already; which targets are allowed, allow says`},
		"client within a range":   {with(`"clients": ["10.0.0.5/8"]`), `clients: "10.0.0.5/8" is an address within a range, did you mean 10.0.0.0/8 or 10.0.0.5?`},
		"private within a range":  {with(`"allow_private": ["10.0.0.5/8"]`), `allow_private: "10.0.0.5/8" is an address within a range, did you mean 10.0.0.0/8 or 10.0.0.5?`},
		"idle_timeout":            {with(`"idle_timeout": -2`), `idle_timeout: must not be negative, got -2ns`},
		"tunnel_grace":            {with(`"tunnel_grace": -1`), `tunnel_grace: must not be negative, got -1ns`},
		"tunnel_grace of an age":  {with(`"tunnel_grace": "3651d"`), `tunnel_grace: must be at most ten years, got 87624h0m0s`},
		"forwarding":              {with(`"max_tries": -1`), `max_tries: must not be negative, got -1`},
		"user without a name":     {users(`{"password": "secret"}`), `basic_auth: user number 1: expected a user name`},
		"user without a password": {users(`{"user": "app"}`), `basic_auth: user number 1: expected a password`},
		"unset password":          {users(`{"user": "app", "password": "{env.PP_UNSET}"}`), `basic_auth: placeholder {env.PP_UNSET} has no value`},
		"half an unset password":  {users(`{"user": "app", "password": "secret{env.PP_UNSET}"}`), `basic_auth: placeholder {env.PP_UNSET} has no value`},
		"empty password":          {users(`{"user": "app", "password": "{env.PP_EMPTY}"}`), `basic_auth: placeholder {env.PP_EMPTY} has no value`},
		"unset user":              {users(`{"user": "{env.PP_UNSET}", "password": "secret"}`), `basic_auth: placeholder {env.PP_UNSET} has no value`},
		"no such file":            {users(`{"user": "app", "password": "{file./nowhere/secret}"}`), `basic_auth: placeholder {file./nowhere/secret} has no value`},
		"colon in a value":        {users(`{"user": "{env.PP_COLON}", "password": "x"}`), `basic_auth: user number 1: expected a user name without ":" (RFC 7617, 2)`},
		"same user by value":      {users(`{"user": "app", "password": "x"}, {"user": "{env.PP_USER}", "password": "y"}`), `basic_auth: users number 1 and 2 have the same name`},
		"hash in a value":         {users(`{"user": "app", "password": "{env.PP_HASH}"}`), `basic_auth: user number 1: what begins with "$2" must be a bcrypt hash, as "caddy hash-password --algorithm bcrypt --bcrypt-cost 10" makes it`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := readFront(t, test.config)
			if err == nil || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("got the error\n%v\nexpected\n%s", err, test.want)
			}
			if err != nil && strings.Contains(strings.ReplaceAll(err.Error(), "/nowhere/secret", ""), "secret") {
				t.Errorf("the error shows a password: %v", err)
			}
		})
	}
}

func TestForwardFrontPlaceholders(t *testing.T) {
	for name, value := range map[string]string{
		"PP_POOL": "main", "PP_HOST": "api.example.com:8443", "PP_LAN": "10.0.0.0/8", "PP_USER": "app {1}", "PP_PASS": `{env.PP_USER}\{"`,
	} {
		t.Setenv(name, value)
	}
	got, err := readFront(t, `{"pool": "{env.PP_POOL}", "allow": ["{env.PP_HOST}", "a.example"], "clients": ["{env.PP_LAN}"], "allow_private": ["{env.PP_LAN}"], "basic_auth": [
		{"user": "{env.PP_USER}", "password": "{env.PP_PASS}"},
		{"user": "b{c}", "password": "{x}\\{"},
		{"user": "c", "password": "{x}-{env.PP_POOL}-\\{env.PP_POOL\\}"}
	]}`)
	if err != nil {
		t.Fatal(err)
	}
	want := FrontConfig{Pool: "main", Allow: []string{"api.example.com:8443", "a.example"}, Clients: []string{"10.0.0.0/8"}, AllowPrivate: []string{"10.0.0.0/8"}, BasicAuth: []LoginConfig{
		{"app {1}", `{env.PP_USER}\{"`},
		{"b{c}", `{x}\{`},
		{"c", `{x}-main-{env.PP_POOL}`},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestForwardFrontIdleTimeout(t *testing.T) {
	for config, want := range map[string]time.Duration{
		`{}`:                      10 * time.Minute,
		`{"idle_timeout": "30m"}`: 30 * time.Minute,
		`{"idle_timeout": 0}`:     0,
		`{"idle_timeout": -1}`:    0,
	} {
		var c FrontConfig
		if err := json.Unmarshal([]byte(config), &c); err != nil {
			t.Fatal(err)
		}
		if got := c.idleTimeout(); got != want {
			t.Errorf("%s: got %s, expected %s", config, got, want)
		}
	}
}
