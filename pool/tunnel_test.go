package pool

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"
)

// tunnelTarget is the api as clients of a forward front reach it.
func (w *world) tunnelTarget() *Target {
	return w.state.Target(TargetKey{Scheme: SchemeTunnel, Addr: api, Guard: "public"}, nil)
}

// tunnel opens a tunnel to the api.
func (w *world) tunnel() (*Tunnel, *Error, *Trace) {
	w.Helper()
	return w.tunnelFor(context.Background())
}

func (w *world) tunnelFor(ctx context.Context) (*Tunnel, *Error, *Trace) {
	w.Helper()
	trace := new(Trace)
	t, err := NewForwarder(w.Pool, w.options).Tunnel(ctx, w.tunnelTarget(), "", trace)
	var failure *Error
	if err != nil && !errors.As(err, &failure) {
		w.Fatalf("error is a %T: %v", err, err)
	}
	return t, failure, trace
}

// through opens a tunnel, which must go through the proxy of the name.
func (w *world) through(name string) *Tunnel {
	w.Helper()
	t, err, trace := w.tunnel()
	if err != nil {
		w.Fatalf("opening tunnel: %v (%s)", err, trace)
	}
	if t.Proxy().Name != name {
		w.Fatalf("tunnel goes through %s, want %s (%s)", t.Proxy().Name, name, trace)
	}
	return t
}

// fine is the end of a tunnel in which both have said all.
var fine = TunnelEnd{FromClient: 500, FromTarget: 5000}

func (w *world) ended(t *Tunnel, e TunnelEnd) string {
	if e.FromTarget > 0 {
		t.Answered()
	}
	w.pass(time.Millisecond)
	t.End(e)
	w.pass(time.Millisecond)
	return t.Trace.Err
}

func TestTunnelFailsOver(t *testing.T) {
	for name, tc := range map[string]struct {
		err       error
		down      bool // the proxy's own failure
		wantTrail string
	}{
		"the proxy refuses":          {&fault{reason: "dial_refused", proxy: true}, true, "A:dial_refused B:ok"},
		"the proxy wants a password": {&fault{reason: "proxy_auth", proxy: true}, true, "A:proxy_auth B:ok"},
		"the tunnel is refused":      {&fault{reason: "tunnel_refused"}, false, "A:tunnel_refused B:ok"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := newWorld(t, named("A B"), nil)
				w.fake["A"].be(behaviour{err: tc.err})
				for range 3 {
					tunnel, err, trace := w.tunnel()
					if err != nil {
						t.Fatalf("opening tunnel: %v", err)
					}
					if trace.String() != tc.wantTrail || tunnel.Trace.String() != tc.wantTrail {
						t.Errorf("trail %q, the tunnel's %q, want %q", trace, &tunnel.Trace, tc.wantTrail)
					}
					w.ended(tunnel, fine)
				}
				if down := w.row("A").Status == StatusDown; down != tc.down {
					t.Errorf("A is down: %v, want %v", down, tc.down)
				}
				if failing := len(w.row("A").FailingFor) > 0; failing == tc.down {
					t.Errorf("A is failing for the target: %v, want %v", failing, !tc.down)
				}
				w.ended(w.through("B"), fine)
				if n := w.row("B"); n.Requests != 4 || n.Failed != 0 {
					t.Errorf("B has %d attempts, %d failed, want 4 and 0", n.Requests, n.Failed)
				}
			})
		})
	}
}

func TestTunnelHedges(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), nil)
		w.fake["A"].be(behaviour{delay: forever})
		start := time.Now()
		tunnel := w.through("B")
		if took := time.Since(start); took != unknownAutoHedge {
			t.Errorf("the tunnel took %v, want the hedge's %v", took, unknownAutoHedge)
		}
		if got, want := tunnel.Trace.String(), "B:ok"; got != want && got != "A:overdue B:ok" {
			t.Errorf("trail %q, want %q", got, want)
		}
		w.ended(tunnel, fine)
		start = time.Now()
		w.ended(w.through("B"), fine)
		if took := time.Since(start); took > 10*time.Millisecond {
			t.Errorf("the second tunnel took %v: it waited behind an overdue connect", took)
		}
	})
}

// TestTunnelLoser: a tunnel that stands too late is nobody's and is closed.
func TestTunnelLoser(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), nil)
		w.fake["A"].be(behaviour{delay: 3 * time.Second})
		w.ended(w.through("B"), fine)
		w.pass(5 * time.Second)
		if n := w.fake["A"].open(); n != 0 {
			t.Errorf("%d tunnels of the loser are open, want none", n)
		}
		if n := w.row("A"); n.Failed != 0 {
			t.Errorf("the loser has %d failures, want none", n.Failed)
		}
	})
}

