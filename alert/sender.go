package alert

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
)

const (
	// How long the store is waited for before an alert is sent. Where it fails,
	// the alert is sent all the same: it may be about that.
	storeWithin = time.Second
	// How long one try may take, whatever the destination itself allows: a webhook
	// may be given ten minutes.
	sendWithin = 11 * time.Minute
	// How long a delivery that is under way may go on when its configuration ends.
	graceOfSend = 3 * time.Second

	// The pauses after a failure, doubling, each with as much as half of it more or
	// less. An admin whose network comes back wants to know soon.
	minRetry, maxRetry = time.Second, time.Minute
)

// Health is how the deliveries to a destination go.
type Health struct {
	Name      string
	OK        bool
	Error     string    // what is wrong and what to do; empty where OK
	Since     time.Time // when that began; zero where OK
	Waiting   int       // alerts
	Delivered time.Time // when the last one arrived; zero for never
	Runner    string    // what is wrong with what it does beside sending, empty where nothing is
}

// sender delivers what waits for one destination, one after the other. It
// belongs to one configuration.
type sender struct {
	Destination
	outbox *outbox
	keeper Keeper
	hooks  *Hooks
	tally  *tally
	after  <-chan struct{} // the sender of before has ended; nil where there was none
	ctx    context.Context // ends when nothing more is to be sent
	stop   context.CancelFunc
	ended  chan struct{}

	mu     sync.Mutex // guards what follows
	health Health
}

// run delivers until it is told to stop.
func (s *sender) run() {
	defer close(s.ended)
	if s.after != nil {
		<-s.after
	}
	var running sync.WaitGroup
	defer running.Wait()
	if r, ok := s.Destination.(Runner); ok {
		running.Go(func() { r.Run(s.ctx, s.report) })
	}
	pause := &backoff.ExponentialBackOff{
		InitialInterval: minRetry, Multiplier: 2, MaxInterval: maxRetry, RandomizationFactor: 0.5,
	}
	pause.Reset()
	for {
		l := s.next()
		if l == nil {
			return
		}
		wait := s.deliver(l)
		if wait == again {
			wait = pause.NextBackOff()
		} else {
			pause.Reset()
		}
		if !s.sleep(wait) {
			return
		}
	}
}

// next waits for a letter; it returns nil when the sender is to end.
func (s *sender) next() *letter {
	for s.ctx.Err() == nil {
		wake := s.outbox.wait(s.Name()) // before looking, and each time: it may be another
		if l := s.outbox.oldest(s.Name()); l != nil {
			return l
		}
		select {
		case <-wake:
		case <-s.ctx.Done():
		}
	}
	return nil
}

// again is the pause after a failure: the next of the backoff.
const again time.Duration = -1

// deliver tries to deliver a letter, and returns how long to pause.
func (s *sender) deliver(l *letter) time.Duration {
	if !l.held {
		ctx, cancel := context.WithTimeout(context.Background(), storeWithin)
		_ = s.keeper.Sync(ctx) // the books tell of a fault
		cancel()
		l.held = true
	}
	var err error
	l.parts, err = s.send(l)
	var later *RetryAfterError
	var refused *RefusedError
	switch {
	case err == nil:
		s.tally.delivered.Add(1)
		s.outbox.done(s.Name(), l)
		s.worked()
		return 0
	case errors.As(err, &refused):
		s.outbox.done(s.Name(), l)
		s.hooks.dropped(s.Name(), 1, "refused: "+err.Error())
		return 0
	case s.ctx.Err() != nil:
		return 0 // it was broken off
	case errors.As(err, &later):
		s.tally.failed.Add(1)
		if later.After > maxRetry {
			s.failed(err) // a shorter pause is no outage
		}
		return max(later.After, minRetry)
	default:
		s.tally.failed.Add(1)
		s.failed(err)
		return again
	}
}

// send is one try. When the sender is told to stop, it may go on for a moment: an
// alert that has arrived and is not noted is delivered twice.
func (s *sender) send(l *letter) (parts int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), sendWithin)
	defer cancel()
	goOn := context.AfterFunc(s.ctx, func() { time.AfterFunc(graceOfSend, cancel) })
	defer goOn()
	return s.Send(ctx, l.alert, l.parts)
}

// sleep pauses, and reports whether to go on.
func (s *sender) sleep(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.ctx.Done():
		return false
	}
}

// failed notes a failure, and tells of it once for each outage.
func (s *sender) failed(err error) {
	s.mu.Lock()
	first := s.health.OK
	if first {
		s.health.OK, s.health.Since = false, time.Now()
	}
	s.health.Error = err.Error()
	s.mu.Unlock()
	if first {
		s.hooks.failed(s.Name(), err)
	}
}

// worked notes that an alert arrived.
func (s *sender) worked() {
	now := time.Now()
	s.mu.Lock()
	first, since := !s.health.OK, s.health.Since
	s.health.OK, s.health.Error, s.health.Since = true, "", time.Time{}
	s.health.Delivered = now
	s.mu.Unlock()
	if first {
		s.hooks.recovered(s.Name(), now.Sub(since))
	}
}

// tested notes what came of a test, unless nobody waited for the end of it.
func (s *sender) tested(err error) {
	var refused *RefusedError
	switch {
	case err == nil:
		s.tally.delivered.Add(1)
		s.worked()
	case errors.As(err, &refused), errors.Is(err, context.Canceled):
	default:
		s.tally.failed.Add(1)
		s.failed(err)
	}
}

// report notes how the runner fares.
func (s *sender) report(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	s.mu.Lock()
	news := (s.health.Runner == "") != (text == "")
	s.health.Runner = text
	s.mu.Unlock()
	switch {
	case !news:
	case err != nil:
		s.hooks.idle(s.Name(), err)
	default:
		s.hooks.running(s.Name())
	}
}

// is tells how it goes.
func (s *sender) is() Health {
	s.mu.Lock()
	h := s.health
	s.mu.Unlock()
	h.Waiting = s.outbox.waiting(s.Name())
	return h
}

// inherit takes over from the sender of before what would be told again.
func (s *sender) inherit(before *sender) {
	h := before.is()
	s.health.Delivered = h.Delivered
	s.health.OK, s.health.Error, s.health.Since = h.OK, h.Error, h.Since
}
