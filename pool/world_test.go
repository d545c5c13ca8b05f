package pool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// checkAddr is the target of the checks that a test makes up.
const checkAddr = "check.example.com:443"

// world is a pool over fake proxies, and all that a test does with it.
type world struct {
	*testing.T
	*Pool
	config  Config
	state   *State
	origin  *fakeOrigin
	fake    map[string]*fakeProxy
	options Options // of the front

	mu     sync.Mutex
	events []Event
	ids    int
}

// proxySpec is one proxy; without a priority it is in its place in the list.
type proxySpec struct {
	name     string
	priority int
	cost     float64
}

// named are free proxies, each cheaper than the next.
func named(names string) []proxySpec {
	var specs []proxySpec
	for _, name := range strings.Fields(names) {
		specs = append(specs, proxySpec{name: name})
	}
	return specs
}

// inBubble runs a test with a fake clock.
func inBubble(t *testing.T, test func(*testing.T)) {
	t.Helper()
	synctest.Test(t, test)
}

// newWorld makes a pool with the defaults of the design. change may change the
// configuration first.
func newWorld(t *testing.T, specs []proxySpec, change func(*Config)) *world {
	t.Helper()
	w := &world{
		T: t, state: NewState(), fake: make(map[string]*fakeProxy),
		origin: &fakeOrigin{seen: make(map[string]int), body: make(map[string]string)},
	}
	w.config = Config{
		Name: "main",
		Options: Options{
			ConnectTimeout: 5 * time.Second, HedgeDelay: Auto, HedgeMeteredDelay: 2 * time.Second,
			ResponseTimeout: time.Minute, ReplayBuffer: 1 << 20, Keepalive: 55 * time.Second,
		},
		Checks: Checks{
			Interval: time.Minute, MeteredInterval: 10 * time.Minute, RecoveryInterval: 5 * time.Second,
			Passes: 1, Slow: 2 * time.Second,
		},
		OnEvent: func(e Event) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.events = append(w.events, e)
		},
	}
	for i, spec := range specs {
		f := &fakeProxy{name: spec.name, origin: w.origin}
		w.fake[spec.name] = f
		if spec.priority == 0 {
			spec.priority = 10 * (i + 1)
		}
		w.config.Proxies = append(w.config.Proxies, ProxyConfig{
			Name: spec.name, Priority: spec.priority, CostPerGB: spec.cost,
			MaxFailures: 3, Identity: spec.name, Dialer: f,
		})
	}
	if change != nil {
		change(&w.config)
	}
	w.options = w.config.Options
	w.Pool = New(w.config, w.state)
	w.Adopt()
	t.Cleanup(w.end)
	w.pass(time.Millisecond)
	return w
}

// end closes what is open and waits for what still runs.
func (w *world) end() {
	w.state.Close()
	for _, f := range w.fake {
		f.breakAll()
	}
	w.pass(2 * time.Minute)
}

// pass lets time pass, and what it sets off happen.
func (w *world) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// tick lets time pass and looks after the pool each second.
func (w *world) tick(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		w.pass(min(time.Second, time.Until(end)))
		w.Pool.Tick(time.Now())
		synctest.Wait()
	}
}

func (w *world) proxy(name string) *Proxy {
	w.Helper()
	p := w.Pool.Proxy(name)
	if p == nil {
		w.Fatalf("no proxy %q", name)
	}
	return p
}

func (w *world) do(name, action string) {
	w.Helper()
	if err := w.proxy(name).Do(action); err != nil {
		w.Fatal(err)
	}
}

// target is an https target, or an http one where its address says so.
func (w *world) target(addr string) *Target {
	key := TargetKey{Scheme: "https", Addr: addr}
	if strings.HasSuffix(addr, ":80") {
		key.Scheme = "http"
	}
	return w.state.Target(key, nil)
}

const api = "api.example.com:443"

func (w *world) route(proxy string) *Route { return w.target(api).route(w.proxy(proxy)) }

// request is a request with an id of its own.
func (w *world) request(method, body string) *http.Request {
	w.mu.Lock()
	w.ids++
	id := fmt.Sprint(w.ids)
	w.mu.Unlock()
	req, err := http.NewRequestWithContext(context.Background(), method, "https://"+api+"/", nil)
	if err != nil {
		w.Fatal(err)
	}
	if body != "" {
		req.Body, req.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	}
	req.Header.Set("Id", id)
	return req
}

// outcome is what came of a request.
type outcome struct {
	Status  int // of the answer, or of the error
	Body    string
	Trail   string
	Failed  string // the reason of the error
	took    time.Duration
	trace   *Trace
	err     *Error
	resp    *http.Response
	request *http.Request
}

