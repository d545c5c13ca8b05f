package pool

import (
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"
)

// short makes an answer one of a known length.
func short(answer func(*fakeConn, *http.Request) (*http.Response, error), length int64) func(*fakeConn, *http.Request) (*http.Response, error) {
	return func(c *fakeConn, req *http.Request) (*http.Response, error) {
		resp, err := answer(c, req)
		if err == nil {
			resp.ContentLength = length
		}
		return resp, err
	}
}

// TestShortAnswerThatBreaksOff: its client saw nothing of it, so that it is a
// failure as before the answer.
func TestShortAnswerThatBreaksOff(t *testing.T) {
	for name, h2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := newWorld(t, named("A B"), nil)
				w.fake["A"].be(behaviour{answer: short(breaksOff, 4), h2: h2})
				w.fake["B"].be(behaviour{answer: short(ok, 1), h2: h2})
				o := w.get()
				w.wantTrail(o, http.StatusOK, "A:broken_answer B:ok")
				if o.Body != "B" || o.trace.Err != "" {
					t.Errorf("body %q, error %q", o.Body, o.trace.Err)
				}
				w.pass(2 * time.Second)
				w.wantTrail(w.post("once"), http.StatusBadGateway, "A:broken_answer")
				if n := w.route("A").failures.Load(); n != 2 {
					t.Errorf("%d failures of the route, want 2", n)
				}
				if a, b := w.row("A"), w.row("B"); a.Requests != 2 || a.Failed != 2 || b.Requests != 1 || b.Failed != 0 {
					t.Errorf("of A %d requests, %d failed; of B %d and %d", a.Requests, a.Failed, b.Requests, b.Failed)
				}
				if broken := w.proxy("A").Counts().Broken; broken != 0 {
					t.Errorf("%d began well and broke off", broken)
				}
			})
		})
	}
}

// TestLongAnswerThatBreaksOff: of it the client has seen something.
func TestLongAnswerThatBreaksOff(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), nil)
		w.fake["A"].be(behaviour{answer: short(breaksOff, shortAnswer+1)})
		o := w.get()
		if w.wantTrail(o, http.StatusOK, "A:ok"); o.Body != "ha!unexpected EOF" || o.trace.Err != reasonBroken {
			t.Errorf("body %q, error %q", o.Body, o.trace.Err)
		}
	})
}

// TestLengthWithoutBody: some answers state the length of a body that they must not
// have, for which net/http has one that is missing.
func TestLengthWithoutBody(t *testing.T) {
	missing := func(code int) func(*fakeConn, *http.Request) (*http.Response, error) {
		return short(func(c *fakeConn, req *http.Request) (*http.Response, error) {
			if err := c.arrive(req); err != nil {
				return nil, err
			}
			return c.respond(code, failingReader{io.ErrUnexpectedEOF}), nil
		}, 4)
	}
	for _, tt := range []struct {
		method string
		code   int
	}{{http.MethodHead, http.StatusOK}, {http.MethodGet, http.StatusNotModified}, {http.MethodPost, http.StatusNoContent}} {
		t.Run(fmt.Sprint(tt.method, " ", tt.code), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := newWorld(t, named("A B"), nil)
				w.fake["A"].be(behaviour{answer: missing(tt.code), h2: true})
				o := w.send(w.request(tt.method, ""), api)
				w.wantTrail(o, tt.code, "A:ok")
				if o.Body != "" || o.trace.Err != "" || w.route("A").failures.Load() != 0 {
					t.Errorf("body %q, error %q, %d failures of the route", o.Body, o.trace.Err, w.route("A").failures.Load())
				}
			})
		})
	}
}
