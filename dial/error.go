package dial

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
)

// The reasons of an [Error], each in one word.
const (
	ReasonCanceled         = "canceled"
	ReasonBadProxy         = "bad_proxy"           // the proxy's configuration cannot be used
	ReasonBadTarget        = "bad_target"          // the target's address cannot be asked for
	ReasonNotAllowed       = "address_not_allowed" // refused by [Dialer.Control]
	ReasonDialRefused      = "dial_refused"
	ReasonDialTimeout      = "dial_timeout"
	ReasonDialUnreachable  = "dial_unreachable"
	ReasonDialFailed       = "dial_failed"
	ReasonDNSFailed        = "dns_failed"
	ReasonProxyTLS         = "proxy_tls"
	ReasonProxyDropped     = "proxy_dropped"  // closed or reset before the tunnel stood
	ReasonProxySilent      = "proxy_silent"   // never answered
	ReasonProxyNonsense    = "proxy_nonsense" // answered what no proxy answers
	ReasonProxyAuth        = "proxy_auth"
	ReasonProxyPayment     = "proxy_payment"
	ReasonProxyRateLimited = "proxy_rate_limited"
	ReasonTunnelRefused    = "tunnel_refused"
	ReasonLoop             = "loop" // the proxy says that the tunnel came through it before
	ReasonTargetTLS        = "target_tls"
	ReasonTargetTLSTimeout = "target_tls_timeout"
	ReasonTargetReset      = "target_reset" // closed or reset once the tunnel stood
)

// Error is every error of [Dialer.Tunnel] and [Dialer.Open]. Its text holds no
// credentials.
type Error struct {
	Reason string // one of the Reason constants
	Status int    // of the answer to CONNECT; 0 elsewhere
	Err    error

	proxyFault bool
	reached    bool
	timeout    bool
}

func (e *Error) Error() string { return e.Err.Error() }

func (e *Error) Unwrap() error { return e.Err }

// FailureReason is the failure in one word.
func (e *Error) FailureReason() string { return e.Reason }

// ProxyFault reports whether the proxy is to blame: it could not be reached,
// wants a password, money or time, never answered, answered nonsense or dropped
// the connection before the tunnel stood. Otherwise the route is: another
// target may well be reached. Without a proxy nothing is the proxy's fault.
func (e *Error) ProxyFault() bool { return e.proxyFault }

// Forbidden reports whether every address of what was to be dialled was refused
// by [Dialer.Control], which is nobody's failure: neither the proxy nor the
// route did anything.
func (e *Error) Forbidden() bool { return e.Reason == ReasonNotAllowed }

// ProxyReached reports whether the proxy itself was there, and then kept silent,
// dropped the connection or answered nonsense: which may be because of the target.
func (e *Error) ProxyReached() bool { return e.reached }

// Timeout reports whether the failure was that time ran out.
func (e *Error) Timeout() bool { return e.timeout }

// stage is a part of the way to the target, with the names of what may go
// wrong there.
type stage struct {
	doing   string // what the error's text begins with
	proxy   bool   // a failure here is the proxy's
	timeout string // time ran out
	dropped string // the other side closed or reset the connection
	failed  string // whatever else
}

var (
	stageDial      = stage{"dialling proxy", true, ReasonDialTimeout, ReasonProxyDropped, ReasonDialFailed}
	stageDirect    = stage{"dialling target", false, ReasonDialTimeout, ReasonTargetReset, ReasonDialFailed}
	stageProxyTLS  = stage{"TLS handshake with proxy", true, ReasonProxySilent, ReasonProxyDropped, ReasonProxyTLS}
	stageConnect   = stage{"asking proxy for a tunnel", true, ReasonProxySilent, ReasonProxyDropped, ReasonProxyDropped}
	stageTargetTLS = stage{"TLS handshake with target", false, ReasonTargetTLSTimeout, ReasonTargetReset, ReasonTargetTLS}
	stageHTTP      = stage{"beginning HTTP with target", false, ReasonTargetTLSTimeout, ReasonTargetReset, ReasonTargetReset}
)

// fail makes an [Error] of what went wrong in a stage. What ctx has to say
// comes first: it is why the connection was interrupted.
func (s stage) fail(ctx context.Context, err error) *Error {
	if known := (*Error)(nil); errors.As(err, &known) {
		return known
	}
	e := &Error{Reason: s.failed, proxyFault: s.proxy, reached: s == stageConnect}
	var dns *net.DNSError
	switch {
	case ctx.Err() != nil && !ranOut(ctx):
		e.Reason, e.proxyFault = ReasonCanceled, false
		err = ctx.Err()
	case ctx.Err() != nil:
		e.Reason, e.timeout = s.timeout, true
		err = ctx.Err()
	case errors.As(err, &dns):
		e.Reason, e.timeout = ReasonDNSFailed, dns.IsTimeout
	case errors.Is(err, syscall.ECONNREFUSED):
		e.Reason = ReasonDialRefused
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		e.Reason = ReasonDialUnreachable
	case isTimeout(err):
		e.Reason, e.timeout = s.timeout, true
	case isDrop(err):
		e.Reason = s.dropped
	}
	e.Err = fmt.Errorf("%s: %w", s.doing, err)
	return e
}

// refused is the failure of a proxy that answered CONNECT with anything but
// 2xx. Only the status is told: the rest of the answer is the proxy's prose.
func refused(status int) *Error {
	e := &Error{Reason: ReasonTunnelRefused, Status: status}
	switch status {
	case http.StatusProxyAuthRequired, http.StatusUnauthorized: // tinyproxy's, where a password is wrong
		e.Reason, e.proxyFault = ReasonProxyAuth, true
	case http.StatusPaymentRequired:
		e.Reason, e.proxyFault = ReasonProxyPayment, true
	case http.StatusTooManyRequests:
		e.Reason, e.proxyFault = ReasonProxyRateLimited, true
	case http.StatusLoopDetected:
		e.Reason, e.proxyFault = ReasonLoop, true
	}
	e.Err = fmt.Errorf("asking proxy for a tunnel: answer %d %s", status, http.StatusText(status))
	return e
}

func nonsense(format string, args ...any) *Error {
	return &Error{
		Reason: ReasonProxyNonsense, proxyFault: true, reached: true,
		Err: fmt.Errorf("asking proxy for a tunnel: "+format, args...),
	}
}

func badTarget(err error) *Error { return &Error{Reason: ReasonBadTarget, Err: err} }

func badProxy(format string, args ...any) *Error {
	return &Error{Reason: ReasonBadProxy, proxyFault: true, Err: fmt.Errorf(format, args...)}
}

// badVia is nobody's failure: the field is not the proxy's configuration. Its
// value stays out of the text, which may end up in a log line by line.
func badVia() *Error {
	return &Error{Reason: ReasonBadProxy, Err: errors.New("asking proxy for a tunnel: Via holds what no header field can")}
}

// ranOut reports whether a context that is done ended by time.
func ranOut(ctx context.Context) bool {
	return errors.Is(ctx.Err(), context.DeadlineExceeded)
}

// isTimeout reports whether a connection timed out by itself: the system gave
// up on a peer that acknowledges nothing.
func isTimeout(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}

func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNABORTED)
}

func isClosed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}

func isDrop(err error) bool { return isReset(err) || isClosed(err) }
