package network

import (
	"errors"
	"io"
	"net"
	"slices"
	"testing"
	"time"
)

// TestWire: a wire does to packets what it was told to.
func TestWire(t *testing.T) {
	t.Parallel()
	needNamespaces(t)
	var listener *net.TCPListener
	f := newFar(t, seed, func(ip net.IP) (err error) {
		listener, err = net.ListenTCP("tcp", &net.TCPAddr{IP: ip})
		return err
	})
	t.Cleanup(func() { _ = listener.Close() })
	go echo(listener)
	addr := listener.Addr().String()

	const there = 240 * time.Millisecond // and back, twice: the connect, and the echo
	if near := quickest(t, addr); near == 0 || near >= there {
		t.Errorf("%v where nothing is in the way", near)
	}
	f.wire.set(weather{delay: 60 * time.Millisecond})
	if far := quickest(t, addr); far < there {
		t.Errorf("%v where 120 ms are in the way", far)
	}
	f.wire.set(weather{rate: 32_000, queue: time.Minute})
	if took := roundTrip(t, addr, 16_000); took < 500*time.Millisecond {
		t.Errorf("16 kB were there and back in %v", took)
	}
	f.wire.set(weather{largest: 1200})
	if took := roundTrip(t, addr, 1000); took == 0 {
		t.Error("what is small does not pass")
	}
	if took := roundTrip(t, addr, 1300); took > 0 {
		t.Error("what is large passes")
	}
	f.wire.set(weather{loss: 1})
	if took := roundTrip(t, addr, 10); took > 0 {
		t.Error("what is lost passes")
	}
	f.wire.set(weather{})
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	f.wire.forgetAll()
	if speak(conn, 10) == nil {
		t.Error("a connection that was forgotten goes on")
	}
	if roundTrip(t, addr, 10) == 0 {
		t.Error("a new connection does not pass")
	}
}

// quickest is the best of a few round trips, for the machine has other things to do.
func quickest(t *testing.T, addr string) time.Duration {
	t.Helper()
	var took []time.Duration
	for range 5 {
		took = append(took, roundTrip(t, addr, 10))
	}
	return slices.Min(took)
}

func echo(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			_, _ = io.Copy(conn, conn)
			_ = conn.Close()
		}()
	}
}

// roundTrip is how long it takes to connect and to get some bytes back; 0 where
// they don't come back.
func roundTrip(t *testing.T, addr string, n int) time.Duration {
	t.Helper()
	began := time.Now()
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if late, ok := errors.AsType[net.Error](err); ok && late.Timeout() {
		return 0
	}
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if speak(conn, n) != nil {
		return 0
	}
	return time.Since(began)
}

func speak(conn net.Conn, n int) error {
	_ = conn.SetDeadline(time.Now().Add(2 * time.Second))
	if _, err := conn.Write(make([]byte, n)); err != nil {
		return err
	}
	_, err := io.ReadFull(conn, make([]byte, n))
	return err
}
