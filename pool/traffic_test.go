package pool

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// wantTraffic compares what a request is told to have caused.
func (w *world) wantTraffic(o outcome, in, out int64) {
	w.Helper()
	for range 2 { // asking changes nothing
		gotIn, gotOut := o.trace.Traffic()
		if diff := cmp.Diff([]int64{in, out}, []int64{gotIn, gotOut}); diff != "" {
			w.Errorf("%s: traffic (-want +got):\n%s", o.Trail, diff)
		}
	}
}

// TestTrafficOfARequest: that of its handshake, where it was the first on a
// connection, and of all its attempts.
func TestTrafficOfARequest(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), nil)
		carries := behaviour{connectBytes: 1000, requestBytes: 10, answerBytes: 100}
		w.fake["A"].be(carries)
		w.fake["B"].be(carries)
		w.wantTraffic(w.get(), 1100, 1010)
		w.wantTraffic(w.get(), 100, 10)
		w.wantTraffic(w.post("x"), 100, 10)
		carries.answer = breaks
		w.fake["A"].be(carries)
		w.pass(time.Second)
		// A stale connection, a fresh one that breaks, and B's.
		o := w.get()
		w.wantTrail(o, 200, "A:stale A:conn_reset B:ok")
		w.wantTraffic(o, 100+1100+1100, 10+1010+1010)
		// Of a block's two answers, too, whenever they are closed.
		w.fake["A"].be(behaviour{connectBytes: 1000, requestBytes: 10, answerBytes: 100, answer: status(403)})
		w.reload(func(c *Config) { c.Blocks = []BlockRule{{Status: []int{403}, For: time.Minute, Tries: 3}} })
		o = w.get()
		w.wantTrail(o, 200, "A:blocked B:ok")
		w.wantTraffic(o, 1100+100, 1010+10)
		w.do("A", "unblock")
		o = w.send(w.request(http.MethodGet, ""), "third.example.com:443")
		w.wantTrail(o, 200, "A:blocked B:ok")
		w.wantTraffic(o, 2200, 2020)
	})
}

// TestTrafficOfAnUpgrade is there at its end, also where another answer was held
// before it.
func TestTrafficOfAnUpgrade(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), func(c *Config) {
			c.Blocks = []BlockRule{{Status: []int{403}, For: time.Minute, Tries: 3}}
		})
		w.fake["A"].be(behaviour{connectBytes: 1000, answer: status(403)})
		w.fake["B"].be(behaviour{connectBytes: 1000, requestBytes: 10, answerBytes: 100, answer: status(101, "Upgrade", "websocket")})
		req := w.request(http.MethodGet, "")
		req.Header.Set("Upgrade", "websocket")
		o := w.begin(req, api)
		w.wantTrail(o, 101, "A:blocked B:ok")
		conn := w.fake["B"].conns[0]
		conn.carry(5, 7)
		conn.die()
		w.wantTraffic(o, 1000+1100+5, 1000+1010+7)
	})
}

// TestTrafficOnASharedConnection: each byte is in the trace of one request.
func TestTrafficOnASharedConnection(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A"), nil)
		w.fake["A"].be(behaviour{h2: true, connectBytes: 1000, requestBytes: 10, answerBytes: 100, answer: after(time.Second, ok)})
		w.get()
		var over []<-chan outcome
		for range 20 {
			over = append(over, w.later(w.get))
			w.pass(100 * time.Millisecond)
		}
		var in, out int64
		for _, c := range over {
			o := <-c
			i, u := o.trace.Traffic()
			in, out = in+i, out+u
		}
		if in != 2000 || out != 200 || w.fake["A"].dialled() != 1 {
			t.Errorf("%d in, %d out over %d connections", in, out, w.fake["A"].dialled())
		}
		if u := w.row("A"); u.BytesIn != 3100 || u.BytesOut != 1210 || u.Requests != 21 {
			t.Errorf("booked %+v", u.Usage)
		}
	})
}

// TestNothingIsCountedTwice: what the row says is what the connections say.
func TestNothingIsCountedTwice(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), nil)
		w.fake["A"].be(behaviour{connectBytes: 1000, requestBytes: 10, answerBytes: 100, answer: breaksOff})
		o := w.get()
		w.wantTraffic(o, 1100, 1010)
		if row := w.row("A"); row.Requests != 1 || row.Failed != 1 || row.BytesIn != 1100 || row.BytesOut != 1010 {
			t.Errorf("%+v", row.Usage)
		}
		w.fake["A"].be(behaviour{connectBytes: 1000, err: refused})
		w.get()
		if row := w.row("A"); row.Requests != 2 || row.Failed != 2 || row.BytesIn != 1100 {
			t.Errorf("%+v", row.Usage)
		}
	})
}
