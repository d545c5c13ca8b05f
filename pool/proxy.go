package pool

import (
	"context"
	"crypto/tls"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// A Dialer makes connections to targets through one proxy.
type Dialer interface {
	// Dial makes a connection that carries requests to the target: dial, proxy
	// handshake and TLS. An error that knows whose fault it is implements
	// [Fault].
	Dial(ctx context.Context, d Dialing) (Conn, error)

	// Tunnel makes a pipe of bytes to the target of a tunnel: dial and proxy
	// handshake. Errors are as those of Dial.
	Tunnel(ctx context.Context, d Dialing) (Pipe, error)
}

// Dialing says what connection is wanted.
type Dialing struct {
	Target *Target
	HTTP1  bool // HTTP/1.1 also where HTTP/2 could be had
	Probe  bool // it only serves to learn whether the target can be reached

	// Whole asks for a whole TLS handshake, whose packets are as large as any. To
	// resume a session takes small ones alone, which pass where large ones don't.
	Whole bool

	// Via are the pools that a tunnel came through already, as its client said,
	// to be told to the proxy so that a tunnel that goes round is recognised.
	Via string

	// Account is told of every byte that crosses the connection to the proxy,
	// and says when there may be no more.
	Account *Account

	// Ready is called once the proxy itself was reached.
	Ready func()
}

// ProxyConfig is what the configuration says of one proxy.
type ProxyConfig struct {
	Name         string
	Type         Type
	URL          string // as shown: without the user part
	Address      string // what the URLs for both kinds of target are, as shown
	Priority     int    // lower is tried earlier
	CostPerGB    float64
	CostPerMonth float64
	MaxFailures  int
	Budget       Budget
	TrafficAlert int64 // bytes in a calendar month, told of at each multiple; 0 for never

	// Identity stands for how the proxy is reached. Where it differs from what
	// the state was made with, health, blocks and connections begin anew.
	Identity string

	// TwoAddresses says that http and https targets are reached through
	// different addresses, which are both checked.
	TwoAddresses bool

	Dialer Dialer
}

// Metered reports whether the proxy is billed by the gigabyte.
func (c *ProxyConfig) Metered() bool { return c.CostPerGB > 0 }

// Proxy is one configuration's view of a proxy. It never changes.
type Proxy struct {
	ProxyConfig
	State *ProxyState

	pool  *Pool
	place int // in the order of the pool
	rank  *rank
}

// ID is the pool's and the proxy's name: "main/VPS-Germany-Main".
func (p *Proxy) ID() string { return p.pool.Name + "/" + p.Name }

// PoolName is the name of the proxy's pool.
func (p *Proxy) PoolName() string { return p.pool.Name }

// usable reports whether the proxy may be used, a target's opinion aside.
func (p *Proxy) usable() bool { return p.State.gate.Load() == 0 }

// current reports whether this is how the proxy is reached now. What began over
// an address that it had before tells nothing of the one that it has.
func (p *Proxy) current() bool { return p.State.isIdentity(p.Identity) }

// ProxyState is what is known of a proxy of a name. It outlives reloads.
type ProxyState struct {
	// Read on the request path.
	gate        atomic.Uint32
	degraded    atomic.Bool
	failures    atomic.Int32 // in a row
	connectTime median
	tunnelTime  median   // the same of tunnels, in which there is no TLS of ours
	unready     inFlight // connects that have not reached the proxy yet

	counts proxyCounts

	// Counters and times; times in Unix nanoseconds, 0 for never.
	ledger               *ledger
	checks, checksFailed atomic.Int64
	lastSuccess          atomic.Int64 // of a check or an attempt
	lastTraffic          atomic.Int64 // of an attempt
	lastCheck, nextCheck atomic.Int64
	responseTime         atomic.Int64           // of checks, a moving average in nanoseconds
	checking             atomic.Bool            // a check is under way
	checkFailed          atomic.Bool            // the last check did
	denied               atomic.Int32           // checks in a row that failed while its traffic flowed
	wasSpent             atomic.Bool            // its budget was spent when last looked at
	accused              atomic.Pointer[Target] // that a client chose, with which it last fared badly
	identity             atomic.Pointer[string]
	changed              atomic.Bool // since it was last stored
	met                  atomic.Bool // some store was asked for a record, so that there may be a new one

	mu         sync.Mutex // guards what follows
	address    string     // what the current configuration says
	status     Status
	since      time.Time
	reason     string
	lastError  string
	wasUsable  bool
	counted    time.Time // when a failure was last counted
	passes     int       // checks in a row, of a proxy that is down
	recovery   time.Duration
	relapses   int
	upSince    time.Time
	heldSince  time.Time
	checkTimes [degradedChecks]time.Duration
	checkCount int
	heartbeat  heartbeat
	troubled   map[*Route]struct{}    // blocked or failing
	base       totals                 // what reset-stats left out
	reset      bool                   // since the process began
	restored   bool                   // what a store knew of it was taken over
	lineage    string                 // of what is counted; a store that was copied has the same
	recalled   map[targetName]trouble // routes that were in trouble before a restart
	asked      []string               // the stores that were asked for a record
	steered    bool                   // an admin said whether it is disabled
	suspected  bool                   // its checks hurry until they tell
}

// totals are the counters of a row in the status.
type totals struct {
	Usage
	Checks       int64 `json:"checks"`
	ChecksFailed int64 `json:"checks_failed"`
}

func newProxyState(now time.Time) *ProxyState {
	s := &ProxyState{
		status: StatusHealthy, since: now, upSince: now, wasUsable: true,
		troubled: make(map[*Route]struct{}),
		lineage:  strconv.FormatUint(rand.Uint64(), 36),
	}
	s.ledger = newLedger(&s.gate, &s.changed)
	return s
}

func (s *ProxyState) setAddress(address string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.address != address {
		s.address = address
		s.touch()
	}
}

// overdrawn reports whether what still runs through the proxy is cut off.
func (s *ProxyState) overdrawn() bool { return s.ledger.cut.Load() }

// touch notes that there is something to store. Most of the time it only reads.
func (s *ProxyState) touch() {
	if !s.changed.Load() {
		s.changed.Store(true)
	}
}

// isIdentity reports whether the proxy is still reached as it was when
// something was made with the given identity.
func (s *ProxyState) isIdentity(identity string) bool {
	current := s.identity.Load()
	return current != nil && *current == identity
}

func (s *ProxyState) gateHas(bits uint32) bool { return s.gate.Load()&bits != 0 }

// currentStatus derives the status; the caller holds the lock.
func (s *ProxyState) currentStatus(slow time.Duration) Status {
	switch {
	case s.gateHas(gateDown):
		return StatusDown
	case s.blockedAnywhere():
		return StatusBlocked
	case s.slowChecks(slow):
		return StatusDegraded
	default:
		return StatusHealthy
	}
}

func (s *ProxyState) blockedAnywhere() bool {
	for r := range s.troubled {
		if r.blockedUntil.Load() != 0 {
			return true
		}
	}
	for _, t := range s.recalled {
		if t.BlockedUntil != 0 {
			return true
		}
	}
	return false
}

// slowChecks tells, and notes for the request path, whether the mean of the
// last checks is above what counts as slow.
func (s *ProxyState) slowChecks(slow time.Duration) bool {
	var sum time.Duration
	for _, d := range s.checkTimes {
		sum += d
	}
	is := s.checkCount >= degradedChecks && sum/degradedChecks > slow
	s.degraded.Store(is)
	return is
}

// observeCheck takes the time of a check that passed into the averages.
func (s *ProxyState) observeCheck(d time.Duration) {
	s.checkTimes[s.checkCount%degradedChecks] = d
	s.checkCount++
	average := s.responseTime.Load()
	if average == 0 {
		average = int64(d)
	}
	s.responseTime.Store(average + (int64(d)-average)/5)
}

// Target is the host and port that requests are for, with what belongs to it
// alone: how its TLS is verified and what is known of its routes.
type Target struct {
	// Scheme is "http", "https" or [SchemeTunnel], Addr "host:port" in lower case.
	Scheme, Addr string

	// TLS verifies an https target. It must not be changed.
	TLS *tls.Config

	key     TargetKey
	state   *State
	asked   atomic.Int64 // when a request last asked for it, in Unix nanoseconds
	used    atomic.Int64 // when it was made, or a check last asked for it
	evicted atomic.Bool
	h2      atomic.Bool            // it was seen to speak HTTP/2
	doubted atomic.Bool            // some route to it was failing when last looked at
	lastTry atomic.Int64           // when one was last tried although all routes fail
	kin     atomic.Pointer[Target] // whose blocks count here, too
	routes  sync.Map               // *ProxyState to *Route

	blocking sync.Mutex // one at a time decides whom the target blocks
}

// TargetKey tells targets apart: also two with one address that are trusted
// in different ways.
type TargetKey struct {
	Scheme, Addr, Trust string

	// Guard is set for targets that clients choose, and says what of them may be
	// reached without a proxy; that is between the front and the [Dialer]. What a
	// client chose tells nothing of a proxy, and what it makes up must harm nobody
	// else: see [Target.foreign].
	Guard string

	// Quiet is for what we ask for on our own behalf, such as the delivery of an
	// alert. It is counted like everything else, but how it ends changes nothing
	// in what is known of the proxies: an alert must not raise the next one.
	Quiet bool
}
