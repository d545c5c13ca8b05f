package alert

import (
	"fmt"
	"testing"
	"time"
)

// BenchmarkLook is the look at a pool of 10,000 proxies that is taken each
// second: where all is well, where all are down and were told of, and where all
// changed just now. BenchmarkCompare is the comparison that is made each minute.
func BenchmarkLook(b *testing.B) {
	for _, state := range []string{"all is well", "all were told of", "all changed"} {
		b.Run(state, func(b *testing.B) {
			p := newFakePool("main", numbered(10_000)...)
			now := time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)
			fill := func() *rules {
				r := newRules()
				if state != "all is well" {
					for _, name := range p.order {
						r.event(now, p.set(name, "degraded", "test"))
					}
				}
				return r
			}
			r := fill()
			if state == "all were told of" {
				r.look(now.Add(time.Second), p, 15*time.Minute, true)
			}
			b.ReportAllocs()
			for b.Loop() {
				if state == "all changed" {
					b.StopTimer()
					r = fill()
					b.StartTimer()
				}
				r.look(now.Add(2*time.Second), p, 15*time.Minute, true)
			}
		})
	}
}

func BenchmarkCompare(b *testing.B) {
	p := newFakePool("main", numbered(10_000)...)
	r := newRules()
	b.ReportAllocs()
	for b.Loop() {
		r.compare(time.Now(), p)
	}
}

// BenchmarkMessage is how long a message takes to be written.
func BenchmarkMessage(b *testing.B) {
	a := &Alert{Kind: KindBurst, Pool: "main", Time: time.Now()}
	for i := range MaxNamed {
		a.Changes = append(a.Changes, Change{Proxy: fmt.Sprint("P", i), From: "healthy", To: "down", Reason: "dial_refused"})
	}
	for _, l := range []Language{English, Persian} {
		b.Run(string(l), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				l.Message(a, time.UTC)
			}
		})
	}
}
