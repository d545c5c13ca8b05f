package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// mode is how a proxy behaves.
type mode int32

const (
	modeOK           mode = iota
	modeRefuse            // nobody listens; standing tunnels are cut
	modeReset             // connections and standing tunnels are reset
	mode407               // the answer to CONNECT; standing tunnels are cut
	mode502               // the same
	mode403               // the same
	modeHang              // accepts, never answers; standing tunnels are frozen
	modeSilentTunnel      // grants tunnels, and nothing comes through; standing ones are frozen
	modeFullBacklog       // the listener accepts nothing more; standing tunnels are frozen
	modeGarbage           // TLS fails in each tunnel; standing ones are cut
	modeBreakOff          // each tunnel is cut in the middle of an answer
)

var modeNames = map[mode]string{
	modeOK: "works", modeRefuse: "refuses", modeReset: "resets", mode407: "407 to CONNECT", mode502: "502 to CONNECT",
	mode403: "403 to CONNECT", modeHang: "never answers CONNECT", modeSilentTunnel: "silent in the tunnel",
	modeFullBacklog: "accepts nothing", modeGarbage: "fails TLS", modeBreakOff: "breaks off answers",
}

func (m mode) String() string { return modeNames[m] }

// freezes tells whether standing tunnels stop moving in this mode.
func (m mode) freezes() bool {
	return m == modeHang || m == modeSilentTunnel || m == modeFullBacklog
}

// proxy is an HTTP proxy for CONNECT and absolute-form requests that can be
// told to fail.
type proxy struct {
	addr string
	mode atomic.Int32
	thaw atomic.Pointer[chan struct{}] // closed when frozen tunnels end; nil where nothing is frozen

	requests    atomic.Int64 // load requests that the origin got through this proxy
	lastCarried atomic.Int64 // time of the last of them, in nanoseconds
	firstAfter  atomic.Int64 // time of the first one since it was last set to 0

	mu      sync.Mutex
	ln      net.Listener
	backlog io.Closer
	tunnels map[string]*tunnel // by the address that the origin sees
	waiting map[net.Conn]struct{}
}

// tunnel is one that stands.
type tunnel struct {
	proxy         *proxy
	client        net.Conn
	upstream      net.Conn
	closed        chan struct{}
	closeTogether sync.Once
}

// startProxy serves on a free port of 127.0.0.1.
func startProxy() (*proxy, error) {
	p := &proxy{tunnels: make(map[string]*tunnel), waiting: make(map[net.Conn]struct{})}
	if err := p.listen("127.0.0.1:0"); err != nil {
		return nil, err
	}
	p.addr = p.ln.Addr().String()
	return p, nil
}

func (p *proxy) listen(addr string) error {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("listening for a proxy: %w", err)
	}
	p.ln = ln
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go p.serve(conn)
		}
	}()
	return nil
}

func (p *proxy) currentMode() mode { return mode(p.mode.Load()) }

// carried notes that the origin got a request through this proxy.
func (p *proxy) carried() {
	now := time.Now().UnixNano()
	p.requests.Add(1)
	p.lastCarried.Store(now)
	p.firstAfter.CompareAndSwap(0, now)
}

// set changes how the proxy behaves, standing tunnels included.
func (p *proxy) set(m mode) error {
	if p.currentMode() == m {
		return nil
	}
	for _, t := range p.enter(m) {
		t.cut(m == modeReset)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case m == modeRefuse:
	case m == modeFullBacklog:
		full, err := listenFull(p.addr)
		p.backlog = full
		return err
	case p.ln == nil:
		return p.listen(p.addr)
	}
	return nil
}

// enter takes the mode for what comes and returns the tunnels that have to end.
func (p *proxy) enter(m mode) (ending []*tunnel) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mode.Store(int32(m))
	if p.backlog != nil {
		_ = p.backlog.Close()
		p.backlog = nil
	}
	if p.ln != nil && (m == modeRefuse || m == modeFullBacklog) {
		_ = p.ln.Close()
		p.ln = nil
	}
	thaw := p.thaw.Load()
	if m.freezes() && thaw == nil {
		frozen := make(chan struct{})
		p.thaw.Store(&frozen)
	}
	if m.freezes() || m == modeBreakOff {
		return nil
	}
	for _, t := range p.tunnels {
		ending = append(ending, t)
	}
	for conn := range p.waiting {
		_ = conn.Close()
	}
	if thaw != nil {
		close(*thaw)
		p.thaw.Store(nil)
	}
	return ending
}

