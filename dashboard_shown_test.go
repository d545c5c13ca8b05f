package proxypool

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddy-proxypool/proxypool/internal/proxytest"
	"github.com/caddy-proxypool/proxypool/internal/telegramtest"
)

func TestDashboardOfOnePool(t *testing.T) {
	two := "pool a {\nhealth_check off\nproxy X http://127.0.0.1:1\n}\npool b {\nhealth_check off\nproxy Y http://u:secret@127.0.0.1:1\n}"
	s := serve(t, two, page("actions on\npool b"))
	token := "X-Proxy-Pool-Token: " + s.token()
	for path, status := range map[string]int{
		"status": 200, "status?pool=b": 200, "status?pool=a": 404, "snapshot": 200, "usage": 200, "events?pool=a": 404,
	} {
		resp, body := s.visit("GET", "/proxies/api/"+path)
		if resp.StatusCode != status || strings.Contains(body, "a/X") || strings.Contains(body, "secret") {
			t.Errorf("%s: %s %s", path, resp.Status, body)
		}
	}
	for path, status := range map[string]int{"proxies/a/X/disable": 404, "proxies/%61/X/disable": 404, "proxies/b/Y/disable": 200} {
		if resp, body := s.visit("POST", "/proxies/api/"+path, token, "Origin: "+s.url); resp.StatusCode != status {
			t.Errorf("%s: %s %s", path, resp.Status, body)
		}
	}
}

// TestDashboardShowsNoSecrets asks for everything that a page can ask for, while
// nothing works and all of it has something to say.
func TestDashboardShowsNoSecrets(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "private-folder")
	file := filepath.Join(folder, "books.db")
	if err := os.MkdirAll(file, 0o700); err != nil { // a directory where the file should be
		t.Fatal(err)
	}
	api := telegramtest.NewServer(t)
	api.Set(telegramtest.Refused(400, "Bad Request: chat not found"))
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	t.Cleanup(hook.Close)
	origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true})
	const secrets = "alerts {\ntelegram {\ntoken %[1]s\nchat_id 4711 -1001234567\nmessage_thread_id 42\napi_url %[2]s\nvia direct\ncommands on\n}\n" +
		"webhook %[3]s/hook-secret {\nsecret hook-key\n}\nwebhook %[3]s/hook-secret-2?key=hook-query\n}\n" +
		"usage_log on\nstorage sqlite %[4]s\n" +
		"pool main {\nproxy A http://user:pass-secret@127.0.0.1:%[5]d\nproxy B socks5://user:pass-secret@127.0.0.1:%[5]d\n" +
		"health_check {\nurl https://user:pass-secret@127.0.0.1:1/check-secret?q=check-query\n}\n}\n"
	sites := strings.Replace(page("actions on"), "\tproxy_pool_dashboard", "\thandle_path /front/* {\n\t\tproxy_pool "+origin.URL()+"\n\t}\n"+
		"\tproxy_pool_dashboard /one/* {\n\t\tactions on\n\t\tpool main\n\t}\n\tproxy_pool_dashboard", 1)
	s := serve(t, fmt.Sprintf(secrets, telegramtest.Token, api.URL(), hook.URL, file, freePort(t)), sites)
	token := "X-Proxy-Pool-Token: " + s.token()
	shown := make(map[string]string)
	ask := func(method, path string) {
		t.Helper()
		_, shown[path] = s.visit(method, path, token, "Origin: "+s.url)
	}
	ask("GET", "/front/botfront-secret/getMe")
	delete(shown, "/front/botfront-secret/getMe") // it is the front's own answer
	for _, action := range []string{"health-check", "alerts/test", "proxies/main/A/check", "proxies/main/B/mark-down", "proxies/main/nope/check"} {
		ask("POST", "/proxies/api/"+action)
	}
	for _, call := range []string{
		"snapshot", "status", "usage", "usage?by=target", "log", "events", "explain?target=" + url.QueryEscape(origin.URL()),
		"explain?target=http%3A%2F%2Fuser%3Apass-secret%40[", "active", "nope",
	} {
		ask("GET", "/proxies/api/"+call)
	}
	for path, body := range shown {
		for _, secret := range []string{
			"pass-secret", "hook-secret", "hook-key", "hook-query", "check-secret", "check-query", "front-secret",
			"4711", "1001234567", "private-folder", telegramtest.Token, strings.TrimPrefix(hook.URL, "http://"),
		} {
			if strings.Contains(body, secret) {
				t.Errorf("%s shows %s:\n%.999s", path, secret, body)
			}
		}
	}
	for path, wants := range map[string][]string{
		"/proxies/api/alerts/test": {`"notifier":"telegram"`, `"notifier":"telegram 2"`, `"notifier":"webhook"`, `"notifier":"webhook 2"`, "the bot cannot see chat …: check chat_id"},
		"/proxies/api/status":      {`"notifier":"telegram 2"`, "the bot cannot see chat …", "dial_refused", `opening store \"books.db\"`},
		"/proxies/api/snapshot":    {`"notifier":"webhook 2"`, `opening store \"books.db\"`},
		"/proxies/api/events":      {"books.db"},
	} {
		for _, want := range wants {
			if !strings.Contains(shown[path], want) {
				t.Errorf("%s lacks %s:\n%.1999s", path, want, shown[path])
			}
		}
	}
	if names := s.notifiers(); len(names) != 4 || names[0].Notifier != "telegram -1001234567/42" {
		t.Errorf("admins are told %+v", names)
	}
	t.Run("of one pool", func(t *testing.T) {
		for _, call := range []string{"snapshot", "status", "usage"} {
			_, body := s.visit("GET", "/one/api/"+call)
			if !strings.Contains(body, `"store":{"ok":false,"error":"Caddy's log says why"}`) || strings.Contains(body, "books.db") || strings.Contains(body, "telegram") {
				t.Errorf("%s: %.999s", call, body)
			}
		}
		if resp, body := s.visit("GET", "/one/api/events"); resp.StatusCode != 503 || strings.Contains(body, "books.db") || !strings.Contains(body, "log says why") {
			t.Errorf("%s %s", resp.Status, body)
		}
		calls := api.Calls("sendMessage")
		if resp, body := s.visit("POST", "/one/api/alerts/test", token, "Origin: "+s.url); resp.StatusCode != 403 || !strings.Contains(body, "of one pool") || api.Calls("sendMessage") != calls {
			t.Errorf("%s %s", resp.Status, body)
		}
	})
}

