package caddyfile_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/standard"
	_ "github.com/caddyserver/caddy/v2/modules/caddytls/standardstek"

	_ "github.com/caddy-proxypool/proxypool"
)

var update = flag.Bool("update", false, "write the JSON that the fixtures adapt to into them")

const dashes = "\n----------\n"

// TestAdapt adapts the fixtures: a Caddyfile, a line of dashes, and the JSON it
// becomes or the end of the error it is refused with.
func TestAdapt(t *testing.T) {
	t.Setenv("PROXY_POOL_TEST_INTERVAL", "90")
	fixtures, err := filepath.Glob("testdata/*.caddyfiletest")
	if err != nil || len(fixtures) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	for _, path := range fixtures {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".caddyfiletest"), func(t *testing.T) {
			fixture, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			input, want, ok := strings.Cut(strings.ReplaceAll(string(fixture), "\r\n", "\n"), dashes)
			if !ok {
				t.Fatal("expected a line of dashes")
			}
			want = strings.TrimSpace(want)
			got, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(input+"\n"), nil)
			switch refused := !strings.HasPrefix(want, "{"); {
			case refused && err == nil:
				t.Fatalf("adapted, expected the error\n%s", want)
			case refused && (want == "" || !strings.HasSuffix(err.Error(), want)):
				t.Fatalf("error\n%v\nexpected the end\n%s", err, want)
			case refused:
				return
			case err != nil:
				t.Fatal(err)
			}
			if *update {
				writeFixture(t, path, input, indent(t, got))
			} else if have := indent(t, got); have != indent(t, []byte(want)) {
				t.Errorf("adapted to\n%s\nexpected\n%s", have, want)
			}
		})
	}
}

func indent(t *testing.T, raw []byte) string {
	t.Helper()
	var out bytes.Buffer
	if err := json.Indent(&out, raw, "", "\t"); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func writeFixture(t *testing.T, path, input, output string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(input+dashes+output+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}
