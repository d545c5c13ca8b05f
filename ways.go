package proxypool

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/caddy-proxypool/proxypool/pool"
)

const (
	directWay = "direct"
	// How long the dialling, and how long the TLS of a direct connection may take.
	directDial, directTLS = 4 * time.Second, 4 * time.Second
	// How long a way that was closed is passed over, doubling: a network that
	// blocks the API does so for long, and each try costs an alert seconds.
	minRest, maxRest = time.Minute, 16 * time.Minute

	forEver = 24 * time.Hour // until whoever asks gives up
)

// ways carry what we send on our own behalf: directly and through pools, in the
// order given. The first that gets an answer is the one. Safe for concurrent use.
type ways struct {
	list     []*way
	patience time.Duration
}

// way is one of them.
type way struct {
	name string
	open func() http.RoundTripper // makes what carries requests along it

	mu    sync.Mutex // guards what follows
	now   http.RoundTripper
	until time.Time // it is passed over
	rest  time.Duration
}

func newWay(name string, open func() http.RoundTripper) *way {
	return &way{name: name, open: open, now: open()}
}

// waysTo makes the ways of the names, or of the default where there are none.
func (a *App) waysTo(names []string, patience time.Duration) (http.RoundTripper, error) {
	if len(names) == 0 {
		names = []string{directWay}
		for _, p := range a.pools {
			names = append(names, p.Name)
		}
	}
	w := &ways{patience: patience}
	for _, name := range names {
		if name == directWay {
			w.list = append(w.list, newWay(name, newDirect))
			continue
		}
		p, err := a.pool(name)
		if err != nil {
			return nil, err
		}
		w.list = append(w.list, newWay(name, func() http.RoundTripper { return newThrough(p) }))
	}
	return w, nil
}

// newDirect goes by no environment variables: direct is direct.
func newDirect() http.RoundTripper {
	return &http.Transport{
		DialContext:         (&net.Dialer{Timeout: directDial}).DialContext,
		TLSHandshakeTimeout: directTLS,
		ForceAttemptHTTP2:   true,
		MaxIdleConns:        4, IdleConnTimeout: time.Minute,
	}
}

// through is a pool as a way. How what goes through it ends says nothing of its
// proxies: an alert must not raise the next one.
type through struct {
	pool    *livePool
	forward *pool.Forwarder
}

func newThrough(p *livePool) *through {
	options := p.forward.forwarding()
	options.ResponseTimeout = 0 // the caller's patience
	// A delivery that failed is tried again in any case, and then better through
	// the next proxy than through the same one for ever.
	options.RetryUnsafe = true
	return &through{p, pool.NewForwarder(p.Pool, options)}
}

func (t *through) RoundTrip(req *http.Request) (*http.Response, error) {
	key := pool.TargetKey{Scheme: req.URL.Scheme, Addr: targetAddr(req.URL), Trust: t.pool.trust.id, Quiet: true}
	var trace pool.Trace
	return t.forward.Forward(req, t.pool.State().Target(key, t.pool.trust.config), &trace)
}

// RoundTrip sends the request along the first way that gets an answer, be it
// what it may. Those that were closed lately come last. The last of them has all
// the time there is: giving up on what was sent means to send it again.
func (w *ways) RoundTrip(req *http.Request) (*http.Response, error) {
	var errs waysError
	list := w.inOrder(time.Now())
	for i, way := range list {
		again := req.Clone(req.Context())
		if req.GetBody != nil {
			body, err := req.GetBody()
			if err != nil {
				return nil, err
			}
			again.Body = body
		}
		patience := w.patience
		if i == len(list)-1 {
			patience = forEver
		}
		resp, err := way.send(again, patience)
		if err == nil {
			return resp, nil
		}
		if req.Context().Err() != nil {
			return nil, req.Context().Err()
		}
		if _, ours := errors.AsType[*pool.Error](err); len(w.list) == 1 && !ours {
			return nil, err // whoever asks knows such errors
		}
		errs = append(errs, way.name+": "+plainly(err))
	}
	return nil, errs
}

// waysError says of each way why no answer came along it.
type waysError []string

func (e waysError) Error() string { return strings.Join(e, "; ") }

// inOrder are the ways as they are to be tried.
func (w *ways) inOrder(now time.Time) []*way {
	var open, resting []*way
	for _, way := range w.list {
		way.mu.Lock()
		if now.Before(way.until) {
			resting = append(resting, way)
		} else {
			open = append(open, way)
		}
		way.mu.Unlock()
	}
	return slices.Concat(open, resting)
}

// send sends the request along one way, which has so much time for an answer.
func (w *way) send(req *http.Request, patience time.Duration) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	timer := time.AfterFunc(patience, func() { cancel(errPatience) })
	carrier := w.carrier()
	resp, err := carrier.RoundTrip(req.WithContext(ctx))
	if err == nil && !timer.Stop() {
		_ = resp.Body.Close()
		err = errPatience
	}
	timer.Stop()
	if err != nil {
		if errors.Is(context.Cause(ctx), errPatience) {
			err = errPatience
		}
		cancel(nil)
		w.reopen(carrier)
		if req.Context().Err() == nil {
			w.closed(time.Now())
		}
		return nil, err
	}
	w.opened()
	resp.Body = &ending{resp.Body, func() { cancel(nil) }}
	return resp, nil
}

var errPatience = errors.New("no answer in time")

func (w *way) carrier() http.RoundTripper {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// reopen begins anew after a failure. A connection of HTTP/2 that died unnoticed
// is kept by the failure of a request, and would have the next ones, too, until
// the kernel gives it up after a quarter of an hour.
func (w *way) reopen(failed http.RoundTripper) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.now == failed {
		w.now = w.open()
	}
}

func (w *way) closed(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rest = min(max(2*w.rest, minRest), maxRest)
	w.until = now.Add(w.rest)
}

func (w *way) opened() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rest, w.until = 0, time.Time{}
}

// ending is a body that says when it is done with.
type ending struct {
	io.ReadCloser
	end func()
}

func (e *ending) Close() error {
	defer e.end()
	return e.ReadCloser.Close()
}

// plainly is what went wrong, in a few words and without the URL, in which there
// may be a token.
func plainly(err error) string {
	if failure, ok := errors.AsType[*pool.Error](err); ok {
		return failure.Reason
	}
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	if wrapped, ok := errors.AsType[*net.OpError](err); ok {
		err = wrapped.Err
	}
	return err.Error()
}