func (p *proxy) close() { _ = p.set(modeRefuse) }

// standing is how many tunnels stand.
func (p *proxy) standing() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.tunnels)
}

func (p *proxy) serve(conn net.Conn) {
	switch p.currentMode() {
	case modeReset:
		_ = conn.(*net.TCPConn).SetLinger(0)
		_ = conn.Close()
		return
	case modeHang:
		p.hold(conn)
		return
	}
	br := bufio.NewReader(conn)
	req, err := http.ReadRequest(br)
	if err != nil {
		_ = conn.Close()
		return
	}
	if req.Method != http.MethodConnect {
		forward(conn, br, req)
		return
	}
	switch m := p.currentMode(); m {
	case mode407, mode502, mode403:
		status := map[mode]int{mode407: 407, mode502: 502, mode403: 403}[m]
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 %d %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", status, http.StatusText(status))
		_ = conn.Close()
	case modeHang:
		p.hold(conn)
	case modeSilentTunnel:
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
		p.hold(conn)
	case modeGarbage:
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
		_, _ = conn.Read(make([]byte, 4096))
		_, _ = conn.Write(bytes.Repeat([]byte{0x2a}, 64))
		_ = conn.Close()
	default:
		p.tunnel(conn, req.Host)
	}
}

// hold keeps a connection open until the other side or a change of mode ends it.
func (p *proxy) hold(conn net.Conn) {
	p.mu.Lock()
	p.waiting[conn] = struct{}{}
	p.mu.Unlock()
	_, _ = io.Copy(io.Discard, conn)
	_ = conn.Close()
	p.mu.Lock()
	delete(p.waiting, conn)
	p.mu.Unlock()
}

func (p *proxy) tunnel(conn net.Conn, target string) {
	if target == endTarget {
		serveEnd(conn)
		_ = conn.Close()
		return
	}
	upstream, err := net.DialTimeout("tcp", target, 5*time.Second)
	if err != nil {
		_, _ = io.WriteString(conn, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		_ = conn.Close()
		return
	}
	t := &tunnel{proxy: p, client: conn, upstream: upstream, closed: make(chan struct{})}
	p.mu.Lock()
	p.tunnels[upstream.LocalAddr().String()] = t
	p.mu.Unlock()
	if _, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n"); err != nil {
		t.cut(false)
		return
	}
	go t.pump(conn, upstream)
	t.pump(upstream, conn)
}

// find is the tunnel that the origin sees coming from this address.
func (p *proxy) find(remote string) *tunnel {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.tunnels[remote]
}

func (t *tunnel) pump(from, to net.Conn) {
	defer t.cut(false)
	buf := make([]byte, 16<<10)
	for {
		n, err := from.Read(buf)
		if thaw := t.proxy.thaw.Load(); thaw != nil {
			select {
			case <-*thaw:
			case <-t.closed:
			}
			return
		}
		if _, werr := to.Write(buf[:n]); err != nil || werr != nil {
			return
		}
	}
}

// cut ends both sides of the tunnel, with a reset where that is asked for.
func (t *tunnel) cut(reset bool) {
	t.closeTogether.Do(func() {
		close(t.closed)
		if reset {
			_ = t.client.(*net.TCPConn).SetLinger(0)
		}
		_ = t.client.Close()
		_ = t.upstream.Close()
		t.proxy.mu.Lock()
		delete(t.proxy.tunnels, t.upstream.LocalAddr().String())
		t.proxy.mu.Unlock()
	})
}

// forward answers absolute-form requests, as checks of http:// URLs send them.
func forward(conn net.Conn, br *bufio.Reader, req *http.Request) {
	defer conn.Close()
	for {
		req.RequestURI = ""
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			_, _ = io.WriteString(conn, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
			return
		}
		err = resp.Write(conn)
		_ = resp.Body.Close()
		if err != nil || req.Close {
			return
		}
		if req, err = http.ReadRequest(br); err != nil {
			return
		}
	}
}
