package examples_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

func TestMain(m *testing.M) {
	caddy.RegisterModule(new(execHandler))
	os.Exit(m.Run())
}

// execHandler stands in for the plugin that examples/events is built with: it
// has its name, takes the same words and runs the same programs.
type execHandler struct {
	Command string   `json:"command,omitempty"`
	Args    []string `json:"args,omitempty"`
}

func (*execHandler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "events.handlers.exec", New: func() caddy.Module { return new(execHandler) }}
}

func (h *execHandler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if !d.NextArg() {
		return d.ArgErr()
	}
	h.Command, h.Args = d.Val(), d.RemainingArgs()
	return nil
}

func (h *execHandler) Handle(ctx context.Context, _ caddy.Event) error {
	repl := ctx.Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	var args []string
	for _, arg := range h.Args {
		args = append(args, repl.ReplaceAll(arg, ""))
	}
	return exec.CommandContext(ctx, h.Command, args...).Run()
}

// TestEvents runs the example: its program is called when the pool has no usable
// proxy left, and when it has one again.
func TestEvents(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("runs a shell script")
	}
	log := filepath.Join(t.TempDir(), "events.log")
	t.Setenv("PROXYPOOL_EVENTS", log)
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	ports := freePorts(t, "8080", "2019")
	input, err := os.ReadFile("events/Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	script, err := filepath.Abs("events/tell.sh")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer(
		"examples/events/tell.sh", script, ":8080 {", ":"+ports["8080"]+" {",
		"pool main {", "pool main {\n\t\t\thealth_check off",
	).Replace(string(input))
	text = strings.Replace(text, "{\n", "{\n\tadmin localhost:"+ports["2019"]+"\n\tpersist_config off\n", 1)
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := caddy.Load(adapted, true); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = caddy.Stop() })
	for _, step := range [][2]string{{"mark-down", " pool main is down\n"}, {"mark-healthy", " pool main is up\n"}} {
		resp, err := http.Post(fmt.Sprintf("http://localhost:%s/proxy_pool/proxies/main/VPS/%s", ports["2019"], step[0]), "", nil)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatal(resp, err)
		}
		_ = resp.Body.Close()
		for deadline := time.Now().Add(soon); ; time.Sleep(20 * time.Millisecond) {
			said, _ := os.ReadFile(log)
			if strings.HasSuffix(string(said), step[1]) {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("the program wrote %q, expected %q at the end", said, step[1])
			}
		}
	}
}
