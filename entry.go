package proxypool

import (
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/caddy-proxypool/proxypool/books"
	"github.com/caddy-proxypool/proxypool/pool"
)

// enter hands a request that is over to the usage log. It allocates nothing.
func (a *App) enter(r *http.Request, start time.Time, status int, trace *pool.Trace) {
	if !a.books.Logging() {
		return
	}
	in, out := trace.Traffic()
	a.books.Enter(books.Entry{
		Start: start, Duration: time.Since(start), Trace: *trace,
		Method: r.Method, Path: r.URL.Path, Redact: a.redact, Status: status, BytesIn: in, BytesOut: out,
	})
}

// errand is one request through the transport, and the body of its answer: the
// request is over when somebody closes that.
type errand struct {
	io.ReadCloser
	app    *App
	req    *http.Request
	start  time.Time
	status int
	trace  pool.Trace
	over   atomic.Bool
}

// body is what the client of the transport reads.
func (e *errand) body(resp *http.Response) io.ReadCloser {
	e.ReadCloser, e.status = resp.Body, resp.StatusCode
	if upgraded, ok := resp.Body.(io.ReadWriteCloser); ok {
		return &upgradedErrand{e, upgraded}
	}
	return e
}

// Close may be called again, and concurrently: upgraded connections are.
func (e *errand) Close() error {
	err := e.ReadCloser.Close()
	if e.over.CompareAndSwap(false, true) {
		e.enter()
	}
	return err
}

func (e *errand) enter() { e.app.enter(e.req, e.start, e.status, &e.trace) }

// upgradedErrand is one whose answer was a 101, so that it is written to, too.
type upgradedErrand struct {
	*errand
	io.Writer
}
