package proxypool

import (
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/caddy-proxypool/proxypool/books"
	"github.com/caddy-proxypool/proxypool/pool"
)

// enter hands a request that is over to the usage log.
func (a *App) enter(r *http.Request, start time.Time, status int, trace *pool.Trace) {
	if !a.books.Logging() {
		return
	}
	in, out := trace.Traffic()
	a.books.Enter(books.Entry{
		Start: start, Duration: time.Since(start), Trace: *trace,
		Method: r.Method, Path: r.URL.Path, Status: status, BytesIn: in, BytesOut: out,
	})
}

// enterAtEnd is the body of an answer, which enters its request when it is closed.
func (a *App) enterAtEnd(r *http.Request, start time.Time, resp *http.Response, trace *pool.Trace) io.ReadCloser {
	if !a.books.Logging() {
		return resp.Body
	}
	end := sync.OnceFunc(func() { a.enter(r, start, resp.StatusCode, trace) })
	if upgraded, ok := resp.Body.(io.ReadWriteCloser); ok {
		return &enteredUpgrade{upgraded, end}
	}
	return &enteredBody{resp.Body, end}
}

// enteredBody is the body of an answer that somebody else reads.
type enteredBody struct {
	io.ReadCloser
	end func()
}

func (b *enteredBody) Close() error {
	defer b.end()
	return b.ReadCloser.Close()
}

// enteredUpgrade is the same after a 101: it is written to, too.
type enteredUpgrade struct {
	io.ReadWriteCloser
	end func()
}

func (u *enteredUpgrade) Close() error {
	defer u.end()
	return u.ReadWriteCloser.Close()
}
