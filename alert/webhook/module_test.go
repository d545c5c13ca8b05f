package webhook

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// TestUnmarshalCaddyfile reads the block into the JSON that is documented, and
// that JSON back.
func TestUnmarshalCaddyfile(t *testing.T) {
	for name, test := range map[string]struct{ input, want string }{
		"URL alone":   {"webhook https://ops.example.com/hook", `{"url":"https://ops.example.com/hook"}`},
		"empty block": {"webhook http://h {\n}", `{"url":"http://h"}`},
		"all": {"webhook https://ops.example.com/hook {\nsecret {env.HOOK_SECRET}\nheader x-team ops\nheader X-Team \"the others\"\nheader Authorization {env.HOOK_KEY}\n" +
			"timeout 5\nvia direct main\n}",
			`{"url":"https://ops.example.com/hook","secret":"{env.HOOK_SECRET}","header":{"Authorization":["{env.HOOK_KEY}"],"X-Team":["ops","the others"]},` +
				`"timeout":5000000000,"via":["direct","main"]}`},
	} {
		t.Run(name, func(t *testing.T) {
			n := new(Notifier)
			if err := n.UnmarshalCaddyfile(caddyfile.NewTestDispenser(test.input)); err != nil {
				t.Fatal(err)
			}
			got, err := json.Marshal(n)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != test.want {
				t.Errorf("got\n%s\nexpected\n%s", got, test.want)
			}
			back := new(Notifier)
			if err := caddy.StrictUnmarshalJSON(got, back); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(n, back, cmpopts.IgnoreUnexported(Notifier{})); diff != "" {
				t.Errorf("read back (-adapted +loaded):\n%s", diff)
			}
		})
	}
}

// TestCaddyfileShowsNothing has what is written wrongly and could be a secret.
func TestCaddyfileShowsNothing(t *testing.T) {
	for input, want := range map[string]string{
		"webhook":                                    "webhook: expected a URL, such as https://ops.example.com/hook, at Testfile:1",
		"webhook ftp://us:hunter2@h":                 `webhook: url: expected the scheme http or https, got "ftp", at Testfile:1`,
		"webhook http://h/x hunter2":                 "webhook: expected nothing after the URL, options stand in a block, at Testfile:1",
		"webhook http://h {\nsecret\n}":              "secret: expected one argument, got 0; one with spaces stands in quotes, at Testfile:2",
		"webhook http://h {\nsecret my hunter2\n}":   "secret: expected one argument, got 2; one with spaces stands in quotes, at Testfile:2",
		"webhook http://h {\nheader X-Key\n}":        "header: expected two arguments, a field and its value, got 1; one with spaces stands in quotes, at Testfile:2",
		"webhook http://h {\nheader A B hunter2\n}":  "header: expected two arguments, a field and its value, got 3; one with spaces stands in quotes, at Testfile:2",
		"webhook http://h {\nheader hunter2: x\n}":   "header: expected the name of a field: letters, digits and any of !#$%&'*+-.^_`|~, at Testfile:2",
		"webhook http://h {\nvia us:hunter2@h\n}":    "via: number 1: expected direct or the name of a pool, 1 to 64 of A-Z a-z 0-9 . _ -, at Testfile:2",
		"webhook http://h {\ntimeout soon\n}":        `timeout: expected a duration such as 500ms, 90s, 5m or 1d, or a number of seconds, got "soon", at Testfile:2`,
		"webhook http://h {\nsecret a\nsecret b\n}":  "secret is given twice in webhook, the first time at line 2, at Testfile:3",
		"webhook http://h {\nheader Host hunter2\n}": "header: Host: is not yours to set, expected another field, at Testfile:2",
	} {
		err := new(Notifier).UnmarshalCaddyfile(caddyfile.NewTestDispenser(input))
		if err == nil || err.Error() != want || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q\ngot\n%v\nexpected\n%s", input, err, want)
		}
	}
}

// TestModule is found under the name that configurations have for it.
func TestModule(t *testing.T) {
	module, err := caddy.GetModule("proxy_pool.notifiers.webhook")
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := module.New().(*Notifier); !ok {
		t.Errorf("got a %T", module.New())
	}
}
