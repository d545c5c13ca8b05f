package pool

import (
	"slices"
	"sync/atomic"
	"time"
)

const (
	pulseAnswers = 512 // so many answers are remembered by how long they took
	pulseMinutes = 60
)

// Pulse is how the requests through a pool have fared lately.
type Pulse struct {
	// P50 and P95 are how long it took until an answer began, over the last 512
	// answers; 0 before there were any. Tunnels are not in it.
	P50, P95 time.Duration

	// Failovers is how many further attempts were made in the last hour.
	Failovers int64
}

// pulse is written on the request path: one addition and one store.
type pulse struct {
	count   atomic.Uint64
	answers [pulseAnswers]atomic.Int64
	minutes [pulseMinutes]atomic.Uint64 // the minute above, failovers in the low 24 bits
}

const failoverBits = 24

func (p *pulse) answered(took time.Duration) {
	p.answers[(p.count.Add(1)-1)%pulseAnswers].Store(int64(max(took, 1)))
}

// failedOver notes the attempts of a request after its first.
func (p *pulse) failedOver(now time.Time, attempts int) {
	if attempts < 2 {
		return
	}
	minute := uint64(now.Unix() / 60)
	cell := &p.minutes[minute%pulseMinutes]
	for {
		was := cell.Load()
		is := was
		if was>>failoverBits != minute {
			is = minute << failoverBits
		}
		if cell.CompareAndSwap(was, is+uint64(attempts-1)) {
			return
		}
	}
}

// Pulse is how the requests have fared lately. It is remembered over reloads,
// not over restarts. Safe for concurrent use.
func (s *State) Pulse(now time.Time) Pulse {
	var answer Pulse
	minute := uint64(now.Unix() / 60)
	for i := range s.pulse.minutes {
		cell := s.pulse.minutes[i].Load()
		if at := cell >> failoverBits; at <= minute && minute-at < pulseMinutes {
			answer.Failovers += int64(cell & (1<<failoverBits - 1))
		}
	}
	n := min(s.pulse.count.Load(), pulseAnswers)
	took := make([]int64, 0, n)
	for i := range n {
		if d := s.pulse.answers[i].Load(); d > 0 {
			took = append(took, d)
		}
	}
	if len(took) == 0 {
		return answer
	}
	slices.Sort(took)
	answer.P50 = time.Duration(took[(len(took)-1)/2])
	answer.P95 = time.Duration(took[(len(took)-1)*95/100])
	return answer
}

// Asked are the addresses of targets that requests asked for, the last one
// first, at most limit.
func (s *State) Asked(limit int) []string {
	last := make(map[string]int64)
	s.targets.Range(func(_, value any) bool {
		t := value.(*Target)
		if asked := t.asked.Load(); asked > last[t.Addr] && !t.key.Quiet {
			last[t.Addr] = asked
		}
		return true
	})
	addrs := make([]string, 0, len(last))
	for addr := range last {
		addrs = append(addrs, addr)
	}
	slices.SortFunc(addrs, func(a, b string) int { return int(min(max(last[b]-last[a], -1), 1)) })
	return addrs[:min(len(addrs), limit)]
}
