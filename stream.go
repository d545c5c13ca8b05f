package proxypool

import (
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-proxypool/proxypool/pool"
)

// stream carries the tunnel in a stream of HTTP/2 or HTTP/3, which ends when this
// returns.
func (t *tunnel) stream(w http.ResponseWriter, r *http.Request, trace *pool.Trace) error {
	s := &clientBody{ReadCloser: r.Body, writer: w, control: http.NewResponseController(w)}
	restore := s.withoutTimeouts(r)
	defer restore()
	w.WriteHeader(http.StatusOK)
	t.between(s)
	if err := s.control.Flush(); err != nil {
		t.relay.Cut(err)
	}
	t.run(nil)
	*trace = t.Trace // complete now, for the access log
	if s.aborted.Load() {
		panic(http.ErrAbortHandler) // the client must see that something is missing
	}
	return nil
}

// clientBody is the client's end of a tunnel in a stream: what it sends is the
// request's body, and what it gets the answer's.
type clientBody struct {
	io.ReadCloser
	writer  http.ResponseWriter
	control *http.ResponseController
	writing atomic.Bool
	aborted atomic.Bool
}

// withoutTimeouts keeps the server from ending a stream that lasts, or in which
// nothing moves for a while: tunnels have an idle_timeout of their own. What
// restore does not bring back are the deadlines of the whole request, which may
// have passed when the tunnel ends, and would then break its end.
func (s *clientBody) withoutTimeouts(r *http.Request) (restore func()) {
	var undo []func()
	reader, writer := caddyhttp.IdleTimeoutsFromContext(r.Context())
	if reader != nil {
		reader.Deadline.HardDeadline = time.Time{}
		undo = append(undo, reader.Override(forEver, 0))
	}
	if writer != nil {
		writer.Deadline.HardDeadline = time.Time{}
		undo = append(undo, writer.Override(forEver, 0, 0))
	}
	_ = s.control.SetReadDeadline(time.Time{}) // a stream without deadlines needs no more
	_ = s.control.SetWriteDeadline(time.Time{})
	return func() {
		for _, f := range undo {
			f()
		}
	}
}

func (s *clientBody) Write(p []byte) (int, error) {
	s.writing.Store(true)
	defer s.writing.Store(false)
	n, err := s.writer.Write(p)
	if err != nil {
		return n, err
	}
	return n, s.control.Flush()
}

// CloseWrite is only possible by returning from the handler.
func (*clientBody) CloseWrite() error { return errors.ErrUnsupported }

// Close ends reading, and a write that the client does not take.
func (s *clientBody) Close() error {
	err := s.ReadCloser.Close()
	if s.writing.Load() {
		s.Abort()
	}
	return err
}

// Abort ends the stream as one that is broken.
func (s *clientBody) Abort() {
	s.aborted.Store(true)
	_ = s.ReadCloser.Close()
	past := time.Unix(1, 0)
	_ = s.control.SetReadDeadline(past)
	_ = s.control.SetWriteDeadline(past)
}
