package pool

import "time"

// keptBeats is how many health checks of a proxy are remembered one by one.
const keptBeats = 30

// Beat is what one health check found.
type Beat struct {
	Time     time.Time
	Duration time.Duration
	OK       bool
}

// heartbeat are the last health checks of a proxy. It is half a kilobyte.
type heartbeat struct {
	ring  [keptBeats]beat
	count int
}

type beat struct {
	second int64
	millis int32 // below 0 where the check failed: -1 - millis
}

func (h *heartbeat) add(now time.Time, r *CheckResult) {
	b := beat{now.Unix(), int32(min(r.Duration, 24*time.Hour).Milliseconds())}
	if !r.OK {
		b.millis = -1 - b.millis
	}
	h.ring[h.count%keptBeats] = b
	h.count++
}

// beats are the last checks, the oldest first.
func (h *heartbeat) beats() []Beat {
	list := make([]Beat, 0, min(h.count, keptBeats))
	for i := max(h.count-keptBeats, 0); i < h.count; i++ {
		b := h.ring[i%keptBeats]
		one := Beat{Time: time.Unix(b.second, 0), OK: b.millis >= 0}
		if !one.OK {
			b.millis = -1 - b.millis
		}
		one.Duration = time.Duration(b.millis) * time.Millisecond
		list = append(list, one)
	}
	return list
}

// Heartbeat are the last health checks of the proxy, at most 30, the oldest
// first. They are remembered over reloads, not over restarts. Safe for
// concurrent use.
func (p *Proxy) Heartbeat() []Beat {
	s := p.State
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.heartbeat.beats()
}
