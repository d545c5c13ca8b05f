package alert

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

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
