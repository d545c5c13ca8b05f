package proxypool

import (
	"bufio"
	"net"
	"testing"
)

// peeking is a connection like those of proxy_protocol, which has read ahead.
type peeking struct {
	net.Conn
	ahead *bufio.Reader
}

func (p peeking) Read(b []byte) (int, error) { return p.ahead.Read(b) }
func (p peeking) Raw() net.Conn              { return p.Conn }

func (p peeking) TCPConn() (*net.TCPConn, bool) {
	c, ok := p.Conn.(*net.TCPConn)
	return c, ok
}

// TestWrappedConn: a wrapped connection can be gone past when what its wrapper has
// read ahead was read.
func TestWrappedConn(t *testing.T) {
	target := newSpeaker(t)
	near, err := net.Dial("tcp", target.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer near.Close()
	far := target.next(t)
	far.say("read by one, and by the other")
	inner := peeking{near, bufio.NewReader(near)}
	if _, err := inner.ahead.Peek(len("read by one, and by the other")); err != nil {
		t.Fatal(err)
	}
	// The outer one reads in small pieces.
	outer := peeking{inner, bufio.NewReaderSize(inner, 16)}
	if _, err := outer.ahead.Peek(1); err != nil {
		t.Fatal(err)
	}

	c, ok := clientStream(outer).(*wrappedConn)
	if !ok || c.NetConn() != near {
		t.Fatalf("the stream is %T, of another connection", c)
	}
	buf := make([]byte, 15)
	for _, want := range []string{"read by one, an", "d", " by the other"} {
		if c.Bare() {
			t.Error("bytes would get lost that were read ahead")
		}
		if n, err := c.Read(buf); string(buf[:n]) != want || err != nil {
			t.Fatalf("read %q and %v, want %q", buf[:n], err, want)
		}
	}
	if !c.Bare() {
		t.Error("nothing was read ahead any more, and the connection cannot be gone past")
	}
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	far.end()

	if s, ok := clientStream(struct{ net.Conn }{near}).(wholeConn); !ok {
		t.Errorf("the stream is %T although nothing is known of the connection", s)
	}
}
