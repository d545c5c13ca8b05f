package dial_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddy-proxypool/proxypool/dial"
	"github.com/caddy-proxypool/proxypool/internal/proxytest"
)

// eachProtocol runs a test on a connection through a proxy for HTTP/1.1 and for
// HTTP/2.
func eachProtocol(t *testing.T, test func(t *testing.T, origin *proxytest.Origin, proxy *proxytest.Proxy, c *dial.HTTPConn)) {
	t.Helper()
	for _, http2 := range []bool{false, true} {
		t.Run(map[bool]string{false: "HTTP1", true: "HTTP2"}[http2], func(t *testing.T) {
			noLeaks(t)
			origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true, HTTP2: http2})
			proxy := proxytest.NewProxy(t, proxytest.ProxyConfig{})
			test(t, origin, proxy, mustOpen(t, dialerFor(t, proxy), targetOf(origin)))
		})
	}
}

func TestReuse(t *testing.T) {
	eachProtocol(t, func(t *testing.T, origin *proxytest.Origin, proxy *proxytest.Proxy, c *dial.HTTPConn) {
		t.Helper()
		for i := range 5 {
			path := "/"
			if i == 3 {
				path = "/empty"
				origin.SetHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
			}
			do(t, c, newRequest(t.Context(), t, "GET", origin.URL()+path, ""))
			if c.InFlight() != 0 || !c.Alive() {
				t.Fatalf("after an answer: %d in flight, alive: %v", c.InFlight(), c.Alive())
			}
		}
		if proxy.Accepted() != 1 || origin.Conns() != 1 {
			t.Errorf("the proxy saw %d connections and the target %d, want 1", proxy.Accepted(), origin.Conns())
		}
		proxy.MustSetMode(t, proxytest.Refuse)
		eventually(t, "death of the idle connection", func() bool { return !c.Alive() })
		if c.Reserve() {
			t.Error("Reserve() on a dead connection")
		}
	})
}

func TestReserve(t *testing.T) {
	eachProtocol(t, func(t *testing.T, origin *proxytest.Origin, _ *proxytest.Proxy, c *dial.HTTPConn) {
		t.Helper()
		if !c.Reserve() || c.InFlight() != 1 {
			t.Fatal("no place on a fresh connection")
		}
		if c.Reserve() != c.Multiplexed() {
			t.Error("a second place on HTTP/1.1, or none on HTTP/2")
		}
		if c.Multiplexed() {
			c.Release()
		}
		c.Release()
		if c.InFlight() != 0 || !c.Reserve() {
			t.Fatal("a place that was given back is not free")
		}
		c.Release()
		do(t, c, newRequest(t.Context(), t, "GET", origin.URL(), ""))
	})
}

// TestPlacesOnHTTP2 fills a connection up to the target's limit.
func TestPlacesOnHTTP2(t *testing.T) {
	noLeaks(t)
	origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: true, HTTP2: true})
	c := mustOpen(t, dialerFor(t, nil), targetOf(origin))
	do(t, c, newRequest(t.Context(), t, "GET", origin.URL(), ""))
	places := 0
	for c.Reserve() {
		places++
	}
	if places != 250 { // net/http's server
		t.Errorf("%d places, want the target's 250", places)
	}
	for range places {
		c.Release()
	}
}

func TestUnreadBodyEndsHTTP1(t *testing.T) {
	eachProtocol(t, func(t *testing.T, origin *proxytest.Origin, _ *proxytest.Proxy, c *dial.HTTPConn) {
		t.Helper()
		c.Reserve()
		resp, err := c.RoundTrip(newRequest(t.Context(), t, "GET", origin.URL(), ""))
		if err != nil {
			t.Fatal(err)
		}
		if c.InFlight() != 1 {
			t.Errorf("%d in flight before the body was read, want 1", c.InFlight())
		}
		resp.Body.Close()
		eventually(t, "the connection's fate", func() bool { return c.InFlight() == 0 && c.Alive() == c.Multiplexed() })
	})
}

