package pool

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
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
	// larger than the target takes, 400 where its request cannot be sent.
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
	errNoAnswer   error = &plainError{reason: reasonTimeout, timeout: true}
	errTargetSlow error = &plainError{reason: reasonTimeout, timeout: true}
	errUnasked    error = &plainError{reason: "malformed_response"} // an upgrade that nobody asked for
	errBlocked    error = &plainError{reason: reasonBlocked}
	errNoProxy    error = &plainError{reason: "no_proxy"}
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
		e.RetryAfter = x.pool.retryAfter(x.target, time.Now())
	case e.Reason == reasonRequestHeaderTooLarge:
		e.Status = http.StatusRequestHeaderFieldsTooLarge
	case isBadRequest(err):
		e.Status = http.StatusBadRequest
	case isTimeout(err):
		e.Status = http.StatusGatewayTimeout
	}
	return e
}
