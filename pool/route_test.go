package pool

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// probeTimes are the seconds after which connects through a proxy were begun,
// over a time in which nobody sends a request.
func (w *world) probeTimes(name string, during time.Duration) []int {
	var times []int
	start, n := time.Now(), w.fake[name].dialled()
	for time.Since(start) < during {
		w.tick(time.Second)
		for ; n < w.fake[name].dialled(); n++ {
			times = append(times, int(time.Since(start).Round(time.Second)/time.Second))
		}
	}
	return times
}

func TestProbeSchedule(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), nil)
		w.get()
		w.fake["A"].be(behaviour{err: noTunnel})
		w.failRoute("A", 3)
		// 5 s, doubling to the interval; each connect fails at once.
		got := w.probeTimes("A", 5*time.Minute)
		if diff := cmp.Diff([]int{5, 15, 35, 75, 135, 195, 255}, got); diff != "" {
			t.Error(diff)
		}
		w.fake["A"].be(behaviour{})
		w.tick(time.Minute)
		if row := w.row("A"); row.FailingFor != nil || row.Requests != 1 {
			t.Errorf("failing for %v, %d requests", row.FailingFor, row.Requests)
		}
		w.wantTrail(w.get(), 200, "A:ok")
	})
}

// TestRouteThatKeepsFailing: one whose probe passes and that then fails again
// goes on where it was, until an hour has passed or an admin says otherwise.
func TestRouteThatKeepsFailing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), nil)
		w.get()
		recovers := func(within time.Duration) {
			t.Helper()
			w.failRoute("A", 3)
			w.tick(within - time.Second)
			if w.row("A").FailingFor == nil {
				t.Errorf("probed before %v", within)
			}
			w.tick(2 * time.Second)
			if w.row("A").FailingFor != nil {
				t.Errorf("not probed after %v", within)
			}
		}
		recovers(5 * time.Second)
		recovers(10 * time.Second)
		recovers(20 * time.Second)
		w.tick(61 * time.Minute)
		w.get()
		recovers(5 * time.Second)
		recovers(10 * time.Second)
		w.failRoute("A", 2) // that it failed twice is forgotten too
		w.do("A", "mark-healthy")
		w.failRoute("A", 2)
		if w.row("A").FailingFor != nil {
			t.Error("failures from before mark-healthy count")
		}
		w.do("A", "mark-healthy")
		recovers(5 * time.Second)
	})
}

func TestProbesEndTenMinutesAfterTheLastRequest(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), nil)
		w.get()
		w.fake["A"].be(behaviour{err: noTunnel})
		w.failRoute("A", 3)
		w.tick(10 * time.Minute)
		if got := w.probeTimes("A", 10*time.Minute); got != nil {
			t.Errorf("probes %v after nobody asked for ten minutes", got)
		}
		w.wantTrail(w.get(), 200, "B:ok")
		if got := w.probeTimes("A", 2*time.Second); len(got) != 1 {
			t.Errorf("probes %v although somebody asks again", got)
		}
	})
}

func TestNoProbesThroughAProxyThatIsDown(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), nil)
		w.get()
		w.failRoute("A", 3)
		w.do("A", "mark-down")
		if got := w.probeTimes("A", time.Minute); got != nil {
			t.Errorf("probes %v", got)
		}
	})
}

// TestMeteredRouteIsProbedByRequestsAlone: a probe costs money, so the first
// request that needs the route is one.
func TestMeteredRouteIsProbedByRequestsAlone(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, []proxySpec{{"A", 10, 1}, {"B", 20, 2}}, nil)
		w.fake["A"].be(behaviour{err: noTunnel})
		w.get()
		w.failRoute("A", 2)
		if got := w.probeTimes("A", 5*time.Minute); got != nil {
			t.Errorf("probes %v", got)
		}
		w.wantTrail(w.get(), 200, "A:tunnel_refused B:ok")
		w.wantTrail(w.get(), 200, "B:ok") // not before its time has come again
		w.fake["A"].be(behaviour{})
		w.pass(10 * time.Second)
		w.wantTrail(w.get(), 200, "A:ok")
		if row := w.row("A"); row.FailingFor != nil {
			t.Errorf("failing for %v", row.FailingFor)
		}
	})
}