// TestClosedWhileIdle is a POST on a connection that the target had closed: not
// a byte of it may go out, and the caller must know.
func TestClosedWhileIdle(t *testing.T) {
	eachProtocol(t, func(t *testing.T, origin *proxytest.Origin, _ *proxytest.Proxy, c *dial.HTTPConn) {
		t.Helper()
		do(t, c, newRequest(t.Context(), t, "GET", origin.URL(), ""))
		if !c.Reserve() {
			t.Fatal("no place")
		}
		eventually(t, "idle connection closed", func() bool { origin.CloseIdle(); return !c.Alive() })
		_, err := c.RoundTrip(newRequest(t.Context(), t, "POST", origin.URL(), "hello"))
		if e := asSendError(t, err); !e.Unsent() || e.FailureReason() != dial.ReasonConnClosed && !c.Multiplexed() {
			t.Errorf("got %s, unsent: %v (%v); want an unsent request on a closed connection", e.FailureReason(), e.Unsent(), err)
		}
		if origin.Requests() != 1 {
			t.Errorf("the target saw %d requests, want 1", origin.Requests())
		}
	})
}

func TestSentIsNotUnsent(t *testing.T) {
	eachProtocol(t, func(t *testing.T, origin *proxytest.Origin, proxy *proxytest.Proxy, c *dial.HTTPConn) {
		t.Helper()
		came := make(chan struct{})
		origin.SetHandler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			close(came)
			<-r.Context().Done()
		}))
		done := make(chan error, 1)
		c.Reserve()
		req := newRequest(t.Context(), t, "POST", origin.URL(), "hello")
		go func() {
			_, err := c.RoundTrip(req)
			done <- err
		}()
		<-came
		proxy.MustSetMode(t, proxytest.Refuse)
		err := <-done
		if e := asSendError(t, err); e.Unsent() {
			t.Errorf("%v is told to be unsent, but the target saw it", err)
		}
		eventually(t, "death", func() bool { return !c.Alive() && (c.InFlight() == 0) })
	})
}

// TestCancelRoundTrip interrupts a request that has no answer.
func TestCancelRoundTrip(t *testing.T) {
	for _, how := range []string{"cancel", "deadline", "close"} {
		t.Run(how, func(t *testing.T) {
			eachProtocol(t, func(t *testing.T, origin *proxytest.Origin, proxy *proxytest.Proxy, c *dial.HTTPConn) {
				t.Helper()
				do(t, c, newRequest(t.Context(), t, "GET", origin.URL(), ""))
				proxy.MustSetMode(t, proxytest.Silent)
				ctx, cancel := context.WithCancel(t.Context())
				want := dial.ReasonCanceled
				switch how {
				case "deadline":
					ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
					want = dial.ReasonConnTimeout
				case "close":
					want = ""
				}
				defer cancel()
				_, before := c.Bytes()
				done := make(chan error, 1)
				c.Reserve()
				req := newRequest(ctx, t, "GET", origin.URL(), "")
				go func() {
					_, err := c.RoundTrip(req)
					done <- err
				}()
				eventually(t, "request written", func() bool { _, out := c.Bytes(); return out > before })
				began := time.Now()
				switch how {
				case "cancel":
					cancel()
				case "close":
					c.Close()
				}
				e := asSendError(t, <-done)
				if time.Since(began) > time.Second {
					t.Errorf("took %v", time.Since(began))
				}
				if want != "" && e.FailureReason() != want || e.Unsent() || e.Timeout() != (how == "deadline") {
					t.Errorf("got %s, unsent %v, timeout %v (%v), want %s", e.FailureReason(), e.Unsent(), e.Timeout(), e, want)
				}
				if how == "cancel" && !errors.Is(e, context.Canceled) {
					t.Errorf("%v is not context.Canceled", e)
				}
			})
		})
	}
}

func TestPing(t *testing.T) {
	eachProtocol(t, func(t *testing.T, _ *proxytest.Origin, proxy *proxytest.Proxy, c *dial.HTTPConn) {
		t.Helper()
		err := c.Ping(t.Context())
		if (err == nil) != c.Multiplexed() {
			t.Fatalf("Ping: %v, on HTTP/2: %v", err, c.Multiplexed())
		}
		if !c.Multiplexed() {
			return
		}
		proxy.MustSetMode(t, proxytest.Silent)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if err := c.Ping(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Ping through a silent proxy: %v, want that the deadline passed", err)
		}
	})
}

