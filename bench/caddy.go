package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// caddyProcess is a running Caddy with a private admin endpoint.
type caddyProcess struct {
	front string // address of its site
	admin string
	dir   string
	cmd   *exec.Cmd
	done  chan struct{}
}

// site is a configuration before its addresses are known.
type site struct {
	pool    string // of the global option proxy_pool, which is left out where it is empty
	options string // what else is in it; "storage memory" where empty
	body    string // the directives of the site
	more    string // further sites
}

// caddyfile puts the site behind addresses of its own. Access logs are off, as
// Caddy has them.
func (s site) caddyfile(front, admin string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "{\n\tadmin %s\n\tauto_https off\n\tpersist_config off\n\tgrace_period 10s\n\tlog {\n\t\tlevel ERROR\n\t}\n", admin)
	if s.pool != "" {
		fmt.Fprintf(&b, "\tproxy_pool {\n%s%s\t}\n", indent(cmp.Or(s.options, "storage memory"), 2), indent(s.pool, 2))
	}
	host, port, _ := net.SplitHostPort(front)
	fmt.Fprintf(&b, "}\n\n:%s {\n\tbind %s\n%s}\n%s", port, host, indent(s.body, 1), s.more)
	return b.String()
}

func indent(text string, by int) string {
	var b strings.Builder
	for line := range strings.Lines(strings.TrimSpace(text) + "\n") {
		b.WriteString(strings.Repeat("\t", by) + line)
	}
	return b.String()
}

// startCaddy starts the rig's Caddy, or another binary, and waits until it
// answers. It lives in a directory of its own, with nothing of the user's.
func (r *rig) startCaddy(ctx context.Context, binary string, s site) (*caddyProcess, error) {
	dir, err := os.MkdirTemp(r.dir, "caddy-")
	if err != nil {
		return nil, err
	}
	addrs, err := freeAddrs(2)
	if err != nil {
		return nil, err
	}
	c := &caddyProcess{front: addrs[0], admin: addrs[1], dir: dir, done: make(chan struct{})}
	config := filepath.Join(dir, "Caddyfile")
	if err := os.WriteFile(config, []byte(s.caddyfile(c.front, c.admin)), 0o600); err != nil {
		return nil, err
	}
	logFile, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	defer logFile.Close()
	c.cmd = exec.CommandContext(ctx, binary, "run", "--config", config, "--adapter", "caddyfile")
	c.cmd.Cancel = func() error { return c.cmd.Process.Signal(syscall.SIGTERM) }
	c.cmd.WaitDelay = 10 * time.Second
	c.cmd.Dir, c.cmd.Stdout, c.cmd.Stderr = dir, logFile, logFile
	c.cmd.Env = append(cleanEnviron(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	if err := startOn(c.cmd, r.caddyCPUs); err != nil {
		return nil, fmt.Errorf("starting Caddy: %w", err)
	}
	go func() {
		_ = c.cmd.Wait()
		close(c.done)
	}()
	if err := c.waitReady(ctx); err != nil {
		c.stop()
		text, _ := os.ReadFile(logFile.Name())
		return nil, fmt.Errorf("%w; it said: %s", err, bytes.TrimSpace(text))
	}
	return c, nil
}

// cleanEnviron is the environment without what would change how Caddy or the
// transports behave.
func cleanEnviron() (env []string) {
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		switch upper := strings.ToUpper(name); {
		case strings.HasSuffix(upper, "_PROXY"), strings.HasPrefix(upper, "BENCH_"), upper == "GOMAXPROCS", upper == "GOGC", upper == "GODEBUG":
		default:
			env = append(env, entry)
		}
	}
	return env
}

func (c *caddyProcess) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		if conn, err := net.Dial("tcp", c.front); err == nil {
			_ = conn.Close()
			if _, err := c.get(ctx, "/config/"); err == nil {
				return nil
			}
		}
		select {
		case <-c.done:
			return errors.New("Caddy ended at once") //nolint:staticcheck // a name
		case <-ctx.Done():
			return errors.New("Caddy does not answer") //nolint:staticcheck // a name
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (c *caddyProcess) pid() int { return c.cmd.Process.Pid }

// stop ends the process and waits for it.
func (c *caddyProcess) stop() {
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-c.done:
	case <-time.After(15 * time.Second):
		warn("Caddy did not end within 15 s of SIGTERM")
		_ = c.cmd.Process.Kill()
		<-c.done
	}
}

// get asks the admin endpoint.
func (c *caddyProcess) get(ctx context.Context, path string) ([]byte, error) {
	return c.ask(ctx, http.MethodGet, path, "", nil)
}

// load makes Caddy take another configuration, as a reload does.
func (c *caddyProcess) load(ctx context.Context, s site) error {
	_, err := c.ask(ctx, http.MethodPost, "/load", "text/caddyfile", strings.NewReader(s.caddyfile(c.front, c.admin)))
	return err
}

// The admin endpoint's own connections must not count among Caddy's files.
var adminClient = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

func (c *caddyProcess) ask(ctx context.Context, method, path, contentType string, body io.Reader) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+c.admin+path, body)
	if err != nil {
		return nil, err
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := adminClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, bytes.TrimSpace(text))
	}
	return text, err
}

// goroutines is how many the process has.
func (c *caddyProcess) goroutines(ctx context.Context) (n int, err error) {
	text, err := c.get(ctx, "/debug/pprof/goroutine?debug=1")
	if err != nil {
		return 0, err
	}
	_, err = fmt.Sscanf(string(text), "goroutine profile: total %d", &n)
	return n, err
}

// proxyRow is what the rig reads of a proxy's row in the status.
type proxyRow struct {
	Name       string   `json:"name"`
	Status     string   `json:"status"`
	Usable     bool     `json:"usable"`
	FailingFor []string `json:"failing_for"`
}

// outOfUse tells whether no request starts with this proxy any more.
func (p proxyRow) outOfUse() bool { return !p.Usable || len(p.FailingFor) > 0 }

func (c *caddyProcess) status(ctx context.Context) ([]proxyRow, error) {
	var status struct {
		Proxies []proxyRow `json:"proxies"`
	}
	err := c.getJSON(ctx, "/proxy_pool/status", &status)
	return status.Proxies, err
}

func (c *caddyProcess) getJSON(ctx context.Context, path string, into any) error {
	text, err := c.get(ctx, path)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

// freeAddrs are addresses on 127.0.0.1 that nobody listens on.
func freeAddrs(n int) (addrs []string, err error) {
	var listeners []net.Listener
	defer func() {
		for _, ln := range listeners {
			_ = ln.Close()
		}
	}()
	for range n {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		listeners = append(listeners, ln)
		addrs = append(addrs, ln.Addr().String())
	}
	return addrs, nil
}
