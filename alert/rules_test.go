package alert

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestOneProxyDies(t *testing.T) {
	r := newRuled(t, "VPS", "Datacenter", "Residential")
	r.pass(time.Minute)
	r.set("VPS", "down")
	r.pass(time.Minute)
	r.want("1m0.75s status_changed normal VPS:healthy-down switched to Datacenter")
	r.pass(time.Hour)
	r.want()
	r.set("VPS", "healthy")
	r.pass(time.Hour)
	r.want("1h2m0.75s status_changed low VPS:down-healthy via VPS 3660s")
}

func TestASpareDies(t *testing.T) {
	r := newRuled(t, "VPS", "Datacenter")
	r.set("Datacenter", "down")
	r.pass(time.Minute)
	r.want("750ms status_changed normal Datacenter:healthy-down via VPS")
	r.set("VPS", "degraded")
	r.pass(time.Minute)
	r.want("1m0.75s status_changed normal VPS:healthy-degraded via VPS")
	r.set("VPS", "blocked")
	r.pass(time.Minute)
	r.want("2m0.75s status_changed normal VPS:degraded-blocked via VPS")
}

func TestSmallPoolDies(t *testing.T) {
	r := newRuled(t, "A", "B", "C")
	r.set("B", "down")
	r.pass(250 * time.Millisecond)
	r.set("A", "down")
	r.set("C", "down")
	r.pass(time.Hour)
	r.want("750ms pool_down high A:healthy-down B:healthy-down C:healthy-down")
	r.set("B", "healthy")
	r.pass(time.Minute)
	r.want("1h0m1s pool_up normal B:down-healthy via B 3600s")
	if diff := cmp.Diff([]string{"pool_down", "pool_up"}, r.edges); diff != "" {
		t.Errorf("edges (-want +got):\n%s", diff)
	}
}

func TestLastProxyDies(t *testing.T) {
	r := newRuled(t, "A", "B")
	r.set("A", "down")
	r.pass(time.Minute)
	r.set("B", "down")
	r.pass(time.Minute)
	r.want(
		"750ms status_changed normal A:healthy-down switched to B",
		"1m0.75s pool_down high B:healthy-down",
	)
	r.set("A", "healthy")
	r.set("B", "healthy")
	r.pass(time.Minute)
	r.want("2m0.75s pool_up normal A:down-healthy B:down-healthy via A 60s")
}

// TestUnusableWithoutAChange is a pool whose last proxy was taken out by an
// admin, or by its budget.
func TestUnusableWithoutAChange(t *testing.T) {
	r := newRuled(t, "A")
	r.pool.disable("A", true)
	r.pass(time.Minute)
	r.want("1s pool_down high")
	r.pool.disable("A", false)
	r.pass(time.Minute)
	r.want("1m1s pool_up normal via A 60s")
}

func TestTargets(t *testing.T) {
	const api = "api.example.com:443"
	r := newRuled(t, "A", "B")
	r.pool.change(func(p *fakePool) { p.unreachable = []string{api} })
	r.pass(time.Minute)
	r.want("1s target_unreachable high " + api + " via A")
	r.pool.change(func(p *fakePool) { p.unreachable = nil }) // no proxy is usable, say
	r.pass(time.Minute)
	r.want()
	r.pool.change(func(p *fakePool) { p.reached[api] = true })
	r.pass(time.Minute)
	r.want("2m1s target_reachable normal " + api + " via A 120s")
	if diff := cmp.Diff([]string{"target_unreachable " + api, "target_reachable " + api}, r.edges); diff != "" {
		t.Errorf("edges (-want +got):\n%s", diff)
	}
	r.pass(time.Hour)
	if len(r.Targets) != 0 {
		t.Errorf("%d targets are remembered", len(r.Targets))
	}
}

func TestManyTargets(t *testing.T) {
	r := newRuled(t, "A")
	r.pool.change(func(p *fakePool) { p.unreachable = numbered(1000) })
	r.pass(time.Minute)
	if len(r.told) != 1 || len(r.edges) != maxFollowed || len(r.Targets) != maxFollowed {
		t.Errorf("%d targets are followed, told %q", len(r.Targets), r.told)
	}
}

// TestDeadTargets: those that were lost long ago, and that nobody asked for
// since, do not keep the next one from being told of.
func TestDeadTargets(t *testing.T) {
	r := newRuled(t, "A")
	for _, target := range numbered(2 * maxFollowed) {
		r.pool.change(func(p *fakePool) { p.unreachable = []string{target} })
		r.pass(2 * time.Second)
	}
	if n := len(r.edges); n != 2*maxFollowed || len(r.Targets) != maxFollowed {
		t.Errorf("noticed %d targets, %d are followed", n, len(r.Targets))
	}
}

func TestChecks(t *testing.T) {
	r := newRuled(t, "A")
	r.pool.change(func(p *fakePool) { p.failing = true })
	r.pass(time.Minute)
	r.pool.change(func(p *fakePool) { p.failing = false })
	r.pass(time.Minute)
	r.want("1s checks_failing normal via A", "1m1s checks_passing low via A 60s")
}

func TestDisabled(t *testing.T) {
	r := newRuled(t, "A", "B")
	r.pool.disable("A", true)
	r.set("A", "down")
	r.pass(time.Hour)
	r.want()
	r.pool.disable("A", false)
	r.pass(time.Minute)
	r.want("1h0m0.25s status_changed normal A:healthy-down switched to B")
}
