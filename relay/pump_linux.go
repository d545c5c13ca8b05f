package relay

import (
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// socketOf returns the socket of a connection whose bytes can be moved without
// its Read and Write; nil where it has none.
func socketOf(conn net.Conn) syscall.RawConn {
	switch conn.(type) {
	case *net.TCPConn, *net.UnixConn:
	default:
		return nil
	}
	raw, err := conn.(syscall.Conn).SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}

// wasReset reports whether a TCP connection that seems to have ended was reset.
// The system tells of a reset once: when a write was told, a read sees an end.
// A connection that both sides have ended looks the same, so the answer is worth
// nothing where ours was.
func wasReset(c syscall.RawConn) (reset bool) {
	const closed = 7 // TCP_CLOSE
	_ = c.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		reset = err == nil && info.State == closed
	})
	return reset
}

// pump moves bytes between two sockets, a chunk at a time: what one read
// brings, or what one splice does while the reads bring whole buffers. It holds
// a buffer or a pipe only from a chunk's first byte to its last.
type pump struct {
	*flow
	fast     bool // more than one read brings is waiting
	noSplice bool // the system cannot do it with these sockets

	// The chunk: n bytes, in pipe, or else in buf from off on.
	n, off int
	buf    *[chunkSize]byte
	pipe   *pipe
	err    error // of the last call to the system
}

// pump passes on what src sends until it has said all.
func (f *flow) pump() (by Side, err error) {
	p := &pump{flow: f}
	fill, drain := p.fill, p.drain
	for {
		if err := p.wait(f.src.socket.Read(fill)); err != nil {
			return f.src.side, fmt.Errorf("reading from %s: %w", f.src.side, err)
		}
		if p.n == 0 {
			return f.src.side, errSaidAll
		}
		if by, err := p.forward(drain); err != nil {
			p.drop()
			return by, err
		}
		p.drop()
		p.held.Store(false)
	}
}

// forward books the chunk and writes it. What is booked is never done within a
// call of the socket, which could not be closed there.
func (p *pump) forward(drain func(uintptr) bool) (by Side, err error) {
	if err := p.src.count(p.n, 0); err != nil {
		return p.src.side, fmt.Errorf("counting: %w", err)
	}
	p.arrived()
	for p.n > 0 {
		before := p.n
		err := p.wait(p.dst.socket.Write(drain))
		moved := before - p.n
		p.passed(moved)
		if err := p.dst.count(0, moved); err != nil {
			return p.dst.side, fmt.Errorf("counting: %w", err)
		}
		if err != nil {
			return p.dst.side, fmt.Errorf("writing to %s: %w", p.dst.side, err)
		}
	}
	return Nobody, nil
}

// wait returns what went wrong with waiting for the socket, or else in the call
// to the system.
func (p *pump) wait(err error) error {
	if err != nil {
		return err
	}
	return p.err
}

// fill takes the next chunk out of the socket, and reports false where there is
// none yet.
func (p *pump) fill(fd uintptr) bool {
	p.err = nil
	if p.fast && !p.noSplice {
		if p.pipe = pipes.take(); p.pipe != nil {
			return p.fillPipe(int(fd))
		}
	}
	return p.fillBuffer(int(fd))
}

func (p *pump) fillPipe(fd int) bool {
	n, err := splice(fd, p.pipe.w, pipeSize)
	if err == nil && n > 0 {
		p.n, p.pipe.held = n, n
		p.held.Store(true)
		p.fast = n >= chunkSize
		return true
	}
	p.drop()
	switch {
	case errors.Is(err, unix.EAGAIN):
		return false
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOSYS):
		p.noSplice = true
	case err != nil:
		p.err = err
		return true
	}
	// The end, too, is what a read knows best.
	return p.fillBuffer(fd)
}

func (p *pump) fillBuffer(fd int) bool {
	p.buf = chunks.Get().(*[chunkSize]byte)
	n, err := again(func() (int, error) { return unix.Read(fd, p.buf[:]) })
	if err == nil && n > 0 {
		p.n, p.off = n, 0
		p.held.Store(true)
		p.fast = n == chunkSize
		return true
	}
	p.drop()
	if errors.Is(err, unix.EAGAIN) {
		return false
	}
	p.err = err
	return true
}

// drain puts what it can of the chunk into the socket, and reports false where
// that is nothing yet.
func (p *pump) drain(fd uintptr) bool {
	p.err = nil
	var n int
	if p.pipe != nil {
		n, p.err = splice(p.pipe.r, int(fd), p.n)
	} else {
		n, p.err = again(func() (int, error) { return unix.Write(int(fd), p.buf[p.off:p.off+p.n]) })
	}
	if errors.Is(p.err, unix.EAGAIN) {
		return false
	}
	if p.err != nil {
		return true
	}
	if n == 0 {
		p.err = io.ErrShortWrite
		return true
	}
	p.n -= n
	p.off += n
	if p.pipe != nil {
		p.pipe.held = p.n
	}
	return true
}

// drop gives back what held the chunk.
func (p *pump) drop() {
	p.n = 0
	if p.pipe != nil {
		pipes.give(p.pipe)
		p.pipe = nil
	}
	if p.buf != nil {
		chunks.Put(p.buf)
		p.buf = nil
	}
}

// splice moves up to n bytes, one of the two being a pipe.
func splice(from, to, n int) (int, error) {
	return again(func() (int, error) {
		moved, err := unix.Splice(from, nil, to, nil, n, unix.SPLICE_F_NONBLOCK|unix.SPLICE_F_MOVE)
		return int(moved), err
	})
}

// again repeats a call to the system that a signal interrupted.
func again(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}
