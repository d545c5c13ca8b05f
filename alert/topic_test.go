package alert

import (
	"testing"
	"time"
)

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
