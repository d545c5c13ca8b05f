package alert

import (
	"encoding/json"
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

// TestBlip: what was over before it could be told is not told.
func TestBlip(t *testing.T) {
	r := newRuled(t, "VPS", "Datacenter")
	r.set("VPS", "down")
	r.pass(500 * time.Millisecond)
	r.set("VPS", "healthy")
	r.pass(time.Hour)
	r.want()
	r.set("VPS", "down")
	r.pass(time.Minute)
	r.want("1h0m1.25s status_changed normal VPS:healthy-down switched to Datacenter")
}

func TestCooldown(t *testing.T) {
	r := newRuled(t, "VPS", "Datacenter")
	at := func(after time.Duration, status string) {
		r.pass(r.start.Add(after).Sub(r.now))
		r.set("VPS", status)
	}
	at(0, "down")
	at(time.Minute, "healthy")
	at(2*time.Minute, "down")
	r.pass(20 * time.Minute)
	r.want(
		"750ms status_changed normal VPS:healthy-down switched to Datacenter",
		"1m0.75s status_changed low VPS:down-healthy via VPS 60s",
		"15m1s status_changed normal VPS:healthy-down switched to Datacenter",
	)
	r.pass(time.Hour)
	r.want()

	// A cooldown at whose end all is as it was told last ends in silence.
	r = newRuled(t, "VPS", "Datacenter")
	at(0, "down")
	at(time.Minute, "healthy")
	at(2*time.Minute, "down")
	at(3*time.Minute, "down")
	r.set("VPS", "healthy")
	r.rules.Proxies["VPS"].Changes = 3 // below what counts as flapping
	r.pass(time.Hour)
	r.want(
		"750ms status_changed normal VPS:healthy-down switched to Datacenter",
		"1m0.75s status_changed low VPS:down-healthy via VPS 60s",
	)
}

func TestNoCooldown(t *testing.T) {
	r := newRuled(t, "VPS", "Datacenter")
	r.cooldown = 0
	for range 3 {
		r.set("VPS", "down")
		r.pass(time.Minute)
		r.set("VPS", "healthy")
		r.pass(time.Minute)
	}
	if len(r.told) != 6 {
		t.Errorf("told %q, expected each change", r.told)
	}
}

func TestFlapping(t *testing.T) {
	r := newRuled(t, "VPS", "Datacenter")
	for range 10 {
		r.set("VPS", "down")
		r.pass(time.Minute)
		r.set("VPS", "healthy")
		r.pass(time.Minute)
	}
	r.want(
		"750ms status_changed normal VPS:healthy-down switched to Datacenter",
		"1m0.75s status_changed low VPS:down-healthy via VPS 60s",
		// It fell at 0, 2, 4 ... 14 and rose at 1, 3 ... 13.
		"15m0.75s flapping normal VPS:healthy-healthy*16 via VPS 900s",
	)
	// Once: as long as it goes on, a word in each cooldown where the last one is
	// not true any more.
	for range 20 {
		r.set("VPS", "down")
		r.pass(time.Minute)
		r.set("VPS", "healthy")
		r.pass(time.Minute)
	}
	r.set("VPS", "down")
	r.pass(time.Hour)
	r.want(
		"30m0.75s status_changed normal VPS:healthy-down switched to Datacenter",
		"45m0.75s status_changed low VPS:down-healthy via VPS 900s",
		"1h0m0.75s status_changed normal VPS:healthy-down switched to Datacenter",
	)
	// After a quiet time it is told again.
	r.set("VPS", "healthy")
	r.pass(time.Hour)
	r.told = nil
	for range 3 {
		r.set("VPS", "down")
		r.pass(time.Minute)
		r.set("VPS", "healthy")
		r.pass(time.Minute)
	}
	r.pass(time.Hour)
	if len(r.told) != 3 || r.told[2] == "" {
		t.Errorf("told %q, expected down, healthy and flapping", r.told)
	}
}

// TestLastWord holds whatever a proxy does: once all cooldowns are over, the
// admin was told last what is.
func TestLastWord(t *testing.T) {
	statuses := []string{"healthy", "down", "degraded", "blocked"}
	for seed := range 50 {
		r := newRuled(t, "VPS", "Datacenter")
		n := uint32(seed)
		next := func(m uint32) uint32 { n = n*1664525 + 1013904223; return n >> 16 % m }
		for range 30 {
			r.set("VPS", statuses[next(4)%4])
			r.pass(time.Duration(next(600)%600) * time.Second)
		}
		r.pass(time.Hour)
		if told, _ := r.pool.Proxy("VPS"); r.proxy("VPS").told() != told.Status {
			t.Fatalf("seed %d: told %q, is %q", seed, r.proxy("VPS").told(), told.Status)
		}
	}
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

func TestThousandDie(t *testing.T) {
	r := newRuled(t, numbered(1000)...)
	for i, name := range r.pool.order {
		r.set(name, "down")
		if i%100 == 99 {
			r.pass(time.Second)
		}
	}
	r.pass(20 * time.Minute)
	names := ""
	for _, name := range r.pool.order[:20] {
		names += " " + name + ":healthy-down"
	}
	if len(r.told) != 2 {
		t.Fatalf("%d alerts, expected two: %q", len(r.told), r.told)
	}
	if want := "750ms burst normal" + names + " +80 switched to P101"; r.told[0] != want {
		t.Errorf("start %q, expected %q", r.told[0], want)
	}
	names = ""
	for _, name := range r.pool.order[100:120] {
		names += " " + name + ":healthy-down"
	}
	if want := "9.75s burst_over high" + names + " +880 8s"; r.told[1] != want {
		t.Errorf("end %q, expected %q", r.told[1], want)
	}
	if r.Usable.told() != stateDown {
		t.Error("that the pool has none left was not told")
	}
}

// TestAllDieAtOnce: the start has the whole news already, and the end follows
// once it is certain that it was all.
func TestAllDieAtOnce(t *testing.T) {
	r := newRuled(t, numbered(30)...)
	for _, name := range r.pool.order {
		r.set(name, "down")
	}
	r.pass(time.Hour)
	if len(r.told) != 2 {
		t.Fatalf("told %q", r.told)
	}
	if diff := cmp.Diff([]string{r.told[0][len(r.told[0])-4:], "11s burst_over high"}, []string{" +10", r.told[1]}); diff != "" {
		t.Errorf("%s", diff)
	}
}

func TestRecoveryAfterABurst(t *testing.T) {
	r := newRuled(t, numbered(30)...)
	for _, name := range r.pool.order {
		r.set(name, "down")
	}
	r.pass(time.Hour)
	r.told = nil
	for _, name := range r.pool.order {
		r.set(name, "healthy")
		r.pass(250 * time.Millisecond)
	}
	r.pass(time.Hour)
	if len(r.told) != 3 {
		t.Fatalf("told %q, expected that the pool is usable, and a burst", r.told)
	}
}

// TestTrickle is a burst that begins slowly: some are told one by one first.
func TestTrickle(t *testing.T) {
	r := newRuled(t, numbered(100)...)
	for _, name := range r.pool.order[:50] {
		r.set(name, "down")
		r.pass(1500 * time.Millisecond)
	}
	r.pass(time.Hour)
	if len(r.told) != 7 {
		t.Errorf("%d alerts, expected five, a start and an end: %q", len(r.told), r.told)
	}
}

// TestCrowd is a large pool whose proxies, or targets, go one by one, too slowly
// for a burst: told of without filling the chat, and the last word is right.
func TestCrowd(t *testing.T) {
	r := newRuled(t, numbered(400)...)
	for i, name := range r.pool.order {
		r.set(name, "down")
		if i%2 == 0 {
			r.pool.change(func(p *fakePool) { p.unreachable = numbered(i / 2) })
		}
		r.pass(3 * time.Second)
	}
	if n := len(r.told); n > crowdSize+3*20 {
		t.Errorf("%d alerts in twenty minutes", n)
	}
	if r.Usable.told() != stateDown {
		t.Error("that no proxy is left has to wait")
	}
	r.pass(time.Hour)
	for _, name := range r.pool.order {
		if r.proxy(name).told() != "down" {
			t.Errorf("that %s is down was not told", name)
		}
	}
	for _, target := range numbered(199) {
		if tp := r.Targets[target]; tp == nil || tp.told() != stateUnreachable {
			t.Errorf("that %s cannot be reached was not told", target)
		}
	}
}

// TestLongBurst is told of at least each five minutes.
func TestLongBurst(t *testing.T) {
	r := newRuled(t, numbered(600)...)
	for _, name := range r.pool.order {
		r.set(name, "degraded")
		r.pass(time.Second)
	}
	r.pass(20 * time.Minute)
	if len(r.told) != 9 {
		t.Errorf("%d alerts in ten minutes, expected five, and twice a start and an end: %q", len(r.told), r.told)
	}
}

// TestClockPutBack in the middle of things: none of them waits until the clock
// is where it was.
func TestClockPutBack(t *testing.T) {
	r := newRuled(t, numbered(30)...)
	r.set("P1", "down")
	r.pass(250 * time.Millisecond)
	r.now = r.now.Add(-48 * time.Hour)
	r.pass(10 * time.Second)
	r.want("-47h59m59.5s status_changed normal P1:healthy-down switched to P2")

	r = newRuled(t, numbered(30)...)
	for _, name := range r.pool.order[:6] {
		r.set(name, "down")
	}
	r.pass(time.Second)
	r.told = nil
	r.now = r.now.Add(-48 * time.Hour)
	r.pass(10 * time.Second)
	r.want("-47h59m58.75s burst_over low via P7")
	r.set("P7", "down")
	r.pass(10 * time.Second)
	r.want("-47h59m48.25s status_changed normal P7:healthy-down switched to P8")
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

// TestProxyLeaves, and nothing is told of it but what is not true any more when
// it comes back.
func TestProxyLeaves(t *testing.T) {
	for status, want := range map[string][]string{
		"down":    nil,
		"healthy": {"2m0.75s status_changed low A:down-healthy via A 120s"},
	} {
		r := newRuled(t, "A", "B")
		r.set("A", "down")
		r.set("B", "degraded")
		r.pass(time.Minute)
		r.told = nil
		a := r.pool.proxies["A"]
		r.pool.change(func(p *fakePool) { delete(p.proxies, "A") })
		r.compare(r.now, r.pool)
		r.pass(time.Minute)
		r.want()
		a.Status = status
		r.pool.change(func(p *fakePool) { p.proxies["A"] = a })
		r.compare(r.now, r.pool)
		r.pass(time.Minute)
		r.want(want...)
	}
}

// TestManyProxiesLeave: not all of them are remembered, and none that was well.
func TestManyProxiesLeave(t *testing.T) {
	r := newRuled(t, numbered(1000)...)
	for i, name := range r.pool.order {
		r.set(name, []string{"down", "degraded"}[i%2])
	}
	r.pass(time.Minute)
	r.set("P1", "healthy")
	r.pass(time.Minute)
	r.pool.change(func(p *fakePool) { clear(p.proxies) })
	r.compare(r.now, r.pool)
	if _, known := r.Proxies["P1"]; known || len(r.Proxies) != maxLeft {
		t.Errorf("%d proxies are remembered", len(r.Proxies))
	}
}

// TestNobodyToTell: what happens meanwhile is told when there is somebody.
func TestNobodyToTell(t *testing.T) {
	r := newRuled(t, "A", "B")
	r.deaf = true
	r.set("A", "down")
	r.pass(time.Hour)
	if r.due() != (time.Time{}) {
		t.Error("something is due although nobody is told")
	}
	r.want()
	r.deaf = false
	r.pass(time.Minute)
	r.want("1h0m0.25s status_changed normal A:healthy-down switched to B")

	// What it did before anybody could be told is no flapping now.
	r.deaf = true
	for range 100 {
		r.set("B", "down")
		r.pass(time.Hour)
		r.set("B", "healthy")
		r.pass(time.Hour)
	}
	r.set("B", "down")
	r.deaf = false
	r.pass(time.Hour)
	r.want("201h1m0.75s pool_down high B:healthy-down")
}

// TestRestart at every moment of a story: what was told is not told again, and
// what was not is.
func TestRestart(t *testing.T) {
	story := func(r *ruled, restart int) []string {
		step := 0
		pass := func(d time.Duration) {
			for end := r.now.Add(d); r.now.Before(end); step++ {
				if step == restart {
					body, err := json.Marshal(r.rules)
					if err != nil {
						t.Fatal(err)
					}
					before := new(rules)
					if err := json.Unmarshal(body, before); err != nil {
						t.Fatal(err)
					}
					r.rules = newRules()
					r.recall(before)
					r.compare(r.now, r.pool)
				}
				r.pass(10 * time.Second)
			}
		}
		for range 3 {
			r.set("A", "down")
			pass(time.Minute)
			r.set("A", "healthy")
			pass(time.Minute)
		}
		for _, name := range r.pool.order {
			r.set(name, "down")
		}
		pass(10 * time.Minute)
		r.pool.change(func(p *fakePool) { p.unreachable = []string{"api:443"} })
		pass(20 * time.Minute)
		var kinds []string
		for _, told := range r.told {
			kinds = append(kinds, told[len(r.start.Format("")):])
		}
		return kinds
	}
	proxies := []string{"A", "B", "C"}
	want := story(newRuled(t, proxies...), -1)
	for restart := range 60 {
		if got := story(newRuled(t, proxies...), restart); len(got) != len(want) {
			t.Errorf("restart at step %d: (-want +got):\n%s", restart, cmp.Diff(want, got))
		}
	}
}

// TestDamagedNote is one that is JSON, and makes no sense.
func TestDamagedNote(t *testing.T) {
	for _, note := range []string{
		`{}`, `{"proxies":{"A":null},"targets":{"x":null},"usable":null,"checks":null}`,
		`{"proxies":{"A":{"told":"nonsense","quiet":{"down":"2999-01-01T00:00:00Z","*":"2999-01-01T00:00:00Z"},"window":"2999-01-01T00:00:00Z"}},"burst":{"since":"2999-01-01T00:00:00Z","last":"2999-01-01T00:00:00Z"}}`,
	} {
		before := new(rules)
		if err := json.Unmarshal([]byte(note), before); err != nil {
			t.Fatal(err)
		}
		r := newRuled(t, "A", "B")
		r.recall(before)
		r.compare(r.now, r.pool)
		r.pass(time.Hour)
		r.told = nil
		r.set("A", "down")
		r.pass(time.Minute)
		if len(r.told) != 1 {
			t.Errorf("after %s: told %q, expected one alert", note, r.told)
		}
	}
}
