package pool

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestReplayBufferBoundsFailover: what went out and is kept no more cannot be
// sent again.
func TestReplayBufferBoundsFailover(t *testing.T) {
	tests := []struct {
		name   string
		size   int
		answer func(*fakeConn, *http.Request) (*http.Response, error)
		want   string
	}{
		{"below the limit", 99, breaks, "A:conn_reset B:ok"},
		{"at the limit", 100, breaks, "A:conn_reset B:ok"},
		{"above the limit", 101, breaks, "A:conn_reset"},
		{"above the limit, but nothing was read", 101, refuses, "A:conn_closed B:ok"},
		{"far above the limit, and all is well", 100_000, ok, "A:ok"},
	}
	for _, tt := range tests {
		for _, known := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, length known %v", tt.name, known), func(t *testing.T) {
				inBubble(t, func(t *testing.T) {
					w := newWorld(t, named("A B"), func(c *Config) { c.Options.ReplayBuffer = 100 })
					w.fake["A"].be(behaviour{answer: tt.answer})
					body := strings.Repeat("x", tt.size)
					req := w.request(http.MethodPut, body)
					if !known {
						req.ContentLength = -1
					}
					o := w.send(req, api)
					if o.Trail != tt.want {
						t.Errorf("trail %q, want %q", o.Trail, tt.want)
					}
					if o.Status == 200 && w.origin.body[req.Header.Get("Id")] != body {
						t.Error("the body arrived in another shape")
					}
				})
			})
		}
	}
}

// TestBodyIsStreamedWhileItIsRemembered: the target has the beginning long
// before the client sent the end.
func TestBodyIsStreamedWhileItIsRemembered(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), nil)
		var first time.Duration
		w.fake["A"].be(behaviour{answer: func(c *fakeConn, req *http.Request) (*http.Response, error) {
			start := time.Now()
			_, _ = req.Body.Read(make([]byte, 10))
			first = time.Since(start)
			return breaks(c, req)
		}})
		req := w.request(http.MethodPut, "")
		req.Body, req.ContentLength = &slowReader{parts: []string{"one ", "two ", "three"}, pause: 200 * time.Millisecond}, -1
		w.wantTrail(w.send(req, api), 200, "A:conn_reset B:ok")
		if first != 200*time.Millisecond {
			t.Errorf("the first byte came after %v", first)
		}
		if got := w.origin.body[req.Header.Get("Id")]; got != "one two three" {
			t.Errorf("the second proxy sent %q", got)
		}
	})
}

// TestAnswerBeforeTheBodyIsAtItsEnd: a block rule looks at an answer while the
// rest of a large upload is still under way, and must not cut it off.
func TestAnswerBeforeTheBodyIsAtItsEnd(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), func(c *Config) {
			c.Options.ReplayBuffer = 4
			c.Blocks = []BlockRule{{Status: []int{403}, For: time.Minute, Tries: 3}}
		})
		var rest string
		w.fake["A"].be(behaviour{answer: func(c *fakeConn, req *http.Request) (*http.Response, error) {
			_, _ = io.ReadFull(req.Body, make([]byte, 5))
			body := readerFunc(func([]byte) (int, error) { // reads on while it answers
				all, err := io.ReadAll(req.Body)
				rest = fmt.Sprint(string(all), err)
				return 0, io.EOF
			})
			return c.respond(403, body), nil
		}})
		w.wantTrail(w.post("12345678"), 403, "A:ok")
		if rest != "678<nil>" {
			t.Errorf("the rest of the body is %q", rest)
		}
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// TestViewsNeverInterleave leaves a view behind in the middle of a read from a
// slow client: what it reads there belongs to the next view.
func TestViewsNeverInterleave(t *testing.T) {
	source, client := io.Pipe()
	b := newReplayBody(source, -1, 1<<20)
	first := b.view()
	buf := make([]byte, 4)
	go func() { _, _ = client.Write([]byte("one ")) }()
	if _, err := io.ReadFull(first, buf); err != nil || string(buf) != "one " {
		t.Fatal(string(buf), err)
	}
	started, left := make(chan struct{}), make(chan error)
	go func() {
		close(started)
		_, err := first.Read(make([]byte, 100))
		left <- err
	}()
	<-started
	for !b.waiting.Load() { // until it is inside of the source
		runtime.Gosched()
	}
	rewound := make(chan bool)
	go func() { rewound <- b.rewind() }()
	if _, err := client.Write([]byte("two ")); err != nil {
		t.Fatal(err)
	}
	if err := <-left; err != nil {
		t.Error(err)
	}
	if !<-rewound {
		t.Fatal("the body cannot be sent again")
	}
	second := b.view()
	go func() {
		_, _ = client.Write([]byte("three"))
		_ = client.Close()
	}()
	if n, err := first.Read(buf); n != 0 || !errors.Is(err, errDetached) {
		t.Errorf("the view that was left reads %d bytes, %v", n, err)
	}
	all, err := io.ReadAll(second)
	if string(all) != "one two three" || err != nil {
		t.Errorf("the second view read %q, %v", all, err)
	}
}

