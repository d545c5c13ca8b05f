package proxypool

import (
	"net"
	"strconv"
	"strings"
	"testing"
)

func TestConnectTarget(t *testing.T) {
	long := strings.Repeat("a.", 126) + "a" // 253 bytes
	for target, want := range map[string]string{
		"api.telegram.org:443":       "api.telegram.org:443",
		"API.Telegram.ORG:443":       "api.telegram.org:443",
		"api.telegram.org.:443":      "api.telegram.org:443",
		"bücher.example:80":          "xn--bcher-kva.example:80",
		"XN--BCHER-KVA.example:80":   "xn--bcher-kva.example:80",
		"under_score.example:1":      "under_score.example:1",
		"localhost:65535":            "localhost:65535",
		"192.0.2.7:443":              "192.0.2.7:443",
		"192.0.2.7.:443":             "192.0.2.7:443",
		"１９２.0.2.7:443":              "192.0.2.7:443",
		"[2001:DB8:0::1]:443":        "[2001:db8::1]:443",
		"[::ffff:127.0.0.1]:443":     "127.0.0.1:443",
		"[::1]:443":                  "[::1]:443",
		"1e100.net:443":              "1e100.net:443",
		"7.example:0443":             "7.example:443",
		long + ":65535":              long + ":65535",
		"":                           "",
		":443":                       "",
		".:443":                      "",
		".example.com:443":           "",
		"example.com":                "",
		"example.com:":               "",
		"example.com:0":              "",
		"example.com:65536":          "",
		"example.com:+443":           "",
		"example.com:443443":         "",
		"example.com:https":          "",
		"example.com:443:443":        "",
		"example..com:443":           "",
		"example.com..:443":          "",
		"example.com。:443":           "example.com:443",
		"example.com.。:443":          "",
		"xn--İ.example:443":          "",
		"a_ß.example:443":            "",
		"*.example.com:443":          "",
		"*:443":                      "",
		"user@example.com:443":       "",
		"user:secret@example.com:80": "",
		"http://example.com:443":     "",
		"example.com:443/":           "",
		"/example.com:443":           "",
		"example.com?:443":           "",
		"example.com#:443":           "",
		"ex\\ample.com:443":          "",
		"exa%6dple.com:443":          "",
		"example.com :443":           "",
		"example.com:443\r\nHost: x": "",
		"example.com\x00:443":        "",
		"example.com\x7f:443":        "",
		"2001:db8::1:443":            "",
		"[2001:db8::1]":              "",
		"[2001:db8::1]443":           "",
		"[2001:db8::1:443":           "",
		"2001:db8::1]:443":           "",
		"[fe80::1%eth0]:443":         "",
		"[fe80::1%25eth0]:443":       "",
		"[192.0.2.7]:443":            "",
		"[example.com]:443":          "",
		"[[::1]]:443":                "",
		"[]:443":                     "",
		"127.1:443":                  "",
		"0x7f.1:443":                 "",
		"0x7f000001:443":             "",
		"2130706433:443":             "",
		"127.0.0.01:443":             "",
		"256.0.0.1:443":              "",
		"127.0.0.0x1:443":            "",
		"a" + long + ":443":          "",
		long + ":65535 ":             "",
	} {
		host, port, err := connectTarget(target)
		got := ""
		if err == nil {
			got = net.JoinHostPort(host, strconv.Itoa(int(port)))
		}
		if got != want {
			t.Errorf("%q: got %q and %v, expected %q", target, got, err, want)
		}
		if err != nil && (strings.ContainsAny(err.Error(), "\r\n\x00\x7f") || strings.Contains(err.Error(), "secret") || len(err.Error()) > 250) {
			t.Errorf("%q: the error is not for clients: %q", target, err)
		}
	}
}

func TestParseAuthorityDefaultPort(t *testing.T) {
	for s, want := range map[string]string{"Example.com": "example.com:80", "example.com:8080": "example.com:8080", "[::1]": "[::1]:80"} {
		host, port, err := parseAuthority(s, 80)
		if got := net.JoinHostPort(host, strconv.Itoa(int(port))); err != nil || got != want {
			t.Errorf("%q: got %q and %v, expected %q", s, got, err, want)
		}
	}
}

// FuzzConnectTarget checks that what is compared is what is reached: what was
// read once reads the same again, and holds nothing that separates.
func FuzzConnectTarget(f *testing.F) {
	for _, seed := range []string{"example.com:443", "BÜCHER.example.:1", "[::ffff:1.2.3.4]:80", "[2001:db8::1]:65535", "127.1:80", "a..b:1", "user@h:1", "h。:1", "İ.example:9"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, target string) {
		host, port, err := connectTarget(target)
		if err != nil {
			if strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' || r == 0x7f }) {
				t.Errorf("%q: control character in %q", target, err)
			}
			return
		}
		if port == 0 || host == "" || strings.ToLower(host) != host || strings.ContainsAny(host, "/?#@%[]\\* ") || strings.HasSuffix(host, ".") {
			t.Errorf("%q: got %q and %d", target, host, port)
		}
		again, same, err := connectTarget(net.JoinHostPort(host, strconv.Itoa(int(port))))
		if err != nil || again != host || same != port {
			t.Errorf("%q: %q became %q, %v", target, host, again, err)
		}
		if ip := net.ParseIP(host); ip != nil && ip.String() != host {
			t.Errorf("%q: the address %q is not in its usual form", target, host)
		}
	})
}
