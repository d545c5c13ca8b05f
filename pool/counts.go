package pool

import (
	"strconv"
	"sync/atomic"
	"time"
)

// Outcome is how an attempt ended, as the metrics tell it: few words, because
// each is a series of every proxy.
type Outcome int

// The outcomes. What is no attempt has none: a connect that a client did not
// wait for, or a kept connection that had been closed.
const (
	OutcomeBlocked     Outcome = iota // answered, and the answer matched a block rule
	OutcomeCutOff                     // a hard budget was overdrawn
	OutcomeOK                         // answered; of a tunnel: it stands
	OutcomeProxyFailed                // by the proxy's fault
	OutcomeRouteFailed                // by the fault of the proxy's way to the target
	OutcomeTimeout                    // the target took too long to answer, though it can be reached
	outcomes
)

// Outcomes are the words for the outcomes, each at its place.
var Outcomes = [outcomes]string{"blocked", "cut_off", "ok", "proxy_failed", "route_failed", "timeout"}

// failed reports whether the attempt counts as a failure in the books.
func (o Outcome) failed() bool {
	return o == OutcomeProxyFailed || o == OutcomeRouteFailed || o == OutcomeTimeout
}

// Codes are what the requests of a pool came to: the class of the target's
// answer, or the very status where the answer is our own. Others than these are
// counted as 502.
var Codes = [...]string{
	"1xx", "2xx", "3xx", "4xx", "5xx",
	"502", "503", "504", "499", "400", "403", "407", "413", "431", "508",
}

const ownCodes = 5 // from here on in Codes

// codeOf is the place of an answer in [Codes].
func codeOf(status int, own bool) int {
	if !own {
		return min(max(status/100, 1), ownCodes) - 1
	}
	text := strconv.Itoa(status)
	for i, code := range Codes[ownCodes:] {
		if code == text {
			return ownCodes + i
		}
	}
	return ownCodes
}

// FailoverReasons are why requests went on to another proxy. "other" stands for
// what is not in the list.
var FailoverReasons = [...]string{
	"other",
	reasonReset, reasonConnClosed, reasonSilent, reasonTimeout, reasonBlocked, reasonProxyAnswer, reasonOverdue, reasonBudget, reasonStale, reasonBroken,
	// As the dialer names them.
	"bad_proxy", "dial_refused", "dial_timeout", "dial_unreachable", "dial_failed", "dns_failed",
	"proxy_tls", "proxy_dropped", "proxy_silent", "proxy_nonsense", "proxy_auth", "proxy_payment", "proxy_rate_limited",
	"tunnel_refused", "loop", "target_tls", "target_tls_timeout", "target_reset",
	"conn_timeout", "stream_refused", "stream_reset", "malformed_response", "header_too_large", "send_failed",
}

var failoverPlaces = func() map[string]int {
	places := make(map[string]int, len(FailoverReasons))
	for i, reason := range FailoverReasons {
		places[reason] = i
	}
	return places
}()

// counts are what a pool's requests came to since the process began.
type counts struct {
	requests  [len(Codes)]atomic.Int64
	failovers [len(FailoverReasons)]atomic.Int64
	hedges    atomic.Int64
}

// Counts are what the requests of a pool came to since the process began.
type Counts struct {
	Requests  [len(Codes)]int64           // by Codes
	Failovers [len(FailoverReasons)]int64 // by FailoverReasons
	Hedges    int64
}

// Counts reads what was counted so far.
func (s *State) Counts() (c Counts) {
	load(c.Requests[:], s.counts.requests[:])
	load(c.Failovers[:], s.counts.failovers[:])
	c.Hedges = s.counts.hedges.Load()
	return c
}

func load(into []int64, from []atomic.Int64) {
	for i := range from {
		into[i] = from[i].Load()
	}
}

// Refused counts a request that got no further than the front.
func (s *State) Refused(status int) { s.counts.requests[codeOf(status, true)].Add(1) }

// tally counts the request once it is known what it comes to, and what it took.
// For most requests that is one addition.
func (x *exchange) tally(status int, own bool) {
	if x.target.key.Quiet {
		return
	}
	c := &x.pool.state.counts
	c.requests[codeOf(status, own)].Add(1)
	if x.trace.Hedges > 0 {
		c.hedges.Add(int64(x.trace.Hedges))
	}
	if x.overtaken > 0 {
		c.failovers[failoverPlaces[reasonOverdue]].Add(int64(x.overtaken))
	}
	for i := range x.trace.steps - 1 {
		step := x.trace.at(i)
		switch {
		case step.outcome == reasonOverdue, step.outcome == reasonClientGone: // the next one ran beside it
		case step.proxy != x.trace.at(i+1).proxy:
			c.failovers[failoverPlaces[step.outcome]].Add(1)
		}
	}
}

// proxyCounts are what went through a proxy since the process began.
type proxyCounts struct {
	attempts               [outcomes]atomic.Int64
	broken                 atomic.Int64
	checksOK, checksFailed atomic.Int64
	connects, answers      histogram
}

// countAttempt counts one attempt over the route.
func (r *Route) countAttempt(o Outcome) {
	r.state.counts.attempts[o].Add(1)
	r.account.attempt(o.failed())
	r.state.touch()
}

// broke counts an attempt that had been counted as one that went well, and then
// broke off.
func (r *Route) broke() {
	r.state.counts.broken.Add(1)
	r.account.fail()
}

// ProxyCounts are what went through a proxy since the process began, which
// reset-stats leaves alone, and how it is now.
type ProxyCounts struct {
	Attempts               [outcomes]int64 // by Outcomes
	Broken                 int64           // answers and tunnels that began well and broke off
	ChecksOK, ChecksFailed int64
	Connects               Histogram // how long it took until a connection stood
	Answers                Histogram // how long it took until the head of an answer was there
	BytesIn, BytesOut      int64
	Cost                   Money

	Status Status
	Active bool         // not disabled
	Usable bool         // for a target that has nothing against it
	Budget *BudgetState // nil where there is none
}

// Counts reads what was counted so far, and how the proxy is. It is cheaper than
// [Proxy.Snapshot], because thousands of proxies are asked at once.
func (p *Proxy) Counts() (c ProxyCounts) {
	s := p.State
	load(c.Attempts[:], s.counts.attempts[:])
	c.Broken = s.counts.broken.Load()
	c.ChecksOK, c.ChecksFailed = s.counts.checksOK.Load(), s.counts.checksFailed.Load()
	c.Connects, c.Answers = s.counts.connects.read(), s.counts.answers.read()
	used := s.ledger.sinceBegin()
	c.BytesIn, c.BytesOut, c.Cost = used.BytesIn, used.BytesOut, used.Cost
	c.Active, c.Usable = !s.gateHas(gateDisabled), s.gate.Load() == 0
	c.Budget = s.ledger.budget(time.Now())
	s.mu.Lock()
	c.Status = s.status
	s.mu.Unlock()
	return c
}
