package pool

import (
	"context"
	"errors"
	"net/http"
)

// Fault is what an error of a [Dialer] tells of itself.
type Fault interface {
	error
	// ProxyFault reports whether the proxy is to blame; otherwise the route is.
	ProxyFault() bool
	// FailureReason is the failure in one word, such as "dial_refused".
	FailureReason() string
	Timeout() bool
}

// SendFault is what an error of [Conn.RoundTrip] tells of itself.
type SendFault interface {
	error
	// Unsent is true only where no byte of the request was written, and none
	// will be, or where the target said that it did not process the request.
	Unsent() bool
	// BadRequest is true where the request itself cannot be sent, by whomever.
	BadRequest() bool
	FailureReason() string
	Timeout() bool
}

// Reasons of failures that are recognised here.
const (
	reasonOK          = "ok"
	reasonReset       = "conn_reset"
	reasonConnClosed  = "conn_closed"
	reasonSilent      = "silent"           // a standing connection stopped answering
	reasonTimeout     = "response_timeout" // the answer took too long
	reasonBlocked     = "blocked"          // the answer matched a block rule
	reasonProxyAnswer = "proxy_answer"     // the proxy answered in the target's place
	reasonStale       = "stale"            // a kept connection had been closed
	reasonBroken      = "broken_answer"    // the answer broke off
	reasonClientGone  = "client_gone"
	reasonOverdue     = "overdue"      // the connect was overtaken by the next proxy's
	reasonBudget      = "budget_spent" // what ran over a hard budget was cut off
	reasonUnknown     = "error"

	// The connection's word for a header that is larger than the target takes.
	reasonRequestHeaderTooLarge = "request_header_too_large"
)

// blameConnect counts the failure of a connect against whose fault it was.
func (p *Proxy) blameConnect(c *connect, err error) {
	var fault Fault
	switch {
	case errors.Is(err, context.Canceled), isForbidden(err), c.route.target.key.Quiet:
	case errors.As(err, &fault) && fault.ProxyFault():
		if c.route.target.foreign() && proxyReached(err) {
			p.blameRoute(c.route, c.start, fault.FailureReason())
			p.suspect(c, fault.FailureReason())
			return
		}
		p.blame(c.start, fault.FailureReason())
	default:
		p.blameRoute(c.route, c.start, failureReason(err))
	}
}

// outcome is what a connect that failed is counted as, by whose fault it was.
func (c *connect) outcome(err error) Outcome {
	var fault Fault
	if !errors.As(err, &fault) || !fault.ProxyFault() || c.route.target.foreign() && proxyReached(err) {
		return OutcomeRouteFailed
	}
	return OutcomeProxyFailed
}

func failureReason(err error) string {
	var fault interface{ FailureReason() string }
	switch {
	case errors.As(err, &fault):
		return fault.FailureReason()
	case errors.Is(err, context.Canceled):
		return reasonClientGone
	default:
		return reasonUnknown
	}
}

// unsent reports whether certainly nothing of the request was written, or
// processed.
func unsent(err error) bool {
	var fault SendFault
	return errors.As(err, &fault) && fault.Unsent()
}

// isBadRequest reports whether the request itself is at fault.
func isBadRequest(err error) bool {
	var fault SendFault
	return errors.As(err, &fault) && fault.BadRequest()
}

// isForbidden reports whether our own rules kept the target from being reached,
// which is nobody's failure.
func isForbidden(err error) bool {
	var f interface{ Forbidden() bool }
	return errors.As(err, &f) && f.Forbidden()
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// proxyAnswerReason names an answer that the proxy gave in the target's place,
// on an absolute-form request, and tells whether it is the proxy's own failure
// (it wants a password, money or time) or only the route's.
func proxyAnswerReason(resp *http.Response) (reason string, proxyFault bool) {
	switch resp.StatusCode {
	case http.StatusProxyAuthRequired, http.StatusUnauthorized:
		return "proxy_auth", true
	case http.StatusPaymentRequired:
		return "proxy_payment", true
	case http.StatusTooManyRequests:
		return "proxy_rate_limited", true
	case http.StatusLoopDetected:
		return "loop", true
	default:
		return reasonProxyAnswer, false
	}
}

// idempotent reports whether a request may be sent again although the target
// may have acted on it: by its method (RFC 9110, 9.2.2), or because the client
// gave it a key by which the target knows a repetition.
func idempotent(req *http.Request) bool {
	switch req.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	return req.Header.Get("Idempotency-Key") != ""
}
