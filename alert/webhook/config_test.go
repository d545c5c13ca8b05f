package webhook

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/google/go-cmp/cmp"
)

// provision loads a configuration in JSON.
func provision(t *testing.T, config string) (settings, error) {
	t.Helper()
	n := new(Notifier)
	if err := caddy.StrictUnmarshalJSON([]byte(config), n); err != nil {
		t.Fatal(err)
	}
	err := n.Provision(caddy.Context{Context: t.Context()})
	return n.settings, err
}

// TestMistakes has what is refused, when the Caddyfile is adapted already unless
// it shows only in a value. No error shows a value or more of a URL than its
// scheme.
func TestMistakes(t *testing.T) {
	t.Setenv("HOOK_EMPTY", "")
	t.Setenv("HOOK_LINES", "hunter2\r\nX-Other: hunter2")
	t.Setenv("HOOK_URL", "ftp://us:hunter2@h/")
	t.Setenv("HOOK_LONG", "hunter2/"+strings.Repeat("x", 64))
	const hook = `"url": "https://h/hunter2"`
	for name, test := range map[string]struct {
		config, want string
		late         bool
	}{
		"no URL":                {config: `{}`, want: `url: expected a URL that begins with its scheme, http or https, and ://`},
		"scheme":                {config: `{"url": "ftp://us:hunter2@h/"}`, want: `url: expected the scheme http or https, got "ftp"`},
		"no scheme":             {config: `{"url": "h.example.com/hunter2"}`, want: `url: expected a URL that begins with its scheme, http or https, and ://`},
		"secret for a scheme":   {config: `{"url": "hunter2-hunter2-hunter2://h"}`, want: `url: expected a URL that begins with its scheme, http or https, and ://`},
		"user for a scheme":     {config: `{"url": "hunter2:x://h"}`, want: `url: expected a URL that begins with its scheme, http or https, and ://`},
		"no URL at all":         {config: `{"url": "http://h/%zzhunter2"}`, want: `url: expected a URL with http:// or https://`},
		"line break":            {config: `{"url": "http://h/hunter2\n"}`, want: `url: expected a URL with http:// or https://`},
		"fragment":              {config: `{"url": "http://h/#hunter2"}`, want: `url: expected a URL without a fragment`},
		"empty fragment":        {config: `{"url": "http://h/hunter2#"}`, want: `url: expected a URL without a fragment`},
		"no host":               {config: `{"url": "http:///hunter2"}`, want: `url: expected a host name or an IP address`},
		"port alone":            {config: `{"url": "http://:80/hunter2"}`, want: `url: expected a host name or an IP address`},
		"host in disguise":      {config: `{"url": "http://a%E2%80%AEb/"}`, want: `url: expected a host name or an IP address`},
		"port 0":                {config: `{"url": "http://h:0/"}`, want: `url: expected a port from 1 to 65535`},
		"port":                  {config: `{"url": "http://h:65536/"}`, want: `url: expected a port from 1 to 65535`},
		"slash in a password":   {config: `{"url": "http://us:12/hunter2@h/"}`, want: `url: an "@" after the host is written %40; "/" and "?" in a user name or password are percent-encoded too`},
		"question in a user":    {config: `{"url": "http://hunter2?x@h/"}`, want: `url: an "@" after the host is written %40; "/" and "?" in a user name or password are percent-encoded too`},
		"URL unset":             {config: `{"url": "{env.HOOK_UNSET}"}`, want: `url: placeholder {env.HOOK_UNSET} has no value`, late: true},
		"URL empty":             {config: `{"url": "https://h/{env.HOOK_EMPTY}"}`, want: `url: placeholder {env.HOOK_EMPTY} has no value`, late: true},
		"password unset":        {config: `{"url": "https://u:{env.HOOK_UNSET}@h/{env.HOOK_EMPTY}"}`, want: `url: placeholder {env.HOOK_UNSET} has no value`, late: true},
		"URL of a file":         {config: `{"url": "{file./does/not/exist}"}`, want: `url: placeholder {file./does/not/exist} has no value`, late: true},
		"scheme of a value":     {config: `{"url": "{env.HOOK_URL}"}`, want: `url: expected the scheme http or https, got "ftp"`, late: true},
		"secret empty":          {config: `{` + hook + `, "secret": ""}`, want: `secret: is empty, expected what the body is signed with`},
		"secret unset":          {config: `{` + hook + `, "secret": "{env.HOOK_UNSET}"}`, want: `secret: placeholder {env.HOOK_UNSET} has no value`, late: true},
		"half a secret":         {config: `{` + hook + `, "secret": "hunter2{file./does/not/exist}"}`, want: `secret: placeholder {file./does/not/exist} has no value`, late: true},
		"header unset":          {config: `{` + hook + `, "header": {"X-Key": ["{env.HOOK_EMPTY}"]}}`, want: `header: X-Key: placeholder {env.HOOK_EMPTY} has no value`, late: true},
		"header name":           {config: `{` + hook + `, "header": {"hunter2: x": ["y"]}}`, want: "header: expected the name of a field: letters, digits and any of !#$%&'*+-.^_`|~"},
		"header without a name": {config: `{` + hook + `, "header": {"": ["y"]}}`, want: "header: expected the name of a field: letters, digits and any of !#$%&'*+-.^_`|~"},
		"placeholder for name":  {config: `{` + hook + `, "header": {"{env.HOOK_URL}": ["y"]}}`, want: "header: expected the name of a field: letters, digits and any of !#$%&'*+-.^_`|~"},
		"no header values":      {config: `{` + hook + `, "header": {"x-key": []}}`, want: `header: X-Key: expected a value`},
		"empty header value":    {config: `{` + hook + `, "header": {"X-Key": ["a", " "]}}`, want: `header: X-Key: expected a value`},
		"null header value":     {config: `{` + hook + `, "header": {"X-Key": null}}`, want: `header: X-Key: expected a value`},
		"two lines":             {config: `{` + hook + `, "header": {"X-Key": ["hunter2\nX-Other: x"]}}`, want: `header: X-Key: expected a value without control characters and line breaks`},
		"two lines of a value":  {config: `{` + hook + `, "header": {"X-Key": ["{env.HOOK_LINES}"]}}`, want: `header: X-Key: expected a value without control characters and line breaks`, late: true},
		"control character":     {config: `{` + hook + `, "header": {"X-Key": ["hunter2\u007f"]}}`, want: `header: X-Key: expected a value without control characters and line breaks`},
		"content type":          {config: `{` + hook + `, "header": {"content-type": ["text/plain"]}}`, want: `header: Content-Type: is not yours to set, expected another field`},
		"content length":        {config: `{` + hook + `, "header": {"Content-Length": ["1"]}}`, want: `header: Content-Length: is not yours to set, expected another field`},
		"host":                  {config: `{` + hook + `, "header": {"HOST": ["h"]}}`, want: `header: Host: is not yours to set, expected another field`},
		"own header":            {config: `{` + hook + `, "header": {"x-proxy-pool-signature": ["hunter2"]}}`, want: `header: X-Proxy-Pool-Signature: is not yours to set, expected another field`},
		"own header to come":    {config: `{` + hook + `, "header": {"X-Proxy-Pool-": ["x"]}}`, want: `header: X-Proxy-Pool-: is not yours to set, expected another field`},
		"two logins":            {config: `{"url": "http://us:hunter2@h/", "header": {"authorization": ["hunter2"]}}`, want: `header: Authorization: is made of the user part that the URL has, expected one of the two`},
		"timeout 0":             {config: `{` + hook + `, "timeout": 0}`, want: `timeout: must be more than 0, got 0s`},
		"timeout below 0":       {config: `{` + hook + `, "timeout": -1}`, want: `timeout: must be more than 0, got -1ns`},
		"long timeout":          {config: `{` + hook + `, "timeout": "601s"}`, want: `timeout: must be at most ten minutes, got 10m1s`},
		"no way":                {config: `{` + hook + `, "via": []}`, want: `via: expected direct or a pool`},
		"way unset":             {config: `{` + hook + `, "via": ["direct", "{env.HOOK_UNSET}"]}`, want: `via: number 2: placeholder {env.HOOK_UNSET} has no value`, late: true},
		"way with a password":   {config: `{` + hook + `, "via": ["http://us:hunter2@h"]}`, want: `via: number 1: expected direct or the name of a pool, 1 to 64 of A-Z a-z 0-9 . _ -`},
		"way of a value":        {config: `{` + hook + `, "via": ["{env.HOOK_LONG}"]}`, want: `via: number 1: expected direct or the name of a pool, 1 to 64 of A-Z a-z 0-9 . _ -`, late: true},
		"way twice":             {config: `{` + hook + `, "via": ["main", "direct", "main"]}`, want: `via: number 3: main is there twice`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := provision(t, test.config)
			if err == nil || err.Error() != test.want {
				t.Errorf("got\n%v\nexpected\n%s", err, test.want)
			}
			n := new(Notifier)
			if err := caddy.StrictUnmarshalJSON([]byte(test.config), n); err != nil {
				t.Fatal(err)
			}
			if early := n.validate(); (early == nil) != test.late {
				t.Errorf("before placeholders have values: %v", early)
			}
		})
	}
}

