package pool

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestExplain(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, []proxySpec{{"A", 10, 0}, {"B", 20, 0}, {"C", 30, 0}, {"D", 40, 0}, {"E", 50, 0}, {"F", 60, 0}, {"G", 60, 0}}, nil)
		w.do("A", "disable")
		w.fail("B", 3)
		down := time.Now().Add(-time.Millisecond)
		w.proxy("C").block(w.route("C"), time.Now().Add(time.Hour), "403")
		blocked := time.Now().Add(time.Hour)
		w.failRoute("D", 3)
		failing := time.Now().Add(-time.Millisecond)
		for range 3 {
			w.check("E", true, 3*time.Second)
		}
		w.fail("F", 1) // comes after G then, which is of its rank
		want := []Verdict{
			{"A", false, "disabled", time.Time{}},
			{"B", false, "down: dial_refused", down.Add(5 * time.Second)},
			{"C", false, "blocked by " + api, blocked},
			{"D", false, "failing for " + api, failing.Add(5 * time.Second)},
			{"E", true, "usable, degraded", time.Time{}},
			{"G", true, "usable", time.Time{}},
			{"F", true, "usable", time.Time{}},
		}
		key := TargetKey{Scheme: "https", Addr: api}
		if diff := cmp.Diff(want, w.Explain(key, time.Now())); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		// A dry run for a target that nobody asked for is told of no target's opinion.
		for _, v := range w.Explain(TargetKey{Scheme: "https", Addr: "new.example.com:443"}, time.Now()) {
			if strings.HasPrefix(v.Reason, "blocked") || strings.HasPrefix(v.Reason, "failing") {
				t.Errorf("%+v", v)
			}
		}
		if w.fake["E"].dialled() != 0 || w.state.Known(TargetKey{Scheme: "https", Addr: "new.example.com:443"}) != nil {
			t.Error("a dry run left something behind")
		}
	})
}

// TestActive: a free one, a metered one only where no free one is usable.
func TestActive(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, []proxySpec{{"M", 10, 5}, {"N", 15, 9}, {"A", 20, 0}, {"B", 30, 0}}, nil)
		active := func() string {
			if p := w.Active(w.target(api), time.Now()); p != nil {
				return p.Name
			}
			return ""
		}
		var got []string
		for _, next := range []string{"A", "B", "M", "N"} {
			got = append(got, active())
			w.do(next, "disable")
		}
		got = append(got, active())
		if diff := cmp.Diff([]string{"A", "B", "M", "N", ""}, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestUptimeCountsAttemptsAndChecks(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newWorld(t, named("A B"), nil)
		if got := w.row("A").Uptime; got != 100 {
			t.Errorf("%v %% before anything", got)
		}
		w.get()
		w.check("A", true, 0)
		w.check("A", false, 0)
		w.fake["A"].be(behaviour{answer: breaks})
		w.pass(2 * time.Minute)
		w.get()
		if row := w.row("A"); row.Uptime != 50 || row.Requests != 2 || row.Failed != 1 {
			t.Errorf("%v %%, %d requests, %d failed", row.Uptime, row.Requests, row.Failed)
		}
	})
}

// BenchmarkForward is what the pool adds to a request on a standing connection.
func BenchmarkForward(b *testing.B) {
	for _, n := range []int{1, 5, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			pl := manyProxies(n)
			pl.Options.Keepalive = time.Hour
			for _, p := range pl.Proxies() {
				p.Dialer = &fakeProxy{now: behaviour{answer: func(*fakeConn, *http.Request) (*http.Response, error) {
					return &http.Response{StatusCode: 204, Body: http.NoBody}, nil
				}}}
			}
			target := pl.State().Target(TargetKey{Scheme: "https", Addr: api}, nil)
			f := NewForwarder(pl, Options{ConnectTimeout: time.Second, HedgeDelay: Auto, ResponseTimeout: time.Minute, Keepalive: time.Hour})
			req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, "https://"+api+"/", nil)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				var trace Trace
				if _, err := f.Forward(req, target, &trace); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
