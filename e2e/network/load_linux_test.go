package network

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-proxypool/proxypool/internal/proxytest"
)

// kind is what a client does.
type kind int

const (
	get    kind = iota
	post        // with an ID that the API counts
	tunnel      // a GET through the forward front, in a tunnel of its own
)

func (k kind) String() string { return [...]string{"GET", "POST", "tunnel"}[k] }

// patience is how long a client waits for an answer, where it is patient.
const patience = 15 * time.Second

// clients says who asks: how many of a kind, for what, and how often.
type clients struct {
	kind  kind
	n     int
	query string        // of the URL
	body  int           // bytes of a POST
	pause time.Duration // between requests

	patience time.Duration // how long it waits for an answer; 0 for long
}

// asked is one request and what came of it.
type asked struct {
	kind  kind
	long  bool // its answer may begin before all of it is there
	id    string
	began time.Time
	took  time.Duration
	code  int
	err   error
	trail string
}

func (a *asked) good() bool { return a.err == nil && a.code == http.StatusOK }

// carrier is the proxy whose answer it was.
func (a *asked) carrier() string {
	steps := strings.Fields(a.trail)
	if len(steps) == 0 {
		return ""
	}
	name, _, _ := strings.Cut(steps[len(steps)-1], ":")
	return name
}

// loads counts them, for IDs.
var loads atomic.Int64

// load is clients that ask until they are stopped.
type load struct {
	w        *world
	n        int64
	began    time.Time
	stopping chan struct{}
	running  sync.WaitGroup
	once     sync.Once
	connects map[string]int // of the proxies at its beginning
	hedges   int

	mu  sync.Mutex
	all []asked
}

func (w *world) put(groups ...clients) *load {
	w.t.Helper()
	l := &load{w: w, n: loads.Add(1), began: time.Now(), stopping: make(chan struct{}), connects: w.connects(), hedges: w.hedges()}
	for i, g := range groups {
		client := w.client(g.kind)
		client.Timeout = cmp.Or(g.patience, patience)
		for j := range g.n {
			l.running.Go(func() { l.ask(g, client, fmt.Sprintf("%d-%d-%d", l.n, i, j)) })
		}
		w.t.Cleanup(client.CloseIdleConnections)
	}
	w.t.Cleanup(l.stop)
	return l
}

func (w *world) client(k kind) *http.Client {
	if k != tunnel {
		return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	}
	front := &url.URL{Scheme: "http", Host: w.caddy.Front}
	return &http.Client{Transport: &http.Transport{
		Proxy: http.ProxyURL(front), DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: proxytest.CAPool()},
	}}
}

// connects is how many tunnels to the API each proxy was asked for.
func (w *world) connects() map[string]int {
	counts := make(map[string]int)
	for _, u := range []*upstream{w.cheap, w.dear, w.metered} {
		counts[u.name] = u.Connects(apiAddr)
	}
	return counts
}

func (l *load) ask(g clients, client *http.Client, name string) {
	for n := 0; ; n++ {
		select {
		case <-l.stopping:
			return
		case <-time.After(g.pause):
		}
		a := l.one(g, client, fmt.Sprintf("%s-%d", name, n))
		l.mu.Lock()
		l.all = append(l.all, a)
		l.mu.Unlock()
	}
}

func (l *load) one(g clients, client *http.Client, id string) (a asked) {
	a = asked{kind: g.kind, long: g.query != "", id: id, began: time.Now()}
	defer func() { a.took = time.Since(a.began) }()
	site, method, body := l.w.caddy.URL, http.MethodGet, io.Reader(nil)
	switch g.kind {
	case post:
		method, body = http.MethodPost, strings.NewReader(strings.Repeat("x", max(g.body, 200)))
	case tunnel:
		site = "https://" + apiAddr
	}
	req, err := http.NewRequest(method, site+"/some/path?"+g.query, body)
	if err != nil {
		a.err = err
		return a
	}
	req.Header.Set(proxytest.RequestIDHeader, id)
	resp, err := client.Do(req)
	if err != nil {
		a.err = err
		return a
	}
	defer resp.Body.Close()
	a.code, a.trail = resp.StatusCode, resp.Header.Get("X-Trail")
	_, a.err = io.Copy(io.Discard, resp.Body)
	return a
}

// stop waits until all clients have their last answers.
func (l *load) stop() {
	l.once.Do(func() { close(l.stopping) })
	l.running.Wait()
}

// result is what came of a load, or of the part of it that some function lets
// through.
type result struct {
	all, good, bad []asked
}

func (l *load) result(of func(asked) bool) (r result) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range l.all {
		switch {
		case !of(a):
			continue
		case a.good():
			r.good = append(r.good, a)
		default:
			r.bad = append(r.bad, a)
		}
		r.all = append(r.all, a)
	}
	return r
}

func every(asked) bool { return true }

func ofKind(k kind) func(asked) bool { return func(a asked) bool { return a.kind == k } }

