package relay

import (
	"net"
	"sync/atomic"
	"syscall"
	"time"
)

// peer is one end of the tunnel: the stream, and what is known of the socket
// beneath it.
type peer struct {
	side   Side
	stream Stream

	socket syscall.RawConn          // nil where the stream has none that can be used
	barely interface{ Bare() bool } // nil where the stream is its socket
	bare   atomic.Bool              // the bytes of the stream are those of socket
	told   atomic.Bool              // that nothing more will be written
	meter  interface {              // nil where nobody counts what goes past the stream
		Count(in, out int) error
	}
}

func (p *peer) init(side Side, stream Stream) {
	p.side, p.stream = side, stream
	conn, itself := stream.(net.Conn)
	if s, ok := stream.(interface {
		Bare() bool
		NetConn() net.Conn
	}); ok {
		conn, itself = s.NetConn(), true
		p.barely = s
	}
	if itself {
		p.socket = socketOf(conn)
	}
	p.meter, _ = stream.(interface{ Count(in, out int) error })
}

// reading reports whether the stream may be gone past. It is for who reads the
// stream, between two reads.
func (p *peer) reading() bool {
	if p.socket == nil || p.bare.Load() {
		return p.bare.Load()
	}
	if p.barely != nil && !p.barely.Bare() {
		return false
	}
	p.bare.Store(true)
	return true
}

// count books what went past the stream.
func (p *peer) count(in, out int) error {
	if p.meter == nil {
		return nil
	}
	return p.meter.Count(in, out)
}

// closeGrace is how long a farewell may take: TLS says goodbye when it closes,
// which blocks when the other side has stopped reading.
const closeGrace = 100 * time.Millisecond

// close closes the stream, which was told everything (complete), or not: then
// what is beneath it is reset, so that the other side sees that something is
// missing.
func (p *peer) close(complete bool) {
	if !complete {
		p.abort()
		return
	}
	conn := p.beneath()
	if conn == nil || p.bare.Load() {
		_ = p.stream.Close()
		return
	}
	hurry := time.AfterFunc(closeGrace, func() { _ = conn.Close() })
	defer hurry.Stop()
	_ = p.stream.Close()
}

func (p *peer) abort() {
	if s, ok := p.stream.(interface{ Abort() }); ok {
		s.Abort()
		return
	}
	if conn := p.beneath(); conn != nil {
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		// Before the stream, which would take its leave first.
		_ = conn.Close()
	}
	_ = p.stream.Close()
}

// beneath is the connection at the bottom of the stream, nil where there is none.
func (p *peer) beneath() net.Conn {
	var bottom net.Conn
	for at := any(p.stream); ; at = bottom {
		switch conn := at.(type) {
		case *net.TCPConn:
			return conn
		case *net.UnixConn:
			return conn
		case interface{ NetConn() net.Conn }:
			bottom = conn.NetConn()
		default:
			return bottom
		}
	}
}
