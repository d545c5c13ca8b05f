package proxypool

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-proxypool/proxypool/dial"
)

func TestParseProxyURL(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "pass@word")
	if err := os.WriteFile(secret, []byte("from:a/file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PP_USER", "us%41r")
	t.Setenv("PP_PASS", "p@:/%2F#{env.PP_USER}")
	t.Setenv("PP_HOST", "Proxy.Example.NET")
	t.Setenv("PP_ADDR", "192.0.2.9:8888")
	t.Setenv("PP_URL", "socks5://us%40er:{env.PP_PASS}@192.0.2.1")
	t.Setenv("PP_DIRECT", "direct")
	t.Setenv("PP_SCHEME", "SOCKS5")

	for name, test := range map[string]struct {
		raw  string
		want dial.Proxy
	}{
		"default port of http":    {"http://192.0.2.1", dial.Proxy{Scheme: "http", Addr: "192.0.2.1:80"}},
		"default port of https":   {"https://proxy.example.net/", dial.Proxy{Scheme: "https", Addr: "proxy.example.net:443"}},
		"default port of socks5":  {"socks5://192.0.2.1", dial.Proxy{Scheme: "socks5", Addr: "192.0.2.1:1080"}},
		"default port of socks5h": {"socks5h://192.0.2.1:", dial.Proxy{Scheme: "socks5h", Addr: "192.0.2.1:1080"}},
		"direct":                  {"direct", dial.Proxy{Scheme: "direct"}},
		"direct in a placeholder": {"{env.PP_DIRECT}", dial.Proxy{Scheme: "direct"}},
		"capitals": {"HTTP://User:PaSS@PROXY.Example.net:3128",
			dial.Proxy{Scheme: "http", Addr: "proxy.example.net:3128", HasAuth: true, Username: "User", Password: "PaSS"}},
		"ipv6":              {"http://[2001:db8::1]:3128", dial.Proxy{Scheme: "http", Addr: "[2001:db8::1]:3128"}},
		"ipv6 with a zone":  {"http://[fe80::1%25eth0]", dial.Proxy{Scheme: "http", Addr: "[fe80::1%eth0]:80"}},
		"unicode host":      {"http://Bücher.example", dial.Proxy{Scheme: "http", Addr: "xn--bcher-kva.example:80"}},
		"underscore":        {"http://squid_1:3128", dial.Proxy{Scheme: "http", Addr: "squid_1:3128"}},
		"user alone":        {"http://token@192.0.2.1", dial.Proxy{Scheme: "http", Addr: "192.0.2.1:80", HasAuth: true, Username: "token"}},
		"empty user part":   {"http://@192.0.2.1", dial.Proxy{Scheme: "http", Addr: "192.0.2.1:80"}},
		"password alone":    {"http://:pass@192.0.2.1", dial.Proxy{Scheme: "http", Addr: "192.0.2.1:80", HasAuth: true, Password: "pass"}},
		"last at sign":      {"http://user:p@ss@192.0.2.1", dial.Proxy{Scheme: "http", Addr: "192.0.2.1:80", HasAuth: true, Username: "user", Password: "p@ss"}},
		"first colon":       {"http://user:p:ss@192.0.2.1", dial.Proxy{Scheme: "http", Addr: "192.0.2.1:80", HasAuth: true, Username: "user", Password: "p:ss"}},
		"percent-encoded":   {"http://us%3Aer:p%2Fs+s@192.0.2.1", dial.Proxy{Scheme: "http", Addr: "192.0.2.1:80", HasAuth: true, Username: "us:er", Password: "p/s+s"}},
		"a brace":           {"http://user:p{s}%7B@192.0.2.1", dial.Proxy{}},
		"an escaped brace":  {`http://user:p\{s\}@192.0.2.1`, dial.Proxy{Scheme: "http", Addr: "192.0.2.1:80", HasAuth: true, Username: "user", Password: "p{s}"}},
		"an unclosed brace": {`http://user:p{s@192.0.2.1`, dial.Proxy{Scheme: "http", Addr: "192.0.2.1:80", HasAuth: true, Username: "user", Password: "p{s"}},
		"values are literal": {"http://{env.PP_USER}:a%41{env.PP_PASS}@{env.PP_HOST}:3128",
			dial.Proxy{Scheme: "http", Addr: "proxy.example.net:3128", HasAuth: true, Username: "us%41r", Password: "aAp@:/%2F#{env.PP_USER}"}},
		"a file whose path has separators": {"http://user:{file." + secret + "}@192.0.2.1",
			dial.Proxy{Scheme: "http", Addr: "192.0.2.1:80", HasAuth: true, Username: "user", Password: "from:a/file"}},
		"host and port in a placeholder": {"http://{env.PP_ADDR}", dial.Proxy{Scheme: "http", Addr: "192.0.2.9:8888"}},
		"scheme in a placeholder":        {"{env.PP_SCHEME}://192.0.2.1", dial.Proxy{Scheme: "socks5", Addr: "192.0.2.1:1080"}},
		"all of it in a placeholder": {"{env.PP_URL}",
			dial.Proxy{Scheme: "socks5", Addr: "192.0.2.1:1080", HasAuth: true, Username: "us@er", Password: "{env.PP_PASS}"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseProxyURL(test.raw, caddy.NewReplacer())
			if test.want == (dial.Proxy{}) {
				if err == nil {
					t.Fatal("expected an error")
				}
				return
			}
			if err != nil || got != test.want {
				t.Errorf("got %#v, %v, expected %#v", got, err, test.want)
			}
			if err := checkProxyURL("url", test.raw); err != nil {
				t.Errorf("refused when adapted: %v", err)
			}
		})
	}
}

