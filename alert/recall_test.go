package alert

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

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
