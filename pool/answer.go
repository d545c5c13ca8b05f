package pool

import (
	"context"
	"errors"
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
		a.proxy.routeSucceeded(a.route) // the connection is the client's now
	case resp.Body == http.NoBody:
		body.end(io.EOF)
	default:
		resp.Body = body
	}
}

// answerBody is the body of an answer on its way to the client.
type answerBody struct {
	io.ReadCloser
	attempt *attempt
	cancel  context.CancelCauseFunc
	ended   bool
	dropped bool // by us: it is not for the client
}

// drop closes an answer that the client does not get.
func drop(resp *http.Response) {
	if b, ok := resp.Body.(*answerBody); ok {
		b.dropped = true
	}
	_ = resp.Body.Close()
}

func (b *answerBody) Read(p []byte) (int, error) {
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
// failure, unless the client went away.
func (b *answerBody) end(err error) {
	if b.ended {
		return
	}
	b.ended = true
	a := b.attempt
	a.trace.tally(a.conn)
	switch {
	case errors.Is(err, io.EOF):
		a.proxy.routeSucceeded(a.route)
		a.conn.keepOrClose()
	case errors.Is(err, errClosed), a.req.Context().Err() != nil:
		// The client has had enough; until then the route delivered.
		if !b.dropped {
			a.trace.Err = reasonClientGone
		}
		a.proxy.routeSucceeded(a.route)
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
