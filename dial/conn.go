package dial

import (
	"cmp"
	"crypto/tls"
	"errors"
	"net"
	"sync/atomic"
	"time"
)

// Meter is told of every byte that crosses the connection to the proxy, both
// ways, at the level of TCP: TLS and handshakes included. Count is called
// concurrently, from within reads and writes, and must not block. It reports
// whether the connection may be used on; where not, it is closed.
type Meter interface {
	Count(in, out int) bool
}

// errCutOff is what reads and writes return once the meter allows no more.
var errCutOff = errors.New("connection was cut off by its meter")

// wire is the TCP connection to the proxy (or, without one, to the target),
// which counts what crosses it.
type wire struct {
	net.Conn
	in, out atomic.Int64
	meter   Meter
}

func (w *wire) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	return n, cmp.Or(w.count(n, 0), err)
}

func (w *wire) Write(p []byte) (int, error) {
	n, err := w.Conn.Write(p)
	return n, cmp.Or(w.count(0, n), err)
}

func (w *wire) count(in, out int) error {
	if in == 0 && out == 0 {
		return nil
	}
	w.in.Add(int64(in))
	w.out.Add(int64(out))
	if w.meter != nil && !w.meter.Count(in, out) {
		_ = w.Conn.Close()
		return errCutOff
	}
	return nil
}

// Conn is a pipe of bytes to a target, through the proxy. Like any [net.Conn]
// it may be used concurrently.
type Conn struct {
	net.Conn // the wire, or TLS with the proxy on it
	wire     *wire
	born     time.Time

	// prefix is what the proxy sent along with its answer to CONNECT: it is
	// the target's already. Owned by Read.
	prefix []byte
}

func (c *Conn) Read(p []byte) (int, error) {
	if len(c.prefix) > 0 {
		n := copy(p, c.prefix)
		c.prefix = c.prefix[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}

// Close closes the connection, at once also where the other side takes nothing.
func (c *Conn) Close() error {
	if c.plain() {
		return c.Conn.Close()
	}
	return closeWithin(c.Conn, c.wire)
}

// CloseWrite tells the other side that nothing more will be written.
func (c *Conn) CloseWrite() error { return closeWrite(c.Conn) }

// NetConn is the TCP connection beneath, whose use goes past what this one
// does: TLS with the proxy, what the proxy had sent early, and the counting.
func (c *Conn) NetConn() net.Conn { return c.wire.Conn }

// Bare reports whether the bytes of the pipe are those of the TCP connection:
// no TLS with the proxy, and nothing kept that was read early. Only then may
// somebody splice on [Conn.NetConn], who then calls [Conn.Count]. It must not
// be called while something reads.
func (c *Conn) Bare() bool { return c.plain() && len(c.prefix) == 0 }

// Count books bytes that crossed the TCP connection past Read and Write. An
// error says that the meter allows no more, and that the connection is closed.
func (c *Conn) Count(in, out int) error { return c.wire.count(in, out) }

// Bytes is how many bytes crossed the TCP connection so far.
func (c *Conn) Bytes() (in, out int64) { return c.wire.in.Load(), c.wire.out.Load() }

// Born is when the TCP connection was made.
func (c *Conn) Born() time.Time { return c.born }

func (c *Conn) plain() bool {
	_, secure := c.Conn.(*tls.Conn)
	return !secure
}

// closeGrace is how long a farewell may take: TLS says goodbye when it closes,
// which blocks when the other side has stopped reading.
const closeGrace = 100 * time.Millisecond

// closeWithin closes conn, and what is beneath it when that takes too long.
func closeWithin(conn, beneath net.Conn) error {
	hurry := time.AfterFunc(closeGrace, func() { _ = beneath.Close() })
	defer hurry.Stop()
	return conn.Close()
}

var errNoCloseWrite = errors.New("closing one direction: not supported by the connection")

func closeWrite(conn net.Conn) error {
	switch c := conn.(type) {
	case *wire:
		return closeWrite(c.Conn)
	case interface{ CloseWrite() error }:
		return c.CloseWrite()
	default:
		return errNoCloseWrite
	}
}