func TestDiscreetErrors(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"telegram 4711", "the bot cannot see chat 4711: check chat_id", "the bot cannot see chat …: check chat_id"},
		{"telegram -1001234/7", "the group -1001234 has become a supergroup: set chat_id to -100987654321", "the group … has become a supergroup: set chat_id to …"},
		{"telegram @ops #2", "the bot may not write to chat @ops", "the bot may not write to chat …"},
		{"telegram 5", "the Bot API answers 502: it is tried again", "the Bot API answers 502: it is tried again"},
		{"webhook https://ops.example.com", "https://ops.example.com gave no answer within 10s", "the receiver gave no answer within 10s"},
		{"webhook https://ops.example.com:8443 #2", "https://ops.example.com:8443 answered 418: see what it logs", "the receiver answered 418: see what it logs"},
		{
			"webhook https://ops.example.com", "posting to https://ops.example.com: dial tcp: lookup ops.example.com on 10.0.0.2:53: no such host: check the host",
			"posting to the receiver: dial tcp: lookup … on …: no such host: check the host",
		},
		{
			"webhook http://ops.example.com", "posting to http://ops.example.com: dial tcp [2001:db8::1]:80: connect: connection refused: see that it is up",
			"posting to the receiver: dial tcp …: connect: connection refused: see that it is up",
		},
		{
			"webhook https://10.1.2.3", "posting to https://10.1.2.3: read tcp 10.0.0.1:4711->10.1.2.3:443: read: connection reset by peer: see that it is up",
			"posting to the receiver: read tcp …: read: connection reset by peer: see that it is up",
		},
		{
			"webhook https://ops.example.com", "posting to https://ops.example.com: tls: failed to verify certificate: x509: certificate is valid for a.example, not ops.example.com: it needs one",
			"posting to the receiver: tls: failed to verify certificate: x509: certificate is valid for other names: it needs one",
		},
	} {
		if got := withoutPlace(test.name, test.text); got != test.want {
			t.Errorf("%s: %s", test.name, got)
		}
	}
	for text, want := range map[string]string{
		`opening store "/var/lib/ca ddy/p.db": the disk is full`: `opening store "p.db": the disk is full`,
		`opening store "C:\\data\\p.db": no`:                     `opening store "p.db": no`,
		`opening store "p.db": no`:                               `opening store "p.db": no`,
		`the file /var/lib/caddy/p.db-wal was removed`:           `the file p.db-wal was removed`,
		`open /var/lib/p.db: no such file or directory`:          `open p.db: no such file or directory`,
		`open C:\data\p.db: read/write fails`:                    `open p.db: read/write fails`,
	} {
		if got := withoutFolders(text); got != want {
			t.Errorf("%s\nbecame %s", text, got)
		}
	}
}
