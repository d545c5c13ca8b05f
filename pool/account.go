package pool

import "sync/atomic"

// Account counts what goes over one route. Counting is a few atomic additions;
// the ledger of the proxy books what came since the last time. Safe for
// concurrent use.
type Account struct {
	ledger *ledger
	target string

	in, out, requests, failed atomic.Int64
	listed                    atomic.Bool // the ledger knows that there is something to book

	booked Usage // guarded by the ledger's lock
}

// Count adds bytes that crossed a connection to the proxy. It reports whether
// the connection may be used on: not once the proxy's budget is overdrawn.
func (a *Account) Count(in, out int) bool {
	if in > 0 {
		a.in.Add(int64(in))
	}
	if out > 0 {
		a.out.Add(int64(out))
	}
	a.list()
	return a.ledger.spend(a, int64(in)+int64(out))
}

// attempt counts one attempt.
func (a *Account) attempt(failed bool) {
	a.requests.Add(1)
	if failed {
		a.fail()
		return
	}
	a.list()
}

// fail makes an attempt that was counted a failed one.
func (a *Account) fail() {
	a.failed.Add(1)
	a.list()
}

// list tells the ledger once. It comes after counting, and the ledger clears
// the mark before it reads, so that nothing is missed.
func (a *Account) list() {
	if !a.listed.Load() && a.listed.CompareAndSwap(false, true) {
		a.ledger.list(a)
	}
}

// fresh is what came since the last time. The ledger's lock is held.
func (a *Account) fresh() Usage {
	a.listed.Store(false)
	var now Usage
	now.Failed = a.failed.Load() // first: never more than requests
	now.Requests = a.requests.Load()
	now.BytesIn, now.BytesOut = a.in.Load(), a.out.Load()
	fresh := now.minus(a.booked)
	a.booked = now
	return fresh
}
