package dial_test

import (
	"net"
	"net/http"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/caddy-proxypool/proxypool/dial"
)

// deafen has the system drop whatever comes for a connection, as a path does that
// has forgotten it.
func deafen(t *testing.T, conn net.Conn) {
	t.Helper()
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	nothing := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K}}
	_ = raw.Control(func(fd uintptr) {
		err = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &nothing[0]})
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestUnheard: a peer of which nothing is heard, not even that it got something,
// is told from one that is slow to answer and from one that is slow to read.
func TestUnheard(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		body int
		deaf bool
	}{
		{"slow to answer", 100, false},
		{"slow to read", 16 << 20, false},
		{"deaf", 100, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			addr := listener.Addr().String()
			c := mustOpen(t, dialerFor(t, nil), dial.Target{Scheme: "http", Addr: addr})
			peer, err := listener.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer peer.Close()
			if tt.deaf {
				deafen(t, peer)
			}
			over := make(chan struct{})
			go func() {
				defer close(over)
				body := string(make([]byte, tt.body))
				if c.Reserve() {
					if resp, err := c.RoundTrip(newRequest(t.Context(), t, http.MethodPost, "http://"+addr+"/", body)); err == nil {
						_ = resp.Body.Close()
					}
				}
			}()
			if tt.deaf {
				eventually(t, "the connection is known to be dead", c.Unheard)
			} else {
				for end := time.Now().Add(700 * time.Millisecond); time.Now().Before(end); <-time.After(10 * time.Millisecond) {
					if c.Unheard() {
						t.Fatal("a peer that acknowledges what it gets is taken for dead")
					}
				}
			}
			_ = c.Close()
			<-over
		})
	}
}
