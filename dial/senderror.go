package dial

import (
	"context"
	"errors"
	"net/http"
	"strings"
)

// The reasons of a [SendError], besides [ReasonCanceled].
const (
	ReasonConnReset         = "conn_reset"
	ReasonConnClosed        = "conn_closed"
	ReasonConnTimeout       = "conn_timeout" // the deadline passed, or the peer acknowledges nothing
	ReasonStreamRefused     = "stream_refused"
	ReasonStreamReset       = "stream_reset"
	ReasonMalformedResponse = "malformed_response"
	ReasonHeaderTooLarge    = "header_too_large"
	ReasonSendFailed        = "send_failed"
)

// SendError is every error of [HTTPConn.RoundTrip].
type SendError struct {
	Err error

	reason  string
	unsent  bool
	timeout bool
}

func (e *SendError) Error() string {
	text := e.Err.Error()
	// net/http quotes what it could not read, all of it.
	if len(text) > maxSendErrorText {
		text = strings.ToValidUTF8(text[:maxSendErrorText], "") + "..."
	}
	return "sending request: " + text
}

const maxSendErrorText = 200

func (e *SendError) Unwrap() error { return e.Err }

// FailureReason is the failure in one word.
func (e *SendError) FailureReason() string { return e.reason }

// Unsent is true only where it is certain that no byte of the request was
// written and none will be, or where the target said that it processed nothing
// of it (RFC 9113, 8.7).
func (e *SendError) Unsent() bool { return e.unsent }

// Timeout reports whether the failure was that time ran out.
func (e *SendError) Timeout() bool { return e.timeout }

// newSendError tells apart what went wrong with a request. other is the reason
// where nothing is recognised.
func newSendError(req *http.Request, err error, other string) *SendError {
	e := &SendError{Err: err, reason: other}
	text := err.Error()
	ctx := req.Context()
	switch {
	case ctx.Err() != nil && !ranOut(ctx):
		e.Err, e.reason = ctx.Err(), ReasonCanceled
	case ctx.Err() != nil, errors.Is(err, context.DeadlineExceeded), isTimeout(err):
		e.reason, e.timeout = ReasonConnTimeout, true
	case isReset(err):
		e.reason = ReasonConnReset
	case isClosed(err), strings.Contains(text, "server closed idle connection"), errors.Is(err, errSealed):
		e.reason = ReasonConnClosed
	case strings.Contains(text, "response headers exceeded"), strings.Contains(text, "header list larger"):
		e.reason = ReasonHeaderTooLarge
	}
	return e
}
