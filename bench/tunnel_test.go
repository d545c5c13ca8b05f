//go:build linux

package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// throughRelay is an origin, a proxy and the bare relay before it.
func throughRelay(t *testing.T) (p *proxy, relay, target string, config *tls.Config) {
	t.Helper()
	r := &rig{dir: t.TempDir()}
	if err := newAuthority(r.dir); err != nil {
		t.Fatal(err)
	}
	server, err := serverTLS(r.dir, "http/1.1")
	if err != nil {
		t.Fatal(err)
	}
	o, err := startOrigin(server, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.close)
	if p, err = startProxy(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.close)
	o.setCarrier(p.find)
	ln, err := listenRelay(p.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	if config, err = r.clientTLS(); err != nil {
		t.Fatal(err)
	}
	return p, ln.Addr().String(), o.addr(), config
}

// TestTunnelOutcomes has a client ask through the relay and a proxy that fails.
func TestTunnelOutcomes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		mode   mode
		want   outcome
		status int
		stood  bool
	}{
		{modeOK, good, 200, true},
		{modeRefuse, refused, 502, false},
		{mode403, refused, 403, false},
		{mode407, refused, 407, false},
		{modeReset, refused, 502, false},
		{modeHang, timedOut, 0, false},
		{modeSilentTunnel, timedOut, 0, true},
		{modeGarbage, cutOff, 0, true},
		{modeBreakOff, broken, 200, true},
	}
	for _, test := range tests {
		t.Run(test.mode.String(), func(t *testing.T) {
			t.Parallel()
			p, relay, target, config := throughRelay(t)
			if err := p.set(test.mode); err != nil {
				t.Fatal(err)
			}
			l := &load{addr: target, clients: 1, limit: 1, timeout: 300 * time.Millisecond, fresh: true, dial: passage{relay, target, config}.dial}
			samples := l.run(t.Context())
			if len(samples) != 1 {
				t.Fatalf("got %d samples, want 1", len(samples))
			}
			s := samples[0]
			if s.outcome != test.want || s.status != test.status || s.stood.IsZero() == test.stood {
				t.Errorf("got outcome %d, status %d, stood at %v; want %d, %d, stood: %t", s.outcome, s.status, s.stood, test.want, test.status, test.stood)
			}
		})
	}
}

// TestFreshConnections counts the tunnels that ten requests need.
func TestFreshConnections(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		fresh   bool
		tunnels int
	}{{"standing", false, 1}, {"new", true, 10}} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, relay, target, config := throughRelay(t)
			l := &load{addr: target, clients: 1, limit: 10, timeout: 5 * time.Second, fresh: test.fresh, dial: passage{relay, target, config}.dial}
			tunnels := 0
			for _, s := range l.run(t.Context()) {
				if s.outcome != good {
					t.Fatalf("got outcome %d", s.outcome)
				}
				if !s.stood.IsZero() {
					tunnels++
				}
			}
			if tunnels != test.tunnels {
				t.Errorf("10 requests took %d tunnels, want %d", tunnels, test.tunnels)
			}
		})
	}
}

// TestRelayPassesTheEndOn ends one direction and expects the other to live on.
func TestRelayPassesTheEndOn(t *testing.T) {
	t.Parallel()
	upstream, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer upstream.Close()
	go func() {
		conn, err := upstream.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		br := bufio.NewReader(conn)
		if _, err := http.ReadRequest(br); err != nil {
			return
		}
		// What comes together with the answer must not be lost either.
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\nhello, ")
		text, _ := io.ReadAll(br)
		_, _ = fmt.Fprintf(conn, "you said %q", text)
	}()
	ln, err := listenRelay(upstream.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	_, _ = io.WriteString(conn, "CONNECT a.example:80 HTTP/1.1\r\nHost: a.example:80\r\n\r\nearly")
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	if want := "HTTP/1.1 200 OK\r\n\r\nhello, you said \"early\""; string(got) != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// counted is a connection of which the bytes are counted that it wrote and read.
type counted struct {
	net.Conn
	wrote, read int64
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.wrote += int64(n)
	return n, err
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.read += int64(n)
	return n, err
}

// TestBulk moves bytes each way, and asks the other end which way they went.
func TestBulk(t *testing.T) {
	t.Parallel()
	for _, upload := range []bool{false, true} {
		t.Run(fmt.Sprintf("upload %t", upload), func(t *testing.T) {
			t.Parallel()
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			ends := make(chan *counted, 1)
			go func() {
				conn, err := ln.Accept()
				if err != nil {
					return
				}
				defer conn.Close()
				end := &counted{Conn: conn}
				if _, err := http.ReadRequest(bufio.NewReader(end)); err == nil {
					serveEnd(end)
				}
				ends <- end
			}()
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			samples := (&bulk{proxy: ln.Addr().String(), tunnels: 1, upload: upload}).run(ctx)
			for _, s := range samples {
				if s.outcome != good {
					t.Fatalf("got outcome %d", s.outcome)
				}
			}
			end := <-ends
			moved, other := end.wrote, end.read
			if upload {
				moved, other = other, moved
			}
			if sum := int64(len(samples)) * chunk; sum == 0 || moved < sum || other > 1<<10 {
				t.Errorf("%d chunks went one way by %d bytes, the other by %d", len(samples), moved, other)
			}
		})
	}
}

// TestBulkThroughNobody sees that no tunnel stands.
func TestBulkThroughNobody(t *testing.T) {
	t.Parallel()
	p, relay, _, _ := throughRelay(t)
	if err := p.set(modeRefuse); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	samples := (&bulk{proxy: relay, tunnels: 1}).run(ctx)
	if len(samples) != 1 || samples[0].outcome == good {
		t.Errorf("got %+v, want one failure", samples)
	}
}
