package pool

import (
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestWhatTheClientGets(t *testing.T) {
	tests := []struct {
		name   string
		be     behaviour
		method string
		status int
		reason string
		trail  string
		unsent bool
	}{
		{"refused", behaviour{err: refused}, "POST", 502, "dial_refused", "A:dial_refused B:dial_refused", true},
		{"timed out", behaviour{delay: forever}, "POST", 504, "dial_timeout", "A:dial_timeout B:dial_timeout", true},
		{"broken", behaviour{answer: breaks}, "POST", 502, "conn_reset", "A:conn_reset", false},
		{"broken, repeated", behaviour{answer: breaks}, "GET", 502, "conn_reset", "A:conn_reset B:conn_reset", false},
		{"broken before it was sent", behaviour{answer: refuses}, "POST", 502, "conn_closed", "A:conn_closed B:conn_closed", true},
		{"the proxy's answer", behaviour{answer: proxySays(502)}, "POST", 502, "proxy_answer", "A:proxy_answer", false},
		{"the proxy's timeout", behaviour{answer: proxySays(504)}, "GET", 504, "proxy_answer", "A:proxy_answer B:proxy_answer", false},
		{"no answer", behaviour{answer: silent, h2: true, ping: nil}, "POST", 504, "response_timeout", "A:response_timeout", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := newWorld(t, named("A B"), nil)
				w.fake["A"].be(tt.be)
				w.fake["B"].be(tt.be)
				o := w.send(w.request(tt.method, "x"), api)
				got := []any{o.Status, o.Failed, o.Trail}
				if strings.Contains(tt.trail, "dial_timeout") {
					got[2] = tt.trail // the race decides who is first
				}
				if diff := cmp.Diff([]any{tt.status, tt.reason, tt.trail}, got); diff != "" {
					t.Errorf("(-want +got)\n%s", diff)
				}
				if o.err.Unsent != tt.unsent {
					t.Errorf("unsent %v, want %v", o.err.Unsent, tt.unsent)
				}
				var netErr net.Error
				if !errors.As(o.err, &netErr) || netErr.Timeout() != (tt.status == 504) {
					t.Errorf("as a net.Error: %v", netErr)
				}
				if o.trace.Err != tt.reason || o.trace.Pool != "main" || o.trace.Target != api {
					t.Errorf("trace %+v", o.trace)
				}
			})
		})
	}
}

// TestSentThenUnreachable: that the last failure came before anything was written
// does not mean that nothing was written before.
func TestSentThenUnreachable(t *testing.T) {
	for trail, then := range map[string]behaviour{
		"A:conn_reset B:dial_refused": {err: refused},
		"A:conn_reset B:conn_closed":  {answer: refuses},
	} {
		t.Run(trail, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := newWorld(t, named("A B"), nil)
				w.fake["A"].be(behaviour{answer: breaks})
				w.fake["B"].be(then)
				o := w.get()
				w.wantTrail(o, 502, trail)
				if o.err.Unsent {
					t.Error("the error says that nothing was written")
				}
			})
		})
	}
}

func TestNoneUsable(t *testing.T) {
	tests := []struct {
		name string
		make func(*world)
		want time.Duration // Retry-After
	}{
		{"disabled", func(w *world) { w.do("A", "disable"); w.do("B", "disable") }, time.Second},
		{"down", func(w *world) { w.do("A", "mark-down"); w.do("B", "disable") }, 5 * time.Second},
		{"blocked", func(w *world) {
			w.do("B", "disable")
			w.proxy("A").block(w.route("A"), time.Now().Add(90*time.Second), "403")
		}, 90 * time.Second},
		{"the soonest of them", func(w *world) {
			w.do("B", "mark-down")
			w.proxy("A").block(w.route("A"), time.Now().Add(90*time.Second), "403")
		}, 5 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := newWorld(t, named("A B"), nil)
				tt.make(w)
				o := w.post("x")
				if o.Status != 503 || o.Failed != "no_proxy" || o.err.RetryAfter != tt.want || !o.err.Unsent {
					t.Errorf("error %+v, want Retry-After %v", o.err, tt.want)
				}
				if o.Trail != "" || o.trace.Attempts() != 0 || w.fake["A"].dialled()+w.fake["B"].dialled() != 0 {
					t.Errorf("trail %q", o.Trail)
				}
			})
		})
	}
}

func TestRetryAfterIsForA503Alone(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A"), nil)
		w.fake["A"].be(behaviour{err: refused})
		if o := w.get(); o.err.RetryAfter != 0 {
			t.Errorf("error %+v", o.err)
		}
	})
}

func TestTrace(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B C D"), nil)
		w.fake["A"].be(behaviour{err: refused})
		w.fake["B"].be(behaviour{err: noTunnel})
		w.fake["C"].be(behaviour{answer: breaks})
		w.fake["D"].be(behaviour{delay: 70 * time.Millisecond})
		o := w.get()
		w.wantTrail(o, 200, "A:dial_refused B:tunnel_refused C:conn_reset D:ok")
		if o.trace.Attempts() != 4 || o.trace.Connect != 70*time.Millisecond || o.trace.Proxy != "D" || o.trace.Err != "" || o.trace.Hedges != 0 {
			t.Errorf("trace %+v", o.trace)
		}
		for name, want := range map[string][2]int64{"A": {1, 1}, "B": {1, 1}, "C": {1, 1}, "D": {1, 0}} {
			if row := w.row(name); row.Requests != want[0] || row.Failed != want[1] {
				t.Errorf("%s: %d requests, %d failed", name, row.Requests, row.Failed)
			}
		}
		w.fake["A"].be(behaviour{})
		if o := w.get(); o.trace.Attempts() != 1 || o.trace.Proxy != "A" {
			t.Errorf("trace %+v", o.trace)
		}
		if o := w.get(); o.trace.Connect != 0 { // on a kept connection
			t.Errorf("connect time %v", o.trace.Connect)
		}
	})
}

func TestErrorsSayWhatIsKnown(t *testing.T) {
	for _, tt := range []struct {
		err  *Error
		want string
	}{
		{&Error{Reason: "no_proxy"}, "no_proxy"},
		{&Error{Reason: "dial_refused", Err: errors.New("dialling proxy: refused")}, "dial_refused: dialling proxy: refused"},
		{&Error{Reason: "proxy_answer", Err: &answerError{status: http.StatusForbidden}}, "proxy_answer: proxy answered 403"},
	} {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}
