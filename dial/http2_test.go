package dial_test

import (
	"crypto/tls"
	"io"
	"net"
	"testing"

	"golang.org/x/net/http2"

	"github.com/caddy-proxypool/proxypool/dial"
	"github.com/caddy-proxypool/proxypool/internal/proxytest"
)

// framed runs an HTTP/2 target that does with each request whatever react says,
// and returns a connection to it. The TLS is that of a real origin.
func framed(t *testing.T, react func(*http2.Framer, uint32), settings ...http2.Setting) *dial.HTTPConn {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		raw, err := l.Accept()
		if err != nil {
			return
		}
		conn := tls.Server(raw, proxytest.ServerTLS("h2"))
		defer conn.Close()
		if _, err := io.ReadFull(conn, make([]byte, len(http2.ClientPreface))); err != nil {
			return
		}
		fr := http2.NewFramer(conn, conn)
		fr.WriteSettings(settings...)
		for {
			frame, err := fr.ReadFrame()
			if err != nil {
				return
			}
			switch frame := frame.(type) {
			case *http2.HeadersFrame:
				react(fr, frame.StreamID)
			case *http2.PingFrame:
				fr.WritePing(true, frame.Data)
			}
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return mustOpen(t, dialerFor(t, nil), dial.Target{
		Scheme: "https", Addr: l.Addr().String(), TLS: &tls.Config{RootCAs: proxytest.CAPool()},
	})
}

// TestNotProcessed: what RFC 9113, 8.7 says was not processed may be repeated.
func TestNotProcessed(t *testing.T) {
	tests := []struct {
		name   string
		react  func(fr *http2.Framer, stream uint32)
		unsent bool
		reason string
	}{
		{"refused stream", func(fr *http2.Framer, id uint32) { fr.WriteRSTStream(id, http2.ErrCodeRefusedStream) }, true, dial.ReasonStreamRefused},
		{"GOAWAY below", func(fr *http2.Framer, _ uint32) { fr.WriteGoAway(0, http2.ErrCodeNo, nil) }, true, dial.ReasonConnClosed},
		{"GOAWAY below, with error", func(fr *http2.Framer, _ uint32) { fr.WriteGoAway(0, http2.ErrCodeEnhanceYourCalm, nil) }, true, dial.ReasonConnClosed},
		{"reset", func(fr *http2.Framer, id uint32) { fr.WriteRSTStream(id, http2.ErrCodeInternal) }, false, dial.ReasonStreamReset},
		{"cancelled", func(fr *http2.Framer, id uint32) { fr.WriteRSTStream(id, http2.ErrCodeCancel) }, false, dial.ReasonStreamReset},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			noLeaks(t)
			c := framed(t, test.react)
			c.Reserve()
			_, err := c.RoundTrip(newRequest(t.Context(), t, "POST", "https://api.test/", "hello"))
			if e := asSendError(t, err); e.Unsent() != test.unsent || e.FailureReason() != test.reason {
				t.Errorf("got %s, unsent: %v (%v); want %s, %v", e.FailureReason(), e.Unsent(), err, test.reason, test.unsent)
			}
			if c.InFlight() != 0 {
				t.Errorf("%d in flight after the end", c.InFlight())
			}
			c.Close()
		})
	}
}