func TestTunnelNoneUsable(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A"), nil)
		w.do("A", "disable")
		if _, err, trace := w.tunnel(); err == nil || err.Status != http.StatusServiceUnavailable || trace.Err != "no_proxy" {
			t.Errorf("got %v (%s), want 503", err, trace.Err)
		}
		w.do("A", "enable")
		w.fake["A"].be(behaviour{delay: forever})
		if _, err, _ := w.tunnel(); err == nil || err.Status != http.StatusGatewayTimeout {
			t.Errorf("got %v, want 504", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err, _ := w.tunnelFor(ctx); err == nil || err.Status != 499 {
			t.Errorf("got %v, want 499 for a client that went away", err)
		}
	})
}

// forbidden is what a guard says.
type forbidden struct{ fault }

func (*forbidden) Forbidden() bool { return true }

// TestTunnelForbidden: an address that our own rules refuse is nobody's
// failure, and the next proxy may know the name under another one.
func TestTunnelForbidden(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), nil)
		w.fake["A"].be(behaviour{err: &forbidden{fault{reason: "address_not_allowed"}}})
		for range 5 {
			w.ended(w.through("B"), fine)
		}
		if n := w.row("A"); n.Requests != 0 || len(n.FailingFor) != 0 {
			t.Errorf("A has %d attempts and is failing for %v, want neither", n.Requests, n.FailingFor)
		}
		w.do("B", "disable")
		if _, err, _ := w.tunnel(); err == nil || err.Status != http.StatusForbidden {
			t.Errorf("got %v, want 403", err)
		}
	})
}

func TestTunnelEnds(t *testing.T) {
	for name, tc := range map[string]struct {
		end       TunnelEnd
		want      string
		wantBlame bool
	}{
		"all was said":                          {fine, "", false},
		"it broke while the client waited":      {TunnelEnd{FromClient: 9, FromTarget: 9, ClientLast: true, Quiet: time.Minute, Broke: "conn_reset"}, "conn_reset", true},
		"it broke while bytes came":             {TunnelEnd{FromClient: 9, FromTarget: 9, Quiet: time.Second, Broke: "conn_reset"}, "conn_reset", true},
		"it broke at rest":                      {TunnelEnd{FromClient: 9, FromTarget: 9, Quiet: time.Minute, Broke: "conn_reset"}, "conn_reset", false},
		"it broke before anything came":         {TunnelEnd{Quiet: time.Minute, Broke: "conn_reset"}, "conn_reset", true},
		"the target closed before it answered":  {TunnelEnd{FromClient: 9, TargetFirst: true}, "target_closed", true},
		"the target closed without a word":      {TunnelEnd{TargetFirst: true}, "target_closed", false},
		"the client waited long, for nothing":   {TunnelEnd{FromClient: 9, Quiet: maxSilence}, "silent", true},
		"the client was impatient":              {TunnelEnd{FromClient: 9, Quiet: time.Second}, "client_gone", false},
		"the client said nothing":               {TunnelEnd{Quiet: time.Hour}, "client_gone", false},
		"it broke behind its own farewell":      {TunnelEnd{FromClient: 9, FromTarget: 9, ClientLast: true, TargetFirst: true, Broke: "conn_reset"}, "conn_reset", false},
		"it broke behind the client's farewell": {TunnelEnd{FromClient: 9, FromTarget: 9, ClientLast: true, ClientFirst: true, Broke: "conn_reset"}, "conn_reset", false},
		"it was cut":                            {TunnelEnd{FromClient: 9, ClientLast: true, Quiet: time.Hour, Cut: "idle_timeout"}, "idle_timeout", false},
		"the target closed after it had spoken": {TunnelEnd{FromClient: 9, FromTarget: 9, TargetFirst: true}, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			for _, broken := range []bool{true, false} { // what our own probes find
				inBubble(t, func(t *testing.T) {
					w := newWorld(t, named("A B"), nil)
					if broken {
						w.fake["A"].be(behaviour{delay: time.Millisecond, probe: &fault{reason: "target_reset"}})
					}
					tunnel := w.through("A")
					w.pass(tc.end.Quiet)
					if got := w.ended(tunnel, tc.end); got != tc.want {
						t.Errorf("ended with %q, want %q", got, tc.want)
					}
					w.pass(time.Second)
					row := w.row("A")
					if failing := len(row.FailingFor) > 0; failing != (tc.wantBlame && broken) {
						t.Errorf("A is failing: %v, although the end tells something: %v, and probes fail: %v", failing, tc.wantBlame, broken)
					}
					want := int64(0)
					if tc.wantBlame {
						want = 1
					}
					if row.Requests != 1 || row.Failed != want {
						t.Errorf("%d attempts, %d failed, want 1 and %d", row.Requests, row.Failed, want)
					}
					if n := w.fake["A"].open(); n != 0 && !broken {
						t.Errorf("%d tunnels are open, want none", n)
					}
				})
			}
		})
	}
}

