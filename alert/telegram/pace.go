package telegram

import (
	"context"
	"time"
)

// pace keeps the messages to one chat apart, whoever sends them: from the end of
// one to the beginning of the next there are at least gap.
type pace struct {
	gap  time.Duration
	free chan time.Time // holds when the last message ended, while none is being sent
}

func newPace(gap time.Duration) *pace {
	p := &pace{gap: gap, free: make(chan time.Time, 1)}
	p.free <- time.Time{} // the first message goes at once
	return p
}

// begin waits until a message may be sent. Where there is no error, end must
// follow.
func (p *pace) begin(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var last time.Time
	select {
	case last = <-p.free:
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := sleep(ctx, time.Until(last.Add(p.gap))); err != nil {
		p.free <- last
		return err
	}
	return nil
}

func (p *pace) end() { p.free <- time.Now() }

// sleep returns early, with an error, when ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
