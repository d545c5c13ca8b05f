package pool

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var targetTLS = &fault{reason: "target_tls"}

func TestCarrier(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B C"), nil)
		carrier := func() string {
			if p := w.Carrier(time.Now()); p != nil {
				return p.Name
			}
			return ""
		}
		if got := carrier(); got != "A" {
			t.Errorf("carrier %q, expected A", got)
		}
		w.do("A", "disable")
		w.send(w.request("GET", ""), api)
		w.block("B", time.Hour)
		if got := carrier(); got != "C" {
			t.Errorf("carrier %q, expected C: B is blocked for the target last asked for", got)
		}
		w.do("C", "mark-down")
		if got := carrier(); got != "B" {
			t.Errorf("carrier %q, expected B, which still carries what is for other targets", got)
		}
		w.do("B", "mark-down")
		if got := carrier(); got != "" {
			t.Errorf("carrier %q, expected none", got)
		}
	})
}

func (w *world) block(name string, d time.Duration) {
	w.Helper()
	w.proxy(name).block(w.route(name), time.Now().Add(d), "test")
}

func TestUnreachable(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), nil)
		expect := func(what string, unreachable []string, reaches bool) {
			t.Helper()
			if diff := cmp.Diff(unreachable, w.Unreachable()); diff != "" {
				t.Errorf("%s: unreachable:\n%s", what, diff)
			}
			if got := w.Reaches(api); got != reaches {
				t.Errorf("%s: reaches %t", what, got)
			}
		}
		expect("never asked for", nil, false)
		w.send(w.request("GET", ""), api)
		expect("answered", nil, true)

		w.failRoute("A", 3)
		expect("nobody knows of B yet", nil, false)
		w.send(w.request("GET", ""), api)
		expect("through B", nil, true)
		w.failRoute("B", 3)
		expect("through nobody", []string{api}, false)

		w.do("A", "mark-down")
		w.do("B", "mark-down")
		expect("no proxy to reach it through", nil, false)
		w.do("A", "mark-healthy") // which forgets the route's failures, too
		w.check("B", true, time.Millisecond)
		expect("not tried since", nil, true)
		w.fake["A"].be(behaviour{err: targetTLS})
		w.failRoute("A", 3)
		expect("tried again", []string{api}, false)

		w.tick(time.Minute) // a probe through B passes
		expect("B is back", nil, true)
		w.do("B", "disable")
		expect("only A is left", []string{api}, false)
		w.pass(probeInterest)
		expect("nobody asks", nil, false)
		w.send(w.request("GET", ""), api)
		expect("somebody asks", []string{api}, false)
	})
}

func TestChecksFailing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B C"), nil)
		w.do("C", "disable")
		check := func(name string, ok bool) {
			w.pass(time.Second)
			w.proxy(name).Checked(CheckResult{Start: time.Now(), OK: ok, Reason: "check: timeout"})
		}
		w.do("B", "mark-down")
		for range w.proxy("A").MaxFailures {
			if w.ChecksFailing() {
				t.Error("a check may fail now and then")
			}
			w.pass(time.Second)
			w.send(w.request("GET", ""), api)
			check("A", false)
		}
		w.do("B", "mark-healthy")
		if w.ChecksFailing() {
			t.Error("B may pass")
		}
		w.do("B", "mark-down")
		if !w.ChecksFailing() {
			t.Error("A is the only one left, fails its checks and carries traffic")
		}
		check("A", true)
		if w.ChecksFailing() {
			t.Error("A passes again")
		}
	})
}

// TestDeadCheckURL: where checks fail everywhere while traffic flows through one
// proxy, those that nobody uses are not taken down for it.
func TestDeadCheckURL(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B C"), nil)
		round := func(ok ...string) {
			w.pass(time.Minute)
			w.send(w.request("GET", ""), api)
			for _, name := range []string{"A", "B", "C"} {
				w.check(name, slices.Contains(ok, name), time.Millisecond)
			}
		}
		round("A", "B", "C")
		for range 10 {
			round()
		}
		for _, name := range []string{"A", "B", "C"} {
			w.wantStatus(name, StatusHealthy)
		}
		if !w.ChecksFailing() {
			t.Error("that the checks fail is not told")
		}
		// As soon as one passes, the others are to blame for theirs.
		for range 4 {
			round("A")
		}
		w.wantStatus("A", StatusHealthy)
		w.wantStatus("B", StatusDown)
		w.wantStatus("C", StatusDown)
		if w.ChecksFailing() {
			t.Error("A passes")
		}
	})
}

