package pool

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// counted is what is not 0 of what was counted, as "word:number".
func (w *world) counted() string {
	var words []string
	add := func(kind, word string, n int64) {
		if n != 0 {
			words = append(words, fmt.Sprintf("%s%s:%d", kind, word, n))
		}
	}
	for _, p := range w.Pool.Proxies() {
		c, row := p.Counts(), p.Snapshot()
		all := int64(0)
		for i, outcome := range Outcomes {
			add(p.Name+".", outcome, c.Attempts[i])
			all += c.Attempts[i]
		}
		add(p.Name+".", "broken", c.Broken)
		if all != row.Requests {
			w.Errorf("%s: %d attempts by outcome, %d in the books", p.Name, all, row.Requests)
		}
	}
	c := w.state.Counts()
	for i, code := range Codes {
		add("", code, c.Requests[i])
	}
	for i, reason := range &FailoverReasons {
		add("after ", reason, c.Failovers[i])
	}
	add("", "hedges", c.Hedges)
	return strings.Join(words, " ")
}

func TestCounts(t *testing.T) {
	says := func(status int) behaviour {
		return behaviour{answer: func(*fakeConn, *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: status, Header: http.Header{}, Body: http.NoBody}, nil
		}}
	}
	tests := []struct {
		name   string
		a, b   behaviour
		method string
		want   string
	}{
		{"well", behaviour{}, behaviour{}, "GET", "A.ok:1 2xx:1"},
		{"the target's error", says(404), behaviour{}, "GET", "A.ok:1 4xx:1"},
		{"the target's own 502", says(502), behaviour{}, "GET", "A.ok:1 5xx:1"},
		{"a status that is none", says(999), behaviour{}, "GET", "A.ok:1 5xx:1"},
		{"the proxy's failure", behaviour{err: refused}, behaviour{}, "GET", "A.proxy_failed:1 B.ok:1 2xx:1 after dial_refused:1"},
		{"the route's failure", behaviour{answer: breaks}, behaviour{}, "GET", "A.route_failed:1 B.ok:1 2xx:1 after conn_reset:1"},
		{"everybody's failure", behaviour{err: refused}, behaviour{err: refused}, "GET", "A.proxy_failed:1 B.proxy_failed:1 502:1 after dial_refused:1"},
		{"an answer that breaks off early", behaviour{answer: short(breaksOff, 4)}, behaviour{}, "GET", "A.route_failed:1 B.ok:1 2xx:1 after broken_answer:1"},
		{"not to be repeated", behaviour{answer: breaks}, behaviour{}, "POST", "A.route_failed:1 502:1"},
		{"blocked by the rule", says(429), behaviour{}, "GET", "A.blocked:1 B.ok:1 2xx:1 after blocked:1"},
		{"the target's own answer", says(429), says(429), "GET", "A.blocked:1 B.ok:1 4xx:1 after blocked:1"},
		{"the target is slow", behaviour{answer: silent, h2: true}, behaviour{}, "GET", "A.timeout:1 504:1"},
		{"overdue", behaviour{delay: 3 * time.Second}, behaviour{}, "GET", "B.ok:1 2xx:1 after overdue:1 hedges:1"},
		{"a hedge that lost", behaviour{delay: 1200 * time.Millisecond}, behaviour{delay: time.Second}, "GET", "A.ok:1 2xx:1 hedges:1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := newWorld(t, named("A B"), func(c *Config) {
					c.Blocks = []BlockRule{{Status: []int{429}, For: time.Minute, Tries: 3}}
				})
				w.fake["A"].be(tt.a)
				w.fake["B"].be(tt.b)
				w.send(w.request(tt.method, ""), api)
				if diff := cmp.Diff(tt.want, w.counted()); diff != "" {
					t.Errorf("(-want +got)\n%s", diff)
				}
			})
		})
	}
}

// TestCountsOfQuietRequests: what we ask for on our own behalf is no request of
// a client's.
func TestCountsOfQuietRequests(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), nil)
		w.fake["A"].be(behaviour{err: refused})
		quiet := w.state.Target(TargetKey{Scheme: "https", Addr: api, Quiet: true}, nil)
		resp, err := NewForwarder(w.Pool, w.options).Forward(w.request(http.MethodGet, ""), quiet, new(Trace))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if got := w.counted(); got != "A.proxy_failed:1 B.ok:1" {
			t.Error(got)
		}
	})
}

func TestCountsOfNobody(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A"), nil)
		w.do("A", "disable")
		w.get()
		w.state.Refused(503)
		w.state.Refused(299) // nobody answers so
		if got := w.counted(); got != "502:1 503:2" {
			t.Error(got)
		}
	})
}

// TestCountsBeginWithTheProcess: what a store knew of before is in the books, and
// in no metric, which would jump when a store opens late.
func TestCountsBeginWithTheProcess(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A"), nil)
		w.spend("A", 1000)
		w.proxy("A").State.ledger.add(Usage{Requests: 7, BytesIn: 1 << 30, Cost: Dollars(3)}, new(memory))
		c, row := w.proxy("A").Counts(), w.row("A")
		if c.BytesIn+c.BytesOut != 1000 || c.Cost != 0 {
			t.Errorf("counted %d and %d bytes for %v", c.BytesIn, c.BytesOut, c.Cost.USD())
		}
		if row.BytesIn < 1<<30 {
			t.Errorf("the row has %d bytes", row.BytesIn)
		}
		w.get()
		w.do("A", "reset-stats")
		if got := w.proxy("A").Counts().Attempts[OutcomeOK]; got != 1 {
			t.Errorf("%d attempts after reset-stats", got)
		}
	})
}

func TestHistogram(t *testing.T) {
	var h histogram
	for _, d := range []time.Duration{0, 50 * time.Millisecond, 51 * time.Millisecond, time.Second, time.Hour} {
		h.observe(d)
	}
	want := Histogram{Buckets: [8]int64{2, 1, 0, 0, 1, 0, 0, 1}, Sum: time.Hour + time.Second + 101*time.Millisecond}
	if diff := cmp.Diff(want, h.read()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
