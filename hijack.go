package proxypool

import (
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-proxypool/proxypool/pool"
	"github.com/caddy-proxypool/proxypool/relay"
)

// established is the answer to CONNECT. It has no fields: a length or a coding
// is forbidden, and the rest is nobody's business (RFC 9110, 9.3.6).
const established = "HTTP/1.1 200 Connection established\r\n\r\n"

// answerWithin is how long a client may take to take the answer.
const answerWithin = 10 * time.Second

// takeOver takes the client's connection from the server and returns.
func (t *tunnel) takeOver(w http.ResponseWriter) error {
	conn, early, err := hijack(w)
	if err != nil {
		t.End(pool.TunnelEnd{ClientBroke: true})
		return caddyhttp.Error(http.StatusInternalServerError, err)
	}
	noteStatus(w, http.StatusOK)
	t.between(clientStream(conn)) // before the client knows of it
	_ = conn.SetWriteDeadline(time.Now().Add(answerWithin))
	_, err = io.WriteString(conn, established)
	_ = conn.SetWriteDeadline(time.Time{})
	if err != nil {
		t.relay.Cut(err)
	}
	go t.run(early) // until its end, for which the registry waits
	return nil
}

// hijack takes the connection from the innermost writer, because those around it
// would keep what they know of the request for as long as the tunnel stands. It
// returns what the client had sent already.
func hijack(w http.ResponseWriter) (net.Conn, []byte, error) {
	for {
		around, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			break
		}
		w = around.Unwrap()
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, nil, err
	}
	early := make([]byte, buffered.Reader.Buffered())
	_, err = io.ReadFull(buffered.Reader, early)
	return conn, early, err
}

// noteStatus tells the access log what the client was answered: nobody can tell
// by the connection that was taken over.
func noteStatus(w http.ResponseWriter, status int) {
	for {
		if recorder, ok := w.(caddyhttp.ResponseRecorder); ok {
			recorder.WriteHeader(status) // the server itself writes no more
			return
		}
		around, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return
		}
		w = around.Unwrap()
	}
}

// clientStream is the client's connection as the relay takes it.
func clientStream(conn net.Conn) relay.Stream {
	if s, ok := conn.(relay.Stream); ok {
		return s
	}
	return wholeConn{conn}
}

// wholeConn is a connection that cannot be closed in one direction alone.
type wholeConn struct{ net.Conn }

func (wholeConn) CloseWrite() error { return errors.ErrUnsupported }
