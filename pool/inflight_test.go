package pool

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
	"time"
)

// TestInFlight: the oldest is known, in whatever order they come and go.
func TestInFlight(t *testing.T) {
	var f inFlight
	in := make(map[*flight]int64)
	for range 2000 {
		switch {
		case len(in) == 0 || rand.IntN(2) == 0:
			n, start := &flight{probe: rand.IntN(4) == 0}, rand.Int64N(1<<40)+1
			in[n] = start
			f.add(n, time.Unix(0, start))
		case rand.IntN(10) == 0:
			for n, start := range in {
				f.stood(n)
				f.stood(n)
				probe := n.probe
				maps.DeleteFunc(in, func(o *flight, s int64) bool { return o == n || s < start && (probe || !o.probe) })
				break
			}
		default:
			for n := range in {
				delete(in, n)
				f.remove(n)
				f.remove(n) // once more changes nothing
				break
			}
		}
		var want int64
		for _, start := range in {
			if want == 0 || start < want {
				want = start
			}
		}
		if got := f.oldest.Load(); got != want {
			t.Fatalf("the oldest began at %d, want %d", got, want)
		}
	}
}

func BenchmarkInFlight(b *testing.B) {
	for _, n := range []int{10, 1000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var f inFlight
			for range n {
				f.add(new(flight), time.Now())
			}
			b.ReportAllocs()
			for b.Loop() {
				var c connect
				f.add(&c.pending, time.Now())
				f.remove(&c.pending)
			}
		})
	}
}