// TestTunnelsBreakOnce: a restart that breaks many tunnels is one failure.
func TestTunnelsBreakOnce(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), nil)
		var tunnels []*Tunnel
		for range 64 {
			tunnels = append(tunnels, w.through("A"))
		}
		for _, tunnel := range tunnels {
			tunnel.End(TunnelEnd{FromClient: 9, ClientLast: true, Broke: "conn_reset"})
		}
		w.pass(time.Millisecond)
		if row := w.row("A"); len(row.FailingFor) != 0 {
			t.Error("64 tunnels that broke at once are more than one failure")
		}
		w.ended(w.through("A"), fine)
	})
}

// TestTunnelSilent: a tunnel in which nothing answers has the route probed while
// it is still there, and once.
func TestTunnelSilent(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), nil)
		w.fake["A"].be(behaviour{delay: time.Millisecond, probe: &fault{reason: "target_tls_timeout"}})
		tunnel := w.through("A")
		w.pass(maxSilence + time.Millisecond)
		tunnel.Unanswered(maxSilence - 1)
		w.pass(time.Second)
		if row := w.row("A"); len(row.FailingFor) != 0 {
			t.Error("the route failed too early")
		}
		tunnel.Unanswered(maxSilence)
		tunnel.Unanswered(2 * maxSilence)
		w.pass(time.Second)
		w.ended(w.through("B"), fine)
		w.ended(tunnel, TunnelEnd{FromClient: 9, Quiet: 2 * maxSilence})
		if row := w.row("A"); row.Requests != 1 || row.Failed != 1 {
			t.Errorf("%d attempts, %d failed, want 1 and 1: each counts once", row.Requests, row.Failed)
		}

		w.fake["A"].be(behaviour{})
		w.tick(10 * time.Second)
		w.ended(w.through("A"), fine)
		if row := w.row("A"); len(row.FailingFor) != 0 {
			t.Errorf("A is still failing for %v", row.FailingFor)
		}
	})
}

// TestSuspicionHasNoGaps: between two probes of which the first has failed, and took
// its time, nobody tries the route.
func TestSuspicionHasNoGaps(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), nil)
		bad := w.through("A")
		w.fake["A"].be(behaviour{delay: 2 * time.Second, probe: &fault{reason: "target_tls_timeout"}})
		w.ended(bad, TunnelEnd{FromClient: 9, TargetFirst: true})
		w.pass(2*time.Second + betweenProbes/2)
		w.fake["A"].be(behaviour{}) // the next one passes
		w.ended(w.through("B"), fine)
		w.pass(betweenProbes)
		w.ended(w.through("A"), fine)
	})
}

// TestSuspicionIsRare: however many tunnels end badly, the route is not probed all
// the time.
func TestSuspicionIsRare(t *testing.T) {
	for cost, want := range map[float64]int{0: 12, 10: 1} {
		inBubble(t, func(t *testing.T) {
			w := newWorld(t, []proxySpec{{name: "A", cost: cost}}, nil)
			probes := -600
			for range 600 {
				w.ended(w.through("A"), TunnelEnd{FromClient: 9, TargetFirst: true})
				w.pass(98 * time.Millisecond)
			}
			if probes += w.fake["A"].dialled(); probes != want {
				t.Errorf("%d probes in a minute at %v dollars, want %d", probes, cost, want)
			}
		})
	}
}

// TestSuspicionHeedsTheAdmin: a proxy that must not be used is not probed either.
func TestSuspicionHeedsTheAdmin(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A"), nil)
		tunnel := w.through("A")
		w.do("A", "disable")
		w.ended(tunnel, TunnelEnd{FromClient: 9, TargetFirst: true})
		w.pass(time.Second)
		if n := w.fake["A"].dialled(); n != 1 {
			t.Errorf("%d connects through a disabled proxy, want the tunnel's alone", n)
		}
	})
}

// reachedFault is silence of a proxy that was there.
type reachedFault struct{ fault }

func (*reachedFault) ProxyReached() bool { return true }

