package soak

import (
	"testing"
	"time"
)

// stalls knows when this machine did not let anybody run.
type stalls struct {
	stop chan struct{}
	over chan struct{}
	list chan []stall // of one element: who has it may change it
}

type stall struct {
	at     time.Time
	length time.Duration
}

func watchStalls(t *testing.T) *stalls {
	t.Helper()
	s := &stalls{stop: make(chan struct{}), over: make(chan struct{}), list: make(chan []stall, 1)}
	s.list <- nil
	go s.run()
	t.Cleanup(func() {
		close(s.stop)
		<-s.over
	})
	return s
}

func (s *stalls) run() {
	defer close(s.over)
	const every = 10 * time.Millisecond
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for last := time.Now(); ; {
		select {
		case <-s.stop:
			return
		case <-ticker.C:
		}
		now := time.Now()
		if d := now.Sub(last) - 5*every; d > 0 {
			list := append(<-s.list, stall{now, d})
			s.list <- list[max(0, len(list)-1000):]
		}
		last = now
	}
}

// since is for how long the machine stood still since a time.
func (s *stalls) since(at time.Time) (sum time.Duration) {
	list := <-s.list
	defer func() { s.list <- list }()
	for _, one := range list {
		if one.at.After(at) {
			sum += one.length
		}
	}
	return sum
}
