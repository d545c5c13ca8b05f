package pool

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// Trace is the story of one request. It is written by the goroutine that
// forwards the request, and may be read once its answer is with the client.
type Trace struct {
	Pool, Target string
	Proxy        string        // that carried it; the last one tried where none did
	Connect      time.Duration // 0 on a kept connection
	Hedges       int           // connects that were started because another was overdue
	Err          string        // the failure that the client saw, in one word

	first [2]step // most requests need no more
	rest  []step
	steps int

	in, out int64
	carrier *standing // whose bytes are not in there yet
}

type step struct{ proxy, outcome string }

// step adds one attempt's outcome.
func (x *exchange) step(p *Proxy, outcome string) {
	t := x.trace
	t.Proxy = p.Name
	if t.steps < len(t.first) {
		t.first[t.steps] = step{p.Name, outcome}
	} else {
		t.rest = append(t.rest, step{p.Name, outcome})
	}
	t.steps++
}

// Attempts is how many attempts were made, failed connects included.
func (t *Trace) Attempts() int { return t.steps }

// String is the trail: "VPS-Germany-Main:dial_refused Datacenter-1:ok".
func (t *Trace) String() string {
	var b strings.Builder
	for i := range t.steps {
		s := t.at(i)
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(s.proxy + ":" + s.outcome)
	}
	return b.String()
}

// Traffic is how many bytes crossed the connections to the proxies for this
// request, handshakes included where it was the first on a connection. On one
// that carries many requests at once each byte is in the trace of one of them.
// It is for the end of the request, because what an upgraded connection carries
// is not there before.
func (t *Trace) Traffic() (in, out int64) {
	if t.carrier != nil {
		t.tally(t.carrier)
	}
	return t.in, t.out
}

// tally takes what crossed a connection since it was last asked for.
func (t *Trace) tally(c *standing) {
	in, out := c.Bytes()
	t.in += advance(&c.talliedIn, in)
	t.out += advance(&c.talliedOut, out)
	if t.carrier == c {
		t.carrier = nil
	}
}

// advance raises n to at least to, and returns by how much.
func advance(n *atomic.Int64, to int64) int64 {
	for {
		from := n.Load()
		if to <= from {
			return 0
		}
		if n.CompareAndSwap(from, to) {
			return to - from
		}
	}
}

func (t *Trace) at(i int) step {
	if i < len(t.first) {
		return t.first[i]
	}
	return t.rest[i-len(t.first)]
}

// Error is why a request got no answer.
type Error struct {
	// Status is the one for the client: 502, 504 where the last failure was a
	// timeout, 503 where no proxy was usable, 499 where the client went away,
	// 413 where it sent more than the server takes, 431 where its header is
	// larger than the target takes, 400 where its request cannot be sent, 403
	// where the target's address is not allowed.
	Status int

	// RetryAfter is when to try again; with 503 alone.
	RetryAfter time.Duration

	Reason string // in one word
	Unsent bool   // certainly no byte of the request was written
	Err    error  // may be nil
}

// Error is the reason with what is known of its cause, without any credentials.
func (e *Error) Error() string {
	if e.Err == nil {
		return e.Reason
	}
	return fmt.Sprintf("%s: %v", e.Reason, e.Err)
}

// Timeout makes it a [net.Error] that tells whether time ran out.
func (e *Error) Timeout() bool { return e.Status == http.StatusGatewayTimeout }

// Temporary is part of [net.Error].
func (e *Error) Temporary() bool { return true }

func (e *Error) Unwrap() error { return e.Err }

// The failures that are made here.
var (
	errClientGone error = &plainError{reason: reasonClientGone}
	errSilent     error = &plainError{reason: reasonSilent, timeout: true}
	errUnheard    error = &plainError{reason: reasonSilent, timeout: true} // the connection died, not the route
	errNoAnswer   error = &plainError{reason: reasonTimeout, timeout: true}
	errTargetSlow error = &plainError{reason: reasonTimeout, timeout: true}
	errUnasked    error = &plainError{reason: "malformed_response"} // an upgrade that nobody asked for
	errBlocked    error = &plainError{reason: reasonBlocked}
	errBroken     error = &plainError{reason: reasonBroken}
	errNoProxy    error = &plainError{reason: "no_proxy"}
	errOverdrawn  error = &plainError{reason: reasonBudget}
	errClosed           = errors.New("answer was closed before its end")
)

type plainError struct {
	reason  string
	timeout bool
}

func (e *plainError) Error() string         { return strings.ReplaceAll(e.reason, "_", " ") }
func (e *plainError) FailureReason() string { return e.reason }
func (e *plainError) Timeout() bool         { return e.timeout }

// answerError is an answer that the proxy gave in the target's place. It does
// not tell that the request stayed with the proxy: a target can answer as if it
// were one.
type answerError struct {
	reason string
	status int
}

func (e *answerError) Error() string         { return fmt.Sprintf("proxy answered %d", e.status) }
func (e *answerError) FailureReason() string { return e.reason }
func (e *answerError) Timeout() bool         { return e.status == http.StatusGatewayTimeout }

// cutOff says of a failure that it came of a budget that is overdrawn. Whether
// the request was sent is still to be found in it.
func cutOff(err error) error { return fmt.Errorf("%w: %w", errOverdrawn, err) }

// clientGone is the end where the client stopped sending or listening: nobody's
// failure.
func (x *exchange) clientGone(cause error) error {
	x.fault = fmt.Errorf("%w: %w", errClientGone, cause)
	return x.fault
}

// noneLeft is the end where no further proxy can be tried.
func (x *exchange) noneLeft() error {
	if x.fault != nil {
		return x.fault
	}
	return errNoProxy
}

// asError is what the client is told of the last failure.
func (x *exchange) asError(err error) *Error {
	var tooLarge *http.MaxBytesError
	e := &Error{Status: http.StatusBadGateway, Reason: failureReason(err), Err: err, Unsent: !x.wrote}
	switch {
	case errors.As(err, &tooLarge):
		e.Status = http.StatusRequestEntityTooLarge
	case errors.Is(err, errClientGone), errors.Is(err, context.Canceled):
		e.Status = 499 // as Caddy logs it
	case errors.Is(err, errNoProxy):
		e.Status = http.StatusServiceUnavailable
		now := time.Now()
		x.pool.hasten(now)
		e.RetryAfter = x.pool.retryAfter(x.target, now)
	case e.Reason == reasonRequestHeaderTooLarge:
		e.Status = http.StatusRequestHeaderFieldsTooLarge
	case isBadRequest(err):
		e.Status = http.StatusBadRequest
	case isForbidden(err):
		e.Status = http.StatusForbidden
	case isTimeout(err):
		e.Status = http.StatusGatewayTimeout
	}
	return e
}
