package pool

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// What a connection may do with a request.

// ok is an answer of the target that names the proxy.
func ok(c *fakeConn, req *http.Request) (*http.Response, error) {
	return status(http.StatusOK)(c, req)
}

// status is an answer of the target, with header fields: name, value, ...
func status(code int, header ...string) func(*fakeConn, *http.Request) (*http.Response, error) {
	return func(c *fakeConn, req *http.Request) (*http.Response, error) {
		if err := c.arrive(req); err != nil {
			return nil, err
		}
		return c.respond(code, strings.NewReader(c.proxy.name), header...), nil
	}
}

func (c *fakeConn) respond(code int, body io.Reader, header ...string) *http.Response {
	resp := &http.Response{StatusCode: code, Header: make(http.Header), Body: &fakeBody{Reader: body, conn: c}}
	for i := 0; i+1 < len(header); i += 2 {
		resp.Header.Add(header[i], header[i+1])
	}
	return resp
}

// proxySays is an answer of the proxy in the target's place, which sees nothing.
func proxySays(code int) func(*fakeConn, *http.Request) (*http.Response, error) {
	return func(c *fakeConn, _ *http.Request) (*http.Response, error) {
		return c.respond(code, strings.NewReader(""), "Proxy-Made", "1"), nil
	}
}

// after is an answer that takes its time.
func after(d time.Duration, then func(*fakeConn, *http.Request) (*http.Response, error)) func(*fakeConn, *http.Request) (*http.Response, error) {
	return func(c *fakeConn, req *http.Request) (*http.Response, error) {
		select {
		case <-time.After(d):
			return then(c, req)
		case <-c.closed:
			return nil, closedErr
		case <-req.Context().Done():
			return nil, &sendFault{reason: "canceled", err: req.Context().Err()}
		}
	}
}

// silent takes a request and never answers.
func silent(c *fakeConn, req *http.Request) (*http.Response, error) {
	if err := c.arrive(req); err != nil {
		return nil, err
	}
	return after(forever, nil)(c, req)
}

// breaks takes a request and breaks the connection.
func breaks(c *fakeConn, req *http.Request) (*http.Response, error) {
	if err := c.arrive(req); err != nil {
		return nil, err
	}
	c.die()
	return nil, reset
}

// refuses breaks before a byte of the request was written.
func refuses(*fakeConn, *http.Request) (*http.Response, error) { return nil, notWritten }

// breaksOff answers half of its body.
func breaksOff(c *fakeConn, req *http.Request) (*http.Response, error) {
	if err := c.arrive(req); err != nil {
		return nil, err
	}
	half := io.MultiReader(strings.NewReader("ha"), failingReader{io.ErrUnexpectedEOF})
	return c.respond(http.StatusOK, half), nil
}

// fakeBody frees its connection at its end.
type fakeBody struct {
	io.Reader
	conn *fakeConn
	over bool
}

func (b *fakeBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err != nil && !b.over {
		b.over = true
		b.conn.free()
		if !errors.Is(err, io.EOF) && !b.conn.h2 {
			b.conn.die()
		}
	}
	return n, err
}

func (b *fakeBody) Close() error {
	if !b.over {
		b.over = true
		b.conn.free()
		if !b.conn.h2 {
			b.conn.die()
		}
	}
	return nil
}

type failingReader struct{ err error }

func (r failingReader) Read([]byte) (int, error) { return 0, r.err }

// fault is what a dialer says of a connect that failed.
type fault struct {
	reason         string
	proxy, timeout bool
}

func (f *fault) Error() string         { return f.reason }
func (f *fault) ProxyFault() bool      { return f.proxy }
func (f *fault) FailureReason() string { return f.reason }
func (f *fault) Timeout() bool         { return f.timeout }

// sendFault is what a connection says of a request that failed.
type sendFault struct {
	reason  string
	unsent  bool
	timeout bool
	bad     bool // the request's own fault
	err     error
}

func (f *sendFault) Error() string         { return f.reason }
func (f *sendFault) Unwrap() error         { return f.err }
func (f *sendFault) Unsent() bool          { return f.unsent }
func (f *sendFault) BadRequest() bool      { return f.bad }
func (f *sendFault) FailureReason() string { return f.reason }
func (f *sendFault) Timeout() bool         { return f.timeout }

var (
	refused    = &fault{reason: "dial_refused", proxy: true}
	noTunnel   = &fault{reason: "tunnel_refused"}
	reset      = &sendFault{reason: "conn_reset"}
	closedErr  = &sendFault{reason: "conn_closed"}
	notWritten = &sendFault{reason: "conn_closed", unsent: true}
)

// slowReader gives its parts one by one, with a pause before each.
type slowReader struct {
	parts []string
	pause time.Duration
}

func (r *slowReader) Read(p []byte) (int, error) {
	if len(r.parts) == 0 {
		return 0, io.EOF
	}
	time.Sleep(r.pause)
	n := copy(p, r.parts[0])
	r.parts = r.parts[1:]
	return n, nil
}

func (r *slowReader) Close() error { return nil }

func readAll(t *testing.T, body io.ReadCloser) string {
	t.Helper()
	var b bytes.Buffer
	_, err := b.ReadFrom(body)
	_ = body.Close()
	if err != nil {
		return b.String() + "!" + err.Error()
	}
	return b.String()
}