// TestNoTraffic: nothing proves the checks wrong.
func TestNoTraffic(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), nil)
		for range 3 {
			w.pass(time.Minute)
			w.check("A", false, time.Millisecond)
			w.check("B", false, time.Millisecond)
		}
		w.wantStatus("A", StatusDown)
		w.wantStatus("B", StatusDown)
	})
}

// TestQuietTarget is what we do on our own behalf: it fails over like everything else,
// and nobody thinks the worse of a proxy for it.
func TestQuietTarget(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), func(c *Config) {
			c.Blocks = []BlockRule{{Status: []int{200}, For: time.Hour, Tries: 2}}
		})
		quiet := w.state.Target(TargetKey{Scheme: "https", Addr: api, Quiet: true}, nil)
		send := func() string {
			var trace Trace
			resp, err := NewForwarder(w.Pool, w.options).Forward(w.request("GET", ""), quiet, &trace)
			if err == nil {
				readAll(t, resp.Body)
			}
			w.pass(time.Second)
			return trace.String()
		}
		if got := send(); got != "A:ok" {
			t.Errorf("trail %q, expected the answer although a block rule matches", got)
		}
		for _, dies := range []error{&fault{reason: "dial_refused", proxy: true}, targetTLS} {
			w.fake["A"].breakAll()
			w.fake["A"].be(behaviour{err: dies})
			for range 5 {
				if got := send(); got != "A:"+dies.(*fault).reason+" B:ok" {
					t.Errorf("trail %q", got)
				}
			}
		}
		w.fake["A"].be(behaviour{answer: func(*fakeConn, *http.Request) (*http.Response, error) { return nil, reset }})
		for range 5 {
			if got := send(); got != "A:conn_reset B:ok" {
				t.Errorf("trail %q", got)
			}
		}
		for range 5 {
			w.fake["A"].breakAll()
			w.fake["A"].be(behaviour{answer: proxySays(407)})
			if got := send(); got != "A:proxy_auth B:ok" {
				t.Errorf("trail %q", got)
			}
		}
		for range 5 {
			w.fake["A"].be(behaviour{delay: forever})
			send()
		}
		w.tick(10 * time.Second)
		row := w.proxy("A").Snapshot()
		if row.Status != StatusHealthy || row.FailureCount != 0 || row.FailingFor != nil || row.LastError != "" {
			t.Errorf("%+v, expected nothing to be held against the proxy", row)
		}
		if row.Failed == 0 || row.Requests <= row.Failed {
			t.Errorf("%d of %d attempts failed, expected them to be counted", row.Failed, row.Requests)
		}
		if len(w.events) != 0 || w.Unreachable() != nil {
			t.Errorf("events %v, unreachable %v", w.events, w.Unreachable())
		}
		if w.state.lastTarget.Load() != nil {
			t.Error("it was taken for what the apps ask for")
		}

		// Nor is anything to its credit.
		w.fake["A"].be(behaviour{err: &fault{reason: "dial_refused", proxy: true}})
		w.send(w.request("GET", ""), api)
		w.fake["A"].be(behaviour{})
		send()
		if got := w.proxy("A").Snapshot().FailureCount; got != 1 {
			t.Errorf("%d failures in a row, expected 1", got)
		}
	})
}

// TestQuietOverdue: that a connect of ours is overdue sends no request of an app
// to the next proxy, which may cost money.
func TestQuietOverdue(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), nil)
		quiet := w.state.Target(TargetKey{Scheme: "https", Addr: api, Quiet: true}, nil)
		w.fake["A"].be(behaviour{reach: forever, delay: forever})
		var trace Trace
		resp, err := NewForwarder(w.Pool, w.options).Forward(w.request("GET", ""), quiet, &trace)
		if err != nil || trace.String() != "A:overdue B:ok" {
			t.Fatalf("trail %q, %v", trace.String(), err)
		}
		readAll(t, resp.Body)
		w.pass(time.Second) // it is still under way
		w.fake["A"].be(behaviour{})
		w.wantTrail(w.get(), 200, "A:ok")
	})
}
