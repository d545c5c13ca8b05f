package health

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-proxypool/proxypool/pool"
)

// fakeProxy is an upstream proxy that is not there. It counts the visits of
// checks and answers them as it is told.
type fakeProxy struct {
	net *network

	mu       sync.Mutex
	delay    time.Duration  // until a connect stands; forever = never
	statuses map[string]int // by target; 0 = 200, -1 = the connect fails
	dials    int
	asked    []string // URLs, in turn
	times    []time.Time
}

const forever = 1000 * time.Hour

// network counts what all proxies together have under way.
type network struct {
	mu        sync.Mutex
	now, most int
}

func (n *network) add(d int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.now += d
	n.most = max(n.most, n.now)
}

func (f *fakeProxy) be(delay time.Duration, statuses map[string]int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.delay, f.statuses = delay, statuses
}

// checks are when it was asked for something, since the beginning.
func (f *fakeProxy) checks() []time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]time.Time(nil), f.times...)
}

func (f *fakeProxy) urls() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(f.asked, " ")
}

func (f *fakeProxy) connects() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.dials
}

func (f *fakeProxy) Dial(ctx context.Context, d pool.Dialing) (pool.Conn, error) {
	f.net.add(1)
	defer f.net.add(-1)
	d.Ready()
	f.mu.Lock()
	delay, status := f.delay, f.statuses[d.Target.Addr]
	f.dials++
	f.times = append(f.times, time.Now())
	f.mu.Unlock()
	// A timer without delay makes the runtime of Go 1.26 crash now and then in a
	// bubble with the race detector.
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-ctx.Done():
		}
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if status < 0 {
		return nil, &fault{}
	}
	return &fakeConn{proxy: f}, nil
}

// Tunnel is for nobody: checks make requests.
func (f *fakeProxy) Tunnel(context.Context, pool.Dialing) (pool.Pipe, error) {
	return nil, &fault{}
}

// fakeConn takes requests one after the other.
type fakeConn struct {
	proxy  *fakeProxy
	mu     sync.Mutex
	closed bool
}

func (c *fakeConn) RoundTrip(req *http.Request) (*http.Response, error) {
	f := c.proxy
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, req.URL.String())
	port := map[string]string{"http": ":80", "https": ":443"}[req.URL.Scheme]
	code := f.statuses[req.URL.Hostname()+port]
	if code == 0 {
		code = http.StatusOK
	}
	return &http.Response{StatusCode: code, Header: http.Header{}, Body: http.NoBody}, nil
}

func (c *fakeConn) Reserve() bool                 { return c.Alive() }
func (c *fakeConn) Release()                      {}
func (c *fakeConn) InFlight() int                 { return 0 }
func (c *fakeConn) Bytes() (in, out int64)        { return 0, 0 }
func (c *fakeConn) Multiplexed() bool             { return false }
func (c *fakeConn) Ping(context.Context) error    { return nil }
func (c *fakeConn) Unheard() bool                 { return false }
func (c *fakeConn) ProxyMade(*http.Response) bool { return false }

func (c *fakeConn) Alive() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.closed
}

func (c *fakeConn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	return nil
}

type fault struct{}

func (*fault) Error() string         { return "refused" }
func (*fault) ProxyFault() bool      { return true }
func (*fault) FailureReason() string { return "dial_refused" }
func (*fault) Timeout() bool         { return false }

// world is a pool whose proxies are checked.
type world struct {
	*testing.T
	*Checker
	pool *pool.Pool
	fake map[string]*fakeProxy
	net  *network
}

// newWorld makes a pool of n proxies, p0 being the first, all of one rank; they
// cost a dollar each where metered says so. change may change the settings.
func newWorld(t *testing.T, n int, cost float64, change func(*pool.Config, *Settings)) *world {
	t.Helper()
	w := &world{T: t, fake: make(map[string]*fakeProxy, n), net: &network{}}
	config := pool.Config{
		Name:    "main",
		Options: pool.Options{ConnectTimeout: 5 * time.Second, HedgeDelay: pool.Auto, HedgeMeteredDelay: 2 * time.Second, Keepalive: 55 * time.Second},
		Checks: pool.Checks{
			Interval: time.Minute, MeteredInterval: 10 * time.Minute, RecoveryInterval: 5 * time.Second,
			Passes: 1, Slow: 2 * time.Second,
		},
		OnDue: func() { w.Wake() },
	}
	for i := range n {
		name := fmt.Sprint("p", i)
		w.fake[name] = &fakeProxy{net: w.net}
		config.Proxies = append(config.Proxies, pool.ProxyConfig{
			Name: name, CostPerGB: cost, MaxFailures: 3, Identity: name, Dialer: w.fake[name],
		})
	}
	settings := Settings{Expect: []int{200, 401, 404}, Timeout: 10 * time.Second, Concurrency: 64}
	state := pool.NewState()
	for _, raw := range []string{"https://api.example.com/getMe", "https://www.example.net/"} {
		settings.Probes = append(settings.Probes, probe(state, raw))
	}
	if change != nil {
		change(&config, &settings)
	}
	w.pool = pool.New(config, state)
	w.pool.Adopt()
	settings.Pool = w.pool
	w.Checker = New([]Settings{settings})
	return w
}

func probe(state *pool.State, raw string) Probe {
	u, err := url.Parse(raw)
	if err != nil {
		panic(err)
	}
	port := map[string]string{"http": ":80", "https": ":443"}[u.Scheme]
	key := pool.TargetKey{Scheme: u.Scheme, Addr: u.Hostname() + port}
	return Probe{URL: u, Target: func() *pool.Target { return state.Target(key, nil) }}
}

// start starts the checks, and stops them at the test's end.
func (w *world) start() {
	w.Start()
	w.Cleanup(w.Stop)
	synctest.Wait()
}

func (w *world) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (w *world) proxy(name string) *pool.Proxy { return w.pool.Proxy(name) }

// get forwards a request to the target of the checks.
func (w *world) get() error {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "https://api.example.com/", nil)
	if err != nil {
		return err
	}
	target := w.pool.State().Target(pool.TargetKey{Scheme: "https", Addr: "api.example.com:443"}, nil)
	resp, err := pool.NewForwarder(w.pool, w.pool.Options).Forward(req, target, new(pool.Trace))
	if err == nil {
		_ = resp.Body.Close()
	}
	return err
}
