package dial

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// FuzzProxyStatus: what stands in a string of Proxy-Status is no error, and an
// error behind it is one, whatever the string is.
func FuzzProxyStatus(f *testing.F) {
	f.Add("a proxy", "; error=dns_error")
	f.Add(`"; error="`, `\`)
	f.Add(`\";error`, "x; error")
	f.Add("", `"`)
	f.Fuzz(func(t *testing.T, text, raw string) {
		quoted := `ours; details="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
		if hasProxyError([]string{quoted}) {
			t.Errorf("%s is an error", quoted)
		}
		for _, behind := range []string{"; error=x", ";error", ", other; error=x", ", other;  a=1;error; b"} {
			if !hasProxyError([]string{quoted + behind}) {
				t.Errorf("%s is no error", quoted+behind)
			}
		}
		c := &HTTPConn{absoluteForm: true}
		for _, status := range []int{200, 403, 407, 502} {
			resp := &http.Response{StatusCode: status, Header: http.Header{headerProxyStatus: {raw, text}}}
			if c.ProxyMade(resp) && (status == 200 || !strings.Contains(raw+text, "error")) {
				t.Errorf("%q, %q with status %d is the proxy's", raw, text, status)
			}
		}
	})
}

// FuzzHostPort: what a target is called ends no line in a request to the proxy.
func FuzzHostPort(f *testing.F) {
	for _, seed := range []string{"a.b:443", "[::1]:1", "a\r\nX: y:80", "a b:1", "a:0", ":1", "a:99999", "[a]:1", "user@h:1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, addr string) {
		target, err := parseHostPort(addr)
		if err != nil {
			return
		}
		if target.port == 0 || target.host == "" || strings.ContainsFunc(target.host, func(r rune) bool { return r <= ' ' || r == 0x7f }) || strings.ContainsAny(target.host, "/@?#") {
			t.Errorf("%q is host %q and port %s", addr, target.host, strconv.Itoa(int(target.port)))
		}
	})
}
