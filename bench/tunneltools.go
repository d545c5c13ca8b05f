package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// tool is another program that people put in HTTPS_PROXY. It is measured where
// it is installed.
type tool struct {
	name   string
	args   []string // the file with the configuration follows
	config string   // with words in capitals for what is known later
}

var tools = []tool{
	{"squid", []string{"-N", "-f"}, `http_port LISTEN
cache_peer UPHOST parent UPPORT 0 no-query no-digest default
never_direct allow all
http_access allow all
cache deny all
access_log none
cache_log /dev/null
pid_filename none
netdb_filename none
pinger_enable off
coredump_dir none
visible_hostname bench
shutdown_lifetime 0 seconds
`},
	{"haproxy", []string{"-db", "-f"}, `defaults
	mode tcp
	timeout connect 5s
	timeout client 60s
	timeout server 60s
listen front
	bind LISTEN
	server upstream UPHOST:UPPORT
`},
	{"tinyproxy", []string{"-d", "-c"}, `Listen HOST
Port PORT
Upstream http UPHOST:UPPORT
MaxClients 1000
LogLevel Critical
LogFile "/dev/null"
`},
}

// configFor puts in what is known when the tool is started.
func (t tool) configFor(listen, upstream string) string {
	host, port, _ := net.SplitHostPort(listen)
	upHost, upPort, _ := net.SplitHostPort(upstream)
	// The longer words come before those that they contain.
	return strings.NewReplacer("LISTEN", listen, "UPHOST", upHost, "UPPORT", upPort, "HOST", host, "PORT", port).Replace(t.config)
}

// startTools starts those that are installed, and says which are not.
func (r *rig) startTools(ctx context.Context, upstream string) (fronts []*front) {
	var missing []string
	for _, t := range tools {
		binary, err := exec.LookPath(t.name)
		if err != nil {
			missing = append(missing, t.name)
			continue
		}
		f, err := r.startTool(ctx, t, binary, upstream)
		if err != nil {
			fmt.Printf("%s is left out: %v.\n\n", t.name, err)
			continue
		}
		fronts = append(fronts, f)
	}
	if missing != nil {
		fmt.Printf("Not installed, and left out: %s.\n\n", strings.Join(missing, ", "))
	}
	return fronts
}

// startTool starts it where Caddy runs.
func (r *rig) startTool(ctx context.Context, t tool, binary, upstream string) (*front, error) {
	addrs, err := freeAddrs(1)
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(addrs[0])
	config := filepath.Join(r.dir, t.name+"-"+port+".conf") // there may be several
	if err := os.WriteFile(config, []byte(t.configFor(addrs[0], upstream)), 0o600); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, binary, append(t.args, config)...)
	cmd.Env = cleanEnviron()
	if err := startOn(cmd, r.caddyCPUs); err != nil {
		return nil, err
	}
	f := &front{name: t.name, addr: addrs[0], pid: cmd.Process.Pid}
	f.stop = func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		timer := time.AfterFunc(5*time.Second, func() { _ = cmd.Process.Kill() })
		defer timer.Stop()
		_ = cmd.Wait()
	}
	for range 100 {
		if conn, err := net.Dial("tcp", f.addr); err == nil {
			_ = conn.Close()
			return f, nil
		}
		if err := wait(ctx, 50*time.Millisecond); err != nil {
			break
		}
	}
	f.stop()
	return nil, errors.New("it does not listen")
}
