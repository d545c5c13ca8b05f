package relay

import (
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"
)

// stub is a stream that is no connection.
type stub struct {
	net.Conn
	closeWrite error
	closed     chan string
}

func newStub(closeWrite error) (near *stub, far net.Conn) {
	a, b := net.Pipe()
	return &stub{Conn: a, closeWrite: closeWrite, closed: make(chan string, 10)}, b
}

func (s *stub) CloseWrite() error { return s.closeWrite }
func (s *stub) Abort()            { s.closed <- "abort"; s.Conn.Close() }
func (s *stub) Close() error      { s.closed <- "close"; return s.Conn.Close() }

// TestCloseWriteFails: a tunnel of which one direction cannot be closed ends.
func TestCloseWriteFails(t *testing.T) {
	broken := errors.New("broken")
	tests := []struct {
		name           string
		says           Side // who has said all
		err            error
		by             Side
		client, target string // how they were closed
	}{
		{"client cannot be told", Target, errors.ErrUnsupported, Nobody, "close", "abort"},
		{"client cannot be reached", Target, broken, Client, "abort", "abort"},
		{"target cannot be told", Client, errors.ErrUnsupported, Target, "abort", "abort"},
		{"target cannot be reached", Client, broken, Target, "abort", "abort"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			client, farClient := newStub(test.err)
			target, farTarget := newStub(test.err)
			defer farClient.Close()
			defer farTarget.Close()
			if test.says == Client {
				farClient.Close()
			} else {
				farTarget.Close()
			}
			end := New(client, target).Run(nil)
			if end.First != test.says || end.By != test.by {
				t.Errorf("ended with %+v, want first %s, by %s", end, test.says, test.by)
			}
			if test.by != Nobody && !errors.Is(end.Err, test.err) {
				t.Errorf("the error is %v, want %v", end.Err, test.err)
			}
			if c, o := <-client.closed, <-target.closed; c != test.client || o != test.target {
				t.Errorf("client %s, target %s, want %s and %s", c, o, test.client, test.target)
			}
		})
	}
}

// TestRetire: a tunnel at rest ends cleanly, and one of which somebody has not
// taken all does not look as if that had been all.
func TestRetire(t *testing.T) {
	const size = 40 << 20
	for _, path := range paths {
		for _, state := range []string{"at rest", "stuck down", "stuck up"} {
			t.Run(path.name+"/"+state, func(t *testing.T) {
				r := path.make(t)
				r.start([]byte("early"))
				switch state {
				case "at rest":
					for from, to := range map[far]far{r.client: r.origin, r.origin: r.client} {
						from.Write([]byte("hello"))
						if _, err := io.ReadFull(to, make([]byte, len("hello"))); err != nil {
							t.Fatal(err)
						}
					}
					if _, err := io.ReadFull(r.origin, make([]byte, len("early"))); err != nil {
						t.Fatal(err)
					}
					if _, err := io.ReadFull(r.client, make([]byte, len(r.prefix))); err != nil {
						t.Fatal(err)
					}
				case "stuck down":
					stuff(t, r, r.origin, size)
				case "stuck up":
					stuff(t, r, r.client, size)
				}
				stuck := state != "at rest"
				eventually(t, "what is held is known", func() bool { return r.Activity().Held == stuck })
				r.Retire(errIdle)
				if end := r.end(t); end.By != Cutter || !errors.Is(end.Err, errIdle) {
					t.Errorf("ended with %+v, want cut for being idle", end)
				}
				if err := drained(t, r.client); (err != nil) != stuck && path.name != "unix client" {
					t.Errorf("the client sees %v", err)
				}
				if err := drained(t, r.origin); (err != nil) != stuck {
					t.Errorf("the origin sees %v", err)
				}
			})
		}
	}
}

// TestClientCannotBeTold: a client that cannot be told that the target has said
// all, or is told late, is heard out while it goes on.
func TestClientCannotBeTold(t *testing.T) {
	for _, ends := range []bool{true, false} {
		t.Run(fmt.Sprintf("ends %t", ends), func(t *testing.T) {
			near, client := newStub(errors.ErrUnsupported)
			target, origin := pair(t)
			r := New(near, target)
			ended := make(chan End, 1)
			go func() { ended <- r.Run(nil) }()
			origin.CloseWrite()
			// Small pieces, over a longer time than the client may pause.
			tick := time.NewTicker(lastWords / 5)
			defer tick.Stop()
			for range 8 {
				<-tick.C
				client.Write([]byte("more"))
			}
			if ends {
				client.Close()
			}
			if end := <-ended; end != (End{First: Target}) {
				t.Errorf("ended with %+v, want well, the target first", end)
			}
			origin.SetReadDeadline(time.Now().Add(patience))
			got, err := io.ReadAll(origin)
			if len(got) != 8*len("more") || (err == nil) != ends {
				t.Errorf("the origin got %d bytes and %v", len(got), err)
			}
			if how := <-near.closed; how != "close" {
				t.Errorf("the client is left with %s, want close", how)
			}
		})
	}
}

// TestTailAfterBreak: a target that has said all and then breaks takes nothing
// from the client of what it had sent.
func TestTailAfterBreak(t *testing.T) {
	near, client := newStub(nil)
	target, origin := pair(t)
	r := New(near, target)
	ended := make(chan End, 1)
	go func() { ended <- r.Run(nil) }()
	origin.Write([]byte("all of it"))
	origin.CloseWrite()
	if _, err := io.ReadFull(client, make([]byte, 9)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the client was told", r.down.complete.Load)
	origin.SetLinger(0)
	origin.Close()
	client.Write([]byte("more"))
	if end := <-ended; end.First != Target || end.By != Target {
		t.Errorf("ended with %+v, want by the target after its end", end)
	}
	if how := <-near.closed; how != "close" {
		t.Errorf("%s, want close", how)
	}
}

// TestDeafTLSClient: a client that does not read does not keep the tunnel from
// ending, though TLS would take its leave.
func TestDeafTLSClient(t *testing.T) {
	near, _ := securePair(t)
	near.NetConn().(*net.TCPConn).SetWriteBuffer(4 << 10)
	near.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
	for chunk := make([]byte, 64<<10); ; {
		if _, err := near.NetConn().Write(chunk); err != nil {
			break
		}
	}
	p := new(peer)
	p.init(Client, near)
	began := time.Now()
	p.close(true)
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("closing took %v", took)
	}
}