// quantile is how long the share of requests took at most.
func (r result) quantile(share float64) time.Duration {
	if len(r.all) == 0 {
		return 0
	}
	took := make([]time.Duration, len(r.all))
	for i, a := range r.all {
		took[i] = a.took
	}
	slices.Sort(took)
	return took[min(int(share*float64(len(took))), len(took)-1)]
}

// share is the part of the good answers that a proxy carried. Tunnels don't tell.
func (r result) share(proxy string) float64 {
	n, all := 0, 0
	for _, a := range r.good {
		if a.kind == tunnel {
			continue
		}
		all++
		if a.carrier() == proxy {
			n++
		}
	}
	return float64(n) / float64(max(all, 1))
}

// longestWithout is the longest time in a span in which no request ended well.
func (r result) longestWithout(from, to time.Time) (longest time.Duration) {
	ends := []time.Time{from, to}
	for _, a := range r.good {
		if end := a.began.Add(a.took); end.After(from) && end.Before(to) {
			ends = append(ends, end)
		}
	}
	slices.SortFunc(ends, time.Time.Compare)
	for i := range ends[1:] {
		longest = max(longest, ends[i+1].Sub(ends[i]))
	}
	return longest
}

// some are the first few, to be shown.
func some(list []asked) string {
	var b strings.Builder
	for _, a := range list[:min(len(list), 8)] {
		fmt.Fprintf(&b, "\n\t%v %s after %v: %d %v %q", a.kind, a.id, a.took.Round(time.Millisecond), a.code, a.err, a.trail)
	}
	return b.String()
}

// noPostTwice checks that no POST arrived twice, and that each which was answered
// well did arrive.
func (l *load) noPostTwice(t *testing.T) {
	t.Helper()
	var wrong []asked
	r := l.result(ofKind(post))
	for _, a := range r.all {
		if n := l.w.origin.Seen(a.id); n > 1 || n == 0 && a.good() {
			wrong = append(wrong, a)
		}
	}
	if len(wrong) > 0 || len(r.all) == 0 {
		t.Errorf("%d of %d POSTs arrived twice, or were answered and did not arrive:%s", len(wrong), len(r.all), some(wrong))
	}
}

// noErrors checks that all requests were answered well.
func (l *load) noErrors(t *testing.T) {
	t.Helper()
	if r := l.result(every); len(r.bad) > 0 || len(r.good) == 0 {
		t.Errorf("%d of %d requests failed:%s", len(r.bad), len(r.all), some(r.bad))
	}
}

// trails counts how the requests went.
func (r result) trails() string {
	counts := make(map[string]int)
	for _, a := range r.all {
		counts[fmt.Sprintf("%v %d %s", a.kind, a.code, a.trail)]++
	}
	var b strings.Builder
	for _, trail := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(&b, "\n\t%d x %s", counts[trail], trail)
	}
	return b.String()
}

// spares checks that the metered proxy was left alone while a free one worked.
func (l *load) spares(t *testing.T) {
	t.Helper()
	if share, of := l.result(every).share("Metered"), l.connectShare("Metered"); share > 0.01 || of > 0.05 {
		t.Errorf("the metered proxy carried %.1f %% of the requests, and %.1f %% of the connections", 100*share, 100*of)
	}
}

// allWithin checks how long the slowest GET took that began after a moment.
func (l *load) allWithin(t *testing.T, limit time.Duration, after time.Time) {
	t.Helper()
	r := l.result(func(a asked) bool { return a.kind == get && a.began.After(after) })
	if worst := r.quantile(1); worst > limit || len(r.all) == 0 {
		t.Errorf("a GET of %d took %v, allowed are %v", len(r.all), worst, limit)
	}
}

// connectShare is the part of the connections since the load began that went
// through a proxy.
func (l *load) connectShare(name string) float64 {
	n, all := 0, 0
	for proxy, count := range l.w.connects() {
		count -= l.connects[proxy]
		all += count
		if proxy == name {
			n = count
		}
	}
	return float64(n) / float64(max(all, 1))
}

// tell logs a row of the table in docs/performance.md.
func (l *load) tell(t *testing.T, what string) {
	t.Helper()
	r, now := l.result(every), l.w.connects()
	t.Logf("| %s | %d | %d | %.1f / %.1f / %.1f %% | %d / %d / %d | %d | %v | %v | %v |", what, len(r.all), len(r.bad),
		100*r.share("Cheap"), 100*r.share("Dear"), 100*r.share("Metered"),
		now["Cheap"]-l.connects["Cheap"], now["Dear"]-l.connects["Dear"], now["Metered"]-l.connects["Metered"],
		l.w.hedges()-l.hedges, r.quantile(0.5).Round(time.Millisecond), r.quantile(0.99).Round(time.Millisecond),
		r.longestWithout(l.began, time.Now()).Round(time.Millisecond))
	t.Logf("GETs took at most %v:%s", l.result(ofKind(get)).quantile(1).Round(time.Millisecond), r.trails())
}