func TestViewsConcurrently(t *testing.T) {
	want := strings.Repeat("0123456789", 1000)
	b := newReplayBody(io.NopCloser(strings.NewReader(want)), int64(len(want)), 1<<20)
	var wg sync.WaitGroup
	for range 20 {
		v := b.view()
		wg.Go(func() { _, _ = io.CopyN(io.Discard, v, int64(rand.Intn(len(want)))) })
		if !b.rewind() {
			t.Fatal("too much went out")
		}
	}
	last := b.view()
	got, err := io.ReadAll(last)
	wg.Wait()
	if string(got) != want || err != nil {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func TestClosedViewReadsNothing(t *testing.T) {
	b := newReplayBody(io.NopCloser(strings.NewReader("abc")), 3, 10)
	v := b.view()
	_ = v.Close()
	if n, err := v.Read(make([]byte, 3)); n != 0 || !errors.Is(err, errDetached) {
		t.Errorf("%d bytes, %v", n, err)
	}
	if all, err := io.ReadAll(b.view()); string(all) != "abc" || err != nil {
		t.Errorf("%q, %v: closing a view closed the source", all, err)
	}
}

// TestClientThatStopsSending is nobody's failure, and 413 where it sent more
// than the server takes.
func TestClientThatStopsSending(t *testing.T) {
	tests := []struct {
		name   string
		err    error
		status int
	}{
		{"gone", io.ErrUnexpectedEOF, 499},
		{"too large", &http.MaxBytesError{Limit: 4}, http.StatusRequestEntityTooLarge},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := newWorld(t, named("A B"), nil)
				req := w.request(http.MethodPut, "")
				req.Body = io.NopCloser(io.MultiReader(strings.NewReader("half"), failingReader{tt.err}))
				req.ContentLength = 8
				o := w.send(req, api)
				w.wantTrail(o, tt.status, "A:client_gone")
				if n := w.route("A").failures.Load() + w.proxy("A").State.failures.Load(); n != 0 || w.fake["B"].dialled() != 0 {
					t.Errorf("%d failures, %d connects through the next proxy", n, w.fake["B"].dialled())
				}
			})
		})
	}
}

// TestClientThatStopsSendingWhileItIsAnswered: the connection breaks because the
// body did, and with it the answer that had begun. The route delivered.
func TestClientThatStopsSendingWhileItIsAnswered(t *testing.T) {
	for name, end := range map[string]error{
		"gone":                       io.ErrUnexpectedEOF,
		"the server reads the rest":  io.EOF,
		"the server closes the body": http.ErrBodyReadAfterClose,
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := newWorld(t, named("A B"), nil)
				w.fake["A"].be(behaviour{answer: func(c *fakeConn, req *http.Request) (*http.Response, error) {
					_, _ = io.ReadFull(req.Body, make([]byte, 4))
					return c.respond(200, readerFunc(func([]byte) (int, error) {
						_, err := io.ReadAll(req.Body)
						c.die()
						return 0, cmp.Or(err, io.ErrUnexpectedEOF)
					})), nil
				}})
				req := w.request(http.MethodPut, "")
				req.Body = io.NopCloser(io.MultiReader(strings.NewReader("half"), failingReader{end}))
				req.ContentLength = 8
				o := w.send(req, api)
				w.wantTrail(o, 200, "A:ok")
				if n := w.route("A").failures.Load(); n != 0 || w.row("A").Failed != 0 || o.trace.Err != reasonClientGone {
					t.Errorf("%d failures of the route, %d attempts failed, error %q", n, w.row("A").Failed, o.trace.Err)
				}
			})
		})
	}
}

// FuzzReplay reads a body through several views, in pieces of any size, and
// compares what the last one sees, or was told that it cannot.
func FuzzReplay(f *testing.F) {
	f.Add([]byte("hello world"), []byte{3, 0, 5}, int64(100), true)
	f.Add([]byte("hello world"), []byte{200}, int64(5), false)
	f.Add([]byte(""), []byte{}, int64(0), true)
	f.Fuzz(func(t *testing.T, body, reads []byte, limit int64, known bool) {
		length := int64(-1)
		if known {
			length = int64(len(body))
		}
		limit = min(max(limit, 0), 1<<16)
		b := newReplayBody(io.NopCloser(bytes.NewReader(body)), length, limit)
		furthest := int64(0)
		for _, n := range reads {
			v := b.view()
			got, _ := io.CopyN(io.Discard, v, int64(n))
			furthest = max(furthest, got)
			if again := b.rewind(); again != (furthest <= limit) {
				t.Fatalf("again %v after %d bytes with a limit of %d", again, furthest, limit)
			} else if !again {
				return
			}
		}
		if got, err := io.ReadAll(b.view()); err != nil || !bytes.Equal(got, body) {
			t.Fatalf("read %q, %v", got, err)
		}
	})
}
