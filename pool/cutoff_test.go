package pool

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// cutting takes the request and is then cut off, because more crosses than may.
func cutting(unsent bool) func(*fakeConn, *http.Request) (*http.Response, error) {
	return func(c *fakeConn, req *http.Request) (*http.Response, error) {
		if !unsent {
			if err := c.arrive(req); err != nil {
				return nil, err
			}
		}
		if c.carry(2*spentLimit, 0) {
			return ok(c, req)
		}
		c.die()
		return nil, &sendFault{reason: "conn_reset", unsent: unsent}
	}
}

// TestCutOff is no failure, and is repeated only where any failure would be.
func TestCutOff(t *testing.T) {
	tests := []struct {
		name, method string
		unsent       bool
		status       int
		trail        string
		arrived      int
	}{
		{"safe to repeat", "GET", false, 200, "A:budget_spent B:ok", 2},
		{"sent and unsafe", "POST", false, 502, "A:budget_spent", 1},
		{"unsent", "POST", true, 200, "A:budget_spent B:ok", 1},
	}
	for _, tt := range tests {
		for _, kept := range []bool{false, true} { // a kept one is not stale either
			t.Run(fmt.Sprint(tt.name, " kept ", kept), func(t *testing.T) {
				inBubble(t, func(t *testing.T) {
					w := spentWorld(t, []proxySpec{{"A", 10, 5}, {"B", 20, 0}}, nil)
					if kept {
						w.get()
					}
					w.fake["A"].be(behaviour{answer: cutting(tt.unsent)})
					req := w.request(tt.method, "x")
					o := w.send(req, api)
					w.wantTrail(o, tt.status, tt.trail)
					if n := w.origin.arrived(req.Header.Get("Id")); n != tt.arrived {
						t.Errorf("it arrived %d times, want %d", n, tt.arrived)
					}
					if o.err != nil && (o.Failed != reasonBudget || o.trace.Err != reasonBudget) {
						t.Errorf("failed as %q, %q", o.Failed, o.trace.Err)
					}
					w.wantBlameless("A")
					requests := int64(1)
					if kept {
						requests++
					}
					if got := w.proxy("A").Counts().Attempts[OutcomeCutOff]; got != 1 {
						t.Errorf("%d attempts counted as cut off", got)
					}
					if row := w.row("A"); row.Requests != requests {
						t.Errorf("%d requests", row.Requests)
					}
					w.wantTrail(w.get(), 200, "B:ok")
				})
			})
		}
	}
}

// TestRunsOn to 102 %.
func TestRunsOn(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := spentWorld(t, named("A B"), nil)
		w.fake["A"].be(behaviour{answerBytes: spentLimit, requestBytes: 19})
		w.wantTrail(w.get(), 200, "A:ok")
		if n := w.fake["A"].open(); n != 0 {
			t.Errorf("%d connections are kept", n)
		}
		w.wantTrail(w.get(), 200, "B:ok")
		w.wantBlameless("A")
	})
}

// TestAnswerCutOff breaks off, which the trace says, and is nobody's failure.
func TestAnswerCutOff(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		inBubble(t, func(t *testing.T) {
			w := spentWorld(t, named("A B"), nil)
			w.fake["A"].be(behaviour{h2: h2, answer: func(c *fakeConn, req *http.Request) (*http.Response, error) {
				if err := c.arrive(req); err != nil {
					return nil, err
				}
				return c.respond(200, io.MultiReader(strings.NewReader("ha"), cutReader{c})), nil
			}})
			o := w.get()
			if o.Status != 200 || o.Trail != "A:ok" || o.Body != "ha!"+reset.Error() || o.trace.Err != reasonBudget {
				t.Errorf("%d %q %q, error %q", o.Status, o.Trail, o.Body, o.trace.Err)
			}
			w.wantBlameless("A")
			w.tick(time.Second)
			if n := w.fake["A"].open(); n != 0 {
				t.Errorf("h2 %v: %d connections are open", h2, n)
			}
		})
	}
}

type cutReader struct{ conn *fakeConn }

func (r cutReader) Read([]byte) (int, error) {
	if r.conn.carry(2*spentLimit, 0) {
		return 0, io.EOF
	}
	return 0, reset
}

// TestConnectCutOff is no attempt, and nobody's failure.
func TestConnectCutOff(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := spentWorld(t, named("A B"), func(c *Config) { c.Proxies[0].MaxFailures = 1 })
		w.fake["A"].be(behaviour{connectBytes: spentLimit})
		w.wantTrail(w.get(), 200, "A:budget_spent B:ok")
		w.wantBlameless("A")
		if row := w.row("A"); row.Requests != 0 {
			t.Errorf("%d requests", row.Requests)
		}
	})
}

// TestProbeCutOff tells nothing of the route.
func TestProbeCutOff(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := spentWorld(t, named("A B"), nil)
		w.get()
		w.fake["A"].be(behaviour{answer: after(30*time.Second, ok), connectBytes: spentLimit})
		w.settledMedian("A", time.Millisecond)
		w.wantTrail(w.get(), 200, "A:ok")
		if n := w.fake["A"].dialled(); n != 2 {
			t.Errorf("%d probes", n-1)
		}
		w.wantBlameless("A")
	})
}

// TestCheckCutOff counts for nothing; one that passed all the same does.
func TestCheckCutOff(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := spentWorld(t, named("A B"), nil)
		w.spend("A", 2*spentLimit)
		w.check("A", false, time.Second)
		w.wantBlameless("A")
		if row := w.row("A"); !row.LastCheck.IsZero() {
			t.Errorf("checked %v", row.LastCheck)
		}
		w.check("A", true, time.Second)
		if row := w.row("A"); row.LastCheck.IsZero() {
			t.Error("not checked")
		}
	})
}
