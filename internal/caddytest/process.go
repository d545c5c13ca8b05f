package caddytest

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Process is a running Caddy.
type Process struct {
	t     testing.TB
	URL   string // of its site
	Front string // host:port of its forward front, where it has one
	Admin string // host:port
	log   string // path of what it says
	Cmd   *exec.Cmd
	Done  chan struct{} // closed when it has ended
	Setup Setup
	Took  time.Duration // how long it took to start
}

// Setup is a configuration before its addresses are known.
type Setup struct {
	Pools   string // the body of the global option proxy_pool
	Site    string // the directives of the site
	Forward string // of the forward front's own site; empty for none
	Global  string // more global options
}

func (s Setup) caddyfile(p *Process) string {
	quiet := "admin http tls"
	if s.Forward != "" {
		quiet = "admin tls" // its log tells of tunnels
	}
	text := fmt.Sprintf(`{
	admin %s
	auto_https off
	persist_config off
	log {
		exclude %s
	}
%s
	proxy_pool {
%s
	}
}
http://%s {
	bind 127.0.0.1
%s
}
`, p.Admin, quiet, s.Global, s.Pools, strings.TrimPrefix(p.URL, "http://"), s.Site)
	if s.Forward != "" {
		_, port, _ := net.SplitHostPort(p.Front)
		text += fmt.Sprintf("http://:%s {\n\tbind 127.0.0.1\n%s\n}\n", port, s.Forward)
	}
	return text
}

// Start starts Caddy and waits until it answers.
func Start(t testing.TB, s Setup) *Process {
	t.Helper()
	var err error
	for range 3 { // a port may have been taken meanwhile
		p := Launch(t, s)
		if err = p.WaitReady(); err == nil {
			return p
		}
		p.Kill()
		if !bytes.Contains(p.Said(), []byte("address already in use")) {
			break
		}
	}
	t.Fatalf("starting Caddy: %v", err)
	return nil
}

// Launch starts Caddy, in a directory that has nothing of the user's.
func Launch(t testing.TB, s Setup) *Process {
	t.Helper()
	path, err := Binary()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	p := &Process{
		t: t, URL: "http://" + FreeAddr(t), Front: FreeAddr(t), Admin: FreeAddr(t), log: filepath.Join(dir, "log"),
		Done: make(chan struct{}), Setup: s,
	}
	config := filepath.Join(dir, "Caddyfile")
	if err := os.WriteFile(config, []byte(s.caddyfile(p)), 0o600); err != nil {
		t.Fatal(err)
	}
	logFile, err := os.Create(p.log)
	if err != nil {
		t.Fatal(err)
	}
	defer logFile.Close()
	p.Cmd = exec.Command(path, "run", "--config", config)
	p.Cmd.Dir, p.Cmd.Stdout, p.Cmd.Stderr = dir, logFile, logFile
	p.Cmd.Env = append(Environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	if err := p.Cmd.Start(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	go func() {
		_ = p.Cmd.Wait()
		close(p.Done)
	}()
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("Caddy (pid %d) said:\n%s", p.Cmd.Process.Pid, Tail(p.Said(), 4<<10))
		}
	})
	p.Took = time.Since(began)
	return p
}

// Environ is the environment without what changes how Caddy reaches others.
func Environ() (env []string) {
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		if !strings.HasSuffix(strings.ToUpper(name), "_PROXY") {
			env = append(env, entry)
		}
	}
	return env
}

// WaitReady waits until it answers.
func (p *Process) WaitReady() error {
	began := time.Now()
	var err error
	answers := ComesTrue(20*time.Second, func() bool {
		if p.Ended() {
			return true
		}
		var conn net.Conn
		if conn, err = net.Dial("tcp", strings.TrimPrefix(p.URL, "http://")); err == nil {
			_ = conn.Close()
			err = p.Call(http.MethodGet, "/proxy_pool/status", nil)
		}
		// The servers may run before the books are open.
		return err == nil && bytes.Contains(p.Said(), []byte("serving initial configuration"))
	})
	p.Took = time.Since(began)
	switch {
	case p.Ended():
		return errors.New("it ended at once")
	case !answers:
		return err
	}
	return nil
}

// Ended reports whether it has ended.
func (p *Process) Ended() bool {
	select {
	case <-p.Done:
		return true
	default:
		return false
	}
}

// Kill ends the process as the kernel does, at once.
func (p *Process) Kill() {
	_ = p.Cmd.Process.Kill()
	<-p.Done
}

// Terminate asks the process to stop.
func (p *Process) Terminate() {
	p.t.Helper()
	if err := p.Cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Errorf("asking Caddy to stop: %v", err)
	}
}

// Stop stops the process as an admin does, and waits for its end.
func (p *Process) Stop() {
	p.t.Helper()
	p.Terminate()
	p.WaitEnd()
}

// StopByCommand does it with `caddy stop`.
func (p *Process) StopByCommand() {
	p.t.Helper()
	if out, err := exec.Command(p.Cmd.Path, "stop", "--address", p.Admin).CombinedOutput(); err != nil {
		p.t.Errorf("caddy stop: %v\n%s", err, out)
	}
	p.WaitEnd()
}

// WaitEnd waits until it has ended, as it should: with 0.
func (p *Process) WaitEnd() {
	p.t.Helper()
	select {
	case <-p.Done:
	case <-time.After(30 * time.Second):
		p.t.Fatal("Caddy did not stop within 30 s")
	}
	if code := p.Cmd.ProcessState.ExitCode(); code != 0 {
		p.t.Errorf("Caddy ended with %d", code)
	}
}

// Said is the log so far.
func (p *Process) Said() []byte {
	text, _ := os.ReadFile(p.log)
	return text
}

// SaidOf are the lines of the log that have a level and a text.
func (p *Process) SaidOf(level, text string) (lines []string) {
	for line := range strings.Lines(string(p.Said())) {
		if strings.Contains(line, `"level":"`+level+`"`) && strings.Contains(line, text) {
			lines = append(lines, line)
		}
	}
	return lines
}

// Tail is the end of a text.
func Tail(text []byte, n int) []byte { return text[max(0, len(text)-n):] }

// lastPort counts the ports that were handed out. They are below those that the
// system gives to connections, which come and go in great numbers here.
var lastPort atomic.Uint32

// FreeAddr is an address on 127.0.0.1 that nobody listens on.
func FreeAddr(t testing.TB) string {
	t.Helper()
	const from, ports = 11_000, 20_000
	for range 1000 {
		n := lastPort.Add(1) + uint32(os.Getpid()*7919) // not where another process begins
		addr := fmt.Sprintf("127.0.0.1:%d", from+n%ports)
		if ln, err := net.Listen("tcp", addr); err == nil {
			_ = ln.Close()
			return addr
		}
	}
	t.Fatal("no port is free")
	return ""
}
