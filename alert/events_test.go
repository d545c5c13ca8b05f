package alert

import (
	"encoding/json"
	"testing"
	"time"
)

// TestOvertaken is an event that comes after a later one: what is told is how
// the proxy is.
func TestOvertaken(t *testing.T) {
	r := newRuled(t, "A", "B")
	late := r.pool.set("A", "down", "test")
	r.set("A", "healthy")
	r.event(r.now, late)
	r.pass(time.Hour)
	r.want()
}

// TestUsableFlaps is a pool that comes and goes, with no change of a proxy: told
// in each direction once in a cooldown, and rightly in the end.
func TestUsableFlaps(t *testing.T) {
	r := newRuled(t, "A")
	for range 10 {
		r.pool.disable("A", true)
		r.pass(30 * time.Second)
		r.pool.disable("A", false)
		r.pass(30 * time.Second)
	}
	r.pool.disable("A", true)
	r.pass(time.Hour)
	r.want("1s pool_down high", "31s pool_up normal via A 30s", "15m1s pool_down high")
}

// TestFlappingInABurst is told with the burst's end, and not once more.
func TestFlappingInABurst(t *testing.T) {
	r := newRuled(t, numbered(30)...)
	for range 3 {
		r.set("P1", "down")
		r.pass(2 * time.Minute)
		r.set("P1", "healthy")
		r.pass(2 * time.Minute)
	}
	r.pass(r.start.Add(14*time.Minute + 58*time.Second).Sub(r.now))
	for _, name := range r.pool.order[10:20] {
		r.set(name, "down")
	}
	r.pass(time.Minute)
	r.pass(time.Hour)
	if n := len(r.told); n != 4 || r.told[3] != "15m9s burst_over low P1:healthy-healthy*6 via P1" {
		t.Errorf("told %q", r.told)
	}
}

// stored are the rules as a store would give them back.
func (r *ruled) stored() *rules {
	r.Helper()
	before := new(rules)
	if err := json.Unmarshal(note(r.rules), before); err != nil {
		r.Fatal(err)
	}
	return before
}

// TestRecalledLate is a store that could not be opened at the start: what was
// told since counts for more than what it knows.
func TestRecalledLate(t *testing.T) {
	r := newRuled(t, "A", "B")
	r.set("A", "down")
	r.set("B", "degraded")
	r.pass(time.Hour)
	before := r.stored()
	r.told, r.rules = nil, newRules()

	r.pool.set("B", "healthy", "")
	r.set("A", "blocked")
	r.pass(time.Minute)
	r.want("1h0m0.75s status_changed normal A:healthy-blocked via A")
	r.recall(before)
	r.compare(r.now, r.pool)
	r.pass(time.Hour)
	r.want("1h1m0.75s status_changed low B:degraded-healthy via A 3660s")
}

// TestRestartInABurst: its end is told, and nothing beside it.
func TestRestartInABurst(t *testing.T) {
	r := newRuled(t, numbered(30)...)
	for _, name := range r.pool.order[:10] {
		r.set(name, "down")
	}
	r.pass(2 * time.Second)
	before := r.stored()
	r.told, r.rules = nil, newRules()
	r.recall(before)
	r.compare(r.now, r.pool)
	r.set("P11", "down")
	r.pass(time.Hour)
	r.want("12s burst_over normal P11:healthy-down switched to P12 1s")
}
