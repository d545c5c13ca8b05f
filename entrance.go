package proxypool

import (
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/caddy-proxypool/proxypool/pool"
)

// maxWaiting is how many requests may wait in a forward front at once, for their
// tunnel or for the head of their answer.
const maxWaiting = 1024

// entrance bounds what waits in a forward front. A request that goes round through
// somebody who hands on nothing that would tell of it is waited for by itself, as
// often as there is room. Nil lets everything in.
type entrance struct{ waiting atomic.Int32 }

var errCrowded = &pool.Error{
	Status: http.StatusServiceUnavailable, Reason: "crowded", RetryAfter: time.Second, Unsent: true,
	Err: errors.New("too many requests are waiting"),
}

func (e *entrance) enter() error {
	if e == nil {
		return nil
	}
	if e.waiting.Add(1) > maxWaiting {
		e.waiting.Add(-1)
		return errCrowded
	}
	return nil
}

func (e *entrance) leave() {
	if e != nil {
		e.waiting.Add(-1)
	}
}
