package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
)

// peers are the addresses of what stands behind Caddy in the throughput part.
// It runs in a process of its own, so that the load client has its own garbage
// collector and scheduler.
type peers struct {
	Origin       string // HTTP/1.1, read by hand
	PlainOrigin  string // the same without TLS
	HTTP1, HTTP2 string // net/http
	Proxy        string
	Proxies      []string // more of them

	child
}

// servePeers is the program of that process: it prints its addresses and ends
// when its standard input does.
func servePeers(dir string) error {
	plain, err := serverTLS(dir, "http/1.1")
	if err != nil {
		return err
	}
	h2, err := serverTLS(dir, "h2", "http/1.1")
	if err != nil {
		return err
	}
	var p peers
	o, err := startOrigin(plain, 0)
	if err != nil {
		return err
	}
	p.Origin = o.addr()
	if o, err = startOrigin(nil, 0); err != nil {
		return err
	}
	p.PlainOrigin = o.addr()
	if p.HTTP1, err = startHTTPOrigin(plain.Clone()); err != nil {
		return err
	}
	if p.HTTP2, err = startHTTPOrigin(h2); err != nil {
		return err
	}
	for range 5 {
		proxy, err := startProxy()
		if err != nil {
			return err
		}
		p.Proxies = append(p.Proxies, proxy.addr)
	}
	p.Proxy = p.Proxies[0]
	return announce(p)
}

// announce is the other side of startSelf.
func announce(p any) error {
	if err := json.NewEncoder(os.Stdout).Encode(p); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// startPeers starts that process.
func (r *rig) startPeers() (*peers, error) {
	p := &peers{}
	var err error
	if p.child, err = startSelf(0, p, "-serve", r.dir); err != nil {
		return nil, fmt.Errorf("starting the origin and the proxies: %w", err)
	}
	return p, nil
}

// child is this program in another process, which ends when its standard input
// does.
type child struct {
	stdin io.Closer
	cmd   *exec.Cmd
}

// startSelf starts this program on the given processors, all of them where set
// is 0, and reads what it prints first into says.
func startSelf(set cpuSet, says any, args ...string) (child, error) {
	self, err := os.Executable()
	if err != nil {
		return child{}, err
	}
	cmd := exec.Command(self, args...)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return child{}, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return child{}, err
	}
	if err := startOn(cmd, set); err != nil {
		return child{}, err
	}
	c := child{stdin: stdin, cmd: cmd}
	if err := json.NewDecoder(stdout).Decode(says); err != nil {
		c.stop()
		return child{}, fmt.Errorf("reading where it listens: %w", err)
	}
	return c, nil
}

func (c child) pid() int { return c.cmd.Process.Pid }

func (c child) stop() {
	_ = c.stdin.Close()
	_ = c.cmd.Wait()
}
