package proxypool

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// FuzzAdmin calls the admin API with any path and query. A mistake is the
// caller's, the answer is JSON, and no password is in it but in that of active.
func FuzzAdmin(f *testing.F) {
	const password = "Passw0rd-4711"
	s := serve(f, "usage_log on\npool a {\nhealth_check off\nproxy X http://user:"+password+"@127.0.0.1:1\n}\npool b {\nhealth_check off\nproxy X direct\n}", reverse("https://127.0.0.1:1", "pool a"))
	s.raw("GET /bot123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw/getMe HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	for _, seed := range [][3]string{
		{"GET", "status", "pool=a"}, {"GET", "/active/", "pool=a&target=http://x"}, {"GET", "explain", "pool=b&target=[::1]:443"},
		{"GET", "usage", "by=hour&from=2026-01-01&to=2026-02-01T00:00:00+03:30"}, {"GET", "usage", "by=day&from=1970-01-01"}, {"GET", "usage", "target=x&pool=a&proxy=X"},
		{"GET", "usage", "from=0001-01-01T00:00:00Z&to=9999-12-31T23:59:59Z"}, {"GET", "usage", "by=hour&from=292277026596-01-01"}, {"HEAD", "log", "limit=1&before=9223372036854775807&success=t"},
		{"GET", "events", "limit=-1"}, {"POST", "proxies/a/X/disable", ""}, {"POST", "proxies/%61/%58/reset-stats/", ""}, {"POST", "proxies/a/%zz/check", ""},
		{"POST", "health-check", "pool=b"}, {"POST", "alerts/test", ""}, {"GET", "explain", "pool=a&target=https://user:pass@h/"}, {"GET", "log", "%zz;=&"},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	f.Fuzz(func(t *testing.T, method, path, query string) {
		w := httptest.NewRecorder()
		r := &http.Request{Method: method, URL: &url.URL{Path: adminBase, RawQuery: query}}
		err := (&adminAPI{app: runningApp()}).route(w, r.WithContext(t.Context()), path)
		if err != nil {
			var refused caddy.APIError
			if !errors.As(err, &refused) || refused.HTTPStatus/100 != 4 {
				t.Errorf("%s %s?%s fails: %v", method, path, query, err)
			}
			return
		}
		if body := w.Body.String(); !json.Valid([]byte(body)) || strings.Contains(body, password) && strings.Trim(path, "/") != "active" {
			t.Errorf("%s %s?%s is answered by %s", method, path, query, body)
		}
	})
}

// FuzzTargetAsked reads a target as people write it. What was read is read
// again, and no error shows a password.
func FuzzTargetAsked(f *testing.F) {
	for _, seed := range []string{"api.example.org", "http://h:80/x", "[::1]:443", "https://u:p@h", "ftp://h", "h:0", "%zz", "://", "EXAMPLE.org.:443", "0.."} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		key, err := new(livePool).targetKey(raw)
		if err != nil {
			return
		}
		again, err := new(livePool).targetKey(key.Scheme + "://" + key.Addr)
		if err != nil || again != key {
			t.Errorf("%q is %+v, and that is %+v, %v", raw, key, again, err)
		}
	})
}
