package dial

import (
	"crypto/tls"
	"errors"
	"net"
	"sync/atomic"
)

// errSealed is what a write meets once nothing more may be written.
var errSealed = errors.New("writing request: connection is sealed")

// stream is what HTTP is spoken on: the tunnel or the TLS in it. It can be
// sealed, so that it is certain whether a request went out, and it tells when
// it is closed.
type stream struct {
	net.Conn
	beneath *Conn

	writes atomic.Int64 // begun, before anything of them is written
	sealed atomic.Bool

	closed atomic.Bool
}

// Write counts itself before it looks at the seal. As [stream.seal] does it the
// other way round, either the seal stops a write or the count tells of it.
func (s *stream) Write(p []byte) (int, error) {
	if s.sealed.Load() {
		return 0, errSealed
	}
	s.writes.Add(1)
	if s.sealed.Load() {
		return 0, errSealed
	}
	return s.Conn.Write(p)
}

// seal lets nothing more be written, and reports whether nothing was since
// writes stood at began.
func (s *stream) seal(began int64) bool {
	s.sealed.Store(true)
	return s.writes.Load() == began
}

// Close closes the connection, at once also where the other side takes nothing.
// A second call does nothing.
func (s *stream) Close() error {
	s.sealed.Store(true)
	if !s.closed.CompareAndSwap(false, true) {
		return nil
	}
	return closeWithin(s.Conn, s.beneath.wire)
}

// CloseWrite tells the other side that nothing more will be written: for who
// uses the connection after an upgrade.
func (s *stream) CloseWrite() error { return closeWrite(s.Conn) }

// ConnectionState is of TLS with the target; zero where there is none.
func (s *stream) ConnectionState() (state tls.ConnectionState) {
	if secure, ok := s.Conn.(*tls.Conn); ok {
		state = secure.ConnectionState()
	}
	return state
}
