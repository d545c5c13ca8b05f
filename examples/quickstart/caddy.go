package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// stopWithin is how long Caddy has to end. Tunnels have five seconds of it.
const stopWithin = 8 * time.Second

// runCaddys runs the Caddy of the proxies and then the other one, until ctx ends
// or one of them does. It returns when both have ended.
func (q *quickstart) runCaddys(ctx context.Context) error {
	running, stop := context.WithCancel(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer stop()
	ready := make(chan struct{})
	ended := make(chan error, 2)
	all.Go(func() { ended <- q.runCaddy(running, q.vps, func() { close(ready) }) })
	select {
	case <-ready:
	case err := <-ended:
		return err
	}
	if q.chat != nil {
		all.Go(func() { q.chat.show(running) })
	}
	all.Go(func() {
		ended <- q.runCaddy(running, q.caddyfile, func() {
			q.awaitCertificate()
			q.welcome()
		})
	})
	return <-ended
}

// runCaddy runs Caddy until ctx ends, and says when it serves. Its data, a CA of
// its own among them, goes to a directory that is removed afterwards.
func (q *quickstart) runCaddy(ctx context.Context, caddyfile string, serves func()) error {
	data, err := os.MkdirTemp("", "proxypool-quickstart-")
	if err != nil {
		return fmt.Errorf("making a directory for Caddy's data: %w", err)
	}
	defer func() { _ = os.RemoveAll(data) }()
	cmd := exec.CommandContext(ctx, q.caddy, "run", "--adapter", "caddyfile", "--config", caddyfile)
	cmd.Env = append(os.Environ(), "XDG_DATA_HOME="+data, "XDG_CONFIG_HOME="+data)
	cmd.WaitDelay = stopWithin
	cmd.Cancel = func() error {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			return cmd.Process.Kill() // where there are no signals
		}
		return nil
	}
	log, err := cmd.StderrPipe()
	if err != nil {
		return fmt.Errorf("starting Caddy: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting Caddy: %w", err)
	}
	q.follow(log, serves)
	err = cmd.Wait()
	switch {
	case ctx.Err() != nil:
		return nil
	case err == nil:
		return errors.New("the end of Caddy, which nobody asked for")
	}
	return fmt.Errorf("running Caddy: %w", err)
}

// follow prints Caddy's log until it ends.
func (q *quickstart) follow(log io.Reader, serves func()) {
	lines := bufio.NewScanner(log)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := readLine(lines.Bytes())
		if q.raw {
			fmt.Println(lines.Text())
		} else if text := line.String(); text != "" {
			fmt.Println(text)
		}
		if line.Message == "serving initial configuration" {
			serves()
		}
	}
}

// awaitCertificate waits until the stand-in has its certificate, which Caddy
// signs in the background.
func (q *quickstart) awaitCertificate() {
	config := &tls.Config{ServerName: "localhost", InsecureSkipVerify: true}
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if conn, err := tls.Dial("tcp", q.settings.standIn, config); err == nil {
			_ = conn.Close()
			return
		}
	}
}
