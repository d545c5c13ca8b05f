package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// meter measures, and looks out for what else runs on the machine.
type meter struct {
	warmUp, window time.Duration
	ours           []int // processes beside the one that is measured
	repeats        int   // how many more windows may be repeated
	foreign        []float64
}

// disturbed is the share of the machine that other programs may take before a
// window is repeated.
const disturbed = 0.10

// generator makes requests, or whatever is measured, until the context ends.
type generator interface {
	run(ctx context.Context) []sample
}

// measure returns the least disturbed of up to three windows. The processor
// time is that of the process, if there is one: 0 is none.
func (t *meter) measure(ctx context.Context, pid int, g generator) (best measurement, err error) {
	for try := range 3 {
		m, err := t.once(ctx, pid, g)
		if err != nil {
			return m, err
		}
		if try == 0 || m.foreign < best.foreign {
			best = m
		}
		if best.foreign <= disturbed || t.repeats == 0 {
			break
		}
		t.repeats--
	}
	t.foreign = append(t.foreign, best.foreign)
	return best, nil
}

func (t *meter) once(ctx context.Context, pid int, g generator) (m measurement, err error) {
	ctx, cancel := context.WithTimeout(ctx, t.warmUp+t.window+20*time.Millisecond)
	defer cancel()
	finished := make(chan []sample, 1)
	go func() { finished <- g.run(ctx) }()
	time.Sleep(t.warmUp)
	before, err := t.look(pid)
	if err != nil {
		return m, err
	}
	time.Sleep(t.window)
	after, err := t.look(pid)
	if err != nil {
		return m, err
	}

	var took []time.Duration
	for _, s := range <-finished {
		switch {
		case s.end.Before(before.at) || s.end.After(after.at):
		case s.outcome != good:
			m.failed++
		default:
			took = append(took, s.took())
		}
	}
	if len(took) == 0 {
		return m, fmt.Errorf("no request was answered (%d failed)", m.failed)
	}
	slices.Sort(took)
	elapsed := after.at.Sub(before.at)
	m.perSecond = float64(len(took)) / elapsed.Seconds()
	m.p50, m.p99 = percentile(took, 0.50), percentile(took, 0.99)
	m.cpu = (after.measured - before.measured) / time.Duration(len(took))
	m.foreign = max(0, float64(after.others-before.others)/float64(elapsed)/float64(totalCPUs()))
	return m, nil
}

// clocks are the processor times at one moment.
type clocks struct {
	at               time.Time
	measured, others time.Duration
}

func (t *meter) look(pid int) (now clocks, err error) {
	now.at = time.Now()
	if now.others, err = machineTime(); err != nil {
		return now, err
	}
	if pid != 0 {
		if now.measured, err = cpuTime(pid); err != nil {
			return now, err
		}
	}
	now.others -= now.measured
	for _, pid := range t.ours {
		spent, err := cpuTime(pid)
		if err != nil {
			return now, err
		}
		now.others -= spent
	}
	return now, nil
}