// TestHTTPRouteIsProbedByTheNextRequest: a connect tells nothing of an http
// target, so that one real request does.
func TestHTTPRouteIsProbedByTheNextRequest(t *testing.T) {
	const plain = "api.example.com:80"
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), nil)
		w.fake["A"].be(behaviour{answer: breaks})
		for range 3 {
			w.pass(time.Second)
			w.wantTrail(w.getFrom(plain), 200, "A:conn_reset B:ok")
		}
		w.wantTrail(w.getFrom(plain), 200, "B:ok")
		if got := w.probeTimes("A", 4*time.Second); got != nil {
			t.Errorf("probes %v", got)
		}
		w.pass(2 * time.Second)
		w.wantTrail(w.getFrom(plain), 200, "A:conn_reset B:ok")
		if got := w.row("A").FailingFor; len(got) != 1 {
			t.Errorf("failing for %v although the request failed", got)
		}
		w.wantTrail(w.getFrom(plain), 200, "B:ok")
		w.fake["A"].be(behaviour{})
		w.pass(11 * time.Second)
		w.wantTrail(w.getFrom(plain), 200, "A:ok")
		if got := w.row("A").FailingFor; got != nil {
			t.Errorf("failing for %v although the request went well", got)
		}
	})
}

// TestOneRequestProbes: the others of that moment go through the next proxy.
func TestOneRequestProbes(t *testing.T) {
	const plain = "api.example.com:80"
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), nil)
		w.fake["A"].be(behaviour{answer: breaks})
		for range 3 {
			w.pass(time.Second)
			w.getFrom(plain)
		}
		w.pass(6 * time.Second)
		w.fake["A"].be(behaviour{answer: after(time.Second, breaks)})
		var over []<-chan outcome
		for range 8 {
			over = append(over, w.later(func() outcome { return w.getFrom(plain) }))
		}
		probed := 0
		for _, o := range over {
			if strings.Contains((<-o).Trail, "A:") {
				probed++
			}
		}
		if probed != 1 {
			t.Errorf("%d requests tried the failing route, want 1", probed)
		}
	})
}

func TestAllRoutesFailing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), nil)
		w.fake["A"].be(behaviour{err: noTunnel})
		w.fake["B"].be(behaviour{err: noTunnel})
		for range 3 {
			w.pass(time.Second)
			w.wantTrail(w.get(), 502, "A:tunnel_refused B:tunnel_refused")
		}
		w.pass(time.Second)
		w.wantTrail(w.get(), 502, "A:tunnel_refused")
		for range 9 {
			w.pass(100 * time.Millisecond)
			o := w.get()
			w.wantTrail(o, http.StatusServiceUnavailable, "")
			if o.err.RetryAfter < time.Second || o.err.RetryAfter > 6*time.Second || !o.err.Unsent {
				t.Errorf("error %+v", o.err)
			}
		}
		w.pass(100 * time.Millisecond)
		w.wantTrail(w.get(), 502, "A:tunnel_refused")
		w.wantStatus("A", StatusHealthy) // no proxy goes down for it
		w.wantStatus("B", StatusHealthy)
		w.wantEvents()
		// The one that tries brings the target back.
		w.fake["A"].be(behaviour{})
		w.pass(time.Second)
		w.wantTrail(w.get(), 200, "A:ok")
		w.wantTrail(w.get(), 200, "A:ok")
	})
}

func TestTargetsAreBounded(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A"), nil)
		name := func(i int) string { return fmt.Sprintf("t%d.example.com:443", i) }
		for i := range maxTargets {
			w.getFrom(name(i))
			w.pass(2 * time.Second)
		}
		w.getFrom(name(0)) // used again, so that 1 is the oldest
		w.proxy("A").block(w.target(name(1)).route(w.proxy("A")), time.Now().Add(time.Hour), "403")
		oldest := w.state.Known(TargetKey{Scheme: "https", Addr: name(1)})
		w.pass(2 * time.Second)
		w.getFrom("new.example.com:443")
		known := 0
		w.state.targets.Range(func(any, any) bool { known++; return true })
		if known != maxTargets {
			t.Errorf("%d targets are known, want %d", known, maxTargets)
		}
		if w.state.Known(TargetKey{Scheme: "https", Addr: name(0)}) == nil {
			t.Error("one that was used lately is forgotten")
		}
		if !oldest.Evicted() || w.state.Known(TargetKey{Scheme: "https", Addr: name(1)}) != nil {
			t.Error("the least recently used is still known")
		}
		w.tick(time.Second)
		w.wantStatus("A", StatusHealthy) // what it was blocked for is forgotten
		// A request that still has it leaves nothing behind.
		w.proxy("A").blameRoute(oldest.route(w.proxy("A")), time.Now(), "late")
		w.pass(time.Millisecond)
		w.proxy("A").blameRoute(oldest.route(w.proxy("A")), time.Now(), "late")
		w.pass(time.Millisecond)
		w.proxy("A").blameRoute(oldest.route(w.proxy("A")), time.Now(), "late")
		if got := w.row("A").FailingFor; got != nil {
			t.Errorf("failing for %v", got)
		}
	})
}