// TestForeignTarget: a target that a client chose takes no proxy down: the proxy is
// checked, and that tells.
func TestForeignTarget(t *testing.T) {
	const dead = "dead.example.com:443"
	silent := map[string]error{dead: &reachedFault{fault{reason: "proxy_silent", proxy: true, timeout: true}}}
	ask := func(w *world, addr string) {
		_, _ = NewForwarder(w.Pool, w.options).Tunnel(context.Background(),
			w.state.Target(TargetKey{Scheme: SchemeTunnel, Addr: addr, Guard: "public"}, nil), "", new(Trace))
		w.pass(time.Millisecond)
	}
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A"), nil)
		w.fake["A"].be(behaviour{on: silent})
		w.ended(w.through("A"), fine)
		w.check("A", true, time.Millisecond)
		w.pass(10 * time.Second)
		for range 6 {
			ask(w, dead)
		}
		row := w.row("A")
		if row.Status != StatusHealthy || row.FailureCount != 0 {
			t.Errorf("one dead target, and A is %s with %d failures", row.Status, row.FailureCount)
		}
		if row.NextCheck.After(time.Now()) {
			t.Errorf("A is checked at %v, want now", row.NextCheck)
		}

		// The checks hurry, and tell.
		for range 3 {
			w.check("A", false, time.Millisecond)
			if next := time.Until(w.row("A").NextCheck); next > 5*time.Second {
				t.Errorf("the next check is in %v, want the recovery interval at most", next)
			}
			w.pass(5 * time.Second)
		}
		if row := w.row("A"); row.Status != StatusDown {
			t.Errorf("A is %s after three checks that failed", row.Status)
		}
	})
	// Without checks a second target has to fare as badly.
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A"), func(c *Config) { c.Checks.Disabled = true })
		silent["other.example.com:443"] = silent[dead]
		w.fake["A"].be(behaviour{on: silent})
		for range 6 {
			ask(w, dead)
		}
		if row := w.row("A"); row.FailureCount != 0 {
			t.Errorf("one dead target is %d failures of the proxy", row.FailureCount)
		}
		ask(w, "other.example.com:443")
		if row := w.row("A"); row.FailureCount != 1 {
			t.Errorf("%d failures, want 1 after two targets", row.FailureCount)
		}
	})
}

// TestForeignTargetsAreEvictedFirst: clients who make up targets wipe out nothing
// that is known of those in the configuration.
func TestForeignTargetsAreEvictedFirst(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), nil)
		w.proxy("A").block(w.route("A"), time.Now().Add(time.Hour), "429")
		for n := range 2 * maxTargets {
			w.pass(time.Millisecond)
			w.state.Target(TargetKey{Scheme: SchemeTunnel, Addr: fmt.Sprintf("%d.example.com:443", n), Guard: "public"}, nil)
		}
		if row := w.row("A"); len(row.BlockedFor) != 1 {
			t.Errorf("A is blocked for %v, want the api still", row.BlockedFor)
		}
	})
}

// TestTunnelSharesBlocks: what the API blocked for requests is not used for
// tunnels to it.
func TestTunnelSharesBlocks(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), nil)
		w.tunnelTarget().SharesBlocks(w.target(api))
		w.proxy("A").block(w.route("A"), time.Now().Add(time.Minute), "403")
		w.ended(w.through("B"), fine)
		w.tick(2 * time.Minute)
		w.ended(w.through("A"), fine)
	})
}

func TestTunnelDisplaced(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, []proxySpec{{name: "Free"}, {name: "Dear", cost: 10}}, nil)
		if tunnel := w.through("Free"); tunnel.Displaced() {
			t.Error("displaced from the cheapest proxy")
		}
		w.do("Free", "mark-down")
		tunnel := w.through("Dear")
		if tunnel.Displaced() {
			t.Error("displaced although nothing cheaper is usable")
		}
		w.do("Free", "mark-healthy")
		if !tunnel.Displaced() {
			t.Error("not displaced although a free proxy is usable again")
		}
		free := w.through("Free")
		w.do("Free", "disable")
		if !free.Displaced() {
			t.Error("not displaced from a proxy that was disabled")
		}
		w.ended(free, fine)
		w.ended(tunnel, fine)
	})
}

// TestTunnelOverdrawn: what breaks because the budget is spent is no failure.
func TestTunnelOverdrawn(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, []proxySpec{{name: "A"}}, func(c *Config) {
			c.Proxies[0].Budget = Budget{Bytes: 1000, Per: PerMonth, Hard: true}
		})
		tunnel := w.through("A")
		tunnel.route.account.Count(5000, 5000)
		if got := w.ended(tunnel, TunnelEnd{FromClient: 5000, FromTarget: 5000, ClientLast: true, Broke: "conn_closed"}); got != reasonBudget {
			t.Errorf("ended with %q, want %q", got, reasonBudget)
		}
		if row := w.row("A"); row.Failed != 0 {
			t.Errorf("%d failed, want none", row.Failed)
		}
	})
}
