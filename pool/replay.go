package pool

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

var errDetached = errors.New("request body was handed to another attempt")

// replayBody reads a request's body once and keeps what it read, up to a limit,
// so that the next attempt can send it again. Each attempt has a view of its
// own: first what is kept, then the rest from the source.
//
// A view that was left behind by a failover may still be inside a read of the
// source. What it reads there is kept, and the next view waits for it, so that
// no byte is lost between two attempts.
type replayBody struct {
	source io.ReadCloser
	length int64 // as in http.Request.ContentLength
	limit  int64

	mu      sync.Mutex
	current *bodyView // the only one that may read
	kept    []byte
	came    int64 // from the source
	err     error // what ended the source, io.EOF included

	over atomic.Bool // more than the limit went out: there is no other attempt. Set under mu

	// For the silence watch: whether we wait for the client just now, and when
	// the body last moved.
	waiting atomic.Bool
	moved   atomic.Int64
}

// firstKept bounds what is set aside for a body before any of it came.
const firstKept = 64 << 10

func newReplayBody(source io.ReadCloser, length, limit int64) *replayBody {
	return &replayBody{source: source, length: length, limit: limit}
}

// view starts one attempt's reading from the beginning. The one before it must
// have been ended by rewind.
func (b *replayBody) view() *bodyView {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.moved.Store(time.Now().UnixNano())
	b.current = &bodyView{body: b}
	return b.current
}

// rewind ends the current view, once the read that it may be in is over, and
// reports that another view would see the whole body. Where none would, the
// current one goes on: its attempt is the last.
func (b *replayBody) rewind() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	again := !b.over.Load()
	if again {
		b.current = nil
	}
	return again
}

// settle ends the keeping: an answer was accepted, nothing is sent again.
func (b *replayBody) settle() {
	// The last view may be reading from a slow client with the lock held; the
	// kept bytes then go with the request.
	if b.mu.TryLock() {
		b.over.Store(true)
		b.mu.Unlock()
	}
}

// failure is what went wrong with reading from the client, nil where nothing did.
// An end that comes too early is one: the server reads for itself what is left of a
// body over HTTP/1.1 when an answer is written before its end.
func (b *replayBody) failure() error {
	if !b.mu.TryLock() {
		return nil // still reading, so it has not failed
	}
	defer b.mu.Unlock()
	switch {
	case !errors.Is(b.err, io.EOF):
		return b.err
	case b.came < b.length:
		return io.ErrUnexpectedEOF
	default:
		return nil
	}
}

// read fills p for a view, from what is kept or from the source.
func (b *replayBody) read(v *bodyView, p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.current != v {
		return 0, errDetached
	}
	if v.off < int64(len(b.kept)) {
		return copy(p, b.kept[v.off:]), nil
	}
	if b.err != nil {
		return 0, b.err
	}
	b.waiting.Store(true)
	n, err := b.source.Read(p)
	b.moved.Store(time.Now().UnixNano()) // before it looks as if we were waited for
	b.waiting.Store(false)
	b.keep(p[:n])
	b.came += int64(n)
	b.err = err
	return n, err
}

func (b *replayBody) keep(p []byte) {
	switch {
	case b.over.Load() || len(p) == 0:
	case int64(len(b.kept)+len(p)) > b.limit:
		b.over.Store(true)
		b.kept = nil
	default:
		if b.kept == nil && b.length > 0 {
			b.kept = make([]byte, 0, min(b.length, b.limit, firstKept))
		}
		b.kept = append(b.kept, p...)
	}
}

// bodyView is the body of one attempt. It never closes the source: that is
// for the server that made it.
type bodyView struct {
	body   *replayBody
	off    int64
	closed atomic.Bool
}

func (v *bodyView) Read(p []byte) (int, error) {
	if v.closed.Load() {
		return 0, errDetached
	}
	n, err := v.body.read(v, p)
	v.off += int64(n)
	v.body.moved.Store(time.Now().UnixNano())
	return n, err
}

// Close ends the reading, without waiting for a read that is under way.
func (v *bodyView) Close() error {
	v.closed.Store(true)
	return nil
}