func TestUnknownKey(t *testing.T) {
	if err := caddy.StrictUnmarshalJSON([]byte(`{"url": "http://h", "method": "PUT"}`), new(Notifier)); err == nil {
		t.Error("expected an error")
	}
}

// TestPlaceholders puts in values that hold what a URL is split at, braces, and
// what looks like a placeholder.
func TestPlaceholders(t *testing.T) {
	file := filepath.Join(t.TempDir(), "se@cret")
	if err := os.WriteFile(file, []byte("s3cret of a file\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOOK_HOST", "Ops.example.com")
	t.Setenv("HOOK_PASS", "a/b@c?d#e:f%20 {env.HOOK_HOST}")
	t.Setenv("HOOK_PATH", "T0/B0?x=%40")
	t.Setenv("HOOK_PORT", "8443")
	t.Setenv("HOOK_WHOLE", "https://us:p%40ss@h.example.com/x?y")
	t.Setenv("HOOK_POOL", "main")
	for name, test := range map[string]struct{ config, url, password string }{
		"parts": {`{"url": "https://{env.HOOK_HOST}:{env.HOOK_PASS}@{env.HOOK_HOST}:{env.HOOK_PORT}/hook/{env.HOOK_PATH}"}`,
			"https://Ops.example.com:xxxxx@ops.example.com:8443/hook/T0/B0?x=%40", "a/b@c?d#e:f%20 {env.HOOK_HOST}"},
		"whole":         {`{"url": "{env.HOOK_WHOLE}"}`, "https://us:xxxxx@h.example.com/x?y", "p@ss"},
		"beginning":     {`{"url": "{env.HOOK_WHOLE}&z"}`, "https://us:xxxxx@h.example.com/x?y&z", "p@ss"},
		"a file's name": {`{"url": "https://us:{file.` + file + `}@h/"}`, "https://us:xxxxx@h/", "s3cret of a file"},
		"other braces":  {`{"url": "https://us:%7Bx%7D@h/{y}"}`, "https://us:xxxxx@h/%7By%7D", "{x}"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := provision(t, test.config)
			if err != nil {
				t.Fatal(err)
			}
			if password, _ := got.url.User.Password(); got.url.Redacted() != test.url || password != test.password {
				t.Errorf("got %s with the password %q, expected %s with %q", got.url.Redacted(), password, test.url, test.password)
			}
		})
	}
	got, err := provision(t, `{"url": "http://h", "secret": "{file.`+file+`}", "header": {"X": ["{env.HOOK_PASS}{x}"]}, "timeout": "10m", "via": ["{env.HOOK_POOL}", "direct"]}`)
	if err != nil {
		t.Fatal(err)
	}
	if want := map[string][]string{"X": {"a/b@c?d#e:f%20 {env.HOOK_HOST}{x}"}}; !cmp.Equal(map[string][]string(got.header), want) {
		t.Errorf("got the header %q", got.header)
	}
	if got.secret != "s3cret of a file" || got.timeout != 10*time.Minute || !cmp.Equal(got.via, []string{"main", "direct"}) {
		t.Errorf("got %q, %s, %q", got.secret, got.timeout, got.via)
	}
}

// TestPending leaves open what only a value decides.
func TestPending(t *testing.T) {
	for name, n := range map[string]Notifier{
		"URL":    {URL: "{env.HOOK_URL}"},
		"parts":  {URL: "{env.HOOK_SCHEME}://{env.HOOK_HOST}/{env.HOOK_PATH}"},
		"port":   {URL: "https://{env.HOOK_USER}:{env.HOOK_PASS}@h:{env.HOOK_PORT}/"},
		"ways":   {URL: "https://h/", Via: []string{"{env.HOOK_A}", "{env.HOOK_B}", "direct"}},
		"header": {URL: "https://h/", Header: map[string][]string{"X": {"{env.HOOK_A}"}}},
	} {
		if err := n.validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
