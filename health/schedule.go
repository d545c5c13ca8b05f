package health

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/caddy-proxypool/proxypool/pool"
)

const (
	// How often blocks, damping, probes and idle connections are looked after.
	tickEvery = time.Second
	// The shortest pause between two looks for due checks: with ten thousand
	// proxies one is due every few milliseconds, and a look costs one pass.
	minPause = 100 * time.Millisecond
)

// schedule runs until Stop.
func (c *Checker) schedule() {
	timer := time.NewTimer(tickEvery)
	defer timer.Stop()
	var ticked time.Time
	for {
		now := time.Now()
		if now.Sub(ticked) >= tickEvery {
			ticked = now
			for _, ck := range c.pools {
				ck.Pool.Tick(now)
			}
		}
		next := ticked.Add(tickEvery)
		for _, ck := range c.pools {
			if due := c.dispatch(ck, now); !due.IsZero() && due.Before(next) {
				next = due
			}
		}
		timer.Reset(max(time.Until(next), minPause))
		select {
		case <-c.ctx.Done():
			return
		case <-timer.C:
		case <-c.wake:
		}
	}
}

// dispatch starts the checks of a pool that are due, as far as there are slots,
// and returns when the next one is, the zero time where none is planned.
func (c *Checker) dispatch(ck *checked, now time.Time) time.Time {
	if len(ck.Probes) == 0 {
		return time.Time{}
	}
	var next int64
	for _, p := range ck.Pool.Proxies() {
		due := p.CheckDue()
		if due == 0 || !p.Checkable() {
			continue
		}
		if due <= now.UnixNano() {
			select {
			case ck.slots <- struct{}{}:
				c.launch(ck, p)
				continue
			default: // all slots are taken; the next look finds it still due
			}
		}
		if next == 0 || due < next {
			next = due
		}
	}
	if next == 0 {
		return time.Time{}
	}
	return time.Unix(0, next)
}

// check asks for the probes in turn until one passes. Where the proxy has two
// addresses, for http and for https targets, both must pass. ok is false where
// the check was ended before it came to a verdict.
func (ck *checked) check(ctx context.Context, p *pool.Proxy) (result pool.CheckResult, ok bool) {
	limited, cancel := context.WithTimeout(ctx, ck.Timeout)
	defer cancel()
	result.Start = time.Now()
	var err error
	for _, probes := range ck.probesFor(p) {
		var one answer
		if one, err = ck.firstPassing(limited, p, probes); err != nil {
			break
		}
		if one.took >= result.Duration {
			result.Duration, result.Target = one.took, one.target
		}
	}
	if err != nil && ctx.Err() != nil {
		return pool.CheckResult{}, false
	}
	result.OK = err == nil
	if err != nil {
		result.Reason = "check: " + reason(err)
	}
	return result, true
}

// probesFor are sets of probes of which one must pass each.
func (ck *checked) probesFor(p *pool.Proxy) [][]Probe {
	if !p.TwoAddresses {
		return [][]Probe{ck.Probes}
	}
	var sets [][]Probe
	for _, scheme := range []string{"http", "https"} {
		var set []Probe
		for _, probe := range append(slices.Clone(ck.Probes), ck.Counterparts...) {
			if probe.URL.Scheme == scheme {
				set = append(set, probe)
			}
		}
		sets = append(sets, set)
	}
	return sets
}

// answer is one that passed: whose it was, and how long it took.
type answer struct {
	target string
	took   time.Duration
}

// firstPassing asks for one after the other and returns the answer of the one
// that passed, or the last error.
func (ck *checked) firstPassing(ctx context.Context, p *pool.Proxy, probes []Probe) (answer, error) {
	var err error
	for _, probe := range probes {
		start, target := time.Now(), probe.Target()
		if err = ck.ask(ctx, p, target, probe); err == nil {
			return answer{target.Addr, time.Since(start)}, nil
		}
		if ctx.Err() != nil {
			break
		}
	}
	return answer{}, err
}

func (ck *checked) ask(ctx context.Context, p *pool.Proxy, t *pool.Target, probe Probe) error {
	status, err := p.Visit(ctx, t, newRequest(probe.URL))
	if err != nil {
		return err
	}
	if !probe.AnyStatus && !pool.StatusIn(ck.Expect, status) {
		return &unexpected{status}
	}
	return nil
}

// unexpected is an answer with a status that does not pass.
type unexpected struct{ status int }

func (e *unexpected) Error() string { return fmt.Sprintf("answered %d", e.status) }

func reason(err error) string {
	var answer *unexpected
	switch {
	case errors.As(err, &answer):
		return answer.Error()
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	default:
		return pool.Reason(err)
	}
}
