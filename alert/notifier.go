package alert

import (
	"context"
	"net/http"
	"time"
)

// Notifier is one way to reach the admin, as the configuration describes it.
type Notifier interface {
	// Destinations are where its alerts go. It is called once, when the
	// configuration is provisioned: it opens no connection, starts nothing, and
	// reports what is wrong with the configuration. A notifier that lacks what
	// it needs has no destinations, and says so with env.Warn.
	Destinations(env *Env) ([]Destination, error)
}

// Env is what a notifier may use.
type Env struct {
	Language Language
	Location *time.Location // of dates and times in messages

	// Transport returns what carries requests along the ways named, "direct" or
	// pools, in that order; with none, directly and then through every pool. An
	// error names a pool that does not exist. A way that got no answer within
	// patience counts as closed, and the next is tried. Requests need GetBody
	// where they have a body, because each way gets one of its own.
	Transport func(ways []string, patience time.Duration) (http.RoundTripper, error)

	// Console carries out commands.
	Console Console

	// Warn tells the admin, once, when the configuration starts. It is not
	// called by a validation.
	Warn func(message string)
}

// Destination is one place that alerts go to, in order: a chat, a URL.
type Destination interface {
	// Name tells destinations apart, and stays the same over restarts: alerts
	// that wait are kept under it. It is shown to admins and holds no secret.
	Name() string

	// Send delivers an alert. It returns when the alert has arrived, or with an
	// error that says what is wrong and what to do, and holds no secret. It may
	// give one alert out in parts: where a later part fails, it is told at the
	// next try how many have arrived. One call runs at a time, but for tests.
	Send(ctx context.Context, a *Alert, done int) (parts int, err error)
}

// Runner is a [Destination] that does something beside sending, such as
// waiting for commands.
type Runner interface {
	Destination

	// Run runs until ctx ends. report is told when it cannot do its work, with an
	// error as of Send, and with nil when it can again.
	Run(ctx context.Context, report func(error))
}

// RetryAfterError is an error of [Destination.Send] with the time that the other side
// asks for before the next try.
type RetryAfterError struct {
	After time.Duration
	Err   error
}

func (e *RetryAfterError) Error() string { return e.Err.Error() }

func (e *RetryAfterError) Unwrap() error { return e.Err }

// RefusedError is an error of [Destination.Send] for an alert that will never be
// taken, so that those behind it must not wait for it.
type RefusedError struct{ Err error }

func (e *RefusedError) Error() string { return e.Err.Error() }

func (e *RefusedError) Unwrap() error { return e.Err }
