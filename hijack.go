package proxypool

import (
	"io"
	"net"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-proxypool/proxypool/pool"
)

// established is the answer to CONNECT. It has no fields: a length or a coding
// is forbidden, and the rest is nobody's business (RFC 9110, 9.3.6).
const established = "HTTP/1.1 200 Connection established\r\n\r\n"

// answerWithin is how long a client may take to take the answer.
const answerWithin = 10 * time.Second

// takeOver takes the client's connection from the server and returns.
func (t *tunnel) takeOver(w http.ResponseWriter) error {
	layers := layersOf(w)
	conn, early, err := layers.hijack()
	if err != nil {
		t.End(pool.TunnelEnd{})
		return caddyhttp.Error(http.StatusInternalServerError, err)
	}
	layers.leave(http.StatusOK)
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

// layers are the writers that a request's writer is made of, as far as they
// matter here; nil where there are none.
type layers struct {
	recorder caddyhttp.ResponseRecorder   // tells the access log what was answered
	timer    *caddyhttp.IdleTimeoutWriter // sets deadlines of the connection, below the recorder
	own      http.ResponseWriter          // the server's, at the bottom
}

func layersOf(w http.ResponseWriter) (l layers) {
	for {
		switch w := w.(type) {
		case *caddyhttp.IdleTimeoutWriter:
			l.timer = w
		case caddyhttp.ResponseRecorder:
			if l.recorder == nil {
				l.recorder = w
			}
		}
		around, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			l.own = w
			return l
		}
		w = around.Unwrap()
	}
}

// hijack takes the connection from the server's own writer, because those around
// it would keep what they know of the request for as long as the tunnel stands.
// It returns what the client had sent already.
func (l layers) hijack() (net.Conn, []byte, error) {
	conn, buffered, err := http.NewResponseController(l.own).Hijack()
	if err != nil {
		return nil, nil, err
	}
	early := make([]byte, buffered.Reader.Buffered())
	if _, err = io.ReadFull(buffered.Reader, early); err != nil {
		_ = conn.Close()
		return nil, nil, err
	}
	return conn, early, nil
}

// leave tells the access log what the client was answered, as nobody can tell by
// a connection that was taken over, and keeps Caddy off that connection, whose
// deadlines it would set when the request took longer than the server's timeout.
// Where the timer is turned off, the server complains of the former at level
// debug.
func (l layers) leave(status int) {
	if l.timer != nil {
		l.timer.ResponseWriter = nobody{}
		l.timer.Ctrl = http.NewResponseController(nobody{})
	}
	if l.recorder != nil {
		l.recorder.WriteHeader(status)
	}
}

// nobody takes what is written when the connection is gone.
type nobody struct{}

func (nobody) Header() http.Header         { return make(http.Header) }
func (nobody) Write(p []byte) (int, error) { return len(p), nil }
func (nobody) WriteHeader(int)             {}
