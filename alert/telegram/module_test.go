package telegram

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/google/go-cmp/cmp"
)

func TestUnmarshalCaddyfile(t *testing.T) {
	tests := []struct{ name, input, want string }{
		{"empty", "telegram", `{}`},
		{"usual", "telegram {\n token {env.TOKEN}\n chat_id {env.CHAT}\n}", `{"token":"{env.TOKEN}","chat_id":"{env.CHAT}"}`},
		{"unset", "telegram {\n token\n chat_id\n}", `{}`},
		{
			"all", "telegram {\n token 1:a\n chat_id -42 @ops_channel\n message_thread_id 7\n via direct main\n api_url http://127.0.0.1:8081\n commands on\n}",
			`{"token":"1:a","chat_id":"-42 @ops_channel","message_thread_id":7,"via":["direct","main"],"api_url":"http://127.0.0.1:8081","commands":true}`,
		},
		{"off", "telegram {\n commands off\n}", `{}`},
		{"several in one placeholder", "telegram {\n chat_id {env.CHATS} 42\n}", `{"chat_id":"{env.CHATS} 42"}`},
		{"placeholders", "telegram {\n via {env.WAY}\n api_url {env.URL}/x\n}", `{"via":["{env.WAY}"],"api_url":"{env.URL}/x"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got Telegram
			if err := got.UnmarshalCaddyfile(caddyfile.NewTestDispenser(tt.input)); err != nil {
				t.Fatal(err)
			}
			raw, err := json.Marshal(got)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(raw)); diff != "" {
				t.Errorf("JSON (-want +got):\n%s", diff)
			}
			var again Telegram
			if err := json.Unmarshal(raw, &again); err != nil || !cmp.Equal(got, again) {
				t.Errorf("read back: %+v, error %v", again, err)
			}
		})
	}
}

func TestUnmarshalCaddyfileRefuses(t *testing.T) {
	tests := []struct{ input, err string }{
		{"telegram 1:secret", "telegram: unexpected argument (not shown, it may be a token), expected a block with token and chat_id, at Testfile:1"},
		{"telegram {\n token 1: secret\n}", "token: expected one argument, got more (not shown), at Testfile:2"},
		{"telegram {\n token 1:a\n token 1:b\n}", "token is given twice in telegram, the first time at line 2, at Testfile:3"},
		{"telegram {\n chat_id ops\n}", `got "ops", at Testfile:2`},
		{"telegram {\n chat_id 42 42\n}", "telegram: chat_id: 42 is given twice, at Testfile:2"},
		{"telegram {\n chat_id 1:secret\n}", "got what may be a token (not shown), at Testfile:2"},
		{"telegram {\n message_thread_id 0\n}", "message_thread_id: expected a number above 0, got 0, at Testfile:2"},
		{"telegram {\n message_thread_id general\n}", `message_thread_id: expected a whole number, got "general", at Testfile:2`},
		{"telegram {\n via\n}", "via: expected at least one argument, at Testfile:2"},
		{"telegram {\n via direct po/ol\n}", `telegram: via: expected direct or the name of a pool, got "po/ol", at Testfile:2`},
		{"telegram {\n via spare direct spare\n}", "telegram: via: spare is given twice, at Testfile:2"},
		{"telegram {\n api_url\n}", "api_url: expected an argument, at Testfile:2"},
		{"telegram {\n api_url api.telegram.org\n}", "begins with http:// or https://, as in https://api.telegram.org, at Testfile:2"},
		{"telegram {\n api_url https://u:secret@h\n}", "a URL without user name and password"},
		{"telegram {\n commands\n}", "commands: expected an argument, at Testfile:2"},
		{"telegram {\n commands yes\n}", `commands: expected on or off, got "yes", at Testfile:2`},
		{"telegram {\n chat 42\n}", `unknown option "chat" in telegram, expected one of api_url, chat_id, commands, message_thread_id, token, via, at Testfile:2`},
	}
	for _, tt := range tests {
		var got Telegram
		err := got.UnmarshalCaddyfile(caddyfile.NewTestDispenser(tt.input))
		if err == nil || !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%q: error %v, expected %q in it", tt.input, err, tt.err)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: the error shows a secret: %v", tt.input, err)
		}
	}
}

func TestProvision(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte("1:from-a-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TELEGRAM_TEST_TOKEN", " 1:from-the-env\n")
	t.Setenv("TELEGRAM_TEST_CHATS", "42,\n43")
	t.Setenv("TELEGRAM_TEST_WORD", "main")
	t.Setenv("TELEGRAM_TEST_EMPTY", "")
	tests := []struct {
		name       string
		give, want Telegram
	}{
		{"nothing", Telegram{}, Telegram{}},
		{
			"env", Telegram{Token: "{env.TELEGRAM_TEST_TOKEN}", ChatID: "{env.TELEGRAM_TEST_CHATS}", Via: []string{"{env.TELEGRAM_TEST_WORD}"}, APIURL: "https://{env.TELEGRAM_TEST_WORD}/ "},
			Telegram{Token: "1:from-the-env", ChatID: "42,\n43", Via: []string{"main"}, APIURL: "https://main/"},
		},
		{"file", Telegram{Token: "{file." + path + "}", ChatID: "42"}, Telegram{Token: "1:from-a-file", ChatID: "42"}},
		{"unset", Telegram{Token: "{env.TELEGRAM_TEST_UNSET}", ChatID: "{env.TELEGRAM_TEST_EMPTY}"}, Telegram{}},
		{"partly unset", Telegram{Token: "1:a", ChatID: "{env.TELEGRAM_TEST_UNSET} 42"}, Telegram{Token: "1:a", ChatID: " 42"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.give.Provision(caddy.Context{Context: context.Background()}); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, tt.give); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestProvisionRefuses(t *testing.T) {
	t.Setenv("TELEGRAM_TEST_WORD", "wo/rd")
	tests := []struct {
		give Telegram
		err  string
	}{
		{Telegram{Token: "{1:secret}"}, "telegram: token: unknown placeholder (not shown), expected one such as {env.NAME} or {file./path}"},
		{Telegram{ChatID: "{unknown}"}, "telegram: chat_id: "},
		{Telegram{ChatID: "{env.TELEGRAM_TEST_WORD}"}, `got "wo/rd"`},
		{Telegram{Via: []string{"{env.TELEGRAM_TEST_WORD}"}}, `telegram: via: expected direct or the name of a pool, got "wo/rd"`},
		{Telegram{Via: []string{"{env.TELEGRAM_TEST_UNSET}"}}, "telegram: via: "},
		{Telegram{Via: []string{""}}, `telegram: via: expected direct or the name of a pool, got ""`},
		{Telegram{APIURL: "{env.TELEGRAM_TEST_WORD}"}, "telegram: api_url: expected a URL that begins"},
		{Telegram{APIURL: "{env.TELEGRAM_TEST_UNSET}"}, "telegram: api_url: a placeholder is unknown or has no value"},
		{Telegram{APIURL: "https://{secret}@x"}, "telegram: api_url: a placeholder is unknown or has no value"},
		{Telegram{MessageThreadID: -1}, "telegram: message_thread_id: expected a number above 0, got -1"},
	}
	for _, tt := range tests {
		err := tt.give.Provision(caddy.Context{Context: context.Background()})
		if err == nil || !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%+v: error %v, expected %q in it", tt.give, err, tt.err)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("the error shows a secret: %v", err)
		}
	}
}

// TestLoad is through Caddy, as in a configuration.
func TestLoad(t *testing.T) {
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	defer cancel()
	module, err := ctx.LoadModuleByID("proxy_pool.notifiers.telegram", json.RawMessage(`{"token":"1:a","chat_id":"42","via":["direct"]}`))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&Telegram{Token: "1:a", ChatID: "42", Via: []string{"direct"}}, module); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
