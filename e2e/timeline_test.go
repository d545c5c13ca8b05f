package e2e

import (
	"slices"
	"sync"
	"testing"
	"time"
)

const sampleEvery = 5 * time.Millisecond

// timeline is what the world had counted at each moment.
type timeline struct {
	world *world
	stop  chan struct{}
	done  sync.WaitGroup

	mu      sync.Mutex
	samples []sample
}

// sample is what was counted at a moment.
type sample struct {
	time     time.Time
	requests int64 // by the origin
	bytes    int64 // by all proxies
	stall    time.Duration
}

// watch begins a timeline, which ends with the test at the latest.
func (w *world) watch(t *testing.T) *timeline {
	l := &timeline{world: w, stop: make(chan struct{})}
	l.sample(0)
	l.done.Go(l.run)
	t.Cleanup(sync.OnceFunc(func() {
		close(l.stop)
		l.done.Wait()
	}))
	return l
}

// run takes samples, and notes for how long this machine did not let it.
func (l *timeline) run() {
	ticker := time.NewTicker(sampleEvery)
	defer ticker.Stop()
	last := time.Now()
	for {
		select {
		case <-l.stop:
			return
		case <-ticker.C:
		}
		now := time.Now()
		stall := max(0, now.Sub(last)-10*sampleEvery)
		last = now
		l.sample(stall)
	}
}

func (l *timeline) sample(stall time.Duration) {
	s := sample{time: time.Now(), requests: int64(l.world.origin.Requests()), stall: stall}
	for _, p := range l.world.proxies {
		from, to := p.Bytes()
		s.bytes += from + to
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.samples = append(l.samples, s)
}

// now is what is counted now.
func (l *timeline) now() sample {
	l.sample(0)
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.samples[len(l.samples)-1]
}

// stalled is how long the machine stood still in all in a span of time.
func (l *timeline) stalled(from, to time.Time) (sum time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.samples {
		if s.time.After(from) && s.time.Before(to.Add(maxLag)) {
			sum += s.stall
		}
	}
	return sum
}

// lag is how long before an end the books know all that was counted, where known
// tells whether they know what a sample counted.
func (l *timeline) lag(end time.Time, known func(sample) bool) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	first := l.samples[0].time
	for _, s := range slices.Backward(l.samples) {
		if !s.time.After(end) && known(s) {
			return end.Sub(s.time)
		}
	}
	return end.Sub(first)
}
