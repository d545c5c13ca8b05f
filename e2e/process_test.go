package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// process is a running Caddy.
type process struct {
	t     *testing.T
	url   string // of its site
	front string // host:port of its forward front, where it has one
	admin string // host:port
	log   string // path of what it says
	cmd   *exec.Cmd
	done  chan struct{} // closed when it has ended
	setup setup
	ready time.Duration // how long it took to start
}

// setup is a configuration before its addresses are known.
type setup struct {
	pools   string // the body of the global option proxy_pool
	site    string // the directives of the site
	forward string // of the forward front's own site; empty for none
	global  string // more global options
}

func (s setup) caddyfile(p *process) string {
	quiet := "admin http tls"
	if s.forward != "" {
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
`, p.admin, quiet, s.global, s.pools, strings.TrimPrefix(p.url, "http://"), s.site)
	if s.forward != "" {
		_, port, _ := net.SplitHostPort(p.front)
		text += fmt.Sprintf("http://:%s {\n\tbind 127.0.0.1\n%s\n}\n", port, s.forward)
	}
	return text
}

// start starts Caddy and waits until it answers.
func start(t *testing.T, s setup) *process {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	for range 3 { // a port may have been taken meanwhile
		p := launch(t, path, s)
		if err = p.waitReady(); err == nil {
			return p
		}
		p.kill()
		if !bytes.Contains(p.said(), []byte("address already in use")) {
			break
		}
	}
	t.Fatalf("starting Caddy: %v", err)
	return nil
}

// launch starts Caddy, in a directory that has nothing of the user's.
func launch(t *testing.T, path string, s setup) *process {
	t.Helper()
	dir := t.TempDir()
	p := &process{
		t: t, url: "http://" + freeAddr(t), front: freeAddr(t), admin: freeAddr(t), log: filepath.Join(dir, "log"),
		done: make(chan struct{}), setup: s,
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
	p.cmd = exec.Command(path, "run", "--config", config)
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, logFile, logFile
	p.cmd.Env = append(environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	go func() {
		_ = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("Caddy (pid %d) said:\n%s", p.cmd.Process.Pid, tail(p.said(), 4<<10))
		}
	})
	p.ready = time.Since(began)
	return p
}

// environ is the environment without what changes how Caddy reaches others.
func environ() (env []string) {
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		if !strings.HasSuffix(strings.ToUpper(name), "_PROXY") {
			env = append(env, entry)
		}
	}
	return env
}

func (p *process) waitReady() error {
	began := time.Now()
	var err error
	answers := comesTrue(20*time.Second, func() bool {
		if p.ended() {
			return true
		}
		var conn net.Conn
		if conn, err = net.Dial("tcp", strings.TrimPrefix(p.url, "http://")); err == nil {
			_ = conn.Close()
			_, err = p.status()
		}
		// The servers may run before the books are open.
		return err == nil && bytes.Contains(p.said(), []byte("serving initial configuration"))
	})
	p.ready = time.Since(began)
	switch {
	case p.ended():
		return errors.New("it ended at once")
	case !answers:
		return err
	}
	return nil
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// kill ends the process as the kernel does, at once.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// terminate asks the process to stop.
func (p *process) terminate() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Errorf("asking Caddy to stop: %v", err)
	}
}

// stop stops the process as an admin does, and waits for its end.
func (p *process) stop() {
	p.t.Helper()
	p.terminate()
	p.waitEnd()
}

// stopByCommand does it with `caddy stop`.
func (p *process) stopByCommand() {
	p.t.Helper()
	if out, err := exec.Command(p.cmd.Path, "stop", "--address", p.admin).CombinedOutput(); err != nil {
		p.t.Errorf("caddy stop: %v\n%s", err, out)
	}
	p.waitEnd()
}

func (p *process) waitEnd() {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(30 * time.Second):
		p.t.Fatal("Caddy did not stop within 30 s")
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		p.t.Errorf("Caddy ended with %d", code)
	}
}

// said is the log so far.
func (p *process) said() []byte {
	text, _ := os.ReadFile(p.log)
	return text
}

// saidOf are the lines of the log that have a level and a text.
func (p *process) saidOf(level, text string) (lines []string) {
	for line := range strings.Lines(string(p.said())) {
		if strings.Contains(line, `"level":"`+level+`"`) && strings.Contains(line, text) {
			lines = append(lines, line)
		}
	}
	return lines
}

func tail(text []byte, n int) []byte { return text[max(0, len(text)-n):] }

// lastPort counts the ports that were handed out. They are below those that the
// system gives to connections, which come and go in great numbers here.
var lastPort atomic.Uint32

// freeAddr is an address on 127.0.0.1 that nobody listens on.
func freeAddr(t *testing.T) string {
	t.Helper()
	const from, ports = 11_000, 20_000
	for range 1000 {
		n := lastPort.Add(1) + uint32(os.Getpid()*31) // not where another run of the tests begins
		addr := fmt.Sprintf("127.0.0.1:%d", from+n%ports)
		if ln, err := net.Listen("tcp", addr); err == nil {
			_ = ln.Close()
			return addr
		}
	}
	t.Fatal("no port is free")
	return ""
}
