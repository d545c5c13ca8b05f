package dial

import (
	"context"
	"errors"
	"net/http"
	"slices"
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

	// Of requests that no connection would carry: see [SendError.BadRequest].
	ReasonBadRequest            = "bad_request"
	ReasonRequestHeaderTooLarge = "request_header_too_large" // larger than the target takes
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

// BadRequest reports whether the request itself cannot be sent, so that neither
// the connection is to blame, nor does another one help.
func (e *SendError) BadRequest() bool {
	return e.reason == ReasonBadRequest || e.reason == ReasonRequestHeaderTooLarge
}

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
	case text == requestHeaderTooLarge, text == "http2: "+requestHeaderTooLarge:
		e.reason = ReasonRequestHeaderTooLarge
	case strings.Contains(text, "response headers exceeded"), strings.Contains(text, "header list larger"):
		e.reason = ReasonHeaderTooLarge
	}
	return e
}

// requestHeaderTooLarge is the error of HTTP/2 for a header, or a trailer, above
// the limit that the target named in its settings.
const requestHeaderTooLarge = "request header list larger than peer's advertised limit"

// badRequestErrors begin the errors of net/http and HTTP/2 for a request that
// they refuse to write; none of them has a type.
var badRequestErrors = [...]string{
	"http: nil Request.", "http: invalid header ", "http: invalid trailer ", "http: invalid method ",
	"http: no Host in request URL", "http: invalid Host header", "http: Request.ContentLength=",
	"http: Request.Write on Request with no Host", "net/http: can't write control character in Request.URL",
	"invalid Trailer key ",
	"http2: Request.URL is nil", "http2: invalid method ", "http2: idna: ", "http2: invalid Host header", "http2: invalid request :path ",
	"http2: invalid :protocol header ", "http2: invalid HTTP header ", "http2: invalid HTTP trailer ",
	"http2: invalid Upgrade request header", "http2: invalid Transfer-Encoding request header",
	"http2: invalid Connection request header", "http2: invalid Trailer key ",
}

// refusedLocally notes where nothing was written because the request cannot be.
func (e *SendError) refusedLocally() {
	if e.unsent && refuses(e.Err) {
		e.reason = ReasonBadRequest
	}
}

// refuses reports whether the error says that the request cannot be written.
func refuses(err error) bool {
	text := err.Error()
	return slices.ContainsFunc(badRequestErrors[:], func(begin string) bool { return strings.HasPrefix(text, begin) })
}

// PipeReason is why reading from a [Conn], or writing to it, failed, in one word.
func PipeReason(err error) string {
	switch {
	case errors.Is(err, errCutOff):
		return ReasonConnClosed
	case isTimeout(err):
		return ReasonConnTimeout
	case isReset(err):
		return ReasonConnReset
	default:
		return ReasonConnClosed
	}
}
