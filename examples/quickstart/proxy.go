package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// proxy is one of the Caddyfile's proxies: a switch in front of the Caddy that
// does the work, and which fails when told to.
type proxy struct {
	name, addr string
	behind     string // where the work is done

	mu       sync.Mutex
	listener net.Listener // nil while nobody can reach it
	hanging  bool         // accepts, and never answers
	conns    map[net.Conn]struct{}
}

// heal makes the proxy work.
func (p *proxy) heal() error {
	p.fail() // what hangs would hang on
	p.mu.Lock()
	defer p.mu.Unlock()
	ln, err := net.Listen("tcp", p.addr)
	if err != nil {
		return inUse(p.addr, err)
	}
	p.listener, p.hanging, p.conns = ln, false, make(map[net.Conn]struct{})
	go p.accept(ln)
	return nil
}

// fail makes the proxy die, with all its tunnels.
func (p *proxy) fail() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil {
		_ = p.listener.Close()
		p.listener = nil
	}
	for conn := range p.conns {
		_ = conn.Close()
	}
}

// hang makes the proxy accept connections and never answer.
func (p *proxy) hang() error {
	if err := p.heal(); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hanging = true
	return nil
}

func (p *proxy) accept(ln net.Listener) {
	for {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		go p.serve(conn.(*net.TCPConn))
	}
}

// serve passes a connection on, until both sides are done or the proxy fails.
func (p *proxy) serve(client *net.TCPConn) {
	defer func() { _ = client.Close() }()
	hanging, ok := p.keep(client)
	if !ok {
		return
	}
	defer p.forget(client)
	if hanging {
		_, _ = io.Copy(io.Discard, client)
		return
	}
	conn, err := net.DialTimeout("tcp", p.behind, time.Second)
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	far := conn.(*net.TCPConn)
	var up sync.WaitGroup
	up.Go(func() { pass(far, client) })
	pass(client, far)
	up.Wait()
}

// pass copies what one side says to the other, and its end.
func pass(to, from *net.TCPConn) {
	if _, err := io.Copy(to, from); err != nil {
		_ = from.Close() // of failing: the other direction ends, too
		_ = to.Close()
		return
	}
	_ = to.CloseWrite()
}

// keep notes a connection, so that failing ends it. It reports whether the
// proxy hangs; ok is false where it failed just now.
func (p *proxy) keep(conn net.Conn) (hanging, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener == nil {
		return false, false
	}
	p.conns[conn] = struct{}{}
	return p.hanging, true
}

func (p *proxy) forget(conn net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, conn)
}

// controls are the requests that make proxies fail and heal.
func controls(proxies []*proxy) *http.ServeMux {
	mux := http.NewServeMux()
	for _, p := range proxies {
		path := "POST /" + strings.ToLower(p.name) + "/"
		mux.HandleFunc(path+"fail", func(w http.ResponseWriter, _ *http.Request) {
			p.fail()
			fmt.Fprintf(w, "%s is dead: nobody listens on %s\n", p.name, p.addr)
		})
		mux.HandleFunc(path+"hang", p.answer((*proxy).hang, "hangs: it accepts connections and never answers"))
		mux.HandleFunc(path+"heal", p.answer((*proxy).heal, "works"))
	}
	return mux
}

func (p *proxy) answer(do func(*proxy) error, says string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if err := do(p); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprintf(w, "%s %s\n", p.name, says)
	}
}
