package relay

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// waitSize is the buffer with which a stream that is no socket is waited on.
	waitSize = 2 << 10
	// chunkSize is the buffer for what comes faster.
	chunkSize = 32 << 10
)

var chunks = sync.Pool{New: func() any { return new([chunkSize]byte) }}

// flow is one of the two directions of a tunnel.
type flow struct {
	relay    *Relay
	src, dst *peer
	early    []byte

	moved    atomic.Int64 // bytes passed on
	last     atomic.Int64 // when, in nanoseconds since the relay began
	held     atomic.Bool  // a chunk has come that dst has not taken whole
	complete atomic.Bool  // src has said all, and dst was told
}

// run carries everything there is and tells the relay how it ended.
func (f *flow) run() {
	by, err := f.carry()
	if err != nil {
		f.relay.fail(by, err)
		return
	}
	f.dst.told.Store(true)
	if over := f.relay.ended(f.src.side); over {
		f.complete.Store(true) // Run closes both now, which tells dst, too
		return
	}
	err = f.dst.stream.CloseWrite()
	switch {
	case err == nil:
		f.complete.Store(true)
	case f.dst.side == Client && errors.Is(err, errors.ErrUnsupported):
		// The client can be told so by Close alone, which ends what it says, too.
		f.complete.Store(true)
		f.relay.hearOut()
		f.relay.finish()
	default:
		f.relay.fail(f.dst.side, fmt.Errorf("closing one direction to %s: %w", f.dst.side, err))
	}
}

// carry passes on what src sends until it has said all, or until there is an
// error, which is somebody's.
func (f *flow) carry() (by Side, err error) {
	if early := f.early; len(early) > 0 {
		f.early = nil
		f.held.Store(true)
		if err := f.write(early); err != nil {
			return f.dst.side, err
		}
	}
	by, err = f.copy()
	if err == nil {
		by, err = f.pump()
	}
	if !errors.Is(err, errSaidAll) {
		return by, err
	}
	// Told is looked at last: it is set before the connection can look reset.
	if f.src.bare.Load() && wasReset(f.src.socket) && !f.src.told.Load() {
		return f.src.side, fmt.Errorf("reading from %s: %w", f.src.side, syscall.ECONNRESET)
	}
	return Nobody, nil
}

// errSaidAll is the end of what src has to say.
var errSaidAll = errors.New("nothing more to send")

// copy passes on what src sends until both streams can be gone past.
func (f *flow) copy() (by Side, err error) {
	var wait []byte // what there is to hold while nothing comes
	var chunk *[chunkSize]byte
	defer func() {
		if chunk != nil {
			chunks.Put(chunk)
		}
	}()
	for !f.src.reading() || !f.dst.bare.Load() {
		if wait == nil {
			wait = make([]byte, waitSize)
		}
		buf := wait
		if chunk != nil {
			buf = chunk[:]
		}
		n, readErr := f.src.stream.Read(buf)
		if n > 0 {
			f.held.Store(true)
			f.arrived()
			if err := f.write(buf[:n]); err != nil {
				return f.dst.side, err
			}
		}
		if readErr == io.EOF { //nolint:errorlint // one that somebody wrapped is not the end
			return f.src.side, errSaidAll
		}
		if readErr != nil {
			return f.src.side, fmt.Errorf("reading from %s: %w", f.src.side, readErr)
		}
		// Less than a whole chunk may well be all that a TLS record holds.
		switch {
		case n >= waitSize && chunk == nil:
			chunk = chunks.Get().(*[chunkSize]byte)
		case n < waitSize && chunk != nil:
			chunks.Put(chunk)
			chunk = nil
		}
	}
	return Nobody, nil
}

func (f *flow) write(p []byte) error {
	n, err := f.dst.stream.Write(p)
	f.passed(n)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return fmt.Errorf("writing to %s: %w", f.dst.side, err)
	}
	f.held.Store(false)
	return nil
}

// arrived tells of the target's first byte.
func (f *flow) arrived() {
	if f.src.side == Target && f.relay.answered != nil {
		f.relay.answered()
		f.relay.answered = nil
	}
}

// passed books what was passed on.
func (f *flow) passed(n int) {
	if n > 0 {
		f.moved.Add(int64(n))
		f.last.Store(int64(time.Since(f.relay.began)))
	}
}
