package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// proxy is an HTTP proxy that carries CONNECT tunnels, and fails when told to.
type proxy struct {
	name, addr string

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
		go p.serve(conn)
	}
}

// serve answers one CONNECT and carries the tunnel to its end.
func (p *proxy) serve(client net.Conn) {
	defer func() { _ = client.Close() }()
	if hanging, ok := p.keep(client); !ok || hanging {
		_, _ = io.Copy(io.Discard, client)
		return
	}
	defer p.forget(client)
	reader := bufio.NewReader(client)
	req, err := http.ReadRequest(reader)
	if err != nil {
		return
	}
	if req.Method != http.MethodConnect {
		fmt.Fprint(client, "HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n")
		return
	}
	target, err := net.DialTimeout("tcp", req.Host, 5*time.Second)
	if err != nil {
		fmt.Fprint(client, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
		return
	}
	defer func() { _ = target.Close() }()
	fmt.Fprint(client, "HTTP/1.1 200 Connection established\r\n\r\n")
	go func() {
		_, _ = io.Copy(target, reader)
		_ = target.Close()
	}()
	_, _ = io.Copy(client, target)
}

// keep notes a connection, so that failing ends it. It reports whether the
// proxy hangs; ok is false where it failed just now.
func (p *proxy) keep(conn net.Conn) (hanging, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener == nil {
		_ = conn.Close()
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