func TestParseProxyURLMistakes(t *testing.T) {
	t.Setenv("PP_EMPTY", "")
	t.Setenv("PP_SECRET", "hunter2/hunter2@x:y")
	t.Setenv("PP_BAD_URL", "htp://user:hunter2@192.0.2.1")
	long := strings.Repeat("hunter2", 37)
	for name, test := range map[string]struct{ raw, want string }{
		"empty":                           {"", "expected a URL that begins with"},
		"no scheme":                       {"user:hunter2@192.0.2.1:1", "expected a URL that begins with"},
		"scheme with a user":              {"user:hunter2://192.0.2.1", "expected a URL that begins with its scheme"},
		"misspelled scheme":               {"htp://user:hunter2@192.0.2.1", `got "htp"`},
		"path":                            {"http://user:hunter2@192.0.2.1/x", "without path"},
		"slash in the password":           {"http://user:hunter2/hunter2@192.0.2.1", "must be percent-encoded"},
		"question mark in the password":   {"http://user:hunter2?@192.0.2.1", "must be percent-encoded"},
		"hash in the password":            {"http://user:#hunter2@192.0.2.1", "must be percent-encoded"},
		"port after an odd password":      {"http://user:hunter2@hunter2@192.0.2.1:http", "expected a port"},
		"password for a port":             {"http://user:hunter2", "expected a port"},
		"no host":                         {"http://user:hunter2@", "expected a host"},
		"bad percent-encoding":            {"http://user:hunter2%zz@192.0.2.1", "bad percent-encoding"},
		"percent sign before a value":     {"http://user:%{env.PP_SECRET}@192.0.2.1", "bad percent-encoding"},
		"IPv6 without brackets":           {"http://2001:db8::1", "in brackets"},
		"IPv6 bracket not closed":         {"http://[2001:db8::1", `expected a "]"`},
		"IPv4 in brackets":                {"http://[192.0.2.1]", "expected an IPv6 address"},
		"text after brackets":             {"http://[2001:db8::1]3128", "and a port"},
		"host with a space":               {"http://a b", "expected a host name"},
		"port 0":                          {"http://192.0.2.1:0", "expected a port"},
		"port too large":                  {"http://192.0.2.1:65536", "expected a port"},
		"negative port":                   {"http://192.0.2.1:-1", "expected a port"},
		"unset variable":                  {"http://user:{env.PP_UNSET}@192.0.2.1", "placeholder {env.PP_UNSET} has no value"},
		"empty variable":                  {"http://user:{env.PP_EMPTY}@192.0.2.1", "placeholder {env.PP_EMPTY} has no value"},
		"unset variable for a host":       {"http://{env.PP_UNSET}:3128", "placeholder {env.PP_UNSET} has no value"},
		"unset variable for a URL":        {"{env.PP_UNSET}", "placeholder {env.PP_UNSET} has no value"},
		"missing file":                    {"http://user:{file./does/not/exist}@192.0.2.1", "placeholder {file./does/not/exist} has no value"},
		"unknown placeholder":             {"http://user:{evn.PP_SECRET}@192.0.2.1", "unknown placeholder {evn.PP_SECRET}"},
		"a password in braces":            {"http://user:{hunter2}@192.0.2.1", "unknown placeholder (not shown"},
		"value that is no host":           {"http://{env.PP_SECRET}", "expected"},
		"value that is a bad URL":         {"{env.PP_BAD_URL}", "expected the scheme"},
		"user and host in a variable":     {"http://{env.PP_SECRET}:3128", "expected"},
		"SOCKS5 password too long":        {"socks5://user:" + long + "@192.0.2.1", "at most as many"},
		"SOCKS5 without a user name":      {"socks5://:hunter2@192.0.2.1", "1 to 255 bytes"},
		"direct with a host":              {"direct://user:hunter2@192.0.2.1", `got "direct"`},
		"placeholder with an odd name":    {"{env.user:hunter2@x}", "not shown"},
		"two placeholders and no scheme":  {"{env.PP_SECRET}{env.PP_SECRET}", "expected a URL that begins with"},
		"scheme out of a variable":        {"{env.PP_SECRET}://192.0.2.1", "expected the scheme"},
		"scheme that is longer than some": {"hunter2hunter2hunter2://192.0.2.1", "expected a URL that begins with its scheme"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseProxyURL(test.raw, caddy.NewReplacer())
			if err == nil {
				t.Fatalf("read as %#v", got)
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %q, expected it to hold %q", err, test.want)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error shows the password: %v", err)
			}
		})
	}
}