// send forwards a request and reads all of its answer.
func (w *world) send(req *http.Request, addr string) outcome {
	w.Helper()
	o := w.begin(req, addr)
	if o.resp != nil {
		o.Body = readAll(w.T, o.resp.Body)
	}
	o.Trail = o.trace.String()
	return o
}

// begin forwards a request and leaves its answer unread.
func (w *world) begin(req *http.Request, addr string) outcome {
	w.Helper()
	start := time.Now()
	o := outcome{trace: new(Trace), request: req}
	resp, err := NewForwarder(w.Pool, w.options).Forward(req, w.target(addr), o.trace)
	o.took = time.Since(start)
	o.Trail = o.trace.String()
	if err != nil {
		if !errors.As(err, &o.err) {
			w.Fatalf("error is a %T: %v", err, err)
		}
		o.Status, o.Failed = o.err.Status, o.err.Reason
		return o
	}
	o.Status, o.resp = resp.StatusCode, resp
	return o
}

func (w *world) get() outcome {
	w.Helper()
	return w.send(w.request(http.MethodGet, ""), api)
}

func (w *world) getFrom(addr string) outcome {
	w.Helper()
	return w.send(w.request(http.MethodGet, ""), addr)
}

func (w *world) post(body string) outcome {
	w.Helper()
	return w.send(w.request(http.MethodPost, body), api)
}

// later forwards in the background; the result is there when it is over.
func (w *world) later(f func() outcome) <-chan outcome {
	over := make(chan outcome, 1)
	go func() { over <- f() }()
	synctest.Wait()
	return over
}

// fail makes n failures of the proxy itself, each an event of its own.
func (w *world) fail(name string, n int) {
	for range n {
		w.pass(time.Millisecond)
		w.proxy(name).blame(time.Now(), "dial_refused")
		w.pass(time.Millisecond)
	}
}

// failRoute makes n failures of the route to the api.
func (w *world) failRoute(name string, n int) {
	for range n {
		w.pass(time.Millisecond)
		w.proxy(name).blameRoute(w.route(name), time.Now(), "tunnel_refused")
		w.pass(time.Millisecond)
	}
}

// check tells the verdict of a check that just took the given time.
func (w *world) check(name string, passed bool, took time.Duration) {
	w.pass(time.Millisecond)
	start := time.Now()
	w.pass(took)
	r := CheckResult{Start: start, Duration: took, Target: checkAddr, OK: passed}
	if !passed {
		r.Reason = "check: timeout"
	}
	w.proxy(name).Checked(r)
	synctest.Wait()
}

func (w *world) row(name string) Row { return w.proxy(name).Snapshot() }

func (w *world) wantStatus(name string, want Status) {
	w.Helper()
	if got := w.row(name).Status; got != want {
		w.Errorf("%s is %s, want %s", name, got, want)
	}
}

// wantEvents compares the events since the last call: "A healthy>down: reason".
func (w *world) wantEvents(want ...string) {
	w.Helper()
	w.mu.Lock()
	var got []string
	for _, e := range w.events {
		got = append(got, fmt.Sprintf("%s %s>%s: %s", e.Proxy, e.From, e.To, e.Reason))
	}
	w.events = nil
	w.mu.Unlock()
	if diff := cmp.Diff(want, got); diff != "" {
		w.Errorf("events (-want +got):\n%s", diff)
	}
}

// wantTrail compares how a request went.
func (w *world) wantTrail(o outcome, status int, trail string) {
	w.Helper()
	if diff := cmp.Diff([]any{status, trail}, []any{o.Status, o.Trail}); diff != "" {
		w.Errorf("request (-want +got):\n%s(error %v)", diff, o.err)
	}
}

// wantTook compares how long a request waited, to the tenth of a second.
func (w *world) wantTook(o outcome, want time.Duration) {
	w.Helper()
	if diff := (o.took - want).Abs(); diff > 100*time.Millisecond {
		w.Errorf("took %v, want about %v", o.took, want)
	}
}

// order is the proxies in the order in which requests to the api would use them.
func (w *world) order() string {
	var names []string
	var seen places
	for {
		p := w.choose(w.target(api), &seen, time.Now().UnixNano())
		if p == nil {
			return strings.Join(names, " ")
		}
		names = append(names, p.Name)
		seen.add(p.place)
	}
}

func (w *world) wantOrder(want string) {
	w.Helper()
	if got := w.order(); got != want {
		w.Errorf("order %q, want %q", got, want)
	}
}
