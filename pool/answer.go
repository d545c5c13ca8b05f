package pool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// adopt makes the answer's body tell us of its end, because then the connection
// is free again and the route has proved itself, or not.
func (a *attempt) adopt(resp *http.Response, cancel context.CancelCauseFunc) {
	if !a.conn.Multiplexed() {
		cancel = nil
	}
	body := &answerBody{ReadCloser: resp.Body, attempt: a, cancel: cancel}
	switch {
	case resp.StatusCode == http.StatusSwitchingProtocols:
		a.delivered() // the connection is the client's now
	case resp.Body == http.NoBody, a.lacksBody(resp):
		_ = resp.Body.Close()
		resp.Body = http.NoBody
		body.end(io.EOF)
	default:
		resp.Body = body
	}
}

// delivered notes that an answer came over the route, but for one that the proxy
// made: it tells of a failure.
func (a *attempt) delivered() {
	if !a.proxyMade {
		a.proxy.routeSucceeded(a.route)
	}
}

// lacksBody reports whether the length that an answer states is that of a body
// which does not come (RFC 9110, 6.4.1 and 8.6). HTTP/2 lets it be stated with a
// 204, too (RFC 9113, 8.1.1), and net/http takes the body for one that broke off.
func (a *attempt) lacksBody(resp *http.Response) bool {
	return a.req.Method == http.MethodHead || resp.StatusCode == http.StatusNoContent || resp.StatusCode == http.StatusNotModified
}

// proxyAnswered is a failure that the proxy told of itself in the place of an
// answer, on an http target.
func (a *attempt) proxyAnswered(resp *http.Response) error {
	drop(resp)
	reason, proxyFault := proxyAnswerReason(resp)
	outcome := OutcomeRouteFailed
	if proxyFault && !a.target.foreign() { // otherwise it may have been the target that said so
		outcome = OutcomeProxyFailed
	}
	a.route.countAttempt(outcome)
	a.step(a.proxy, reason)
	switch {
	case a.target.key.Quiet:
	case outcome == OutcomeProxyFailed:
		a.proxy.blame(a.start, reason)
	default:
		a.proxy.blameRoute(a.route, a.start, reason)
	}
	a.fault = &answerError{reason: reason, status: resp.StatusCode}
	a.wrote = true
	return a.fault
}

// shortAnswer is how much of an answer net/http's server holds back until all of
// it was written.
const shortAnswer = 2048

// readShort reads an answer that is so short that the client gets nothing of it
// before all of it is there. Where it breaks off, nobody has seen that it began:
// a request that is safe to repeat goes to the next proxy, and the client of any
// other is told what happened.
func (a *attempt) readShort(resp *http.Response) error {
	b, ok := resp.Body.(*answerBody)
	if !ok || resp.ContentLength <= 0 || resp.ContentLength > shortAnswer {
		return nil
	}
	early := make([]byte, resp.ContentLength)
	_, err := io.ReadFull(b.ReadCloser, early)
	if err == nil {
		b.early = early
		return nil
	}
	b.ended = true
	_ = b.ReadCloser.Close()
	err = a.failed(fmt.Errorf("%w: %w", errBroken, err))
	if b.cancel != nil {
		b.cancel(nil)
	}
	return err
}

// answerBody is the body of an answer on its way to the client.
type answerBody struct {
	io.ReadCloser
	attempt *attempt
	cancel  context.CancelCauseFunc
	ended   bool
	dropped bool   // by us: it is not for the client
	early   []byte // read before the client was told of the answer
}

// drop closes an answer that the client does not get.
func drop(resp *http.Response) {
	if b, ok := resp.Body.(*answerBody); ok {
		b.dropped = true
	}
	_ = resp.Body.Close()
}

func (b *answerBody) Read(p []byte) (int, error) {
	if len(b.early) > 0 {
		n := copy(p, b.early)
		b.early = b.early[n:]
		return n, nil
	}
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.end(err)
	}
	return n, err
}

func (b *answerBody) Close() error {
	err := b.ReadCloser.Close()
	b.end(errClosed)
	return err
}

// end notes how the answer ended, once. That it broke off is the route's
// failure, unless the client went away: while it listened, or while it still
// sent, which takes the answer's connection with it.
func (b *answerBody) end(err error) {
	if b.ended {
		return
	}
	b.ended = true
	a := b.attempt
	a.trace.tally(a.conn)
	switch {
	case errors.Is(err, io.EOF):
		a.delivered()
		a.conn.keepOrClose()
	case errors.Is(err, errClosed), a.req.Context().Err() != nil, a.body != nil && a.body.failure() != nil:
		// The client has had enough; until then the route delivered.
		if !b.dropped {
			a.trace.Err = reasonClientGone
		}
		a.delivered()
		a.conn.endUnread()
	case a.proxy.State.overdrawn():
		a.trace.Err = reasonBudget
		a.conn.endUnread()
	default:
		a.route.broke()
		a.proxy.blameRoute(a.route, a.start, reasonBroken)
		a.trace.Err = reasonBroken
		a.conn.endUnread()
	}
	if b.cancel != nil {
		b.cancel(nil)
	}
}