// TestCloseThroughFrozenProxy: a connection whose other side takes nothing any
// more is closed at once, TLS saying goodbye or not.
func TestCloseThroughFrozenProxy(t *testing.T) {
	eachProtocol(t, func(t *testing.T, origin *proxytest.Origin, proxy *proxytest.Proxy, c *dial.HTTPConn) {
		t.Helper()
		proxy.MustSetMode(t, proxytest.Silent)
		done := make(chan error, 1)
		c.Reserve()
		req := newRequest(t.Context(), t, "POST", origin.URL(), strings.Repeat("x", 32<<20))
		go func() {
			_, err := c.RoundTrip(req)
			done <- err
		}()
		eventually(t, "writing", func() bool { _, out := c.Bytes(); return out > 50_000 })
		began := time.Now()
		c.Close()
		asSendError(t, <-done)
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

func TestUpgrade(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("tls=%v", secure), func(t *testing.T) {
			noLeaks(t)
			origin := proxytest.NewOrigin(t, proxytest.OriginConfig{TLS: secure, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				conn, rw, err := http.NewResponseController(w).Hijack()
				if err != nil {
					return
				}
				defer conn.Close()
				io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
				io.Copy(conn, rw)
			})})
			proxy := proxytest.NewProxy(t, proxytest.ProxyConfig{})
			c := mustOpen(t, dialerFor(t, proxy), targetOf(origin))
			c.Reserve()
			req := newRequest(t.Context(), t, "GET", origin.URL(), "")
			req.Header.Set("Connection", "Upgrade")
			req.Header.Set("Upgrade", "echo")
			resp, err := c.RoundTrip(req)
			if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
				t.Fatalf("got %v, %v; want 101", resp, err)
			}
			body := resp.Body.(io.ReadWriteCloser)
			eventually(t, "end of HTTP on the connection", func() bool { return !c.Alive() })
			c.Close() // as a pool does with what is dead; the upgraded connection lives on
			io.WriteString(body, "hello")
			got := make([]byte, 5)
			if _, err := io.ReadFull(body, got); err != nil || string(got) != "hello" {
				t.Errorf("read %q, %v behind the upgrade", got, err)
			}
			body.Close()
		})
	}
}

// rawTarget answers each connection with the same bytes, once a request came.
func rawTarget(t *testing.T, answer func(w io.Writer)) dial.Target {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				answer(conn)
			}
			conn.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return dial.Target{Scheme: "http", Addr: l.Addr().String()}
}

func TestBadAnswers(t *testing.T) {
	write := func(s string) func(io.Writer) { return func(w io.Writer) { io.WriteString(w, s) } }
	tests := []struct {
		name   string
		answer func(io.Writer)
		want   string
	}{
		{"nothing", write(""), dial.ReasonConnClosed},
		{"not HTTP", write(strings.Repeat("x", 5000) + "\r\n\r\n"), dial.ReasonMalformedResponse},
		{"bad status", write("HTTP/1.1 abc\r\n\r\n"), dial.ReasonMalformedResponse},
		{"bad header", write("HTTP/1.1 200 OK\r\nno colon\r\n\r\n"), dial.ReasonMalformedResponse},
		{"cut header", write("HTTP/1.1 200 OK\r\nA: b"), dial.ReasonConnClosed},
		{"two lengths", write("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"), dial.ReasonMalformedResponse},
		{"endless header", func(w io.Writer) {
			io.WriteString(w, "HTTP/1.1 200 OK\r\n")
			for err := error(nil); err == nil; {
				_, err = io.WriteString(w, "X: "+strings.Repeat("x", 1000)+"\r\n")
			}
		}, dial.ReasonHeaderTooLarge},
		{"endless interim answers", func(w io.Writer) {
			for err := error(nil); err == nil; {
				_, err = io.WriteString(w, "HTTP/1.1 100 Continue\r\n\r\n")
			}
		}, dial.ReasonHeaderTooLarge},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			noLeaks(t)
			target := rawTarget(t, test.answer)
			c := mustOpen(t, dialerFor(t, nil), target)
			c.Reserve()
			_, err := c.RoundTrip(newRequest(t.Context(), t, "POST", "http://"+target.Addr, "hello"))
			if e := asSendError(t, err); e.FailureReason() != test.want || e.Unsent() || e.Timeout() || len(e.Error()) > 300 {
				t.Errorf("got %s (unsent: %v, %v), want %s", e.FailureReason(), e.Unsent(), err, test.want)
			}
			if c.Alive() {
				t.Error("the connection lives on")
			}
		})
	}
}
