package relay

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"testing"
)

// pair returns two ends of a TCP connection.
func pair(t testing.TB) (near, far *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dialed, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dialed.Close(); accepted.Close() })
	return accepted.(*net.TCPConn), dialed.(*net.TCPConn)
}

func TestCarriesBothWays(t *testing.T) {
	c, client := pair(t)
	o, origin := pair(t)
	r := New(c, o)
	ended := make(chan End, 1)
	go func() { ended <- r.Run([]byte("early")) }()
	data := make([]byte, 20<<20)
	for i := range data {
		data[i] = byte(rand.Int())
	}
	go func() { origin.Write(data); origin.CloseWrite() }()
	go func() { client.Write(data); client.CloseWrite() }()
	up := make(chan []byte)
	go func() { b, _ := io.ReadAll(origin); up <- b }()
	down, err := io.ReadAll(client)
	if err != nil || !bytes.Equal(down, data) {
		t.Fatal(err, len(down))
	}
	if got := <-up; !bytes.Equal(got, append([]byte("early"), data...)) {
		t.Fatal(len(got))
	}
	if end := <-ended; end.Err != nil {
		t.Errorf("ended with %+v", end)
	}
}
