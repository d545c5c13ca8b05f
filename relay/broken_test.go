package relay

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// reset closes the connection beneath so that the other side gets a reset.
func reset(t testing.TB, f far) {
	t.Helper()
	conn := net.Conn(f)
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		if err := tcp.SetLinger(0); err != nil {
			t.Fatal(err)
		}
	}
	conn.Close()
}

// drained is what reading to the end gives: nil where that was a clean one. Where
// a write has been told of the reset, the reads see an end.
func drained(t testing.TB, f far) error {
	t.Helper()
	f.SetReadDeadline(time.Now().Add(patience))
	_, err := io.Copy(io.Discard, f)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal("the connection stays open")
	}
	conn := net.Conn(f)
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	if raw := socketOf(conn); err == nil && raw != nil && wasReset(raw) {
		return syscall.ECONNRESET
	}
	return err
}

// flood writes until it fails.
func flood(w io.Writer) {
	chunk := make([]byte, 256<<10)
	for {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}

// TestReset: who breaks the tunnel is named, and the other side sees that it
// was broken.
func TestReset(t *testing.T) {
	for _, path := range paths {
		for _, by := range []Side{Client, Target} {
			for _, busy := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%s/busy %t", path.name, by, busy), func(t *testing.T) {
					if path.name == "unix client" && by == Client {
						t.Skip("a Unix socket knows no reset")
					}
					r := path.make(t)
					r.start(nil)
					one, other := r.client, r.origin
					if by == Target {
						one, other = other, one
					}
					one.Write([]byte("hello"))
					if _, err := io.ReadFull(other, make([]byte, len("hello"))); err != nil {
						t.Fatal(err)
					}
					if busy {
						go flood(one)
						if slices.Contains(bare, path.name) {
							go flood(other)
							go io.Copy(io.Discard, one)
						}
						if _, err := io.CopyN(io.Discard, other, 2<<20); err != nil {
							t.Fatal(err)
						}
					}
					reset(t, one)
					if err := drained(t, other); err == nil && path.name != "unix client" {
						t.Error("the other side sees a clean end")
					}
					if end := r.end(t); end.By != by || end.Err == nil || end.First != Nobody {
						t.Errorf("ended with %+v, want by the %s", end, by)
					}
				})
			}
		}
	}
}

// stuff sends n bytes from one side to the other, who does not read, followed by
// the end. It returns when nothing moves any more, with the count of what was sent.
func stuff(t testing.TB, r *rig, one far, n int) (sent func() int64) {
	t.Helper()
	var count atomic.Int64
	go func() {
		chunk := noise(64<<10, 5)
		for ; n > 0; n -= len(chunk) {
			if _, err := one.Write(chunk[:min(n, len(chunk))]); err != nil {
				return
			}
			count.Add(int64(min(n, len(chunk))))
		}
		one.CloseWrite()
	}()
	last, still := r.Activity(), 0
	eventually(t, "nothing moves any more", func() bool {
		if now := r.Activity(); now != last || now.LastMove.Equal(now.Began) {
			last, still = now, 0
		}
		still++
		return still == 100
	})
	return count.Load
}

// TestSlowReader: what a slow reader does not take waits where it is sent from,
// but for what the sockets and one chunk hold, and arrives in the end.
func TestSlowReader(t *testing.T) {
	for _, path := range paths {
		t.Run(path.name, func(t *testing.T) {
			r := path.make(t)
			r.start(nil)
			const size = 40 << 20
			sent := stuff(t, r, r.origin, size)
			if held := sent() - r.Activity().FromTarget; sent() == size || held > 16<<20 {
				t.Errorf("%d bytes of %d were taken, and %d are held", sent(), size, held)
			}
			r.client.SetReadDeadline(time.Now().Add(patience))
			if got, err := io.Copy(io.Discard, r.client); err != nil || got != int64(len(r.prefix))+size {
				t.Errorf("%d bytes and %v arrived, want %d", got, err, size)
			}
			r.client.CloseWrite()
			if end := r.end(t); end.By != Nobody {
				t.Errorf("ended with %+v, want well", end)
			}
		})
	}
}

var errIdle = errors.New("idle for too long")

func TestCut(t *testing.T) {
	for _, path := range paths {
		for _, state := range []string{"before", "idle", "stuck down", "stuck up", "half-closed"} {
			t.Run(path.name+"/"+state, func(t *testing.T) {
				r := path.make(t)
				switch state {
				case "before":
					r.Cut(errIdle)
					r.start([]byte("early"))
				case "idle":
					r.start([]byte("early"))
					if _, err := io.ReadFull(r.origin, make([]byte, 5)); err != nil {
						t.Fatal(err)
					}
				case "stuck down":
					r.start(nil)
					stuff(t, r, r.origin, 40<<20)
				case "stuck up":
					r.start(nil)
					stuff(t, r, r.client, 40<<20)
				case "half-closed":
					r.start(nil)
					r.client.CloseWrite()
					if _, err := io.Copy(io.Discard, r.origin); err != nil {
						t.Fatal(err)
					}
				}
				began := time.Now()
				r.Cut(errIdle)
				r.Cut(errors.New("another reason"))
				end := r.end(t)
				if took := time.Since(began); took > time.Second {
					t.Errorf("took %v", took)
				}
				if end.By != Cutter || !errors.Is(end.Err, errIdle) {
					t.Errorf("ended with %+v, want cut for being idle", end)
				}
				r.Cut(errors.New("too late"))
				// A Unix socket can only say that it is closed.
				if err := drained(t, r.client); err == nil && path.name != "unix client" {
					t.Error("the client sees a clean end")
				}
				if err := drained(t, r.origin); err == nil && state != "half-closed" {
					t.Error("the origin sees a clean end")
				}
			})
		}
	}
}

// TestBudget: what counts ends the tunnel within a chunk of what it allows, and
// is named as the reason.
func TestBudget(t *testing.T) {
	const limit = 10 << 20
	for _, path := range paths {
		for _, from := range []Side{Client, Target} {
			t.Run(fmt.Sprintf("%s/from %s", path.name, from), func(t *testing.T) {
				r := path.make(t)
				if r.meter == nil {
					t.Skip("nobody counts")
				}
				r.meter.limit.Store(limit)
				r.start(nil)
				one := r.client
				if from == Target {
					one = r.origin
				}
				go flood(one)
				if from == Client {
					go io.Copy(io.Discard, r.origin)
				}
				if err := drained(t, r.client); err == nil && path.name != "unix client" {
					t.Error("the client sees a clean end")
				}
				if end := r.end(t); end.By != Target || !errors.Is(end.Err, errSpent) {
					t.Errorf("ended with %+v, want %v", end, errSpent)
				}
				const chunk = 1 << 20
				if n := r.meter.in.Load() + r.meter.out.Load(); n < limit || n > limit+chunk {
					t.Errorf("%d bytes were counted, want %d and at most a chunk more", n, limit)
				}
			})
		}
	}
}