// FuzzProxyURL puts a password where one stands in a URL of any shape. Nothing
// panics and no error shows it.
func FuzzProxyURL(f *testing.F) {
	const password = "Passw0rd-4711"
	for _, seed := range [][2]string{
		{"http://user", "192.0.2.1:1"}, {"", "192.0.2.1"}, {"htp://u", "h"}, {"http://user:p@ss", "h:x"},
		{"http://[::1", "]"}, {"http://a/", "b"}, {"socks5h://{env.X}", "{file.y}"}, {"http://u%", "%zz"},
		{"{", "}"}, {`http://\{u`, `h\}`}, {"direct", ""}, {"http://?", "#"},
	} {
		f.Add(seed[0], seed[1])
	}
	repl := caddy.NewEmptyReplacer()
	f.Fuzz(func(t *testing.T, before, after string) {
		raw := before + ":" + password + "@" + after
		proxy, whole := parseProxyURL(raw, repl)
		shape := checkProxyURL("url", raw)
		for _, err := range []error{whole, shape} {
			if err != nil && strings.Contains(err.Error(), password) {
				t.Errorf("the error for %q shows the password: %v", raw, err)
			}
		}
		if whole == nil && shape != nil {
			t.Errorf("%q is refused only when adapted: %v", raw, shape)
		}
		if whole == nil && proxy.Scheme != direct {
			handedOut(t, raw, proxy)
		}
		_, _, err := parseTarget(raw)
		for _, err := range []error{err, checkURL(raw)} {
			if err != nil && strings.Contains(err.Error(), password) {
				t.Errorf("the error for the target %q shows the password: %v", raw, err)
			}
		}
	})
}

// handedOut checks that the URL of a proxy, as it is given to others, leads to
// the same proxy.
func handedOut(t *testing.T, raw string, proxy dial.Proxy) {
	t.Helper()
	address := handout{proxy, proxy}.address("https").String()
	again, err := parseProxyURL(escapeBraces.Replace(address), caddy.NewEmptyReplacer())
	again.Scheme, proxy.Scheme = strings.TrimSuffix(again.Scheme, "h"), strings.TrimSuffix(proxy.Scheme, "h")
	if err != nil || again != proxy {
		t.Errorf("%q is given out as %q, which is %#v and not %#v, %v", raw, address, again, proxy, err)
	}
}

func TestParseTarget(t *testing.T) {
	for name, test := range map[string]struct{ raw, scheme, addr, err string }{
		"https":           {raw: "https://api.telegram.org", scheme: "https", addr: "api.telegram.org:443"},
		"http and port":   {raw: "http://api.example.com:8080/", scheme: "http", addr: "api.example.com:8080"},
		"capitals":        {raw: "HTTPS://API.Telegram.ORG.", scheme: "https", addr: "api.telegram.org:443"},
		"punycode":        {raw: "https://bücher.example", scheme: "https", addr: "xn--bcher-kva.example:443"},
		"ipv6":            {raw: "http://[2001:db8::1]", scheme: "http", addr: "[2001:db8::1]:80"},
		"empty":           {err: "expected the URL of a target"},
		"no scheme":       {raw: "api.telegram.org:443", err: "begins with its scheme"},
		"other scheme":    {raw: "ftp://api.telegram.org", err: `got "ftp"`},
		"path":            {raw: "https://api.telegram.org/bot", err: "without path"},
		"query":           {raw: "https://api.telegram.org?", err: "without path"},
		"fragment":        {raw: "https://api.telegram.org/#", err: "without path"},
		"user":            {raw: "https://user:secret@api.telegram.org", err: "without user name"},
		"no host":         {raw: "https://", err: "expected a host"},
		"port":            {raw: "https://api.telegram.org:0", err: "expected a port"},
		"control letters": {raw: "https://api\n.telegram.org", err: "expected the URL of a target"},
	} {
		t.Run(name, func(t *testing.T) {
			scheme, addr, err := parseTarget(test.raw)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("got %v, expected an error with %q", err, test.err)
				}
				return
			}
			if err != nil || scheme != test.scheme || addr != test.addr {
				t.Errorf("got %q %q, %v", scheme, addr, err)
			}
		})
	}
}
