package proxytest

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// session is one connection with a client, and what it leads to.
type session struct {
	proxy *Proxy
	raw   *net.TCPConn
	conn  net.Conn // raw, counted, in TLS where the proxy has it
	done  chan struct{}

	answered atomic.Int64 // bytes from the target, for BreakMidAnswer
	closing  sync.Once
	mu       sync.Mutex
	target   io.ReadWriteCloser
}

func (p *Proxy) accept(l *net.TCPListener) {
	for {
		raw, err := l.AcceptTCP()
		if err != nil {
			return
		}
		p.accepted.Add(1)
		s := &session{proxy: p, raw: raw, conn: &counted{TCPConn: raw, proxy: p}, done: make(chan struct{})}
		p.mu.Lock()
		if p.closed || p.mode.resets() {
			s.reset()
		}
		p.sessions[s] = struct{}{}
		p.standing.Add(1)
		p.running.Go(s.run)
		p.mu.Unlock()
	}
}

func (s *session) run() {
	defer func() {
		s.close()
		s.proxy.mu.Lock()
		delete(s.proxy.sessions, s)
		s.proxy.mu.Unlock()
		s.proxy.standing.Add(-1)
	}()
	if s.proxy.Mode().behaviour == silent {
		_, _ = io.Copy(io.Discard, s.conn)
		return
	}
	switch s.proxy.config.Kind {
	case SOCKS5:
		s.serveSOCKS()
	case HTTPS:
		a, err := theAuthority()
		if err != nil {
			return
		}
		s.conn = tls.Server(s.conn, &tls.Config{Certificates: []tls.Certificate{a.leaf}})
		fallthrough
	case HTTP:
		s.serveHTTP()
	}
}

// close ends both sides.
func (s *session) close() {
	s.closing.Do(func() {
		close(s.done)
		_ = s.raw.Close()
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.target != nil {
			_ = s.target.Close()
		}
	})
}

// reset is a close that the client sees as a reset.
func (s *session) reset() {
	_ = s.raw.SetLinger(0)
	s.close()
}

// pass waits while the mode freezes what stands, and as long as a slow one takes;
// false where the session ended meanwhile.
func (s *session) pass() bool {
	for {
		m, changed := s.proxy.current()
		var over <-chan time.Time
		switch {
		case m.behaviour == slow:
			over = time.After(time.Duration(m.n) * time.Millisecond)
		case !m.freezes():
			return true
		}
		select {
		case <-over:
			return true
		case <-changed:
		case <-s.done:
			return false
		}
	}
}

// dialTarget connects to a target, by the proxy's own idea of names.
func (p *Proxy) dialTarget(ctx context.Context, _, target string) (net.Conn, error) {
	if known, ok := p.config.Hosts[target]; ok {
		target = known
	}
	var d net.Dialer
	return d.DialContext(ctx, "tcp", target)
}

// dial is dialTarget for a tunnel.
func (s *session) dial(target string) error {
	s.proxy.mu.Lock()
	s.proxy.connects[target]++
	s.proxy.mu.Unlock()
	conn, err := s.proxy.dialTarget(context.Background(), "tcp", target)
	if err != nil {
		return err
	}
	s.lead(conn)
	return nil
}

// lead makes conn the other side of the session.
func (s *session) lead(conn io.ReadWriteCloser) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.target = conn
	select {
	case <-s.done:
		_ = conn.Close()
	default:
	}
}

// tunnel copies both ways until both sides have ended; client is what is read
// from the client.
func (s *session) tunnel(client io.Reader) {
	switch s.proxy.Mode().behaviour {
	case tlsGarbage:
		// What is left unread when a connection is closed makes a reset of it.
		_, _ = client.Read(make([]byte, 4<<10))
		_, _ = io.WriteString(s.conn, "this is not the TLS that you are looking for\r\n")
		_, _ = io.Copy(io.Discard, client)
		return
	case grantThenSilent:
		_, _ = io.Copy(io.Discard, client)
		return
	}
	var back sync.WaitGroup
	back.Go(func() {
		s.copy(s.conn, s.target, &s.answered)
		_ = s.conn.(interface{ CloseWrite() error }).CloseWrite()
	})
	s.copy(s.target, client, nil)
	if half, ok := s.target.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	back.Wait()
}

func (s *session) copy(dst io.Writer, src io.Reader, answered *atomic.Int64) {
	buf := make([]byte, 32<<10)
	for {
		n, err := src.Read(buf)
		if !s.pass() {
			return
		}
		cut := false
		if m := s.proxy.Mode(); answered != nil && m.behaviour == breakMidAnswer {
			left := int64(m.n) - answered.Load()
			if cut = int64(n) >= left; cut {
				n = int(max(0, left))
			}
		}
		if answered != nil {
			answered.Add(int64(n))
		}
		if _, werr := dst.Write(buf[:n]); werr != nil || cut {
			s.close()
			return
		}
		if err != nil {
			return
		}
	}
}

// counted counts what crosses the connection with a client.
type counted struct {
	*net.TCPConn
	proxy *Proxy
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.TCPConn.Read(p)
	c.proxy.fromClient.Add(int64(n))
	return n, err
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.TCPConn.Write(p)
	c.proxy.toClient.Add(int64(n))
	return n, err
}

// ReadFrom and WriteTo hide those of the TCP connection, which count nothing.
func (c *counted) ReadFrom(r io.Reader) (int64, error) { return io.Copy(struct{ io.Writer }{c}, r) }

func (c *counted) WriteTo(w io.Writer) (int64, error) { return io.Copy(w, struct{ io.Reader }{c}) }
